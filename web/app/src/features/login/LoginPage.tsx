import { Alert, Anchor, Button, Group, PasswordInput, Text, TextInput, Title } from "@mantine/core";
import { Link, Navigate, useLocation } from "react-router";
import { session } from "../../session";
import { useMe, useSession } from "../../session/hooks";
import { texts } from "../../texts";
import { FormError, field, secret, useSubmit } from "../../ui/form";
import { usePageTitle } from "../../ui/Page";
import { useConfig } from "../users/useUsers";
import { Door } from "./Door";

export default function LoginPage({ admin = false }: { admin?: boolean }) {
  const { id, ended } = useSession();
  const signedIn = id !== null;
  const me = useMe();
  const from = (useLocation().state as { from?: string; made?: string } | null) ?? {};
  const config = useConfig();
  const title = admin ? texts.login.adminTitle : texts.login.title;
  usePageTitle(title);

  const form = useSubmit(async (fields) => {
    await session.login(field(fields, "username"), secret(fields, "password"));
  });

  if (signedIn && me.data) {
    const home = admin ? "/admin" : me.data.role === "admin" ? "/admin" : "/me";
    return <Navigate to={from.from ?? home} replace />;
  }

  const why = from.made ?? (ended ? (texts.ended[ended] ?? texts.ended.other) : null);
  return (
    <Door>
      <form onSubmit={form.onSubmit}>
        <Title order={1} size="h3">
          {title}
        </Title>
        <Text c="dimmed" size="sm" mt={4} mb="lg">
          {admin ? texts.login.adminHint : texts.login.hint}
        </Text>
        {why && !form.error ? (
          <Alert variant="light" color={ended === "logged_out" || from.made ? "ink" : "yellow"} role="status" mb="md">
            {why}
          </Alert>
        ) : null}
        <FormError error={form.error} />
        <TextInput
          name="username"
          label={texts.login.name}
          autoComplete="username"
          autoCapitalize="none"
          spellCheck={false}
          required
          withAsterisk={false}
          autoFocus
          size="md"
          mt="sm"
        />
        <PasswordInput
          name="password"
          label={texts.login.password}
          autoComplete="current-password"
          required
          withAsterisk={false}
          size="md"
          mt="md"
        />
        <Button type="submit" fullWidth size="md" mt="xl" loading={form.busy || signedIn}>
          {texts.login.submit}
        </Button>
        <Group justify="space-between" mt="lg">
          <Anchor component={Link} to={admin ? "/login" : "/admin-login"} size="sm" c="dimmed">
            {admin ? texts.login.toUser : texts.login.toAdmin}
          </Anchor>
          {!admin && config.data && config.data.registration !== "closed" ? (
            <Anchor component={Link} to="/register" size="sm">
              {texts.login.register}
            </Anchor>
          ) : null}
        </Group>
      </form>
    </Door>
  );
}
