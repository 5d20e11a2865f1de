// Days and hours as a time zone counts them, by what the browser knows of zones. Pure.

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

const formats = new Map<string, Intl.DateTimeFormat>();

function format(zone: string): Intl.DateTimeFormat {
  let known = formats.get(zone);
  if (!known) {
    known = new Intl.DateTimeFormat("en-US", {
      timeZone: zone,
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
    formats.set(zone, known);
  }
  return known;
}

export const browserZone = (): string => Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";

export function isZone(name: string): boolean {
  try {
    format(name);
    return true;
  } catch {
    return false;
  }
}

/** All that the browser knows by name; UTC, which it may leave out, first. */
export function zones(): string[] {
  return ["UTC", ...Intl.supportedValuesOf("timeZone").filter((name) => name !== "UTC")];
}

/** What the clocks there show, as if it were UTC. */
export function local(ms: number, zone: string): number {
  const part: Record<string, number> = {};
  for (const { type, value } of format(zone).formatToParts(ms)) part[type] = Number(value);
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = part;
  return Date.UTC(year, month - 1, day, hour, minute, second) + (((ms % 1000) + 1000) % 1000);
}

const offset = (ms: number, zone: string) => local(ms, zone) - ms;
const floor = (ms: number, unit: number) => Math.floor(ms / unit) * unit;

/** The moment at which the clocks there first show a midnight; where they leap over it, the moment of the leap. */
function midnight(day: number, zone: string): number {
  const [before, after] = [offset(day - DAY, zone), offset(day + DAY, zone)];
  const found = [day - before, day - after].filter((ms) => local(ms, zone) === day);
  return found.length > 0 ? Math.min(...found) : day - before;
}

/** When the day began, days back where they are given. Not all days have 24 hours. */
export function dayStart(ms: number, zone: string, back = 0): number {
  return midnight(floor(local(ms, zone), DAY) - back * DAY, zone);
}

/** When the hour began, or another part of one. Some zones are half an hour or a quarter off. */
export function partStart(ms: number, zone: string, minutes = 60): number {
  const shown = local(ms, zone);
  return ms - (shown - floor(shown, minutes * MINUTE));
}

/** Widths of an axis' steps, in minutes, as long as they are parts of a day. */
const parts = [1, 5, 10, 15, 30, 60, 120, 180, 360, 720];

/** Where to write times along an axis: at most so many, at round times of the zone. */
export function ticks(from: number, to: number, zone: string, most: number): number[] {
  const span = to - from;
  const minutes = parts.find((each) => span / (each * MINUTE) <= most);
  return minutes ? withinDays(from, to, zone, minutes) : days(from, to, zone, Math.ceil(span / DAY / most));
}

function withinDays(from: number, to: number, zone: string, minutes: number): number[] {
  // A quarter of an hour is the finest that zones differ by.
  const pace = Math.min(minutes, 15) * MINUTE;
  const found: number[] = [];
  for (let ms = Math.ceil(from / pace) * pace; ms <= to; ms += pace) {
    if ((local(ms, zone) % DAY) % (minutes * MINUTE) === 0) found.push(ms);
  }
  return found;
}

function days(from: number, to: number, zone: string, each: number): number[] {
  const found: number[] = [];
  for (let day = floor(local(from, zone), DAY); ; day += DAY * each) {
    const ms = midnight(day, zone);
    if (ms > to) return found;
    if (ms >= from) found.push(ms);
  }
}
