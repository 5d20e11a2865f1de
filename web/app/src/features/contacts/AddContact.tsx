import { Button, Skeleton, Text, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useState } from "react";
import { sentence } from "../../api/problem";
import { addContact } from "../../api/calls";
import type { Contact, User } from "../../api/types";
import { useMe } from "../../session/hooks";
import { texts } from "../../texts";
import { SearchIcon } from "../../ui/icons";
import { said } from "../../ui/notify";
import classes from "./Contacts.module.css";
import { useAct, useFound } from "./useContacts";

const TYPING_MS = 250;

export function AddContact({ contacts }: { contacts: readonly Contact[] }) {
  const [typed, setTyped] = useState("");
  const [search] = useDebouncedValue(typed.trim(), TYPING_MS);
  const { data, error } = useFound(search);
  const me = useMe().data;
  const found = data?.filter((user) => user.id !== me?.id);
  return (
    <>
      <TextInput
        type="search"
        label={texts.contacts.search}
        value={typed}
        onChange={(event) => setTyped(event.currentTarget.value)}
        leftSection={<SearchIcon size={16} />}
        autoComplete="off"
        autoCapitalize="none"
        spellCheck={false}
      />
      {search === "" ? null : !found ? (
        error ? (
          <Text size="sm" mt="sm" role="alert">
            {sentence(error, texts.login.unreachable)}
          </Text>
        ) : (
          <Skeleton height={36} mt="sm" aria-label={texts.contacts.searching} />
        )
      ) : found.length === 0 ? (
        <Text size="sm" c="dimmed" mt="sm" role="status">
          {texts.contacts.nobody(search)}
        </Text>
      ) : (
        <ul className={`${classes.list} ${classes.found}`} aria-label={texts.contacts.found}>
          {found.map((user) => (
            <Found key={user.id} user={user} state={contacts.find((each) => each.user_id === user.id)?.state} />
          ))}
        </ul>
      )}
    </>
  );
}

function Found({ user, state }: { user: User; state: Contact["state"] | undefined }) {
  const act = useAct();
  const [busy, setBusy] = useState(false);
  async function add() {
    setBusy(true);
    const sent = addContact(user.id);
    await act(texts.contacts.refused(texts.contacts.request), sent, () => void sent.then(tell));
    setBusy(false);
  }
  return (
    <li className={classes.row}>
      <span className={classes.name}>{user.username}</span>
      {state && state !== "incoming" ? (
        <Text size="sm" c="dimmed">
          {texts.contacts.already[state]}
        </Text>
      ) : (
        <Button size="compact-sm" loading={busy} aria-label={texts.contacts.requestOf(user.username)} onClick={() => void add()}>
          {state === "incoming" ? texts.contacts.accept : texts.contacts.request}
        </Button>
      )}
    </li>
  );
}

/** Where the other has asked already, that is all it takes. */
function tell({ state, username }: Contact) {
  said(state === "accepted" ? texts.contacts.added(username) : texts.contacts.asked(username));
}
