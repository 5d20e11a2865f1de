import { Alert, Anchor, Button, PasswordInput, Text, TextInput, Title } from "@mantine/core";
import { Link, useNavigate } from "react-router";
import { register } from "../../api/calls";
import { accountStatus } from "../../lib/presence";
import { session } from "../../session";
import { texts } from "../../texts";
import { FormError, field, secret, useSubmit } from "../../ui/form";
import { usePageTitle } from "../../ui/Page";
import { useConfig } from "../users/useUsers";
import { Door } from "./Door";

const fields = ["username", "email", "password"] as const;

export default function RegisterPage() {
  usePageTitle(texts.register.title);
  const navigate = useNavigate();
  const { data: config } = useConfig();

  const form = useSubmit(async (form) => {
    const [username, email, password] = [field(form, "username"), field(form, "email"), secret(form, "password")];
    const user = await register({ username, email, password });
    if (accountStatus(user) !== "active") {
      navigate("/login", { state: { made: texts.register.pending } });
      return;
    }
    await session.login(username, password);
    navigate("/me", { replace: true });
  }, fields);

  return (
    <Door>
      <form onSubmit={form.onSubmit}>
        <Title order={1} size="h3">
          {texts.register.title}
        </Title>
        {config?.registration === "closed" ? (
          <Text mt="md">{texts.register.closed}</Text>
        ) : (
          <>
            {config?.registration === "approval" ? (
              <Alert variant="light" mt="md" role="note">
                {texts.register.approval}
              </Alert>
            ) : null}
            <FormError error={form.error} />
            <TextInput
              name="username"
              label={texts.register.username}
              description={texts.register.usernameHint}
              error={form.at("username")}
              autoComplete="username"
              autoCapitalize="none"
              spellCheck={false}
              required
              withAsterisk={false}
              autoFocus
              size="md"
              mt="md"
            />
            <TextInput
              name="email"
              type="email"
              label={texts.register.email}
              error={form.at("email")}
              autoComplete="email"
              required
              withAsterisk={false}
              size="md"
              mt="md"
            />
            <PasswordInput
              name="password"
              label={texts.register.password}
              description={texts.register.passwordHint}
              error={form.at("password")}
              autoComplete="new-password"
              required
              withAsterisk={false}
              size="md"
              mt="md"
            />
            <Button type="submit" fullWidth size="md" mt="xl" loading={form.busy}>
              {texts.register.submit}
            </Button>
          </>
        )}
        <Anchor component={Link} to="/login" size="sm" mt="lg" display="inline-block">
          {texts.register.toLogin}
        </Anchor>
      </form>
    </Door>
  );
}
