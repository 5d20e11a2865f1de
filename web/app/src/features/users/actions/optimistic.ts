// An action on the screen before the server has answered, and back again where it refuses.

import type { InfiniteData, QueryClient } from "@tanstack/react-query";
import { keys } from "../../../api/keys";
import type { Action, User } from "../../../api/types";
import type { LoadedPage } from "../rows";

type Change = Partial<Pick<User, "status" | "is_active" | "online_status" | "reason">>;

const offline = { online_status: "offline" } as const;

/** What an action surely does. Deleting waits for the server: a row that comes back would be a fright. */
export const effects: Record<Exclude<Action, "delete">, Change> = {
  suspend: { ...offline, status: "suspended", reason: "suspended" },
  ban: { ...offline, status: "banned", reason: "banned" },
  deactivate: { ...offline, is_active: false, reason: "deactivated" },
  activate: { status: "active", is_active: true },
  logout: { ...offline, reason: "ended_by_admin" },
};

type Lists = InfiniteData<LoadedPage>;

/** Change one user wherever it is shown. */
export function patchUser(queries: QueryClient, id: number, change: Change) {
  const patch = (user: User): User => (user.id === id ? { ...user, ...change } : user);
  queries.setQueriesData<Lists>({ queryKey: keys.lists }, (lists) =>
    lists && { ...lists, pages: lists.pages.map((page) => ({ ...page, users: page.users.map(patch) })) },
  );
  queries.setQueryData<User>(keys.profile(id), (user) => user && patch(user));
}

function undo(user: User, change: Change): Change {
  const fields = Object.keys(change) as (keyof Change)[];
  return Object.fromEntries(fields.map((field) => [field, user[field]]));
}

/** Resolves when the server has done it. Where it refuses, the user is shown as before, and the error is thrown. */
export async function perform(
  queries: QueryClient,
  action: Action,
  user: User,
  send: () => Promise<void>,
): Promise<void> {
  const change = action === "delete" ? {} : effects[action];
  // An answer that was asked for before the change would undo it on the screen.
  await Promise.all([queries.cancelQueries({ queryKey: keys.lists }), queries.cancelQueries({ queryKey: keys.user(user.id) })]);
  patchUser(queries, user.id, change);
  try {
    await send();
  } catch (error) {
    patchUser(queries, user.id, undo(user, change));
    throw error;
  } finally {
    refresh(queries, user.id);
  }
}

/** After a change: ask again for all that may show it. */
export function refresh(queries: QueryClient, id?: number) {
  void queries.invalidateQueries({ queryKey: ["users"] });
  if (id !== undefined) void queries.invalidateQueries({ queryKey: keys.user(id) });
}
