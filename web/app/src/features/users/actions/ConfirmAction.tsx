import { Button, Group, Stack, Text, TextInput } from "@mantine/core";
import { modals } from "@mantine/modals";
import { useQueryClient } from "@tanstack/react-query";
import { act } from "../../../api/calls";
import type { Action, User } from "../../../api/types";
import { texts } from "../../../texts";
import { FormError, field, useSubmit } from "../../../ui/form";
import { refused, said } from "../../../ui/notify";
import { harsh, verb } from "./offers";
import { perform } from "./optimistic";

const REASON_MAX = 500;

export function confirmAction(action: Action, user: User, onDone?: () => void) {
  const id = modals.open({
    title: texts.actions.confirmTitle(verb(action, user), user.username),
    children: <ConfirmAction action={action} user={user} close={() => modals.close(id)} onDone={onDone} />,
  });
}

interface Props {
  action: Action;
  user: User;
  close: () => void;
  onDone?: (() => void) | undefined;
}

function ConfirmAction({ action, user, close, onDone }: Props) {
  const queries = useQueryClient();
  const name = user.username;
  const word = verb(action, user);

  const form = useSubmit(async (fields) => {
    const done = perform(queries, action, user, () => act(action, user.id, field(fields, "reason")));
    // A deletion shows nothing beforehand, so the question stays until it is done.
    if (action !== "delete") {
      close();
      done.then(() => said(texts.actions.done[action](name)), (error: unknown) => refused(texts.actions.refused(word, name), error));
      return;
    }
    await done;
    close();
    said(texts.actions.done.delete(name));
    onDone?.();
  });

  return (
    <form onSubmit={form.onSubmit}>
      <Stack gap="md">
        <Text size="sm">{texts.actions.explain[action]}</Text>
        <FormError error={form.error} />
        <TextInput
          name="reason"
          label={texts.actions.reason}
          description={texts.actions.reasonHint}
          maxLength={REASON_MAX}
          autoComplete="off"
          data-autofocus
        />
        <Group justify="flex-end" mt="xs">
          <Button variant="default" onClick={close}>
            {texts.cancel}
          </Button>
          <Button type="submit" color={harsh(action) ? "red.8" : undefined} loading={form.busy}>
            {texts.actions.confirm(word, name)}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
