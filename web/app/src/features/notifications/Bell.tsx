import { ActionIcon, Popover } from "@mantine/core";
import { lazy, Suspense, useState } from "react";
import { texts } from "../../texts";
import { BellIcon } from "../../ui/icons";
import classes from "./Notifications.module.css";
import { useUnread } from "./useNotifications";

const NotificationList = lazy(() => import("./NotificationList"));
const MOST = 99;

export function Bell() {
  const unread = useUnread();
  const [opened, setOpened] = useState(false);
  return (
    <Popover opened={opened} onChange={setOpened} position="bottom-end" width={340} trapFocus shadow="md" withRoles={false}>
      <Popover.Target>
        <ActionIcon
          variant="subtle"
          color="gray"
          size="lg"
          className={classes.bell}
          aria-label={texts.notifications.bell(unread)}
          aria-haspopup="dialog"
          aria-expanded={opened}
          onClick={() => setOpened((before) => !before)}
        >
          <BellIcon />
          {unread > 0 ? (
            <span className={classes.badge} data-testid="unread" aria-hidden="true">
              {unread > MOST ? `${MOST}+` : unread}
            </span>
          ) : null}
        </ActionIcon>
      </Popover.Target>
      <Popover.Dropdown p={0} role="dialog" aria-label={texts.notifications.title}>
        {opened ? (
          <Suspense fallback={<div className={classes.waiting} role="status" aria-label={texts.loading} />}>
            <NotificationList />
          </Suspense>
        ) : null}
      </Popover.Dropdown>
    </Popover>
  );
}
