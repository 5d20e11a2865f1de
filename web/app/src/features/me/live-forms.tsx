import { Button, Group, NativeSelect, Stack, Text, TextInput } from "@mantine/core";
import type { MyChanges } from "../../api/calls";
import type { Profile, Visibility } from "../../api/types";
import { session } from "../../session";
import { texts } from "../../texts";
import { FormError, field, useSubmit } from "../../ui/form";
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
    <form onSubmit={form.onSubmit}>
      <Stack gap="md">
        <Text size="sm" c="dimmed">
          {texts.me.privacyText}
        </Text>
        <FormError error={form.error} />
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
        <Group>
          <Button type="submit" variant="default" loading={form.busy}>
            {texts.save}
          </Button>
        </Group>
      </Stack>
    </form>
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
    <form onSubmit={form.onSubmit}>
      <Stack gap="md">
        <Text size="sm" c="dimmed">
          {texts.me.awayText}
        </Text>
        <FormError error={form.error} />
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
        <Group>
          <Button type="submit" variant="default" loading={form.busy}>
            {texts.save}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
