import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Interval } from "../src/api/types";
import { timeline } from "../src/lib/timeline";

const HOUR = 3_600_000;
const interval = (started_at: string, ended_at: string | null): Interval => ({ started_at, ended_at, start_reason: "login" });

const before = process.env.TZ;
beforeAll(() => {
  process.env.TZ = "Europe/Berlin";
});
afterAll(() => {
  process.env.TZ = before;
});

describe("timeline", () => {
  const now = Date.parse("2026-03-10T12:00:00+01:00");

  it("lays an interval over midnight on both days", () => {
    const [today, yesterday] = timeline([interval("2026-03-09T22:00:00+01:00", "2026-03-10T06:00:00+01:00")], now, 2);
    expect(today?.segments).toMatchObject([{ from: 0, to: 0.25 }]);
    expect(yesterday?.segments[0]?.to).toBe(1);
    expect([today?.onlineMs, yesterday?.onlineMs]).toEqual([6 * HOUR, 2 * HOUR]);
  });

  it("ends what still lasts now", () => {
    const [today] = timeline([interval("2026-03-10T11:00:00+01:00", null)], now, 1);
    expect(today?.onlineMs).toBe(HOUR);
    expect(today?.segments[0]).toMatchObject({ to: 0.5, endedAt: null });
  });

  it("counts no hour twice", () => {
    const overlapping = [
      interval("2026-03-10T08:00:00+01:00", "2026-03-10T10:00:00+01:00"),
      interval("2026-03-10T09:00:00+01:00", "2026-03-10T09:30:00+01:00"),
      interval("2026-03-10T09:30:00+01:00", "2026-03-10T11:00:00+01:00"),
    ];
    expect(timeline(overlapping, now, 1)[0]?.onlineMs).toBe(3 * HOUR);
  });

  it("knows that a day in March has 23 hours", () => {
    const all = [interval("2026-03-28T00:00:00+01:00", "2026-03-31T00:00:00+02:00")];
    const days = timeline(all, Date.parse("2026-03-30T12:00:00+02:00"), 3);
    expect(days.map((day) => day.onlineMs / HOUR)).toEqual([12, 23, 24]);
  });
});
