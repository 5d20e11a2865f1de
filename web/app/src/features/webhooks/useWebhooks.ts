import { useInfiniteQuery, useQuery, useQueryClient } from "@tanstack/react-query";
import { getDeliveries, getWebhook, getWebhooks } from "../../api/admin-calls";
import type { DeliveryStatus } from "../../api/admin-types";
import { keys } from "../../api/keys";
import { refused } from "../../ui/notify";
import { useRefreshMs } from "../users/useUsers";

const PAGE = 25;

export function useWebhooks() {
  const refetchInterval = useRefreshMs();
  return useQuery({ queryKey: keys.webhooks, queryFn: getWebhooks, refetchInterval });
}

export function useWebhook(id: number) {
  const refetchInterval = useRefreshMs();
  return useQuery({ queryKey: keys.webhook(id), queryFn: () => getWebhook(id), refetchInterval });
}

/** The newest first, refreshed while they are looked at. */
export function useDeliveries(id: number, status: DeliveryStatus | null) {
  const refetchInterval = useRefreshMs();
  return useInfiniteQuery({
    queryKey: keys.deliveries(id, status),
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam }) => getDeliveries(id, { limit: PAGE, ...(status ? { status } : {}), ...(pageParam ? { cursor: pageParam } : {}) }),
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    refetchInterval,
  });
}

/** All that is kept of webhooks is asked for again. */
export function useRefresh() {
  const queries = useQueryClient();
  return () => queries.invalidateQueries({ queryKey: keys.webhooks });
}

/** Does something, says what the server refuses, and asks again. */
export function useAct() {
  const refresh = useRefresh();
  return async <T,>(title: string, sent: Promise<T>, done?: (answer: T) => void) => {
    try {
      done?.(await sent);
    } catch (error) {
      refused(title, error);
    } finally {
      await refresh();
    }
  };
}
