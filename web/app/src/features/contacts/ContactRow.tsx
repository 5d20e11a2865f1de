import { ActionIcon, Menu, TextInput, UnstyledButton } from "@mantine/core";
import { useId } from "react";
import { blockContact, notifyOf, removeContact } from "../../api/calls";
import type { Contact, When } from "../../api/types";
import { availabilityMark } from "../../lib/presence";
import { useLive, useTypes } from "../../live/LiveProvider";
import { texts } from "../../texts";
import { ChoiceItem } from "../../ui/ChoiceItem";
import { BanIcon, BellIcon, BellOffIcon, DotsIcon, TrashIcon } from "../../ui/icons";
import { said } from "../../ui/notify";
import { Ago, PresenceMark, Words } from "../../ui/Presence";
import classes from "./Contacts.module.css";
import { useAct } from "./useContacts";

const whens: (When | "never")[] = ["never", "once", "always"];

interface Props {
  contact: Contact;
  open: boolean;
  toggle: () => void;
}

/** A contact as it is now; opened, with a line to write in. */
export function ContactRow({ contact, open, toggle }: Props) {
  const { presence, username } = contact;
  const online = presence.online_status === "online";
  const types = useTypes(contact.user_id);
  const id = useId();
  return (
    <li className={classes.contact} data-contact={username} data-open={open}>
      <div className={classes.row}>
        <UnstyledButton className={classes.who} aria-expanded={open} aria-controls={open ? id : undefined} onClick={toggle}>
          <span className={classes.nameLine}>
            <span className={classes.name}>{username}</span>
            {online ? <Words text={presence.text} emoji={presence.emoji} /> : null}
          </span>
          <span className={classes.state}>
            <PresenceMark presence={online ? availabilityMark(presence.availability) : "offline"} />
            {types ? (
              <span className={classes.types} role="status">
                {texts.contacts.typing}
              </span>
            ) : online || presence.last_seen === null ? null : (
              <span>
                {texts.contacts.seen} <Ago at={presence.last_seen} />
              </span>
            )}
          </span>
        </UnstyledButton>
        <BellMenu contact={contact} />
        <MoreMenu contact={contact} />
      </div>
      {open ? <Composer id={id} contact={contact} /> : null}
    </li>
  );
}

/** Tells the other that one types; what is written goes nowhere. */
function Composer({ id, contact }: { id: string; contact: Contact }) {
  const live = useLive();
  return (
    <div id={id} className={classes.composer}>
      <TextInput
        label={texts.contacts.write(contact.username)}
        description={texts.contacts.writeHint}
        onChange={(event) => event.currentTarget.value !== "" && live?.typing(contact.user_id)}
        autoComplete="off"
        maxLength={500}
      />
    </div>
  );
}

function BellMenu({ contact }: { contact: Contact }) {
  const act = useAct();
  const { id, notify, username } = contact;
  const label = texts.contacts.bell(username);
  const chosen = notify ?? "never";
  const Icon = notify ? BellIcon : BellOffIcon;
  return (
    <Menu position="bottom-end" width={200}>
      <Menu.Target>
        <ActionIcon
          variant={notify ? "light" : "subtle"}
          color={notify ? undefined : "gray"}
          size="lg"
          aria-label={`${label}: ${texts.contacts.whens[chosen]}`}
          title={`${label}: ${texts.contacts.whens[chosen]}`}
        >
          <Icon />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown aria-label={label}>
        {whens.map((when) => (
          <ChoiceItem
            key={when}
            checked={when === chosen}
            choose={() => void act(texts.contacts.refused(texts.contacts.whens[when]), notifyOf(id, when))}
          >
            {texts.contacts.whens[when]}
          </ChoiceItem>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}

function MoreMenu({ contact }: { contact: Contact }) {
  const act = useAct();
  const { id, username } = contact;
  const { block, blockedDone, more, refused, remove, removed } = texts.contacts;
  return (
    <Menu position="bottom-end" width={180}>
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" size="lg" aria-label={more(username)}>
          <DotsIcon />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown aria-label={more(username)}>
        <Menu.Item
          leftSection={<TrashIcon size={16} />}
          onClick={() => void act(refused(remove), removeContact(id), () => said(removed(username)))}
        >
          {remove}
        </Menu.Item>
        <Menu.Item
          leftSection={<BanIcon size={16} />}
          c="var(--danger-text)"
          onClick={() => void act(refused(block), blockContact(id), () => said(blockedDone(username)))}
        >
          {block}
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
