// What only admins ask of the server: statistics and webhooks. One function a thing.

import type {
  Between,
  CsvPath,
  Delivery,
  DeliveryStatus,
  HeatQuery,
  NewWebhook,
  OnlineQuery,
  SessionsQuery,
  StatusesPoint,
  StatusesQuery,
  WebhookChanges,
} from "./admin-types";
import { api } from "./client";
import { unwrap } from "./problem";

const at = (id: number) => ({ params: { path: { id } } });

export const getOnline = (query: OnlineQuery, signal?: AbortSignal) =>
  unwrap(api.GET("/api/stats/online/", { params: { query }, signal }));
export const getStatuses = (query: StatusesQuery, signal?: AbortSignal) =>
  unwrap(api.GET("/api/stats/statuses/", { params: { query }, signal })).then((answer) => answer.points as StatusesPoint[]);
export const getActive = (days: number, signal?: AbortSignal) =>
  unwrap(api.GET("/api/stats/active/", { params: { query: { days } }, signal })).then((answer) => answer.points);
export const getSessionLengths = (query: SessionsQuery, signal?: AbortSignal) =>
  unwrap(api.GET("/api/stats/sessions/", { params: { query }, signal }));
export const getHeat = (query: HeatQuery, signal?: AbortSignal) =>
  unwrap(api.GET("/api/stats/heatmap/", { params: { query }, signal })).then((answer) => answer.cells);
export const getPlatforms = (query: Between, signal?: AbortSignal) =>
  unwrap(api.GET("/api/stats/platforms/", { params: { query }, signal })).then((answer) => answer.platforms);

/** The same numbers as a table in a file. */
export function getCsv(path: CsvPath, query: object): Promise<Blob> {
  const options = { params: { query }, headers: { Accept: "text/csv" }, parseAs: "blob" as const };
  return unwrap(api.GET(path as "/api/stats/online/", options as never)) as Promise<unknown> as Promise<Blob>;
}

export const getWebhooks = () => unwrap(api.GET("/api/webhooks/")).then((answer) => answer.webhooks);
export const getWebhook = (id: number) => unwrap(api.GET("/api/webhooks/{id}/", at(id)));
export const createWebhook = (body: NewWebhook) => unwrap(api.POST("/api/webhooks/", { body }));
export const editWebhook = (id: number, body: WebhookChanges) =>
  unwrap(api.PATCH("/api/webhooks/{id}/", { ...at(id), body }));
export const deleteWebhook = (id: number) => unwrap(api.DELETE("/api/webhooks/{id}/", at(id)));
export const rotateSecret = (id: number) =>
  unwrap(api.POST("/api/webhooks/{id}/rotate-secret/", at(id))).then((answer) => answer.secret);
export const testWebhook = (id: number) => unwrap(api.POST("/api/webhooks/{id}/test/", at(id)));
export const getDeliveries = (id: number, query: { status?: DeliveryStatus; limit?: number; cursor?: string }) =>
  unwrap(api.GET("/api/webhooks/{id}/deliveries/", { params: { path: { id }, query } })).then(({ deliveries, next_cursor }) => ({
    deliveries: deliveries as Delivery[],
    next_cursor,
  }));
export const redeliver = (id: number, did: number) =>
  unwrap(api.POST("/api/webhooks/{id}/deliveries/{did}/redeliver/", { params: { path: { id, did } } }));
