import { useInfiniteQuery, useQuery, useQueryClient } from "@tanstack/react-query";
import { keys } from "../../api/keys";
import { getNotifications, readAllNotifications, readNotification } from "../../api/calls";
import { texts } from "../../texts";
import { refused } from "../../ui/notify";

// A live one is told of at once; this is for what was read elsewhere.
const REFRESH_MS = 60_000;
const PAGE = 20;

export function useUnread(): number {
  const { data } = useQuery({
    queryKey: keys.unread,
    queryFn: () => getNotifications({ unread: true, limit: 1 }).then((page) => page.unread),
    refetchInterval: REFRESH_MS,
  });
  return data ?? 0;
}

export function useNotifications() {
  return useInfiniteQuery({
    queryKey: keys.notificationList,
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam }) => getNotifications({ limit: PAGE, cursor: pageParam }),
    getNextPageParam: (page) => page.next_cursor ?? undefined,
  });
}

export function useRead() {
  const queries = useQueryClient();
  const done = (sent: Promise<unknown>) =>
    void sent
      .catch((error: unknown) => refused(texts.notifications.refused, error))
      .finally(() => void queries.invalidateQueries({ queryKey: keys.notifications }));
  return { read: (id: number) => done(readNotification(id)), readAll: () => done(readAllNotifications()) };
}
