import { useQueryClient } from "@tanstack/react-query";
import { createContext, useContext, useEffect, useMemo, useSyncExternalStore, type ReactNode } from "react";
import { keys } from "../api/keys";
import type { LiveStatus } from "lastseen-client";
import { session } from "../session";
import type { Live } from "../session/port";
import { texts } from "../texts";
import { said } from "../ui/notify";
import type { Profile } from "../api/types";
import { HeardStore, type Heard } from "./store";
import { useEndOfChoice } from "./useEndOfChoice";

const Context = createContext<{ live: Live | null; heard: HeardStore | null }>({ live: null, heard: null });

/** Holds what is heard over the log-in's connection, and asks again for what it says is another. */
export function LiveProvider({ me, children }: { me: Profile; children: ReactNode }) {
  const live = useSyncExternalStore(session.subscribe, session.live);
  const heard = useMemo(() => live && new HeardStore(live), [live]);
  useEffect(() => () => heard?.close(), [heard]);
  useNews(live, me.id);
  useEndOfChoice(me);
  const value = useMemo(() => ({ live, heard }), [live, heard]);
  return <Context value={value}>{children}</Context>;
}

function useNews(live: Live | null, myId: number) {
  const queries = useQueryClient();
  useEffect(() => {
    if (!live) return;
    const again = (queryKey: readonly string[]) => void queries.invalidateQueries({ queryKey });
    const offs = [
      live.on("contacts", () => again(keys.contacts)),
      live.on("notification", ({ username }) => {
        said(texts.notifications.online(username));
        again(keys.notifications);
        again(keys.contacts);
      }),
      live.on("presence", ({ presence }) => presence.user_id === myId && again(keys.me)),
      live.subscribe({ contacts: true }),
      // One's own, as other devices may choose another.
      live.subscribe({ users: [myId] }),
    ];
    return () => offs.forEach((off) => off());
  }, [live, myId, queries]);
}

export const useLive = () => useContext(Context).live;

const nothing = () => () => undefined;

/** What was heard of users; the function is another each time that there is something to draw. */
export function useHeard(): (id: number) => Heard | undefined {
  const { heard } = useContext(Context);
  const version = useSyncExternalStore(heard?.subscribe ?? nothing, heard?.version ?? zero);
  // The version stands for what the store has.
  return useMemo(() => (id: number) => heard?.get(id), [heard, version]);
}
const zero = () => 0;

export function useLiveStatus(): LiveStatus {
  const live = useLive();
  return useSyncExternalStore(
    (changed) => live?.on("state", changed) ?? (() => undefined),
    () => live?.state.status ?? "closed",
  );
}

/** Whether somebody is typing to oneself. */
export function useTypes(id: number): boolean {
  const live = useLive();
  return useSyncExternalStore(
    (changed) => live?.on("typing", changed) ?? (() => undefined),
    () => live?.typists.includes(id) ?? false,
  );
}

/** Subscribes to some users for as long as they are looked at. */
export function useWatched(id: number) {
  const live = useLive();
  useEffect(() => live?.subscribe({ users: [id] }), [live, id]);
}
