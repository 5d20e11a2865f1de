import { describe, expect, it } from "vitest";
import { accountStatus, presenceOf, shownPresence } from "../src/lib/presence";

const account = (status: string, is_active: boolean, online_status = "online") => ({ status, is_active, online_status });

describe("accountStatus", () => {
  it.each([
    ["active", true, "active"],
    ["active", false, "inactive"],
    ["pending", true, "pending"],
    ["suspended", true, "suspended"],
    ["suspended", false, "suspended"],
    ["banned", false, "banned"],
    ["a word of a later server", true, "inactive"],
  ])("%s with is_active %s is %s", (status, active, word) => expect(accountStatus(account(status, active))).toBe(word));
});

describe("presenceOf", () => {
  it("never shows a barred account online, whatever an old answer says", () => {
    for (const status of ["pending", "suspended", "banned"]) {
      for (const active of [true, false]) expect(presenceOf(account(status, active))).toBe("offline");
    }
    expect(presenceOf(account("active", false))).toBe("offline");
  });

  it("else says what the server says", () => {
    expect(presenceOf(account("active", true, "online"))).toBe("online");
    expect(presenceOf(account("active", true, "offline"))).toBe("offline");
    expect(presenceOf(account("active", true, "a later word"))).toBe("offline");
  });
});

describe("shownPresence", () => {
  it("doubts an old online, but no offline", () => {
    expect(shownPresence(account("active", true, "online"), false)).toBe("was_online");
    expect(shownPresence(account("active", true, "offline"), false)).toBe("offline");
    expect(shownPresence(account("banned", true, "online"), false)).toBe("offline");
  });
});
