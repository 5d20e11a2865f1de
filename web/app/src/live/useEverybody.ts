import { useQueryClient, type QueryKey } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { keys } from "../api/keys";
import { getCursor } from "../api/calls";
import type { User } from "../api/types";
import { throttled } from "../lib/throttle";
import { useLive } from "./LiveProvider";

const COUNTS_APART_MS = 1000;
const LIST_APART_MS = 3000;
const TRY_AGAIN_MS = 5000;

/**
 * For admins: hears of everybody's coming and going, without a snapshot of all, since the list is asked for anyway. The
 * counts are asked for again when somebody comes or goes, and the list when it is somebody who is not in it.
 */
export function useEverybody(users: readonly User[], anew: boolean) {
  const live = useLive();
  const queries = useQueryClient();
  const shown = useRef({ users, anew });
  shown.current = { users, anew };

  useEffect(() => {
    if (!live) return;
    let off = () => {};
    let over = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    async function begin() {
      try {
        const since = await getCursor();
        if (!over && live) off = live.subscribe({ all: true }, { since });
      } catch {
        // Until then the list's own refresh does.
        if (!over) timer = setTimeout(() => void begin(), TRY_AGAIN_MS);
      }
    }
    void begin();
    const counts = throttled(COUNTS_APART_MS, () => {
      ask(keys.counts);
      ask(["users", "matching"]);
    });
    const list = throttled(LIST_APART_MS, () => ask(keys.lists));
    const ask = (queryKey: QueryKey) => void queries.invalidateQueries({ queryKey });
    const deaf = live.on("presence", ({ presence, previous }) => {
      if (previous?.online_status === presence.online_status) return;
      counts.call();
      const known = shown.current.users.some((user) => user.id === presence.user_id);
      if (!known || shown.current.anew) list.call();
    });
    return () => {
      over = true;
      clearTimeout(timer);
      counts.stop();
      list.stop();
      deaf();
      off();
    };
  }, [live, queries]);
}
