// The list's filter, how it stands in the address, and the requests that it becomes.

import type { UsersQuery } from "../../api/calls";
import type { Presence, Role, SetStatus, UsersPage } from "../../api/types";

export const sorts = ["online", "username", "-username", "-last_seen", "last_seen", "-id"] as const;
export type Sort = (typeof sorts)[number];
export const presences: Presence[] = ["online", "offline"];
export const statuses: SetStatus[] = ["active", "pending", "suspended", "banned"];
export const roles: Role[] = ["user", "admin"];

export interface Filter {
  search: string;
  presence: Presence | null;
  status: SetStatus | null;
  role: Role | null;
  sort: Sort;
}

export const everyone: Filter = { search: "", presence: null, status: null, role: null, sort: "online" };

function oneOf<T extends string>(list: readonly T[], value: string | null): T | null {
  return list.find((each) => each === value) ?? null;
}

export function fromAddress(params: URLSearchParams): Filter {
  return {
    search: params.get("search") ?? "",
    presence: oneOf(presences, params.get("presence")),
    status: oneOf(statuses, params.get("status")),
    role: oneOf(roles, params.get("role")),
    sort: oneOf(sorts, params.get("sort")) ?? everyone.sort,
  };
}

/** Only what differs from the list of everyone. */
export function toAddress(filter: Filter): URLSearchParams {
  const params = new URLSearchParams();
  if (filter.search) params.set("search", filter.search);
  if (filter.presence) params.set("presence", filter.presence);
  if (filter.status) params.set("status", filter.status);
  if (filter.role) params.set("role", filter.role);
  if (filter.sort !== everyone.sort) params.set("sort", filter.sort);
  return params;
}

export function isFiltered(filter: Filter): boolean {
  return filter.search !== "" || filter.presence !== null || filter.status !== null || filter.role !== null;
}

/**
 * The server orders by name, last change or number. "Online first" is two runs, one after the other: those who
 * are online by name, then those who are offline by name.
 */
export function runs(filter: Filter): (Presence | null)[] {
  return filter.sort === "online" && !filter.presence ? ["online", "offline"] : [filter.presence];
}

/** Where a page begins: in which run, after which cursor; and its place among all pages. */
interface PageStart {
  run: number;
  cursor: string | null;
  index: number;
}

export const firstPage: PageStart = { run: 0, cursor: null, index: 0 };
const FIRST_SIZE = 100;
const NEXT_SIZE = 500;

function selection(filter: Filter): UsersQuery {
  const query: UsersQuery = {};
  const search = filter.search.trim();
  if (search) query.search = search;
  if (filter.status) query.status = filter.status;
  if (filter.role) query.role = filter.role;
  return query;
}

export function pageQuery(filter: Filter, start: PageStart): UsersQuery {
  const query = selection(filter);
  const presence = runs(filter)[start.run];
  if (presence) query.online_status = presence;
  query.order = filter.sort === "online" ? "username" : filter.sort;
  // The first screen comes fast; who scrolls gets more at a time.
  query.limit = start.index === 0 ? FIRST_SIZE : NEXT_SIZE;
  if (start.cursor) query.cursor = start.cursor;
  return query;
}

/** Asks for nobody, but for how many the filter selects. */
export function matchingQuery(filter: Filter): UsersQuery {
  const query: UsersQuery = { ...selection(filter), limit: 1 };
  if (filter.presence) query.online_status = filter.presence;
  return query;
}

export function nextPage(filter: Filter, page: UsersPage, start: PageStart): PageStart | undefined {
  const index = start.index + 1;
  if (page.next_cursor) return { run: start.run, cursor: page.next_cursor, index };
  if (start.run + 1 < runs(filter).length) return { run: start.run + 1, cursor: null, index };
  return undefined;
}

/** Loaded at once after the first page, when that has little: so that a screen is always full. */
export function wantsMore(rows: number, hasNext: boolean): boolean {
  return hasNext && rows < FIRST_SIZE / 2;
}
