import { ActionIcon, Menu } from "@mantine/core";
import { editWebhook, testWebhook } from "../../api/admin-calls";
import type { Webhook } from "../../api/admin-types";
import { webhooks as words } from "../../texts-admin";
import { CheckIcon, DotsIcon, EditIcon, KeyIcon, OffIcon, SendIcon, TrashIcon } from "../../ui/icons";
import { said } from "../../ui/notify";
import { askDelete, askRotate } from "./questions";
import { useAct } from "./useWebhooks";
import { openWebhookForm } from "./WebhookForm";

/** What can be done to a webhook. */
export function WebhookMenu({ webhook, onDeleted }: { webhook: Webhook; onDeleted?: () => void }) {
  const act = useAct();
  const { id, url, enabled } = webhook;
  const able = enabled ? words.disable : words.enable;
  return (
    <Menu position="bottom-end" width={210}>
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" size="lg" aria-label={words.more(url)}>
          <DotsIcon />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown aria-label={words.more(url)}>
        <Menu.Item leftSection={<EditIcon size={16} />} onClick={() => openWebhookForm(webhook)}>
          {words.edit}
        </Menu.Item>
        <Menu.Item
          leftSection={<SendIcon size={16} />}
          disabled={!enabled}
          onClick={() => void act(words.refused(words.test), testWebhook(id), () => said(words.tested))}
        >
          {words.test}
        </Menu.Item>
        <Menu.Item leftSection={<KeyIcon size={16} />} onClick={() => askRotate(webhook)}>
          {words.rotate}
        </Menu.Item>
        <Menu.Item
          leftSection={enabled ? <OffIcon size={16} /> : <CheckIcon size={16} />}
          onClick={() =>
            void act(words.refused(able), editWebhook(id, { enabled: !enabled }), () => said(enabled ? words.disabled : words.enabled))
          }
        >
          {able}
        </Menu.Item>
        <Menu.Divider />
        <Menu.Item leftSection={<TrashIcon size={16} />} c="var(--danger-text)" onClick={() => askDelete(webhook, onDeleted)}>
          {words.remove}
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
