// The shapes of the statistics and of the webhooks. Written by hand until the API document has them; then `AdminPaths`
// gives way to `paths`, and the shapes to those of schema.d.ts.

export type Step = "minute" | "hour" | "day";

/** Users online in a step: on average, at most; and how often somebody logged in. */
export interface OnlinePoint {
  at: string;
  online: number;
  peak: number;
  logins: number;
}

/** The oldest first. Steps of which nothing is known are left out. */
export interface OnlineAnswer {
  points: OnlinePoint[];
  peak: { at: string; online: number } | null;
}

/** Distinct users in a day (UTC), in the 7 and in the 30 days that end with it. */
export interface ActivePoint {
  day: string;
  daily: number;
  weekly: number;
  monthly: number;
}

export interface Band {
  from_seconds: number;
  to_seconds: number | null;
  count: number;
}

export interface SessionsAnswer {
  count: number;
  mean_seconds: number | null;
  median_seconds: number | null;
  lengths: Band[];
}

/** Weekday 1 is Monday. Null: nothing is known. */
export interface HeatCell {
  weekday: number;
  hour: number;
  mean_online: number | null;
}

export interface PlatformRow {
  platform: string;
  mean_online: number;
  peak: number;
  logins: number;
  sessions: number;
  mean_seconds: number | null;
  median_seconds: number | null;
}

export interface Webhook {
  id: number;
  url: string;
  events: string[];
  description?: string | null;
  enabled: boolean;
  /** `gone` or `failing`, where nobody did so by hand. */
  disabled_reason?: string | null;
  failing_since?: string | null;
  created_at: string;
  last_delivery?: { at: string; ok: boolean } | null;
}

export type DeliveryStatus = "pending" | "delivered" | "dead";

export interface Delivery {
  id: number;
  /** The header `webhook-id`. */
  webhook_id: string;
  type: string;
  status: DeliveryStatus;
  attempts: number;
  created_at: string;
  last_attempt_at?: string | null;
  next_attempt_at?: string | null;
  last_status?: number | null;
  last_error?: string | null;
  last_response?: string | null;
  body: string;
}

export interface Deliveries {
  deliveries: Delivery[];
  next_cursor?: string | null;
}

export interface NewWebhook {
  url: string;
  events: string[];
  description?: string | null;
}
export type WebhookChanges = Partial<NewWebhook> & { enabled?: boolean };

export interface Between {
  from: string;
  to: string;
}
export interface OnlineQuery extends Between {
  step: Step;
  tz: string;
  platform?: string;
}
export type SessionsQuery = Between & { platform?: string };
export type HeatQuery = Between & { tz: string; platform?: string };

interface Answer<T> {
  content: { "application/json": T };
}
interface NoContent {
  content?: never;
}
interface Get<Query, T> {
  get: { parameters: { query: Query }; responses: { 200: Answer<T> } };
}
interface ById {
  path: { id: number };
}

export interface AdminPaths {
  "/api/stats/online/": Get<OnlineQuery, OnlineAnswer>;
  "/api/stats/active/": Get<{ days: number }, { points: ActivePoint[] }>;
  "/api/stats/sessions/": Get<SessionsQuery, SessionsAnswer>;
  "/api/stats/heatmap/": Get<HeatQuery, { cells: HeatCell[] }>;
  "/api/stats/platforms/": Get<Between, { platforms: PlatformRow[] }>;
  "/api/webhooks/": {
    get: { responses: { 200: Answer<{ webhooks: Webhook[] }> } };
    post: { requestBody: Answer<NewWebhook>; responses: { 201: Answer<Webhook & { secret: string }> } };
  };
  "/api/webhooks/{id}/": {
    get: { parameters: ById; responses: { 200: Answer<Webhook> } };
    patch: { parameters: ById; requestBody: Answer<WebhookChanges>; responses: { 200: Answer<Webhook> } };
    delete: { parameters: ById; responses: { 204: NoContent } };
  };
  "/api/webhooks/{id}/rotate-secret/": { post: { parameters: ById; responses: { 200: Answer<{ secret: string }> } } };
  "/api/webhooks/{id}/test/": { post: { parameters: ById; responses: { 202: Answer<Delivery> } } };
  "/api/webhooks/{id}/deliveries/": {
    get: {
      parameters: ById & { query?: { status?: DeliveryStatus; limit?: number; cursor?: string } };
      responses: { 200: Answer<Deliveries> };
    };
  };
  "/api/webhooks/{id}/deliveries/{did}/redeliver/": {
    post: { parameters: { path: { id: number; did: number } }; responses: { 202: Answer<Delivery> } };
  };
}
