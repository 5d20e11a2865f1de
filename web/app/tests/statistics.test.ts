import { describe, expect, it } from "vitest";
import type { OnlinePoint } from "../src/api/admin-types";
import { fromAddress, heatQuery, moved, onlineQuery, sessionsQuery, statusesQuery, toAddress, windowOf, withRange, type View } from "../src/features/statistics/range";
import { alone, columnsOf, loginsOf, sparkOf, sparkPath, stacked } from "../src/features/statistics/series";
import { bandName, hourOfWeek, stepName, tick } from "../src/features/statistics/words";
import { compact, mean } from "../src/texts-admin";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const now = Date.parse("2026-11-24T20:34:56.789Z");
const usual: View = { range: "day", step: "minute", zone: "Europe/Berlin", platform: null, to: null, days: 30 };
const view = (part: Partial<View>): View => ({ ...usual, ...part });
const address = (text: string) => fromAddress(new URLSearchParams(text), "Europe/Berlin");

describe("the view in the address", () => {
  it("has the time zone, and else only what differs from the usual", () => {
    expect(toAddress(usual).toString()).toBe("tz=Europe%2FBerlin");
    expect(address("")).toEqual(usual);
  });

  it("comes back as it went", () => {
    const all = view({ range: "month", step: "day", zone: "Asia/Kolkata", platform: "ios", to: Date.parse("2026-10-01T00:00:00Z"), days: 90 });
    expect(address(toAddress(all).toString())).toEqual(all);
  });

  it("does not believe an address that somebody made up", () => {
    expect(address("range=century&step=second&tz=Europe/Atlantis&platform=toaster&to=soon&days=7")).toEqual(usual);
    expect(address("range=week&step=minute").step).toBe("hour");
  });
});

describe("the time that is asked for", () => {
  it("begins with a step, so that none is cut", () => {
    expect(onlineQuery(usual, now)).toEqual({ from: "2026-11-23T20:34:00.000Z", to: "2026-11-24T20:34:56.789Z", step: "minute", tz: "Europe/Berlin" });
    expect(onlineQuery(view({ range: "week", step: "hour", zone: "Asia/Kolkata" }), now).from).toBe("2026-11-17T20:30:00.000Z");
    expect(onlineQuery(view({ range: "month", step: "day", platform: "web" }), now)).toMatchObject({ from: "2026-10-24T22:00:00.000Z", platform: "web" });
    expect(sessionsQuery(view({ platform: "web" }), now).platform).toBe("web");
  });

  it("is four weeks of whole days for the hours of the week, on both sides of a change of the clocks", () => {
    expect(heatQuery(view({ to: Date.parse("2026-11-10T12:00:00Z") }), now)).toEqual({
      from: "2026-10-12T22:00:00.000Z",
      to: "2026-11-10T12:00:00.000Z",
      tz: "Europe/Berlin",
    });
  });

  it("has steps of an hour for samples, of a day in a month, and no platform", () => {
    const asked = (part: Partial<View>) => statusesQuery(view({ platform: "ios", ...part }), now);
    expect(asked({ range: "hour" })).toEqual({ from: "2026-11-24T19:00:00.000Z", to: "2026-11-24T20:34:56.789Z", step: "hour", tz: "Europe/Berlin" });
    expect(asked({ step: "minute", zone: "Asia/Kolkata" })).toMatchObject({ from: "2026-11-23T20:30:00.000Z", step: "hour" });
    expect(asked({ range: "week", step: "hour" }).step).toBe("hour");
    expect(asked({ range: "month", step: "hour" })).toMatchObject({ from: "2026-10-24T22:00:00.000Z", step: "day" });
  });

  it("moves by its length, and goes on with the time where that is reached", () => {
    const earlier = moved(usual, -1, now);
    expect(earlier.to).toBe(now - DAY);
    expect(windowOf(earlier, now)).toEqual({ from: Date.parse("2026-11-22T20:34:00Z"), to: now - DAY });
    expect(moved(earlier, 1, now).to).toBeNull();
    expect(moved(moved(earlier, -1, now), 1, now).to).toBe(now - DAY);
  });

  it("keeps the steps where another range has them", () => {
    expect(withRange(view({ step: "hour" }), "month").step).toBe("hour");
    expect(withRange(view({ range: "month", step: "day" }), "week").step).toBe("hour");
  });

  it("has no more points than the server gives", () => {
    expect(DAY / MINUTE).toBeLessThan(11_000);
    expect((30 * DAY) / HOUR).toBeLessThan(11_000);
  });
});

const point = (at: string, online = 1, logins = 0): OnlinePoint => ({ at, online, peak: Math.ceil(online), logins });

describe("columnsOf", () => {
  it("breaks the line where steps are left out, and draws no zero", () => {
    const points = [point("2026-11-24T10:00:00Z", 3), point("2026-11-24T10:01:00Z", 4), point("2026-11-24T10:05:00Z", 5)];
    const { columns, source } = columnsOf(points, MINUTE, [(each) => each.online]);
    expect(columns[1]).toEqual([3, 4, null, 5]);
    expect(source).toEqual([0, 1, -1, 2]);
    expect(columns[0][0]).toBe(Date.parse("2026-11-24T10:00:30Z") / 1000);
    expect([...columns[0]].sort((a, b) => a - b)).toEqual(columns[0]);
  });

  it("takes a day of 25 or 23 hours for no gap, but a day that is left out for one", () => {
    const days = ["2026-10-23T22:00:00Z", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z", "2026-10-26T23:00:00Z"];
    expect(columnsOf(days.map((at) => point(at)), DAY, [(each) => each.online]).columns[1]).toEqual([1, 1, 1, 1]);
    const spring = ["2026-03-27T23:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z", "2026-03-31T22:00:00Z"];
    expect(columnsOf(spring.map((at) => point(at)), DAY, [(each) => each.online]).columns[1]).toEqual([1, 1, 1, null, 1]);
  });

  it("sets a step that is not over into the middle of what has passed of it", () => {
    const [hour, end] = [Date.parse("2026-11-24T20:00:00Z"), Date.parse("2026-11-24T20:10:00Z")];
    const at = (ms: number) => columnsOf([point("2026-11-24T19:00:00Z"), point("2026-11-24T20:00:00Z")], HOUR, [(each) => each.online], ms).columns[0];
    expect(at(end)).toEqual([hour / 1000 - 1800, hour / 1000 + 300]);
    expect(at(end + DAY)[1]).toBe(hour / 1000 + 1800);
  });

  it("lays values one on the other", () => {
    const parts = stacked<number[]>([0, 1, 2].map((index) => (each: number[]) => each[index] ?? 0));
    expect(parts.map((value) => value([5, 2, 1]))).toEqual([5, 7, 8]);
  });

  it("finds what stands alone", () => {
    expect(alone([1, null, 2, 3, null, 4])).toEqual([0, 5]);
    expect(alone([])).toEqual([]);
  });
});

describe("loginsOf", () => {
  it("sums up minutes to quarters of an hour where there are many", () => {
    const begin = Date.parse("2026-11-24T10:07:00Z");
    const points = Array.from({ length: 180 }, (_, index) => point(new Date(begin + index * MINUTE).toISOString(), 1, 2));
    const summed = loginsOf(points, "minute", "UTC");
    expect(summed.step).toBe(15 * MINUTE);
    expect(summed.points[0]).toEqual({ at: "2026-11-24T10:00:00.000Z", logins: 16 });
    expect(summed.points[1]?.logins).toBe(30);
    expect(summed.points.reduce((sum, each) => sum + each.logins, 0)).toBe(360);
    expect(loginsOf(points.slice(0, 60), "minute", "UTC").points).toHaveLength(60);
    expect(loginsOf(points, "hour", "UTC")).toMatchObject({ step: HOUR, points });
  });
});

describe("the line beside the number", () => {
  it("goes on with what was seen since", () => {
    const points = [point("2026-11-24T20:31:00Z", 5), point("2026-11-24T20:32:00Z", 6)];
    const seen = [now - 4 * MINUTE, now].map((at, index) => ({ at, online: index + 7 }));
    expect(sparkOf(points, seen, now - HOUR).map(({ online }) => online)).toEqual([5, 6, 8]);
    expect(sparkOf(points, seen, Date.parse("2026-11-24T20:32:00Z"))).toHaveLength(2);
  });

  it("is broken where minutes are missing", () => {
    const samples = [0, 10, 60].map((at) => ({ at, online: 2 }));
    expect(sparkPath(samples, 0, 100, 100, 10, 20)).toBe("M0 0L10 0M60 0");
    expect(sparkPath([], 0, 100, 100, 10, 20)).toBe("");
  });
});

describe("words", () => {
  it("write the day at midnight of the zone, and else the time", () => {
    expect(tick(Date.parse("2026-11-23T23:00:00Z"), "Europe/Berlin")).toMatch(/24/);
    expect(tick(Date.parse("2026-11-24T11:00:00Z"), "Europe/Berlin")).toMatch(/12:00/);
  });

  it("tell apart the hours of which there are two", () => {
    const [first, second] = ["2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z"].map((at) => stepName(Date.parse(at), "hour", "Europe/Berlin"));
    expect(first).toMatch(/0?2:00/);
    expect(second).toMatch(/0?2:00/);
    expect(first).not.toBe(second);
    expect(stepName(Date.parse("2026-10-25T02:00:00Z"), "hour", "Europe/Berlin")).not.toMatch(/GMT|CE/);
  });

  it("name lengths and hours of the week", () => {
    expect(bandName(0, 60)).toBe("under 1 min");
    expect(bandName(900, 3600)).toBe("15 min – 1 h");
    expect(bandName(43_200, null)).toBe("12 h or more");
    expect(hourOfWeek(7, 23)).toMatch(/^Sunday .*23.*00/);
  });

  it("write a mean with decimals where they say something", () => {
    expect([0.314, 4.25, 61.44, 148.2, 1234.5].map(mean)).toEqual(["0.31", "4.25", "61.4", "148", "1,235"]);
    expect([0, 500, 12_000].map((value) => compact(value).toLowerCase())).toEqual(["0", "500", "12k"]);
  });
});
