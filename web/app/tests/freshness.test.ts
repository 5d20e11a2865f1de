import { describe, expect, it } from "vitest";
import { freshness } from "../src/features/users/freshness";

const at = (age: number, failed = false) =>
  freshness({ now: 1_000_000, updatedAt: 1_000_000 - age, failed, refreshMs: 10_000, timeoutMs: 120_000 });

describe("freshness", () => {
  it("is content within the refresh, and when one is late", () => {
    expect(at(0).stale).toBe(false);
    expect(at(31_000).stale).toBe(false);
  });
  it("says so at once when a try has failed", () => expect(at(1000, true)).toEqual({ stale: true, uncertain: false }));
  it("says so when nothing has come for long", () => expect(at(33_000).stale).toBe(true));
  it("doubts who is online when that was too long ago", () => expect(at(61_000, true).uncertain).toBe(true));
  it("has nothing to doubt before the first answer", () => {
    const first = { now: 5, updatedAt: 0, refreshMs: 1, timeoutMs: 1 };
    expect(freshness({ ...first, failed: false })).toEqual({ stale: false, uncertain: false });
    expect(freshness({ ...first, failed: true }).stale).toBe(true);
  });
});
