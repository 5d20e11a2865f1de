// What was heard, laid over what was asked for. Pure.

import type { Presence, User } from "../api/types";
import { presenceOf } from "../lib/presence";
import type { Heard } from "./store";

type Look = (id: number) => Heard | undefined;

const merged = new WeakMap<User, { heard: Heard; user: User }>();

/**
 * A user as it is known to be now: what was heard counts where it was heard after the answer was asked for. The same
 * object for the same knowledge.
 */
export function overlaid(user: User, askedAt: number, look: Look): User {
  const heard = look(user.id);
  if (!heard || heard.at < askedAt) return user;
  const before = merged.get(user);
  if (before?.heard === heard) return before.user;
  const { availability, emoji, last_seen, online_status, reason, text } = heard.presence;
  const now: User = {
    ...user,
    availability,
    emoji,
    online_status,
    text,
    last_seen: last_seen ?? user.last_seen ?? null,
    reason: reason ?? user.reason ?? null,
  };
  merged.set(user, { heard, user: now });
  return now;
}

/** The pages of a list, overlaid. Those in which nothing was heard of stay what they are. */
export function overlaidPages<P extends { users: User[]; askedAt: number }>(pages: readonly P[], look: Look): P[] {
  return pages.map((page) => {
    const users = page.users.map((user) => overlaid(user, page.askedAt, look));
    return users.every((user, index) => user === page.users[index]) ? page : { ...page, users };
  });
}

/** Who came or went since a list of those who are online, or of those who are not, was asked for, does not belong to it. */
export function still<U extends User>(users: readonly U[], presence: Presence | null): U[] {
  return presence ? users.filter((user) => presenceOf(user) === presence) : (users as U[]);
}
