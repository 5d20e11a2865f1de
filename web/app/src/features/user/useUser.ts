import { useInfiniteQuery, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { getAudit, getDevices, getHistory, getUser } from "../../api/calls";
import { keys } from "../../api/keys";
import { useHeard, useLive, useWatched } from "../../live/LiveProvider";
import { overlaid } from "../../live/overlay";
import { dayStart } from "../../lib/timeline";
import { useRefreshMs } from "../users/useUsers";

export const DAYS = 7;
// What changes rarely is asked for less often than who is online.
const SLOW_MS = 15_000;

export function useUser(id: number) {
  const refetchInterval = useRefreshMs();
  const queryFn = async () => {
    const askedAt = Date.now();
    return { ...(await getUser(id)), askedAt };
  };
  const profile = useQuery({ queryKey: keys.profile(id), queryFn, refetchInterval });
  const heard = useHeard();
  useWatched(id);
  useDevicesFollow(id);
  const { data } = profile;
  return { ...profile, data: data && overlaid(data, data.askedAt, heard) };
}

/** Who comes or goes does so on a device. */
function useDevicesFollow(id: number) {
  const live = useLive();
  const queries = useQueryClient();
  useEffect(
    () =>
      live?.on("presence", ({ presence }) => {
        if (presence.user_id === id) void queries.invalidateQueries({ queryKey: keys.devices(id) });
      }),
    [live, id, queries],
  );
}

export function useDevices(id: number) {
  const refetchInterval = useRefreshMs();
  return useQuery({ queryKey: keys.devices(id), queryFn: () => getDevices(id), refetchInterval });
}

export function useHistory(id: number) {
  const refetchInterval = Math.max(useRefreshMs(), SLOW_MS);
  return useQuery({
    queryKey: keys.history(id),
    queryFn: () => getHistory(id, dayStart(Date.now(), DAYS - 1)),
    refetchInterval,
  });
}

export function useAudit(id: number) {
  const refetchInterval = Math.max(useRefreshMs(), SLOW_MS);
  return useInfiniteQuery({
    queryKey: keys.audit(id),
    initialPageParam: undefined as number | undefined,
    queryFn: ({ pageParam }) => getAudit(id, pageParam),
    getNextPageParam: (page) => page.next_before ?? undefined,
    refetchInterval,
  });
}
