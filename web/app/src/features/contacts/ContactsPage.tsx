import { Button, Skeleton, Text, Title } from "@mantine/core";
import { useState } from "react";
import { acceptContact, blockContact, declineContact, removeContact } from "../../api/calls";
import type { Contact } from "../../api/types";
import { texts } from "../../texts";
import { usePageTitle } from "../../ui/Page";
import { Panel } from "../../ui/Panel";
import { said } from "../../ui/notify";
import { StaleBanner } from "../users/StaleBanner";
import { AddContact } from "./AddContact";
import { ContactRow } from "./ContactRow";
import classes from "./Contacts.module.css";
import { inState } from "./order";
import { useAct, useContacts } from "./useContacts";

export default function ContactsPage() {
  usePageTitle(texts.contacts.title);
  const { list, error, dataUpdatedAt, isFetching, refetch } = useContacts();
  const [open, setOpen] = useState<number | null>(null);
  const of = (state: Contact["state"]) => inState(list ?? [], state);
  const [incoming, accepted, requested, blocked] = [of("incoming"), of("accepted"), of("requested"), of("blocked")];

  return (
    <>
      <Title order={1} size="h2" mb="md">
        {texts.contacts.title}
      </Title>
      {error ? <StaleBanner error={error} updatedAt={dataUpdatedAt} retry={() => void refetch()} busy={isFetching} /> : null}
      <div className={classes.grid}>
        <div className={classes.column}>
          {incoming.length > 0 ? (
            <Panel title={texts.contacts.incoming}>
              <ul className={classes.list}>{incoming.map((each) => <Incoming key={each.id} contact={each} />)}</ul>
            </Panel>
          ) : null}
          <Panel title={texts.contacts.list}>
            {!list ? (
              error ? (
                <Text c="dimmed">{texts.contacts.neverLoaded}</Text>
              ) : (
                <Skeleton height={120} aria-label={texts.loading} />
              )
            ) : accepted.length === 0 ? (
              <Text c="dimmed">{texts.contacts.none}</Text>
            ) : (
              <ul className={classes.list}>
                {accepted.map((each) => (
                  <ContactRow
                    key={each.id}
                    contact={each}
                    open={open === each.id}
                    toggle={() => setOpen((before) => (before === each.id ? null : each.id))}
                  />
                ))}
              </ul>
            )}
          </Panel>
        </div>
        <div className={classes.column}>
          <Panel title={texts.contacts.add}>
            <AddContact contacts={list ?? []} />
          </Panel>
          {requested.length > 0 ? (
            <Panel title={texts.contacts.requested}>
              <ul className={classes.list}>
                {requested.map((each) => (
                  <Plain key={each.id} contact={each} verb={texts.contacts.withdraw} label={texts.contacts.withdrawOf} done={texts.contacts.withdrawn} />
                ))}
              </ul>
            </Panel>
          ) : null}
          {blocked.length > 0 ? (
            <Panel title={texts.contacts.blocked}>
              <ul className={classes.list}>
                {blocked.map((each) => (
                  <Plain key={each.id} contact={each} verb={texts.contacts.unblock} label={texts.contacts.unblockOf} done={texts.contacts.unblockedDone} />
                ))}
              </ul>
            </Panel>
          ) : null}
        </div>
      </div>
    </>
  );
}

function Incoming({ contact }: { contact: Contact }) {
  const act = useAct();
  const { accept, acceptOf, added, block, blockOf, blockedDone, decline, declineOf, declined, refused } = texts.contacts;
  const { id, username } = contact;
  return (
    <li className={classes.row} data-contact={username}>
      <span className={classes.name}>{username}</span>
      <span className={classes.buttons}>
        <Button
          size="compact-sm"
          aria-label={acceptOf(username)}
          onClick={() => void act(refused(accept), acceptContact(id), () => said(added(username)))}
        >
          {accept}
        </Button>
        <Button
          size="compact-sm"
          variant="default"
          aria-label={declineOf(username)}
          onClick={() => void act(refused(decline), declineContact(id), () => said(declined(username)))}
        >
          {decline}
        </Button>
        <Button
          size="compact-sm"
          variant="default"
          aria-label={blockOf(username)}
          onClick={() => void act(refused(block), blockContact(id), () => said(blockedDone(username)))}
        >
          {block}
        </Button>
      </span>
    </li>
  );
}

interface PlainProps {
  contact: Contact;
  verb: string;
  label: (name: string) => string;
  done: (name: string) => string;
}

/** With one thing to do: that which ends it. */
function Plain({ contact, verb, label, done }: PlainProps) {
  const act = useAct();
  const { id, username } = contact;
  return (
    <li className={classes.row} data-contact={username}>
      <span className={classes.name}>{username}</span>
      <Button
        size="compact-sm"
        variant="default"
        aria-label={label(username)}
        onClick={() => void act(texts.contacts.refused(verb), removeContact(id), () => said(done(username)))}
      >
        {verb}
      </Button>
    </li>
  );
}
