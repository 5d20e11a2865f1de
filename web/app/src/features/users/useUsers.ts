import { keepPreviousData, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useRef } from "react";
import { conditional, getConfig, getCounts, getUsers, pageName } from "../../api/calls";
import { keys } from "../../api/keys";
import type { User } from "../../api/types";
import { firstPage, matchingQuery, nextPage, pageQuery, wantsMore, type Filter } from "./query";
import { sameOr, usersOf, type LoadedPage } from "./rows";
import { overlaidPages, still } from "../../live/overlay";
import { useHeard } from "../../live/LiveProvider";
import { useEverybody } from "../../live/useEverybody";

const DEFAULT_REFRESH_MS = 10_000;
// A page off the screen is not asked for again before it is this old, unless it comes back on the screen.
const OFF_SCREEN_MS = 5 * 60_000;

export function useConfig() {
  return useQuery({ queryKey: keys.config, queryFn: getConfig, staleTime: 5 * 60_000, retry: true, retryDelay: 3000 });
}

export function useRefreshMs(): number {
  const { data } = useConfig();
  return data ? data.admin_refresh_seconds * 1000 : DEFAULT_REFRESH_MS;
}

export function useCounts() {
  const refetchInterval = useRefreshMs();
  return useQuery({ queryKey: keys.counts, queryFn: getCounts, refetchInterval });
}

/** How many a filter selects, and how many of them are online. */
export function useMatching(filter: Filter) {
  const query = matchingQuery(filter);
  const refetchInterval = useRefreshMs();
  return useQuery({
    queryKey: keys.matching(query),
    queryFn: ({ signal }) => getUsers(query, signal),
    refetchInterval,
    placeholderData: keepPreviousData,
  });
}

/**
 * The list, refreshed as often as the server says, with what was heard since laid over it. `onScreen` tells which of
 * its pages are looked at.
 */
export function useUsers(filter: Filter) {
  const refetchInterval = useRefreshMs();
  const onScreen = useRef({ first: 0, last: 0 });

  const list = useInfiniteQuery({
    queryKey: keys.list(filter),
    initialPageParam: firstPage,
    queryFn: async ({ pageParam, signal }): Promise<LoadedPage> => {
      const query = pageQuery(filter, pageParam);
      const name = pageName(query);
      const { first, last } = onScreen.current;
      const away = pageParam.index > 0 && (pageParam.index < first || pageParam.index > last + 1);
      const kept = away ? conditional.recent<LoadedPage>(name, OFF_SCREEN_MS) : undefined;
      const page = kept ?? (await getUsers(query, signal));
      return { ...page, checkedAt: conditional.checkedAt(name), askedAt: conditional.askedAt(name) };
    },
    getNextPageParam: (page, _pages, param) => nextPage(filter, page, param),
    refetchInterval,
    placeholderData: keepPreviousData,
  });

  const pages = list.data?.pages;
  const heard = useHeard();
  const before = useRef<User[]>([]);
  const users = useMemo(() => {
    const now = pages ? still(usersOf(overlaidPages(pages, heard)), filter.presence) : [];
    before.current = sameOr(before.current, now);
    return before.current;
  }, [pages, heard, filter.presence]);
  useEverybody(users, filter.presence !== null);

  const { hasNextPage, isFetchingNextPage, isError, fetchNextPage } = list;
  useEffect(() => {
    if (wantsMore(users.length, hasNextPage) && !isFetchingNextPage && !isError) void fetchNextPage();
  }, [users.length, hasNextPage, isFetchingNextPage, isError, fetchNextPage]);

  /** To be told which rows are on the screen. */
  function look(firstRow: number, lastRow: number) {
    if (!pages) return;
    const first = pageOfRow(pages, firstRow);
    const last = pageOfRow(pages, lastRow);
    const looked = onScreen.current;
    onScreen.current = { first, last };
    if (first >= looked.first && last <= looked.last) return;
    const oldest = Math.min(...pages.slice(first, last + 1).map((page) => page.checkedAt));
    if (Date.now() - oldest > refetchInterval && !list.isFetching) void list.refetch();
  }

  return { ...list, users, look };
}

function pageOfRow(pages: readonly LoadedPage[], row: number): number {
  let rest = row;
  for (let index = 0; index < pages.length; index += 1) {
    rest -= (pages[index] as LoadedPage).users.length;
    if (rest < 0) return index;
  }
  return Math.max(0, pages.length - 1);
}
