// Times in words. Pure: what "now" is comes from outside.

import { locale, texts } from "../texts";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const words = new Intl.RelativeTimeFormat(locale, { numeric: "auto" });
const steps: [Intl.RelativeTimeFormatUnit, number][] = [
  ["year", 365 * DAY],
  ["month", 30 * DAY],
  ["week", 7 * DAY],
  ["day", DAY],
  ["hour", HOUR],
  ["minute", MINUTE],
  ["second", SECOND],
];

/** "3 minutes ago". What lies ahead by a little, because clocks differ, is now. */
export function relative(then: string | number, now: number): string {
  const age = now - new Date(then).getTime();
  for (const [unit, length] of steps) {
    if (age >= length) return words.format(-Math.floor(age / length), unit);
  }
  return texts.seen.now;
}

/** The exact time, for this place, with seconds and the zone. */
export function exact(then: string | number): string {
  return new Date(then).toLocaleString(locale, { dateStyle: "full", timeStyle: "long" });
}

export function clockTime(then: string | number): string {
  return new Date(then).toLocaleTimeString(locale, { timeStyle: "medium" });
}

export function dayAndTime(then: string | number): string {
  return new Date(then).toLocaleString(locale, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
}

export function date(then: string | number): string {
  return new Date(then).toLocaleDateString(locale, { dateStyle: "long" });
}

/** "2 h 5 min", of the two largest units. */
export function duration(ms: number): string {
  const parts = [
    texts.duration.days(Math.floor(ms / DAY)),
    texts.duration.hours(Math.floor(ms / HOUR) % 24),
    texts.duration.minutes(Math.floor(ms / MINUTE) % 60),
    texts.duration.seconds(Math.floor(ms / SECOND) % 60),
  ];
  const first = [DAY, HOUR, MINUTE].findIndex((unit) => ms >= unit);
  if (first === -1) return parts[3] as string;
  const second = parts[first + 1] as string;
  return second.startsWith("0 ") || first === 2 ? (parts[first] as string) : `${parts[first]} ${second}`;
}

/** A moment that lies ahead, as short as it can be understood: "14:30" today, else with the day. */
export function momentWords(then: string | number, now = Date.now()): string {
  const [at, today] = [new Date(then), new Date(now)];
  const short: Intl.DateTimeFormatOptions = { hour: "2-digit", minute: "2-digit" };
  return at.toDateString() === today.toDateString() ? at.toLocaleTimeString(locale, short) : dayAndTime(then);
}
