// The shapes of what is live: availability, privacy, contacts, notifications. Written by hand until the API document
// has them; then `LivePaths` gives way to `paths`, and the shapes to those of schema.d.ts.

import type { Availability, LiveNotification, Presence } from "lastseen-client";
import type { Config, Profile, User } from "./types";

export type { Availability, Presence as PresenceShape } from "lastseen-client";

export type Visibility = "everyone" | "contacts" | "nobody";
export type When = "once" | "always";

/** What a profile has besides. All of it may be missing at an older server. */
export interface OwnLive {
  chosen_availability?: Availability;
  text?: string | null;
  emoji?: string | null;
  until?: string | null;
  online_visibility?: Visibility;
  last_seen_visibility?: Visibility;
  /** Null follows the operator's. */
  away_after_seconds?: number | null;
}

export type LiveProfile = Profile & OwnLive;
export type LiveConfig = Config & { away_after_seconds?: number };
/** A user of the list, perhaps with its own words. */
export type LiveUser = User & { text?: string | null; emoji?: string | null };

export interface OwnLiveChanges extends Omit<OwnLive, "chosen_availability"> {
  availability?: Availability;
}

export interface Contact {
  /** The other user's id, as `user_id`. */
  id: number;
  user_id: number;
  username: string;
  state: "accepted" | "requested" | "incoming" | "blocked";
  since: string;
  notify: When | null;
  presence: Presence;
}

export type Notification = LiveNotification;

export interface NotificationsPage {
  notifications: Notification[];
  unread: number;
  next_cursor: string | null;
}

interface Answer<T> {
  content: { "application/json": T };
}
interface NoContent {
  content?: never;
}
interface ById {
  path: { id: number };
}

export interface LivePaths {
  "/api/users/presence/changes/": {
    get: { parameters: { query?: { since?: string } }; responses: { 200: Answer<{ next_cursor: string }> } };
  };
  "/api/contacts/": {
    get: { responses: { 200: Answer<{ contacts: Contact[] }> } };
    post: {
      requestBody: { content: { "application/json": { user_id: number } } };
      responses: { 201: Answer<{ contact: Contact }> };
    };
  };
  "/api/contacts/{id}/": { delete: { parameters: ById; responses: { 204: NoContent } } };
  "/api/contacts/{id}/accept/": { post: { parameters: ById; responses: { 200: Answer<{ contact: Contact }> } } };
  "/api/contacts/{id}/decline/": { post: { parameters: ById; responses: { 204: NoContent } } };
  "/api/contacts/{id}/block/": { post: { parameters: ById; responses: { 200: Answer<{ contact: Contact }> } } };
  "/api/contacts/{id}/notify/": {
    post: {
      parameters: ById;
      requestBody: { content: { "application/json": { when: When | "never" } } };
      responses: { 200: Answer<{ contact: Contact }> };
    };
  };
  "/api/notifications/": {
    get: {
      parameters: { query?: { unread?: boolean; limit?: number; cursor?: string } };
      responses: { 200: Answer<NotificationsPage> };
    };
  };
  "/api/notifications/{id}/read/": {
    post: { parameters: ById; responses: { 200: Answer<{ notification: Notification }> } };
  };
  "/api/notifications/read-all/": { post: { responses: { 204: NoContent } } };
}
