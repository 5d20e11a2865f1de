// The shapes of the statistics and of the webhooks under short names, and the words that the document leaves as plain
// strings.

import type { components, paths } from "./schema";
import type { AccountStatus, Availability, Narrowed } from "./types";

type Schemas = components["schemas"];

export type Step = "minute" | "hour" | "day";
/** Users online in a step: on average, at most; and how often somebody logged in. */
export type OnlinePoint = Schemas["PointShape"];
/** Distinct users in a day (UTC), in the 7 and in the 30 days that end with it. */
export type ActivePoint = Schemas["ActiveAnswer"]["points"][number];
/** Weekday 1 is Monday. Null: nothing is known. */
export type HeatCell = Schemas["CellShape"];
export type PlatformRow = Schemas["PlatformShape"];
/** Samples are of nobody who is invisible. */
export type Sampled = Exclude<Availability, "invisible">;
/** Means of a step: users online, and accounts. */
export type StatusesPoint = Narrowed<
  Schemas["StatusesShape"],
  { by_availability: Record<Sampled, number>; by_status: Record<AccountStatus, number> }
>;

type Query<P extends keyof paths> = paths[P] extends { get: { parameters: { query?: infer Q } } } ? NonNullable<Q> : never;
export type OnlineQuery = Query<"/api/stats/online/">;
export type SessionsQuery = Query<"/api/stats/sessions/">;
export type HeatQuery = Query<"/api/stats/heatmap/">;
export type StatusesQuery = Query<"/api/stats/statuses/">;
export type Between = Required<Query<"/api/stats/platforms/">>;
export type CsvPath = Extract<
  keyof paths,
  | "/api/stats/online/"
  | "/api/stats/statuses/"
  | "/api/stats/active/"
  | "/api/stats/sessions/"
  | "/api/stats/heatmap/"
  | "/api/stats/platforms/"
>;

export type Webhook = Schemas["WebhookShape"];
export type NewWebhook = Schemas["CreateWebhookBody"];
export type WebhookChanges = Schemas["EditWebhookBody"];
export type DeliveryStatus = "pending" | "delivered" | "dead";
export type Delivery = Narrowed<Schemas["DeliveryShape"], { status: DeliveryStatus }>;
