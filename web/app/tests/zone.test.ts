import { describe, expect, it } from "vitest";
import { dayStart, isZone, partStart, ticks, zones } from "../src/lib/zone";

const at = (text: string) => Date.parse(text);
const iso = (ms: number) => new Date(ms).toISOString();
const HOUR = 3_600_000;

describe("dayStart", () => {
  it.each([
    ["UTC", "2026-11-24T12:00:00Z", "2026-11-24T00:00:00.000Z"],
    ["Europe/Berlin", "2026-11-23T23:30:00Z", "2026-11-23T23:00:00.000Z"],
    ["America/New_York", "2026-07-01T03:59:59Z", "2026-06-30T04:00:00.000Z"],
    ["Asia/Kolkata", "2026-11-24T18:29:00Z", "2026-11-23T18:30:00.000Z"],
    // The day in which the clocks go forward, from before and from after that.
    ["Europe/Berlin", "2026-03-29T00:30:00Z", "2026-03-28T23:00:00.000Z"],
    ["Europe/Berlin", "2026-03-29T20:00:00Z", "2026-03-28T23:00:00.000Z"],
    // The clocks leap over midnight: the day begins at one.
    ["Africa/Cairo", "2026-04-24T10:00:00Z", "2026-04-23T22:00:00.000Z"],
    // The clocks go back to midnight: it comes twice, and the day begins with the first.
    ["America/Havana", "2026-11-01T12:00:00Z", "2026-11-01T04:00:00.000Z"],
  ])("%s, %s", (zone, now, start) => expect(iso(dayStart(at(now), zone))).toBe(start));

  it("counts back by days, not by hours", () => {
    const now = at("2026-03-30T10:00:00Z");
    const lengths = [0, 1, 2].map((back) => (dayStart(now, "Europe/Berlin", back - 1) - dayStart(now, "Europe/Berlin", back)) / HOUR);
    expect(lengths).toEqual([24, 23, 24]);
    const autumn = at("2026-10-26T10:00:00Z");
    expect((dayStart(autumn, "Europe/Berlin") - dayStart(autumn, "Europe/Berlin", 1)) / HOUR).toBe(25);
  });
});

describe("partStart", () => {
  it("knows hours that begin at another minute of UTC", () => {
    expect(iso(partStart(at("2026-11-24T12:10:00Z"), "Asia/Kolkata"))).toBe("2026-11-24T11:30:00.000Z");
    expect(iso(partStart(at("2026-11-24T12:10:00Z"), "Asia/Kathmandu"))).toBe("2026-11-24T11:15:00.000Z");
    expect(iso(partStart(at("2026-11-24T12:10:59.999Z"), "UTC", 1))).toBe("2026-11-24T12:10:00.000Z");
    expect(iso(partStart(at("2026-11-24T12:44:00Z"), "UTC", 15))).toBe("2026-11-24T12:30:00.000Z");
  });
});

describe("ticks", () => {
  it("stand at round times of the zone", () => {
    const found = ticks(at("2026-11-24T12:00:00Z"), at("2026-11-25T12:00:00Z"), "Asia/Kolkata", 5);
    expect(found.map(iso)).toEqual(["2026-11-24T12:30:00.000Z", "2026-11-24T18:30:00.000Z", "2026-11-25T00:30:00.000Z", "2026-11-25T06:30:00.000Z"]);
  });

  it("stay at round times where the clocks go forward", () => {
    const found = ticks(at("2026-03-28T23:00:00Z"), at("2026-03-29T22:00:00Z"), "Europe/Berlin", 4);
    expect(found.map(iso)).toEqual(["2026-03-28T23:00:00.000Z", "2026-03-29T04:00:00.000Z", "2026-03-29T10:00:00.000Z", "2026-03-29T16:00:00.000Z", "2026-03-29T22:00:00.000Z"]);
  });

  it("stand at midnights where there are many days, the one after the clocks went back, too", () => {
    const found = ticks(at("2026-10-23T22:00:00Z"), at("2026-10-27T00:00:00Z"), "Europe/Berlin", 4);
    expect(found.map(iso)).toEqual(["2026-10-23T22:00:00.000Z", "2026-10-24T22:00:00.000Z", "2026-10-25T23:00:00.000Z", "2026-10-26T23:00:00.000Z"]);
  });

  it("are about as many as there is room for", () => {
    for (const hours of [1, 24, 168, 720, 8760]) {
      for (const most of [3, 6, 14]) {
        const to = at("2026-11-24T12:34:00Z");
        const { length } = ticks(to - hours * HOUR, to, "America/St_Johns", most);
        expect(length).toBeGreaterThan(0);
        expect(length).toBeLessThanOrEqual(most + 1);
      }
    }
  });
});

describe("zones", () => {
  it("are known by name", () => {
    expect(isZone("Europe/Berlin")).toBe(true);
    expect(isZone("Europe/Atlantis")).toBe(false);
    expect(zones()[0]).toBe("UTC");
    expect(zones()).toContain("Europe/Berlin");
  });
});
