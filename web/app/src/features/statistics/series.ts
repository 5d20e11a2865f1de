// From the server's points to what is drawn. Pure.

import type { OnlinePoint, Step } from "../../api/admin-types";
import { partStart } from "../../lib/zone";
import { stepMs } from "./range";

/** Columns as the chart takes them: times in seconds, then the values; null where nothing is known. */
type Columns = [number[], ...(number | null)[][]];

export interface Drawn {
  columns: Columns;
  /** Which of the given points stands in a row; -1 for a gap. */
  source: number[];
}

/** More than this many steps to the next point, and there is a gap. An hour more or less in a day is none. */
const APART = 1.5;

/**
 * Points in the middle of their steps, with a row of nulls where steps are left out, so that the line is broken
 * there. Of a step that is not over at the end, the middle of what has passed of it.
 */
export function columnsOf<P extends { at: string }>(
  points: readonly P[],
  step: number,
  values: ((point: P) => number)[],
  end = Number.POSITIVE_INFINITY,
): Drawn {
  const columns: Columns = [[], ...values.map(() => [])];
  const source: number[] = [];
  const row = (ms: number, cells: (number | null)[], from: number) => {
    columns[0].push(ms / 1000);
    cells.forEach((cell, index) => (columns[index + 1] as (number | null)[]).push(cell));
    source.push(from);
  };
  let before: number | null = null;
  points.forEach((point, index) => {
    const at = Date.parse(point.at);
    if (before !== null && at - before > APART * step) row(before + 1.5 * step, values.map(() => null), -1);
    row((at + Math.max(at, Math.min(at + step, end))) / 2, values.map((value) => value(point)), index);
    before = at;
  });
  return { columns, source };
}

/** Each value on those before it: the edges of areas that lie one on the other. */
export function stacked<P>(values: readonly ((point: P) => number)[]): ((point: P) => number)[] {
  return values.map((_, index) => (point) => values.slice(0, index + 1).reduce((sum, value) => sum + value(point), 0));
}

/** Rows that stand alone between gaps: a line through them has no length. */
export function alone(values: readonly (number | null | undefined)[]): number[] {
  const nothing = (index: number) => values[index] === null || values[index] === undefined;
  return values.flatMap((_, index) => (!nothing(index) && nothing(index - 1) && nothing(index + 1) ? [index] : []));
}

interface LoginPoint {
  at: string;
  logins: number;
}

/** A day has more minutes than a chart has room for bars. */
const MINUTES_DRAWN = 120;
const QUARTER = 15;

/** Log-ins, by the quarter of an hour where there are many minutes. */
export function loginsOf(points: readonly OnlinePoint[], step: Step, zone: string): { points: LoginPoint[]; step: number } {
  if (step !== "minute" || points.length <= MINUTES_DRAWN) return { points: [...points], step: stepMs[step] };
  const quarters = new Map<number, number>();
  for (const { at, logins } of points) {
    const quarter = partStart(Date.parse(at), zone, QUARTER);
    quarters.set(quarter, (quarters.get(quarter) ?? 0) + logins);
  }
  return {
    points: [...quarters].map(([at, logins]) => ({ at: new Date(at).toISOString(), logins })),
    step: QUARTER * stepMs.minute,
  };
}

export interface Sample {
  at: number;
  online: number;
}

/** The line beside the number: what the server has summed up, and what this page has seen since. */
export function sparkOf(points: readonly OnlinePoint[], seen: readonly Sample[], from: number): Sample[] {
  const known = points.map(({ at, online }) => ({ at: Date.parse(at), online }));
  const last = known.at(-1)?.at ?? 0;
  return [...known, ...seen.filter(({ at }) => at > last)].filter(({ at }) => at >= from);
}

/** The line as a path in a box, from zero up; broken where more than some minutes are missing. */
export function sparkPath(samples: readonly Sample[], from: number, to: number, width: number, height: number, apart: number): string {
  const top = Math.max(1, ...samples.map(({ online }) => online));
  const fixed = (value: number) => Number(value.toFixed(1));
  let before = Number.NEGATIVE_INFINITY;
  return samples
    .map(({ at, online }) => {
      const [x, y] = [fixed(((at - from) / (to - from)) * width), fixed(height - (online / top) * height)];
      const word = at - before > apart ? "M" : "L";
      before = at;
      return `${word}${x} ${y}`;
    })
    .join("");
}
