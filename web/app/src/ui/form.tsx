import { Alert, Button, Group, Stack, Text } from "@mantine/core";
import { useState, type FormEvent, type ReactNode } from "react";
import { Problem, sentence } from "../api/problem";
import { texts } from "../texts";

const fieldOf: Record<string, string> = { username_taken: "username", email_taken: "email", weak_password: "password" };

/** A form's way to the server: busy while it lasts, with the server's words beside the field they are about. */
export function useSubmit(send: (fields: FormData) => Promise<void>, fields: readonly string[] = []) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);

  const onSubmit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    return submit(new FormData(event.currentTarget));
  };

  async function submit(form: FormData) {
    if (busy) return;
    setBusy(true);
    setError(null);
    try {
      await send(form);
    } catch (problem) {
      setError(problem);
    } finally {
      setBusy(false);
    }
  }

  const about = error instanceof Problem ? (error.field ?? fieldOf[error.code] ?? null) : null;
  const atField = about !== null && fields.includes(about);
  return {
    onSubmit,
    /** Without a form: a button of its own. */
    send: () => submit(new FormData()),
    busy,
    /** What is said above the form. */
    error: atField ? null : error,
    /** What is said at a field. */
    at: (field: string) => (atField && about === field ? sentence(error, "") : undefined),
  };
}

export function FormError({ error }: { error: unknown }) {
  if (!error) return null;
  const wait = error instanceof Problem && error.status === 429 ? error.retryAfter : null;
  return (
    <Alert color="red" variant="light" role="alert">
      {sentence(error, texts.login.unreachable)}
      {wait ? ` ${texts.login.waitSeconds(wait)}` : null}
    </Alert>
  );
}

/** A form in a panel: its words, what went wrong, its fields, its button. */
export function PanelForm({
  form,
  intro,
  submit = texts.save,
  children,
}: {
  form: ReturnType<typeof useSubmit>;
  intro?: string;
  submit?: string;
  children: ReactNode;
}) {
  return (
    <form onSubmit={form.onSubmit}>
      <Stack gap="md">
        {intro ? (
          <Text size="sm" c="dimmed">
            {intro}
          </Text>
        ) : null}
        <FormError error={form.error} />
        {children}
        <Group>
          <Button type="submit" variant="default" loading={form.busy}>
            {submit}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

export const field = (form: FormData, name: string) => String(form.get(name) ?? "").trim();
/** A password as it was typed: blanks belong to it. */
export const secret = (form: FormData, name: string) => String(form.get(name) ?? "");
