import { Alert, Button, Group, Stack, TextInput } from "@mantine/core";
import { modals } from "@mantine/modals";
import { useRef, useState } from "react";
import { webhooks as words } from "../../texts-admin";
import classes from "./Webhooks.module.css";

/** Shows a secret the only time that it is told: it goes away by a button alone. */
export function showSecret(secret: string) {
  const id = modals.open({
    title: words.secretTitle,
    closeOnClickOutside: false,
    closeOnEscape: false,
    withCloseButton: false,
    children: <Secret secret={secret} close={() => modals.close(id)} />,
  });
}

function Secret({ secret, close }: { secret: string; close: () => void }) {
  const input = useRef<HTMLInputElement>(null);
  const [said, setSaid] = useState("");

  async function copy() {
    try {
      await navigator.clipboard.writeText(secret);
      setSaid(words.copied);
    } catch {
      // Without https the browser gives no clipboard.
      input.current?.select();
      setSaid(words.copyByHand);
    }
  }

  return (
    <Stack gap="md">
      <Alert color="yellow" variant="light">
        {words.secretText}
      </Alert>
      <Group gap="xs" align="flex-end" wrap="nowrap">
        <TextInput
          ref={input}
          className={classes.secret}
          label={words.secret}
          value={secret}
          readOnly
          onFocus={(event) => event.currentTarget.select()}
          spellCheck={false}
        />
        <Button variant="default" onClick={() => void copy()} data-autofocus>
          {words.copy}
        </Button>
      </Group>
      <span role="status" className={classes.copied}>
        {said}
      </span>
      <Group justify="flex-end">
        <Button onClick={close}>{words.kept}</Button>
      </Group>
    </Stack>
  );
}
