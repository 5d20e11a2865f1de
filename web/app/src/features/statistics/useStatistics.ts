import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { getActive, getHeat, getOnline, getPlatforms, getSessionLengths, getStatuses } from "../../api/admin-calls";
import { keys } from "../../api/keys";
import { serverNow } from "../../lib/clock";
import { useEverybody } from "../../live/useEverybody";
import type { User } from "../../api/types";
import { useCounts } from "../users/useUsers";
import { heatQuery, lengths, onlineQuery, platformsQuery, sampled, sessionsQuery, statusesQuery, windowOf, type View } from "./range";
import { sparkOf, type Sample } from "./series";

// The server sums up each minute; what spans weeks changes slowly.
const MINUTE_MS = 60_000;
const SLOW_MS = 5 * MINUTE_MS;

/** Asks again while the range goes on with the time. */
function useStats<T>(what: string, view: unknown, open: boolean, everyMs: number, ask: (now: number, signal: AbortSignal) => Promise<T>) {
  return useQuery({
    queryKey: keys.stats(what, view),
    queryFn: ({ signal }) => ask(serverNow(), signal),
    refetchInterval: open ? everyMs : false,
    staleTime: open ? MINUTE_MS / 2 : SLOW_MS,
    placeholderData: keepPreviousData,
  });
}

/** With what was asked for: until the answer to another view is there, the one before is shown as what it is. */
export function useOnline(view: View) {
  const { days: _, ...own } = view;
  return useStats("online", own, view.to === null, MINUTE_MS, async (now, signal) => {
    const answer = await getOnline(onlineQuery(view, now), signal);
    return { ...answer, ...windowOf(view, now), view };
  });
}

/** With what was asked for, too. */
export function useStatuses(view: View) {
  const { range, zone, to } = view;
  return useStats("statuses", { range, zone, to }, to === null, MINUTE_MS, async (now, signal) => {
    const own = sampled(view);
    return { points: await getStatuses(statusesQuery(view, now), signal), ...windowOf(own, now), view: own };
  });
}

export function useSessionLengths(view: View) {
  const { range, step, zone, platform, to } = view;
  return useStats("sessions", { range, step, zone, platform, to }, to === null, MINUTE_MS, (now, signal) =>
    getSessionLengths(sessionsQuery(view, now), signal),
  );
}

export function useHeat(view: View) {
  const { zone, platform, to } = view;
  return useStats("heatmap", { zone, platform, to }, to === null, SLOW_MS, (now, signal) => getHeat(heatQuery(view, now), signal));
}

export function usePlatforms(view: View) {
  const { range, step, zone, to } = view;
  return useStats("platforms", { range, step, zone, to }, to === null, MINUTE_MS, (now, signal) =>
    getPlatforms(platformsQuery(view, now), signal),
  );
}

export function useActive(days: number) {
  return useStats("active", { days }, true, SLOW_MS, (_, signal) => getActive(days, signal));
}

const NOBODY: readonly User[] = [];

/** The number of this moment, as the socket and the refresh have it, and the hour that led to it. */
export function useNowOnline() {
  const counts = useCounts();
  useEverybody(NOBODY, false);
  const { data, dataUpdatedAt } = counts;
  const [seen, setSeen] = useState<Sample[]>([]);
  useEffect(() => {
    if (!data || !dataUpdatedAt) return;
    const at = serverNow();
    setSeen((before) => [...before.filter((sample) => sample.at > at - lengths.hour), { at, online: data.online }]);
  }, [data, dataUpdatedAt]);

  const hour = useStats("spark", {}, true, MINUTE_MS, async (now, signal) => {
    const view: View = { range: "hour", step: "minute", zone: "UTC", platform: null, to: null, days: 30 };
    return getOnline(onlineQuery(view, now), signal);
  });
  const to = seen.at(-1)?.at ?? serverNow();
  const from = to - lengths.hour;
  return { counts, samples: sparkOf(hour.data?.points ?? [], seen, from), from, to };
}
