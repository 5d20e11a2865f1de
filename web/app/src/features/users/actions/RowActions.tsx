import { ActionIcon, Button, Menu } from "@mantine/core";
import type { ComponentType } from "react";
import type { Action, User } from "../../../api/types";
import { texts } from "../../../texts";
import { BanIcon, CheckIcon, DotsIcon, EditIcon, LeaveIcon, OffIcon, PauseIcon, TrashIcon } from "../../../ui/icons";
import { openAccountForm } from "./AccountForm";
import { confirmAction } from "./ConfirmAction";
import { harsh, offers, verb } from "./offers";

const icons: Record<Action, ComponentType<{ size?: number }>> = {
  suspend: PauseIcon,
  ban: BanIcon,
  activate: CheckIcon,
  deactivate: OffIcon,
  logout: LeaveIcon,
  delete: TrashIcon,
};

interface Props {
  user: User;
  myId: number;
  onDeleted?: () => void;
}

/** The likeliest action as a button, the others in a menu. Each asks before it is done. */
export function RowActions({ user, myId, onDeleted }: Props) {
  const [first, ...others] = offers(user, myId);
  return (
    <>
      {first ? (
        <Button
          size="compact-sm"
          variant="default"
          fw={550}
          onClick={() => confirmAction(first, user)}
          aria-label={texts.actions.confirm(verb(first, user), user.username)}
        >
          {verb(first, user)}
        </Button>
      ) : null}
      <Menu position="bottom-end" width={180} withinPortal>
        <Menu.Target>
          <ActionIcon variant="subtle" color="gray" aria-label={texts.actions.more(user.username)}>
            <DotsIcon />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item leftSection={<EditIcon size={16} />} onClick={() => openAccountForm(user, user.id === myId)}>
            {texts.actions.verb.edit}
          </Menu.Item>
          {others.map((action) => {
            const Icon = icons[action];
            return (
              <Menu.Item
                key={action}
                leftSection={<Icon size={16} />}
                c={harsh(action) ? "var(--danger-text)" : undefined}
                onClick={() => confirmAction(action, user, onDeleted)}
              >
                {verb(action, user)}
              </Menu.Item>
            );
          })}
        </Menu.Dropdown>
      </Menu>
    </>
  );
}
