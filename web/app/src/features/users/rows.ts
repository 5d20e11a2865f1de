// From the pages as they were loaded to the rows of the screen.

import { presenceOf } from "../../lib/presence";
import type { Presence, User, UsersPage } from "../../api/types";

export interface LoadedPage extends UsersPage {
  /** When the server last said that the page is so. */
  checkedAt: number;
  /** When it was asked. What was heard since is younger. */
  askedAt: number;
}

export type Row = { kind: "section"; key: string; presence: Presence } | { kind: "user"; key: number; user: User };

/**
 * Each user once. Whoever comes or goes between the reading of two pages stands in both; the younger page is
 * right, and of two that were read at the same moment the later.
 */
export function usersOf(pages: readonly LoadedPage[]): User[] {
  const newest = new Map<number, { page: number; checkedAt: number }>();
  pages.forEach((page, index) => {
    for (const user of page.users) {
      const other = newest.get(user.id);
      if (!other || page.checkedAt >= other.checkedAt) newest.set(user.id, { page: index, checkedAt: page.checkedAt });
    }
  });
  return pages.flatMap((page, index) => page.users.filter((user) => newest.get(user.id)?.page === index));
}

/** The list before where the new one says the same, so that what is made from it need not be made again. */
export function sameOr<T>(before: readonly T[], after: T[]): T[] {
  const same = before.length === after.length && after.every((each, index) => each === before[index]);
  return same ? (before as T[]) : after;
}

/** The users with a heading above those who are online and those who are not. */
export function withSections(users: readonly User[], order: readonly Presence[]): Row[] {
  const rows: Row[] = [];
  for (const presence of order) {
    const members = users.filter((user) => presenceOf(user) === presence);
    if (members.length === 0) continue;
    rows.push({ kind: "section", key: presence, presence });
    rows.push(...members.map(userRow));
  }
  return rows;
}

export function userRow(user: User): Row {
  return { kind: "user", key: user.id, user };
}
