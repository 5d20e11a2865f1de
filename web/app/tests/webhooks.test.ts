import { describe, expect, it } from "vitest";
import { coveredBy, tidied, unknown } from "../src/features/webhooks/events";

describe("the events of a webhook", () => {
  it("knows what has what", () => {
    expect(coveredBy("presence.online")).toEqual(["presence.*", "*"]);
    expect(coveredBy("presence.*")).toEqual(["*"]);
    expect(coveredBy("*")).toEqual([]);
    expect(coveredBy("webhook.test")).toEqual(["*"]);
  });

  it("sends nothing that a wider one has already", () => {
    expect(tidied(["presence.online", "presence.*", "account.created"])).toEqual(["presence.*", "account.created"]);
    expect(tidied(["account.*", "*", "webhook.test"])).toEqual(["*"]);
    expect(tidied(["account.banned", "account.banned"])).toEqual(["account.banned"]);
  });

  it("keeps what a later server has", () => {
    expect(unknown(["*", "presence.online", "contact.made"])).toEqual(["contact.made"]);
    expect(tidied(["contact.made", "presence.*"])).toEqual(["contact.made", "presence.*"]);
  });
});
