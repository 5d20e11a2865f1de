import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useMemo } from "react";
import { keys } from "../../api/keys";
import { findUsers, getContacts } from "../../api/calls";
import { useHeard } from "../../live/LiveProvider";
import { refused } from "../../ui/notify";
import { useRefreshMs } from "../users/useUsers";
import { contactsOverlaid } from "./order";

/** Contacts of all states, with what was heard of them since. */
export function useContacts() {
  const refetchInterval = useRefreshMs();
  const contacts = useQuery({ queryKey: keys.contacts, queryFn: getContacts, refetchInterval });
  const heard = useHeard();
  const { data } = contacts;
  const list = useMemo(() => data && contactsOverlaid(data.contacts, data.askedAt, heard), [data, heard]);
  return { ...contacts, list };
}

/** How many ask to be a contact. */
export function useIncoming(): number {
  const { data } = useQuery({
    queryKey: keys.contacts,
    queryFn: getContacts,
    select: ({ contacts }) => contacts.filter(({ state }) => state === "incoming").length,
    staleTime: 30_000,
  });
  return data ?? 0;
}

export function useFound(search: string) {
  return useQuery({
    queryKey: keys.found(search),
    queryFn: ({ signal }) => findUsers(search, signal),
    enabled: search !== "",
    staleTime: 10_000,
  });
}

/** Does something to a contact, says what the server refuses, and asks for the list again. */
export function useAct() {
  const queries = useQueryClient();
  return async (title: string, sent: Promise<unknown>, done?: () => void) => {
    try {
      await sent;
      done?.();
    } catch (error) {
      refused(title, error);
    } finally {
      await queries.invalidateQueries({ queryKey: keys.contacts });
    }
  };
}
