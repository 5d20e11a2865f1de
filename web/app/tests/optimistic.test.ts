import { QueryClient } from "@tanstack/react-query";
import { beforeEach, describe, expect, it } from "vitest";
import { keys } from "../src/api/keys";
import { Problem } from "../src/api/problem";
import type { Action, User } from "../src/api/types";
import { effects, patchUser, perform } from "../src/features/users/actions/optimistic";
import { offers } from "../src/features/users/actions/offers";
import { presenceOf } from "../src/lib/presence";
import { user } from "./people";

const ann = user(2, { username: "ann", online_status: "online", reason: "heartbeat" });
const list = keys.list("everyone");

let queries: QueryClient;
beforeEach(() => {
  queries = new QueryClient();
  const page = { users: [user(1), ann], total: 2, online: 1, next_cursor: null, checkedAt: 0, askedAt: 0 };
  queries.setQueryData(list, { pages: [page], pageParams: [null] });
  queries.setQueryData(keys.profile(2), ann);
});

const shown = () => {
  const data = queries.getQueryData<{ pages: { users: User[] }[] }>(list);
  return [data?.pages[0]?.users[1], queries.getQueryData<User>(keys.profile(2))];
};

function refusal(): Problem {
  return new Problem({ type: "", title: "", status: 409, code: "last_admin", detail: "nobody would be left" });
}

describe("perform", () => {
  it.each(["suspend", "ban", "deactivate", "logout"] as const)("shows %s before the server answers", async (action) => {
    let answer = () => {};
    const done = perform(queries, action, ann, () => new Promise((resolve) => (answer = resolve)));
    await new Promise((resolve) => setTimeout(resolve));
    for (const each of shown()) {
      expect(each).toMatchObject(effects[action]);
      expect(presenceOf(each as User)).toBe("offline");
    }
    answer();
    await done;
  });

  it("shows the user as before where the server refuses, and tells why", async () => {
    await expect(perform(queries, "suspend", ann, () => Promise.reject(refusal()))).rejects.toThrow("nobody would be left");
    expect(shown()).toEqual([ann, ann]);
  });

  it("takes back its own change only, and not what a refresh has brought meanwhile", async () => {
    const refused = perform(queries, "suspend", ann, () => {
      patchUser(queries, 2, { ...{ last_seen: "2026-01-01T00:00:00.000Z" } } as Partial<User>);
      return Promise.reject(refusal());
    });
    await expect(refused).rejects.toThrow();
    expect(shown()[0]).toEqual({ ...ann, last_seen: "2026-01-01T00:00:00.000Z" });
  });

  it("waits for the server before a deleted user goes", async () => {
    await expect(perform(queries, "delete", ann, () => Promise.reject(refusal()))).rejects.toThrow();
    expect(shown()).toEqual([ann, ann]);
  });

  it("asks for the list again, whatever the answer", async () => {
    await perform(queries, "ban", ann, () => Promise.resolve());
    expect(queries.getQueryState(list)?.isInvalidated).toBe(true);
    expect(queries.getQueryState(keys.profile(2))?.isInvalidated).toBe(true);
  });
});

describe("offers", () => {
  const first = (part: Partial<User>): Action | undefined => offers(user(2, part), 1)[0];

  it("has the likeliest first", () => {
    expect(first({})).toBe("suspend");
    expect(first({ status: "suspended" })).toBe("activate");
    expect(first({ status: "pending" })).toBe("activate");
    expect(first({ status: "banned" })).toBe("activate");
    expect(first({ is_active: false })).toBe("activate");
  });

  it("offers log-out for those who are online only", () => {
    expect(offers(ann, 1)).toContain("logout");
    expect(offers(user(2), 1)).not.toContain("logout");
  });

  it("offers nothing against oneself", () => expect(offers(user(1), 1)).toEqual([]));
});
