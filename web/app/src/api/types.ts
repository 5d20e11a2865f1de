// The shapes of the API document under short names, and the words it leaves as plain strings.

import type { components } from "./schema";

export type User = components["schemas"]["UserShape"];
export type Profile = components["schemas"]["ProfileShape"];
export type UsersPage = components["schemas"]["UsersAnswer"];
export type Counts = components["schemas"]["NowAnswer"];
export type Config = components["schemas"]["ConfigAnswer"];
export type Device = components["schemas"]["DeviceShape"];
export type Interval = components["schemas"]["IntervalShape"];
export type AuditEntry = components["schemas"]["AuditShape"];
export type ProblemBody = components["schemas"]["ProblemBody"];

export type Presence = "online" | "offline";
export type Role = "user" | "admin";
/** `inactive` is the page's word for an account whose `is_active` is false. */
export type AccountStatus = "active" | "pending" | "suspended" | "banned" | "inactive";
export type Action = "suspend" | "ban" | "activate" | "deactivate" | "logout" | "delete";
