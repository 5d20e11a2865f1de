import { describe, expect, it } from "vitest";
import { duration, relative } from "../src/lib/time";

const now = Date.parse("2026-03-10T12:00:00Z");
const ago = (seconds: number) => relative(now - seconds * 1000, now);

describe("relative", () => {
  it.each([
    [0, "now"],
    [0.9, "now"],
    [1, "1 second ago"],
    [59.9, "59 seconds ago"],
    [60, "1 minute ago"],
    [119, "1 minute ago"],
    [3599, "59 minutes ago"],
    [3600, "1 hour ago"],
    [86_399, "23 hours ago"],
    [86_400, "yesterday"],
    [3 * 86_400, "3 days ago"],
    [8 * 86_400, "last week"],
    [40 * 86_400, "last month"],
    [400 * 86_400, "last year"],
  ])("says of %d seconds: %s", (seconds, words) => expect(ago(seconds)).toBe(words));

  it("takes what lies ahead as now, since clocks differ", () => expect(ago(-5)).toBe("now"));
  it("reads RFC 3339", () => expect(relative("2026-03-10T11:58:00.000Z", now)).toBe("2 minutes ago"));
});

describe("duration", () => {
  it.each([
    [0, "0 s"],
    [999, "0 s"],
    [59_000, "59 s"],
    [60_000, "1 min"],
    [125_000, "2 min"],
    [3_600_000, "1 h"],
    [3_900_000, "1 h 5 min"],
    [86_400_000, "1 d"],
    [90_000_000, "1 d 1 h"],
  ])("writes %d ms as %s", (ms, words) => expect(duration(ms)).toBe(words));
});
