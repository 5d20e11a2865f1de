import { ActionIcon, Button, Skeleton, Text } from "@mantine/core";
import { sentence } from "../../api/problem";
import type { Notification } from "../../api/types";
import { texts } from "../../texts";
import { CheckIcon } from "../../ui/icons";
import { Ago } from "../../ui/Presence";
import classes from "./Notifications.module.css";
import { useNotifications, useRead, useUnread } from "./useNotifications";

export default function NotificationList() {
  const { data, error, hasNextPage, fetchNextPage, isFetchingNextPage } = useNotifications();
  const unread = useUnread();
  const { read, readAll } = useRead();
  const notifications = data?.pages.flatMap((page) => page.notifications) ?? [];
  return (
    <>
      <div className={classes.head}>
        <Text fw={650} size="sm" component="h2" m={0}>
          {texts.notifications.title}
        </Text>
        <Button variant="subtle" size="compact-sm" disabled={unread === 0} onClick={readAll}>
          {texts.notifications.readAll}
        </Button>
      </div>
      <div className={classes.scroll} tabIndex={0} role="region" aria-label={texts.notifications.title}>
        {!data ? (
          <div className={classes.empty}>
            {error ? <Text size="sm">{sentence(error, texts.login.unreachable)}</Text> : <Skeleton height={40} />}
          </div>
        ) : notifications.length === 0 ? (
          <Text size="sm" c="dimmed" className={classes.empty}>
            {texts.notifications.none}
          </Text>
        ) : (
          <ul className={classes.list}>
            {notifications.map((each) => (
              <Item key={each.id} notification={each} read={() => read(each.id)} />
            ))}
          </ul>
        )}
        {hasNextPage ? (
          <div className={classes.older}>
            <Button variant="default" size="compact-sm" loading={isFetchingNextPage} onClick={() => void fetchNextPage()}>
              {texts.user.older}
            </Button>
          </div>
        ) : null}
      </div>
    </>
  );
}

function Item({ notification, read }: { notification: Notification; read: () => void }) {
  const fresh = notification.read_at === null;
  return (
    <li className={classes.item} data-unread={fresh}>
      <span className={classes.mark}>{fresh ? <span className="visually-hidden">{texts.notifications.unread}</span> : null}</span>
      <span className={classes.what}>
        <b>{notification.username}</b> {texts.notifications.cameOnline}
        <span className={classes.when}>
          <Ago at={notification.at} />
        </span>
      </span>
      {fresh ? (
        <ActionIcon
          variant="subtle"
          color="gray"
          size="md"
          aria-label={texts.notifications.read(notification.username)}
          title={texts.notifications.read(notification.username)}
          onClick={read}
        >
          <CheckIcon size={16} />
        </ActionIcon>
      ) : null}
    </li>
  );
}
