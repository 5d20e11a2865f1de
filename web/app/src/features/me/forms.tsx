import { NativeSelect, PasswordInput, TextInput } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { changePassword, type MyChanges } from "../../api/calls";
import { keys } from "../../api/keys";
import type { Profile, Visibility } from "../../api/types";
import { session } from "../../session";
import { texts } from "../../texts";
import { PanelForm, field, secret, useSubmit } from "../../ui/form";
import { said } from "../../ui/notify";
import { useChangeMine } from "../availability/useAvailability";
import { useConfig } from "../users/useUsers";

const visibilities: Visibility[] = ["everyone", "contacts", "nobody"];
const data = visibilities.map((value) => ({ value, label: texts.me.visibility[value] }));

function useSave() {
  const change = useChangeMine();
  return async (changes: MyChanges) => {
    await change(changes);
    said(texts.saved);
  };
}

export function EmailForm({ me }: { me: Profile }) {
  const save = useSave();
  const form = useSubmit((form) => save({ email: field(form, "email") }), ["email"]);
  return (
    <PanelForm form={form}>
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
    </PanelForm>
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
    <PanelForm form={form} intro={texts.me.timeoutText}>
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
    </PanelForm>
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
    <PanelForm form={form} key={round} submit={texts.me.changePassword}>
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
    </PanelForm>
  );
}

/** To whom one shows oneself. */
export function PrivacyForm({ me }: { me: Profile }) {
  const save = useSave();
  const form = useSubmit(
    (form) =>
      save({
        online_visibility: field(form, "online_visibility") as Visibility,
        last_seen_visibility: field(form, "last_seen_visibility") as Visibility,
      }),
    ["online_visibility", "last_seen_visibility"],
  );
  return (
    <PanelForm form={form} intro={texts.me.privacyText}>
      <NativeSelect
        key={`online ${me.online_visibility}`}
        name="online_visibility"
        label={texts.me.onlineVisibility}
        defaultValue={me.online_visibility}
        error={form.at("online_visibility")}
        data={data}
      />
      <NativeSelect
        key={`seen ${me.last_seen_visibility}`}
        name="last_seen_visibility"
        label={texts.me.lastSeenVisibility}
        defaultValue={me.last_seen_visibility}
        error={form.at("last_seen_visibility")}
        data={data}
      />
    </PanelForm>
  );
}

/** When one is away by itself. */
export function AwayForm({ me }: { me: Profile }) {
  const save = useSave();
  const { data: config } = useConfig();
  const own = me.away_after_seconds ?? null;
  const form = useSubmit(
    async (form) => {
      const seconds = field(form, "away_after") ? Number(field(form, "away_after")) : null;
      await save({ away_after_seconds: seconds });
      const counts = seconds ?? config?.away_after_seconds;
      if (counts !== undefined) session.setAwayAfter(counts);
    },
    ["away_after_seconds"],
  );
  return (
    <PanelForm form={form} intro={texts.me.awayText}>
      <TextInput
        key={own}
        name="away_after"
        type="number"
        inputMode="numeric"
        step="any"
        min={0}
        label={texts.me.awayAfter}
        description={config ? texts.me.awayHint(config.away_after_seconds) : "\u00a0"}
        defaultValue={own ?? ""}
        error={form.at("away_after_seconds")}
      />
    </PanelForm>
  );
}
