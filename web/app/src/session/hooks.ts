import { useQuery } from "@tanstack/react-query";
import { useSyncExternalStore } from "react";
import { getMe } from "../api/calls";
import { keys } from "../api/keys";
import { session } from ".";

export function useSession() {
  return useSyncExternalStore(session.subscribe, session.state);
}

export function usePulse() {
  return useSyncExternalStore(session.subscribe, session.pulse);
}

/** Who is logged in. From the log-in's answer at once; after a reload from the server. */
export function useMe() {
  const { id, user } = useSession();
  return useQuery({
    queryKey: keys.me,
    queryFn: getMe,
    enabled: id !== null,
    initialData: user ?? undefined,
    staleTime: 30_000,
    retry: true,
    retryDelay: 2000,
  });
}
