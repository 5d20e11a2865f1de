import { Button, Group, Stack, TextInput } from "@mantine/core";
import { modals } from "@mantine/modals";
import { useId, useState } from "react";
import { createWebhook, editWebhook } from "../../api/admin-calls";
import type { Webhook, WebhookChanges } from "../../api/admin-types";
import { texts } from "../../texts";
import { webhooks as words } from "../../texts-admin";
import { FormError, field, useSubmit } from "../../ui/form";
import { said } from "../../ui/notify";
import { coveredBy, everything, groupFilter, groupNames, groups, tidied, unknown } from "./events";
import { showSecret } from "./Secret";
import { useRefresh } from "./useWebhooks";
import classes from "./Webhooks.module.css";

export function openWebhookForm(webhook?: Webhook) {
  const id = modals.open({
    title: webhook ? words.editTitle : words.createTitle,
    children: <WebhookForm webhook={webhook} close={() => modals.close(id)} />,
  });
}

/** Only what differs from the webhook as it is. */
function changesOf(webhook: Webhook, url: string, description: string, events: string[]): WebhookChanges {
  const changes: WebhookChanges = {};
  if (url !== webhook.url) changes.url = url;
  if (description !== (webhook.description ?? "")) changes.description = description;
  if ([...events].sort().join() !== [...webhook.events].sort().join()) changes.events = events;
  return changes;
}

interface Props {
  webhook?: Webhook | undefined;
  close: () => void;
}

function WebhookForm({ webhook, close }: Props) {
  const refresh = useRefresh();
  const [chosen, setChosen] = useState<string[]>(webhook?.events ?? []);
  const form = useSubmit(
    async (fields) => {
      const [url, description] = [field(fields, "url"), field(fields, "description")];
      if (webhook) await edit(webhook, changesOf(webhook, url, description, tidied(chosen)));
      else {
        const { secret } = await createWebhook({ url, events: tidied(chosen), ...(description ? { description } : {}) });
        showSecret(secret);
      }
      close();
      await refresh();
    },
    ["url", "description", "events"],
  );

  return (
    <form onSubmit={form.onSubmit} autoComplete="off" data-testid="webhook-form">
      <Stack gap="md">
        <FormError error={form.error} />
        <TextInput
          name="url"
          type="url"
          label={words.url}
          description={words.urlHint}
          defaultValue={webhook?.url}
          error={form.at("url")}
          spellCheck={false}
          autoComplete="off"
          maxLength={2000}
          required
          withAsterisk={false}
          data-autofocus
        />
        <TextInput
          name="description"
          label={words.description}
          defaultValue={webhook?.description ?? ""}
          error={form.at("description")}
          maxLength={500}
          autoComplete="off"
        />
        <Events chosen={chosen} choose={setChosen} error={form.at("events")} />
        <Group justify="flex-end" mt="xs">
          <Button variant="default" onClick={close}>
            {texts.cancel}
          </Button>
          <Button type="submit" loading={form.busy} disabled={chosen.length === 0}>
            {webhook ? texts.save : words.make}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

async function edit(webhook: Webhook, changes: WebhookChanges) {
  if (Object.keys(changes).length === 0) return said(texts.actions.nothingChanged);
  await editWebhook(webhook.id, changes);
  said(words.changed);
}

interface EventsProps {
  chosen: string[];
  choose: (chosen: string[]) => void;
  error: string | undefined;
}

/** A box for each event, and wider ones for several: what a wider one has is ticked and can't be chosen besides. */
function Events({ chosen, choose, error }: EventsProps) {
  const hint = useId();
  const box = (filter: string, label: string) => {
    const covered = coveredBy(filter).some((wider) => chosen.includes(wider));
    return (
      <label key={filter} className={classes.box} data-covered={covered}>
        <input
          type="checkbox"
          checked={covered || chosen.includes(filter)}
          disabled={covered}
          onChange={(event) => choose(event.currentTarget.checked ? [...chosen, filter] : chosen.filter((each) => each !== filter))}
        />
        {label}
      </label>
    );
  };
  return (
    <fieldset className={classes.events} aria-describedby={hint}>
      <legend>{words.events}</legend>
      <p id={hint} className={error ? classes.error : classes.hint}>
        {error ?? words.eventsHint}
      </p>
      {box(everything, words.everything)}
      {groupNames.map((group) => (
        <div key={group} className={classes.group}>
          {box(groupFilter(group), `${words.groups[group]}: ${words.groupAll}`)}
          <div className={classes.inner}>{groups[group].map((type) => box(type, type))}</div>
        </div>
      ))}
      {unknown(chosen).map((filter) => box(filter, filter))}
    </fieldset>
  );
}
