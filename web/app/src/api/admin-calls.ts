// What only admins ask of the server: statistics and webhooks. One function a thing.

import type { Client } from "openapi-fetch";
import type {
  AdminPaths,
  Between,
  DeliveryStatus,
  HeatQuery,
  NewWebhook,
  OnlineQuery,
  SessionsQuery,
  WebhookChanges,
} from "./admin-types";
import { api } from "./client";
import { unwrap } from "./problem";

const admin = api as unknown as Client<AdminPaths>;
const at = (id: number) => ({ params: { path: { id } } });

export const getOnline = (query: OnlineQuery, signal?: AbortSignal) =>
  unwrap(admin.GET("/api/stats/online/", { params: { query }, signal }));
export const getActive = (days: number, signal?: AbortSignal) =>
  unwrap(admin.GET("/api/stats/active/", { params: { query: { days } }, signal })).then((answer) => answer.points);
export const getSessionLengths = (query: SessionsQuery, signal?: AbortSignal) =>
  unwrap(admin.GET("/api/stats/sessions/", { params: { query }, signal }));
export const getHeat = (query: HeatQuery, signal?: AbortSignal) =>
  unwrap(admin.GET("/api/stats/heatmap/", { params: { query }, signal })).then((answer) => answer.cells);
export const getPlatforms = (query: Between, signal?: AbortSignal) =>
  unwrap(admin.GET("/api/stats/platforms/", { params: { query }, signal })).then((answer) => answer.platforms);

export type CsvPath = Extract<keyof AdminPaths, `/api/stats/${string}`>;

/** The same numbers as a table in a file. */
export function getCsv(path: CsvPath, query: object): Promise<Blob> {
  const options = { params: { query }, headers: { Accept: "text/csv" }, parseAs: "blob" as const };
  return unwrap(admin.GET(path as "/api/stats/online/", options as never)) as Promise<unknown> as Promise<Blob>;
}

export const getWebhooks = () => unwrap(admin.GET("/api/webhooks/")).then((answer) => answer.webhooks);
export const getWebhook = (id: number) => unwrap(admin.GET("/api/webhooks/{id}/", at(id)));
export const createWebhook = (body: NewWebhook) => unwrap(admin.POST("/api/webhooks/", { body }));
export const editWebhook = (id: number, body: WebhookChanges) =>
  unwrap(admin.PATCH("/api/webhooks/{id}/", { ...at(id), body }));
export const deleteWebhook = (id: number) => unwrap(admin.DELETE("/api/webhooks/{id}/", at(id)));
export const rotateSecret = (id: number) =>
  unwrap(admin.POST("/api/webhooks/{id}/rotate-secret/", at(id))).then((answer) => answer.secret);
export const testWebhook = (id: number) => unwrap(admin.POST("/api/webhooks/{id}/test/", at(id)));
export const getDeliveries = (id: number, query: { status?: DeliveryStatus; limit?: number; cursor?: string }) =>
  unwrap(admin.GET("/api/webhooks/{id}/deliveries/", { params: { path: { id }, query } }));
export const redeliver = (id: number, did: number) =>
  unwrap(admin.POST("/api/webhooks/{id}/deliveries/{did}/redeliver/", { params: { path: { id, did } } }));
