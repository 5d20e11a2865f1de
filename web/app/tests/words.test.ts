import { describe, expect, it } from "vitest";
import { Problem, sentence } from "../src/api/problem";
import { changeWords } from "../src/features/user/changes";
import { deviceName } from "../src/session/device";

describe("sentence", () => {
  const problem = (detail: string) => new Problem({ type: "", title: "", status: 409, code: "x", detail });
  it("makes a sentence of the server's detail", () => {
    expect(sentence(problem("email is taken"), "")).toBe("Email is taken.");
    expect(sentence(problem("Wait!"), "")).toBe("Wait!");
  });
  it("has words where the server gave none", () => expect(sentence(new TypeError("x"), "Away.")).toBe("Away."));
});

describe("changeWords", () => {
  it("names what differs", () => {
    const details = { from: { status: "active", is_active: true }, to: { status: "suspended", is_active: true } };
    expect(changeWords(details)).toBe("status: active → suspended");
    expect(changeWords({ email: "a@b.org", password: true, role: null, is_active: false })).toBe(
      "e-mail address: a@b.org, password, active: no",
    );
    expect(changeWords(null)).toBe("");
  });
});

describe("deviceName", () => {
  it.each([
    ["Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"],
    ["Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0", "Edge on Windows"],
    ["Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605 Version/18.0 Mobile Safari/604", "Safari on iPhone"],
    ["Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/140.0 Mobile Safari/537.36", "Chrome on Android"],
    ["curl/8", "Browser"],
  ])("%s", (agent, name) => expect(deviceName(agent)).toBe(name));
});
