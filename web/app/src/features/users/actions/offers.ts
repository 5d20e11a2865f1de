import type { Action, User } from "../../../api/types";
import { accountStatus, presenceOf } from "../../../lib/presence";
import { texts } from "../../../texts";

/** What may be done to an account as it is. The first is the one that stands in the row itself. */
export function offers(user: User, myId: number): Action[] {
  // The server lets nobody bar or delete itself.
  if (user.id === myId) return [];
  const status = accountStatus(user);
  const bars: Action[] =
    status === "active"
      ? ["suspend", "ban", "deactivate"]
      : status === "suspended"
        ? ["activate", "ban"]
        : status === "pending"
          ? ["activate", "ban"]
          : ["activate"];
  const logout: Action[] = presenceOf(user) === "online" ? ["logout"] : [];
  return [...bars, ...logout, "delete"];
}

export function verb(action: Action, user: User): string {
  if (action === "activate" && accountStatus(user) === "pending") return texts.actions.approve;
  return texts.actions.verb[action];
}

export const harsh = (action: Action) => action === "ban" || action === "delete" || action === "suspend";
