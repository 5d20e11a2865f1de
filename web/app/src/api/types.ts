// The shapes of the API document under short names, and the words it leaves as plain strings.

import type { Availability, Presence as PresenceShape } from "lastseen-client";
import type { components } from "./schema";

export type { Availability, PresenceShape };

type Schemas = components["schemas"];
/** A shape with some of its fields said more narrowly. */
export type Narrowed<Shape, Fields> = Omit<Shape, keyof Fields> & Fields;

export type User = Schemas["UserShape"];
export type Profile = Narrowed<
  Schemas["MeShape"],
  { chosen_availability: Availability; online_visibility: Visibility; last_seen_visibility: Visibility }
>;
export type UsersPage = Schemas["UsersAnswer"];
export type Counts = Schemas["NowAnswer"];
export type Config = Schemas["ConfigAnswer"];
export type Device = Schemas["DeviceShape"];
export type Interval = Schemas["IntervalShape"];
export type AuditEntry = Schemas["AuditShape"];
export type Contact = Narrowed<Schemas["ContactShape"], { state: ContactState; notify: When | null; presence: PresenceShape }>;
export type Notification = Schemas["NotificationShape"];
export type ProblemBody = Schemas["ProblemBody"];

export type Presence = "online" | "offline";
export type Visibility = "everyone" | "contacts" | "nobody";
type ContactState = "accepted" | "requested" | "incoming" | "blocked";
/** When to be told that a contact comes online. */
export type When = "once" | "always";
export type Role = "user" | "admin";
/** `inactive` is the page's word for an account whose `is_active` is false. */
export type AccountStatus = SetStatus | "inactive";
/** What an admin sets, and what can be asked for. */
export type SetStatus = "active" | "pending" | "suspended" | "banned";
export type Action = "suspend" | "ban" | "activate" | "deactivate" | "logout" | "delete";
