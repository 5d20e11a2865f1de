// One function for each thing that the page asks of the server.

import { api, openApi } from "./client";
import { Conditional } from "./conditional";
import { unwrap } from "./problem";
import type { paths } from "./schema";
import type { Action, Contact, Profile, When } from "./types";

export const conditional = new Conditional();

type Body<P extends keyof paths, M extends "post" | "patch"> = paths[P][M] extends {
  requestBody?: { content: { "application/json": infer B } };
}
  ? B
  : never;

export type UsersQuery = NonNullable<paths["/api/users/all-users/"]["get"]["parameters"]["query"]>;
type NewAccount = Body<"/api/users/", "post">;
type Registration = Body<"/api/users/register/", "post">;
export type AccountChanges = Body<"/api/users/{id}/", "patch">;
export type MyChanges = Body<"/api/users/me/", "patch">;

export const getConfig = () => unwrap(openApi.GET("/api/config/"));
export const register = (body: Registration) => unwrap(openApi.POST("/api/users/register/", { body })).then((a) => a.user);

export const getMe = () => unwrap(api.GET("/api/users/me/")).then((answer) => answer.user as Profile);
export const changeMe = (body: MyChanges) =>
  unwrap(api.PATCH("/api/users/me/", { body })).then((answer) => answer.user as Profile);
export const changePassword = (old: string, fresh: string) =>
  unwrap(api.POST("/api/users/me/password/", { body: { old, new: fresh } }));

export const pageName = (query: UsersQuery) => JSON.stringify(query);
export const getUsers = (query: UsersQuery, signal?: AbortSignal) =>
  conditional.get(pageName(query), (headers) => api.GET("/api/users/all-users/", { params: { query }, headers, signal }));
export const getCounts = () => conditional.get("counts", (headers) => api.GET("/api/stats/now/", { headers }));

const at = (id: number) => ({ params: { path: { id } } });

export const getUser = (id: number) => unwrap(api.GET("/api/users/{id}/", at(id))).then((answer) => answer.user);
export const createUser = (body: NewAccount) => unwrap(api.POST("/api/users/", { body })).then((answer) => answer.user);
export const editUser = (id: number, body: AccountChanges) =>
  unwrap(api.PATCH("/api/users/{id}/", { ...at(id), body })).then((answer) => answer.user);

export async function act(action: Action, id: number, reason: string): Promise<void> {
  const body = { reason: reason.trim() || null };
  const options = { ...at(id), body };
  if (action === "delete") await unwrap(api.DELETE("/api/users/{id}/", options));
  else await unwrap(api.POST(`/api/users/{id}/${action}/` as "/api/users/{id}/suspend/", options));
}

export const getDevices = (id: number) =>
  unwrap(api.GET("/api/users/{id}/sessions/", at(id))).then((answer) => answer.sessions);
export const endDevice = (id: number, sid: number) =>
  unwrap(api.DELETE("/api/users/{id}/sessions/{sid}/", { params: { path: { id, sid } } }));
export const getAudit = (id: number, before?: number) =>
  unwrap(api.GET("/api/users/{id}/audit/", { params: { path: { id }, query: { limit: 20, before } } }));

/** All intervals that touch the time from `from` on, the newest first; past some thousand the oldest are left out. */
export async function getHistory(id: number, from: Date) {
  const intervals = [];
  let cursor: string | undefined;
  for (let page = 0; page < 5; page += 1) {
    const query = { from: from.toISOString(), limit: 1000, cursor };
    const answer = await unwrap(api.GET("/api/users/{id}/history/", { params: { path: { id }, query } }));
    intervals.push(...answer.intervals);
    cursor = answer.next_cursor ?? undefined;
    if (!cursor) break;
  }
  return intervals;
}

/** The place in the stream of changes as of now. */
export const getCursor = () => unwrap(api.GET("/api/users/presence/changes/")).then((answer) => answer.next_cursor);

export const findUsers = (search: string, signal?: AbortSignal) =>
  getUsers({ search, limit: 8, order: "username" }, signal).then((answer) => answer.users);

export async function getContacts() {
  const askedAt = Date.now();
  const { contacts } = await unwrap(api.GET("/api/contacts/"));
  return { contacts: contacts as Contact[], askedAt };
}
export const addContact = (user_id: number) =>
  unwrap(api.POST("/api/contacts/", { body: { user_id } })).then((answer) => answer.contact as Contact);
export const removeContact = (id: number) => unwrap(api.DELETE("/api/contacts/{id}/", at(id)));
export const acceptContact = (id: number) => unwrap(api.POST("/api/contacts/{id}/accept/", at(id)));
export const declineContact = (id: number) => unwrap(api.POST("/api/contacts/{id}/decline/", at(id)));
export const blockContact = (id: number) => unwrap(api.POST("/api/contacts/{id}/block/", at(id)));
export const notifyOf = (id: number, when: When | "never") =>
  unwrap(api.POST("/api/contacts/{id}/notify/", { ...at(id), body: { when } }));

export const getNotifications = (query: { unread?: boolean; limit?: number; cursor?: string }) =>
  unwrap(api.GET("/api/notifications/", { params: { query } }));
export const readNotification = (id: number) => unwrap(api.POST("/api/notifications/{id}/read/", at(id)));
export const readAllNotifications = () => unwrap(api.POST("/api/notifications/read-all/"));
