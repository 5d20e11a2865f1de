// Online intervals laid on days, as a person at this place counts days. Pure.

import type { Interval } from "../api/types";

interface Segment {
  /** Where it begins and ends within its day, 0 to 1. */
  from: number;
  to: number;
  startedAt: number;
  endedAt: number | null;
}

export interface Day {
  start: Date;
  segments: Segment[];
  onlineMs: number;
}

/** Midnight of the day that lies so many days back. Not all days have 24 hours. */
export function dayStart(now: number, daysBack: number): Date {
  const day = new Date(now);
  day.setHours(0, 0, 0, 0);
  day.setDate(day.getDate() - daysBack);
  return day;
}

/** The last days, today first, each with its share of the intervals. Where intervals meet or overlap, they are one. */
export function timeline(intervals: readonly Interval[], now: number, days: number): Day[] {
  const spans = intervals
    .map(({ started_at, ended_at }) => ({ from: Date.parse(started_at), to: ended_at ? Date.parse(ended_at) : null }))
    .sort((one, other) => one.from - other.from);
  return Array.from({ length: days }, (_, back) => {
    const start = dayStart(now, back);
    const begin = start.getTime();
    const end = dayStart(now, back - 1).getTime();
    const segments: Segment[] = [];
    let onlineMs = 0;
    let covered = begin;
    for (const span of spans) {
      const from = Math.max(span.from, covered);
      const to = Math.min(span.to ?? now, end, now);
      if (to <= from) continue;
      onlineMs += to - from;
      covered = to;
      segments.push({
        from: (from - begin) / (end - begin),
        to: (to - begin) / (end - begin),
        startedAt: span.from,
        endedAt: span.to,
      });
    }
    return { start, segments, onlineMs };
  });
}
