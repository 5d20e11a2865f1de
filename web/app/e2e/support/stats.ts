// A town's worth of numbers: what the server might answer about a few weeks. Always the same for the same time.

import type { Page, Route } from "@playwright/test";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const STEPS: Record<string, number> = { minute: MINUTE, hour: HOUR, day: DAY };

/** 0 to 1, by a number. */
function noise(seed: number): number {
  const value = Math.sin(seed * 12.9898) * 43758.5453;
  return value - Math.floor(value);
}

/** Busy by day and at work, quiet at night; in Central Europe. */
function busy(ms: number): number {
  const hour = ((ms + HOUR) / HOUR) % 24;
  const weekday = Math.floor((ms + HOUR) / DAY + 3) % 7;
  const around = (peak: number, width: number) => Math.exp(-(Math.min(Math.abs(hour - peak), 24 - Math.abs(hour - peak)) ** 2) / width);
  const day = around(11, 14) + 0.85 * around(15.5, 12) + 0.45 * around(20.5, 6);
  return 0.04 + day * (weekday >= 5 ? 0.35 : 1);
}

const onlineAt = (ms: number) => 420 * busy(ms) * (0.96 + 0.08 * noise(Math.floor(ms / (7 * MINUTE)))) + 3 * noise(ms / MINUTE);

interface Gap {
  from: number;
  to: number;
}

export function online(from: number, to: number, step: string, gap?: Gap) {
  const each = STEPS[step] ?? MINUTE;
  const points = [];
  let peak = { at: from, online: 0 };
  for (let at = from; at + each <= to; at += each) {
    if (gap && at >= gap.from && at < gap.to) continue;
    const pace = Math.max(MINUTE, each / 24);
    let [sum, count, most] = [0, 0, 0];
    for (let ms = at; ms < at + each; ms += pace) {
      const value = onlineAt(ms);
      sum += value;
      count += 1;
      most = Math.max(most, Math.round(value * (step === "minute" ? 1 : 1.04)));
      if (most > peak.online) peak = { at: ms, online: most };
    }
    const mean = sum / count;
    const logins = Math.round(((mean * each) / HOUR) * 0.55 * (0.8 + 0.4 * noise(at)));
    points.push({ at: new Date(at).toISOString(), online: Math.round(mean * 100) / 100, peak: most, logins });
  }
  return { points, peak: points.length > 0 ? { at: new Date(peak.at).toISOString(), online: peak.online } : null };
}

/** As the server does, with the step that is not over yet. */
export function statuses(from: number, to: number, step: string, gap?: Gap) {
  const each = STEPS[step] ?? HOUR;
  const points = [];
  for (let at = from; at < to; at += each) {
    if (gap && at >= gap.from && at < gap.to) continue;
    const pace = each / 12;
    const until = Math.min(at + each, to);
    let [sum, count] = [0, 0];
    for (let ms = at; ms < until; ms += pace) [sum, count] = [sum + onlineAt(ms), count + 1];
    const mean = sum / count;
    // At lunch more are away than at other times.
    const away = mean * (0.16 + 0.05 * noise(at) + 0.12 * Math.exp(-(((((at + each / 2 + HOUR) / HOUR) % 24) - 12.5) ** 2)));
    const dnd = mean * (0.07 + 0.04 * noise(at + 1));
    points.push({
      at: new Date(at).toISOString(),
      by_availability: { available: mean - away - dnd, away, dnd },
      by_status: { active: 1612, banned: 3, inactive: 41.2, pending: 7.5, suspended: 12 },
    });
  }
  return { points };
}

export function active(days: number, now: number) {
  const points = Array.from({ length: days }, (_, index) => {
    const ms = Math.floor(now / DAY) * DAY - (days - 1 - index) * DAY;
    const weekend = Math.floor(ms / DAY + 3) % 7 >= 5;
    const growth = 1 - (days - index) * 0.0015;
    return {
      day: new Date(ms).toISOString().slice(0, 10),
      daily: Math.round((weekend ? 310 : 760) * growth * (0.95 + 0.1 * noise(ms / DAY))),
      weekly: Math.round(1130 * growth * (0.98 + 0.04 * noise(ms / DAY + 7))),
      monthly: Math.round(1610 * growth * (0.99 + 0.02 * noise(ms / DAY + 30))),
    };
  });
  return { points };
}

export const sessions = {
  count: 5312,
  mean_seconds: 5432.5,
  median_seconds: 2710,
  lengths: [
    [0, 60, 402],
    [60, 300, 615],
    [300, 900, 893],
    [900, 3600, 1488],
    [3600, 14400, 1274],
    [14400, 43200, 598],
    [43200, null, 42],
  ].map(([from_seconds, to_seconds, count]) => ({ from_seconds, to_seconds, count })),
};

export function heatmap() {
  // A Monday.
  const monday = Date.UTC(2024, 0, 1) - HOUR;
  const cells = Array.from({ length: 168 }, (_, index) => {
    const mean = onlineAt(monday + index * HOUR);
    return { weekday: Math.floor(index / 24) + 1, hour: index % 24, mean_online: Math.round(mean * 10) / 10 };
  });
  return { cells };
}

const platforms = [
  ["web", 148.2, 402, 2890, 2410, 7120, 3900],
  ["ios", 61.4, 170, 1760, 1502, 2980, 1260],
  ["android", 52.9, 151, 1644, 1390, 2710, 1104],
  ["windows", 22.6, 71, 401, 366, 9840, 6120],
  ["macos", 17.1, 48, 288, 251, 9310, 5800],
  ["linux", 4.25, 13, 77, 64, 12060, 8990],
  ["other", 0.31, 3, 12, 9, null, null],
].map(([platform, mean_online, peak, logins, sessions, mean_seconds, median_seconds]) => ({
  platform,
  mean_online,
  peak,
  logins,
  sessions,
  mean_seconds,
  median_seconds,
}));

export interface Asked {
  path: string;
  query: URLSearchParams;
  csv: boolean;
}

/** The server's statistics, made up. What was asked is told. */
export async function mockStats(page: Page, { gap, empty = false, broken = false }: { gap?: Gap; empty?: boolean; broken?: boolean } = {}) {
  const asked: Asked[] = [];
  const state = { gap, empty, broken };
  await page.route(/\/api\/stats\/(online|statuses|active|sessions|heatmap|platforms)\//, (route) => {
    const url = new URL(route.request().url());
    const path = url.pathname.replace(/^\/api\/stats\/|\/$/g, "");
    const csv = route.request().headers().accept === "text/csv";
    asked.push({ path, query: url.searchParams, csv });
    return answer(route, path, url.searchParams, csv, state);
  });
  return { asked, state };
}

function answer(route: Route, path: string, query: URLSearchParams, csv: boolean, { gap, empty, broken }: { gap?: Gap; empty: boolean; broken: boolean }) {
  if (broken) {
    const problem = { type: "urn:lastseen:problem:internal", title: "Internal error", status: 500, code: "internal", detail: "something went wrong on the server" };
    return route.fulfill({ status: 500, contentType: "application/problem+json", json: problem });
  }
  if (csv) return route.fulfill({ contentType: "text/csv; charset=utf-8", body: "at,online,peak,logins\r\n2026-11-24T00:00:00.000Z,1.5,2,1\r\n" });
  const [from, to] = [Date.parse(query.get("from") ?? ""), Date.parse(query.get("to") ?? "")];
  switch (path) {
    case "online":
      return route.fulfill({ json: empty ? { points: [], peak: null } : online(from, to - 2 * MINUTE, query.get("step") ?? "minute", gap) });
    case "statuses":
      return route.fulfill({ json: empty ? { points: [] } : statuses(from, to, query.get("step") ?? "hour", gap) });
    case "active":
      return route.fulfill({ json: empty ? { points: [] } : active(Number(query.get("days")), Date.now()) });
    case "sessions":
      return route.fulfill({
        json: empty
          ? { count: 0, mean_seconds: null, median_seconds: null, lengths: sessions.lengths.map((band) => ({ ...band, count: 0 })) }
          : sessions,
      });
    case "heatmap":
      return route.fulfill({ json: empty ? { cells: heatmap().cells.map((cell) => ({ ...cell, mean_online: null })) } : heatmap() });
    default:
      return route.fulfill({ json: { platforms: empty ? [] : platforms } });
  }
}
