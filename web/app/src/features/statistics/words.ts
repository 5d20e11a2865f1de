// Times and lengths of the statistics in words. Pure.

import type { Step } from "../../api/admin-types";
import { local } from "../../lib/zone";
import { duration } from "../../lib/time";
import { locale } from "../../texts";
import { statistics as words } from "../../texts-admin";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const formats = new Map<string, Intl.DateTimeFormat>();

function written(ms: number, zone: string, options: Intl.DateTimeFormatOptions): string {
  const key = JSON.stringify([zone, options]);
  let known = formats.get(key);
  if (!known) {
    known = new Intl.DateTimeFormat(locale, { ...options, timeZone: zone });
    formats.set(key, known);
  }
  return known.format(ms);
}

const time: Intl.DateTimeFormatOptions = { hour: "2-digit", minute: "2-digit" };
const day: Intl.DateTimeFormatOptions = { weekday: "short", day: "numeric", month: "short" };

/** Along the axis: the time, and at midnight the day. */
export function tick(ms: number, zone: string): string {
  return local(ms, zone) % DAY === 0 ? written(ms, zone, { day: "numeric", month: "short" }) : written(ms, zone, time);
}

export function moment(ms: number, zone: string): string {
  return written(ms, zone, { ...day, ...time });
}

/** Which time a step stands for; of the hour that comes twice the zone tells which. */
export function stepName(ms: number, step: Step, zone: string): string {
  if (step === "day") return written(ms, zone, { weekday: "short", day: "numeric", month: "short", year: "numeric" });
  const twice = [ms - HOUR, ms + HOUR].some((other) => local(other, zone) === local(ms, zone));
  return twice ? written(ms, zone, { ...day, ...time, timeZoneName: "short" }) : moment(ms, zone);
}

export function spanName(from: number, to: number, zone: string, open: boolean): string {
  return words.span(moment(from, zone), open ? words.untilNow : moment(to, zone));
}

export function bandName(from: number, to: number | null | undefined): string {
  if (to === null || to === undefined) return words.above(duration(from * 1000));
  return from === 0 ? words.below(duration(to * 1000)) : words.between(duration(from * 1000), duration(to * 1000));
}

export const seconds = (value: number | null | undefined) => (value === null || value === undefined ? words.unknown : duration(value * 1000));

// A Monday, in UTC.
const MONDAY = Date.UTC(2024, 0, 1);
/** 1 is Monday. */
export function weekdayName(weekday: number, style: "short" | "long"): string {
  return written(MONDAY + (weekday - 1) * DAY, "UTC", { weekday: style });
}
const clock = (hour: number) => written(MONDAY + hour * HOUR, "UTC", time);
export function hourOfWeek(weekday: number, hour: number): string {
  return `${weekdayName(weekday, "long")} ${clock(hour)}–${clock((hour + 1) % 24)}`;
}
