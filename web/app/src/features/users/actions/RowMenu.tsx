import { Menu } from "@mantine/core";
import { createContext, useCallback, useContext, useEffect, useState, type ComponentType, type ReactNode } from "react";
import type { Action, User } from "../../../api/types";
import { texts } from "../../../texts";
import { BanIcon, CheckIcon, EditIcon, LeaveIcon, OffIcon, PauseIcon, TrashIcon } from "../../../ui/icons";
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

type Open = (user: User, button: HTMLElement) => void;
const Context = createContext<Open>(() => undefined);
export const useRowMenu = () => useContext(Context);

interface Props {
  myId: number;
  onDeleted?: () => void;
  children: ReactNode;
}

/** One menu for all rows: thousands of them would make the list slow. It opens at the button that asked for it. */
export function RowMenu({ myId, onDeleted, children }: Props) {
  const [asked, setAsked] = useState<{ user: User; button: HTMLElement } | null>(null);
  const open = useCallback<Open>((user, button) => setAsked({ user, button }), []);

  function close() {
    asked?.button.focus();
    setAsked(null);
  }

  useEffect(() => {
    if (!asked) return;
    // The row moves away from under the menu.
    const leave = () => setAsked(null);
    window.addEventListener("scroll", leave, { passive: true, once: true });
    asked.button.setAttribute("aria-expanded", "true");
    return () => {
      window.removeEventListener("scroll", leave);
      asked.button.setAttribute("aria-expanded", "false");
    };
  }, [asked]);

  return (
    <Context value={open}>
      {children}
      {asked ? (
        <Menu key={asked.user.id} opened onClose={close} position="bottom-end" width={180} returnFocus={false}>
          <Menu.Target>
            {/* Stands where the row's button is, for the menu to open at; nobody sees or reaches it. */}
            <button type="button" aria-hidden tabIndex={-1} style={at(asked.button)} />
          </Menu.Target>
          <Menu.Dropdown aria-label={texts.actions.more(asked.user.username)}>
            <Items user={asked.user} myId={myId} onDeleted={onDeleted} />
          </Menu.Dropdown>
        </Menu>
      ) : null}
    </Context>
  );
}

function at(button: HTMLElement) {
  const { left, top, width, height } = button.getBoundingClientRect();
  return { position: "fixed", pointerEvents: "none", visibility: "hidden", left, top, width, height } as const;
}

function Items({ user, myId, onDeleted }: { user: User; myId: number; onDeleted?: (() => void) | undefined }) {
  const [, ...others] = offers(user, myId);
  return (
    <>
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
    </>
  );
}
