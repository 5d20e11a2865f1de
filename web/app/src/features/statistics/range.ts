// Which time is looked at, how it stands in the address, and the requests that it becomes. Pure.

import type { Between, Step } from "../../api/admin-types";
import { dayStart, isZone, partStart } from "../../lib/zone";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

export const ranges = ["hour", "day", "week", "month"] as const;
export type Range = (typeof ranges)[number];
export const platforms = ["web", "ios", "android", "windows", "macos", "linux", "other"] as const;
export type Platform = (typeof platforms)[number];
export const activeDays = [30, 90, 365] as const;

export const lengths: Record<Range, number> = { hour: HOUR, day: DAY, week: 7 * DAY, month: 30 * DAY };
/** The first is taken where none is chosen. */
export const stepsOf: Record<Range, readonly [Step, ...Step[]]> = {
  hour: ["minute"],
  day: ["minute", "hour"],
  week: ["hour"],
  month: ["hour", "day"],
};
export const stepMs: Record<Step, number> = { minute: MINUTE, hour: HOUR, day: DAY };
/** What an hour of a weekday is like needs some weeks to tell. */
const HEAT_MS = 28 * DAY;

export interface View {
  range: Range;
  step: Step;
  zone: string;
  platform: Platform | null;
  /** Where the range ends; null where it goes on with the time. */
  to: number | null;
  days: number;
}

function oneOf<T>(list: readonly T[], value: unknown): T | undefined {
  return list.find((each) => each === value);
}

/** What an address says, and the usual where it says nothing that is understood. */
export function fromAddress(params: URLSearchParams, ownZone: string): View {
  const range = oneOf(ranges, params.get("range")) ?? "day";
  const zone = params.get("tz");
  const to = Date.parse(params.get("to") ?? "");
  return {
    range,
    step: oneOf(stepsOf[range], params.get("step")) ?? stepsOf[range][0],
    zone: zone && isZone(zone) ? zone : ownZone,
    platform: oneOf(platforms, params.get("platform")) ?? null,
    to: Number.isNaN(to) ? null : to,
    days: oneOf(activeDays, Number(params.get("days"))) ?? activeDays[0],
  };
}

/** The time zone is always in it: whoever follows the link sees the same days. */
export function toAddress({ range, step, zone, platform, to, days }: View): URLSearchParams {
  const params = new URLSearchParams();
  if (range !== "day") params.set("range", range);
  if (step !== stepsOf[range][0]) params.set("step", step);
  params.set("tz", zone);
  if (platform) params.set("platform", platform);
  if (to !== null) params.set("to", new Date(to).toISOString());
  if (days !== activeDays[0]) params.set("days", String(days));
  return params;
}

interface Window {
  from: number;
  to: number;
}

/** When a step began. */
function stepStart(ms: number, step: Step, zone: string): number {
  return step === "day" ? dayStart(ms, zone) : partStart(ms, zone, step === "hour" ? 60 : 1);
}

/** From the begin of a step on, so that none is cut. */
export function windowOf({ range, step, zone, to }: View, now: number): Window {
  const end = to ?? now;
  return { from: stepStart(end - lengths[range], step, zone), to: end };
}

/** The range before this one, or after it; the one that goes on with the time where that is reached. */
export function moved(view: View, by: 1 | -1, now: number): View {
  const end = (view.to ?? now) + by * lengths[view.range];
  return { ...view, to: end >= now ? null : end };
}

/** Another range ends where this one does; its step is the usual one of it, unless it has this one. */
export function withRange(view: View, range: Range): View {
  return { ...view, range, step: oneOf(stepsOf[range], view.step) ?? stepsOf[range][0] };
}

const iso = ({ from, to }: Window): Between => ({ from: new Date(from).toISOString(), to: new Date(to).toISOString() });
const only = (platform: Platform | null) => (platform ? { platform } : {});

export function onlineQuery(view: View, now: number) {
  return { ...iso(windowOf(view, now)), step: view.step, tz: view.zone, ...only(view.platform) };
}
/** Samples are by the quarter of an hour: no step is shorter than an hour, whatever the others are shown in. */
export const sampled = (view: View): View & { step: "hour" | "day" } => ({ ...view, step: view.range === "month" ? "day" : "hour" });
export function statusesQuery(view: View, now: number) {
  const own = sampled(view);
  return { ...iso(windowOf(own, now)), step: own.step, tz: own.zone };
}
export function sessionsQuery(view: View, now: number) {
  return { ...iso(windowOf(view, now)), ...only(view.platform) };
}
export function platformsQuery(view: View, now: number) {
  return iso(windowOf(view, now));
}
export function heatQuery({ to, zone, platform }: View, now: number) {
  const end = to ?? now;
  return { ...iso({ from: dayStart(end - HEAT_MS, zone), to: end }), tz: zone, ...only(platform) };
}
