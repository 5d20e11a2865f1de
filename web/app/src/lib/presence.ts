// What the page says of a user's presence. The rule is the server's; the page holds it once more, so that it
// can't show a barred account as online, whatever an old answer says.

import type { AccountStatus, Availability, Presence, User } from "../api/types";

type Account = Pick<User, "status" | "is_active">;

/** The account status in one word: a bar outranks the deactivation. */
export function accountStatus(user: Account): AccountStatus {
  switch (user.status) {
    case "pending":
    case "suspended":
    case "banned":
      return user.status;
    default:
      return user.is_active && user.status === "active" ? "active" : "inactive";
  }
}

function isBarred(user: Account): boolean {
  return accountStatus(user) !== "active";
}

export function presenceOf(user: Account & Pick<User, "online_status">): Presence {
  return user.online_status === "online" && !isBarred(user) ? "online" : "offline";
}

/** As `presenceOf`, where the answer is so old that nobody's being online is certain any more. */
export function shownPresence(user: Parameters<typeof presenceOf>[0], certain: boolean): Presence | "was_online" {
  const presence = presenceOf(user);
  return presence === "online" && !certain ? "was_online" : presence;
}

/** What a mark shows: of somebody who is online, how available. */
export type Mark = Presence | "was_online" | Exclude<Availability, "available">;

export function markOf(user: Parameters<typeof presenceOf>[0] & { availability?: string }, certain = true): Mark {
  const shown = shownPresence(user, certain);
  return shown === "online" ? availabilityMark(user.availability) : shown;
}

/** The mark of somebody who is online. A word of a later server is plain "online". */
export function availabilityMark(availability: string | undefined): Mark {
  return availability === "away" || availability === "dnd" || availability === "invisible" ? availability : "online";
}
