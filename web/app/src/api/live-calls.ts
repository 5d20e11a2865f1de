// What the page asks of the server about what is live, one function a thing.

import type { Client } from "openapi-fetch";
import { changeMe, getUsers, type MyChanges } from "./calls";
import { api } from "./client";
import type { LivePaths, LiveProfile, OwnLiveChanges, When } from "./live-types";
import { unwrap } from "./problem";

const live = api as unknown as Client<LivePaths>;
const at = (id: number) => ({ params: { path: { id } } });

export const changeMyLive = (changes: OwnLiveChanges) =>
  changeMe(changes as MyChanges) as Promise<LiveProfile>;

/** The place in the stream of changes as of now. */
export const getCursor = () => unwrap(live.GET("/api/users/presence/changes/")).then((answer) => answer.next_cursor);

export const findUsers = (search: string, signal?: AbortSignal) =>
  getUsers({ search, limit: 8, order: "username" }, signal).then((answer) => answer.users);

export async function getContacts() {
  const askedAt = Date.now();
  const { contacts } = await unwrap(live.GET("/api/contacts/"));
  return { contacts, askedAt };
}
export const addContact = (user_id: number) => unwrap(live.POST("/api/contacts/", { body: { user_id } }));
export const removeContact = (id: number) => unwrap(live.DELETE("/api/contacts/{id}/", at(id)));
export const acceptContact = (id: number) => unwrap(live.POST("/api/contacts/{id}/accept/", at(id)));
export const declineContact = (id: number) => unwrap(live.POST("/api/contacts/{id}/decline/", at(id)));
export const blockContact = (id: number) => unwrap(live.POST("/api/contacts/{id}/block/", at(id)));
export const notifyOf = (id: number, when: When | "never") =>
  unwrap(live.POST("/api/contacts/{id}/notify/", { ...at(id), body: { when } }));

export const getNotifications = (query: { unread?: boolean; limit?: number; cursor?: string }) =>
  unwrap(live.GET("/api/notifications/", { params: { query } }));
export const readNotification = (id: number) => unwrap(live.POST("/api/notifications/{id}/read/", at(id)));
export const readAllNotifications = () => unwrap(live.POST("/api/notifications/read-all/"));
