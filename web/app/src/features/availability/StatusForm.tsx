import { Button, Group, NativeSelect, Stack, Text, TextInput } from "@mantine/core";
import { useState } from "react";
import type { MyChanges } from "../../api/calls";
import type { Availability, Profile } from "../../api/types";
import { serverNow } from "../../lib/clock";
import { texts } from "../../texts";
import { FormError, field, useSubmit } from "../../ui/form";
import classes from "./Availability.module.css";
import { endOf, ends, localField, type End } from "./ends";
import { useChangeMine } from "./useAvailability";

const TEXT_MAX = 140;
const HOUR = 3_600_000;
const emojis = ["💬", "📅", "🍜", "🏠", "🚆", "🤒", "🌴", "🎧"];
const choices: Availability[] = ["available", "away", "dnd", "invisible"];

/** What one says of oneself, in words, and until when. */
export default function StatusForm({ me, close }: { me: Profile; close: () => void }) {
  const change = useChangeMine();
  const [text, setText] = useState(me.text ?? "");
  const [emoji, setEmoji] = useState(me.emoji ?? "");
  const [end, setEnd] = useState<End>(me.until ? "custom" : "never");
  const form = useSubmit(
    async (fields) => {
      const until = endOf(end, field(fields, "end_at"), serverNow());
      const changes: MyChanges = { text: text.trim() || null, emoji: emoji.trim() || null, until };
      const availability = field(fields, "availability") as Availability;
      if (availability !== me.chosen_availability) changes.availability = availability;
      await change(changes);
      close();
    },
    ["text", "emoji", "until", "availability"],
  );
  const clear = useSubmit(async () => {
    await change({ text: null, emoji: null });
    close();
  });

  return (
    <form onSubmit={form.onSubmit}>
      <Stack gap="md">
        <FormError error={form.error ?? clear.error} />
        <div className={classes.line}>
          <TextInput
            label={texts.availability.emoji}
            name="emoji"
            w={84}
            maxLength={32}
            value={emoji}
            onChange={(event) => setEmoji(event.currentTarget.value)}
            error={Boolean(form.at("emoji"))}
            autoComplete="off"
          />
          <TextInput
            label={texts.availability.text}
            name="text"
            value={text}
            maxLength={TEXT_MAX}
            onChange={(event) => setText(event.currentTarget.value)}
            error={form.at("text")}
            autoComplete="off"
            // The form comes later than the dialog that would give it the focus.
            autoFocus
          />
        </div>
        {form.at("emoji") ? (
          <Text size="xs" c="red" role="alert">
            {form.at("emoji")}
          </Text>
        ) : null}
        <Text size="xs" c="dimmed" mt={-8}>
          {texts.availability.textHint(TEXT_MAX - text.length)}
        </Text>
        <div className={classes.emojis} role="group" aria-label={texts.availability.emoji}>
          {emojis.map((each) => (
            <button
              key={each}
              type="button"
              className={classes.emoji}
              aria-pressed={each === emoji}
              onClick={() => setEmoji(each === emoji ? "" : each)}
            >
              {each}
            </button>
          ))}
        </div>
        <NativeSelect
          name="availability"
          label={texts.availability.title}
          defaultValue={me.chosen_availability}
          error={form.at("availability")}
          data={choices.map((value) => ({ value, label: texts.availability.names[value] }))}
        />
        <NativeSelect
          label={texts.availability.end}
          value={end}
          onChange={(event) => setEnd(event.currentTarget.value as End)}
          error={end === "custom" ? undefined : form.at("until")}
          data={ends.map((value) => ({ value, label: texts.availability.ends[value] ?? value }))}
        />
        {end === "custom" ? (
          <TextInput
            name="end_at"
            type="datetime-local"
            label={texts.availability.endAt}
            defaultValue={localField(me.until ? Date.parse(me.until) : serverNow() + 2 * HOUR)}
            min={localField(serverNow())}
            error={form.at("until")}
            required
            withAsterisk={false}
          />
        ) : null}
        <Group justify="space-between" mt="xs">
          {me.text || me.emoji ? (
            <Button variant="subtle" px={8} loading={clear.busy} onClick={() => void clear.send()}>
              {texts.availability.clear}
            </Button>
          ) : (
            <span />
          )}
          <Group>
            <Button variant="default" onClick={close}>
              {texts.cancel}
            </Button>
            <Button type="submit" loading={form.busy}>
              {texts.save}
            </Button>
          </Group>
        </Group>
      </Stack>
    </form>
  );
}
