import { Button, Group, Stack, Text } from "@mantine/core";
import { modals } from "@mantine/modals";
import { deleteWebhook, rotateSecret } from "../../api/admin-calls";
import type { Webhook } from "../../api/admin-types";
import { texts } from "../../texts";
import { webhooks as words } from "../../texts-admin";
import { FormError, useSubmit } from "../../ui/form";
import { said } from "../../ui/notify";
import { showSecret } from "./Secret";
import { useRefresh } from "./useWebhooks";

export function askRotate(webhook: Webhook) {
  ask(words.rotateTitle, words.rotateText, words.rotateConfirm, false, async () => showSecret(await rotateSecret(webhook.id)));
}

export function askDelete(webhook: Webhook, onDone?: () => void) {
  ask(words.removeTitle, words.removeText(webhook.url), words.removeConfirm, true, async () => {
    await deleteWebhook(webhook.id);
    said(words.removed);
    onDone?.();
  });
}

function ask(title: string, text: string, verb: string, harsh: boolean, perform: () => Promise<void>) {
  const id = modals.open({
    title,
    children: <Question text={text} verb={verb} harsh={harsh} perform={perform} close={() => modals.close(id)} />,
  });
}

interface Props {
  text: string;
  verb: string;
  harsh: boolean;
  perform: () => Promise<void>;
  close: () => void;
}

function Question({ text, verb, harsh, perform, close }: Props) {
  const refresh = useRefresh();
  const form = useSubmit(async () => {
    await perform();
    close();
    await refresh();
  });
  return (
    <form onSubmit={form.onSubmit}>
      <Stack gap="md">
        <Text size="sm" style={{ overflowWrap: "anywhere" }}>
          {text}
        </Text>
        <FormError error={form.error} />
        <Group justify="flex-end" mt="xs">
          <Button variant="default" onClick={close} data-autofocus>
            {texts.cancel}
          </Button>
          <Button type="submit" color={harsh ? "red.8" : undefined} loading={form.busy}>
            {verb}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
