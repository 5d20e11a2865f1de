import { Button, Group, PasswordInput, Stack, Text, TextInput } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { changeMe, changePassword, type MyChanges } from "../../api/calls";
import { keys } from "../../api/keys";
import type { Profile } from "../../api/types";
import { texts } from "../../texts";
import { FormError, field, secret, useSubmit } from "../../ui/form";
import { said } from "../../ui/notify";
import { useConfig } from "../users/useUsers";

function useSave() {
  const queries = useQueryClient();
  return async (changes: MyChanges) => {
    const me = await changeMe(changes);
    queries.setQueryData(keys.me, me);
    said(texts.saved);
  };
}

export function EmailForm({ me }: { me: Profile }) {
  const save = useSave();
  const form = useSubmit((form) => save({ email: field(form, "email") }), ["email"]);
  return (
    <form onSubmit={form.onSubmit}>
      <Stack gap="md">
        <FormError error={form.error} />
        <TextInput
          name="email"
          type="email"
          label={texts.me.email}
          defaultValue={me.email ?? ""}
          error={form.at("email")}
          autoComplete="email"
          required
          withAsterisk={false}
        />
        <Group>
          <Button type="submit" variant="default" loading={form.busy}>
            {texts.save}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

export function TimeoutForm({ me }: { me: Profile }) {
  const save = useSave();
  const { data: config } = useConfig();
  const own = me.inactivity_timeout_seconds ?? null;
  const form = useSubmit(
    (form) => {
      const seconds = field(form, "timeout");
      return save({ inactivity_timeout_seconds: seconds ? Number(seconds) : null });
    },
    ["inactivity_timeout_seconds"],
  );
  return (
    <form onSubmit={form.onSubmit}>
      <Stack gap="md">
        <Text size="sm" c="dimmed">
          {texts.me.timeoutText}
        </Text>
        <FormError error={form.error} />
        <TextInput
          key={own}
          name="timeout"
          type="number"
          inputMode="numeric"
          step="any"
          label={texts.me.timeoutOwn}
          description={
            config
              ? texts.actions.ownTimeoutHint(config.timeout_min_seconds, config.timeout_max_seconds, config.inactivity_timeout_seconds)
              : "\u00a0"
          }
          min={config?.timeout_min_seconds}
          max={config?.timeout_max_seconds}
          defaultValue={own ?? ""}
          error={form.at("inactivity_timeout_seconds")}
        />
        <Group>
          <Button type="submit" variant="default" loading={form.busy}>
            {texts.save}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

export function PasswordForm({ me }: { me: Profile }) {
  const queries = useQueryClient();
  const [round, setRound] = useState(0);
  const form = useSubmit(
    async (form) => {
      await changePassword(secret(form, "old"), secret(form, "new"));
      setRound((before) => before + 1);
      said(texts.me.passwordChanged);
      void queries.invalidateQueries({ queryKey: keys.devices(me.id) });
    },
    ["old", "new"],
  );
  return (
    <form onSubmit={form.onSubmit} key={round}>
      <Stack gap="md">
        <FormError error={form.error} />
        {/* Tells password managers whose password it is. */}
        <input type="text" autoComplete="username" value={me.username} readOnly hidden />
        <PasswordInput
          name="old"
          label={texts.me.oldPassword}
          error={form.at("old")}
          autoComplete="current-password"
          required
          withAsterisk={false}
        />
        <PasswordInput
          name="new"
          label={texts.me.newPassword}
          description={texts.register.passwordHint}
          error={form.at("new")}
          autoComplete="new-password"
          required
          withAsterisk={false}
        />
        <Group>
          <Button type="submit" variant="default" loading={form.busy}>
            {texts.me.changePassword}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
