import { describe, expect, it } from "vitest";
import { sameOr, usersOf, withSections, type LoadedPage } from "../src/features/users/rows";
import { user } from "./people";

const page = (checkedAt: number, ...users: ReturnType<typeof user>[]): LoadedPage => ({
  users,
  total: 0,
  online: 0,
  at_least: false,
  next_cursor: null,
  checkedAt,
  askedAt: checkedAt,
});

describe("usersOf", () => {
  it("shows somebody who moved between two pages once, as the younger page says", () => {
    const online = page(20, user(1, { online_status: "online" }));
    const older = page(10, user(1, { online_status: "offline" }), user(2));
    expect(usersOf([online, older]).map((each) => [each.id, each.online_status])).toEqual([
      [1, "online"],
      [2, "offline"],
    ]);
  });

  it("believes the later of two pages that were read together", () => {
    const pages = [page(10, user(1, { online_status: "online" })), page(10, user(1, { online_status: "offline" }))];
    expect(usersOf(pages).map((each) => each.online_status)).toEqual(["offline"]);
  });
});

describe("withSections", () => {
  it("has a heading for each presence that there is, and puts the barred with the offline", () => {
    const users = [user(1, { online_status: "online" }), user(2, { online_status: "online", status: "suspended" })];
    expect(withSections(users, ["online", "offline"]).map((row) => row.key)).toEqual(["online", 1, "offline", 2]);
    expect(withSections([user(3)], ["online", "offline"]).map((row) => row.key)).toEqual(["offline", 3]);
  });
});

describe("sameOr", () => {
  it("keeps the list before where nothing has changed", () => {
    const [ann, bo] = [user(1), user(2)];
    const before = [ann, bo];
    expect(sameOr(before, [ann, bo])).toBe(before);
    expect(sameOr(before, [bo, ann])).not.toBe(before);
    expect(sameOr(before, [ann])).toHaveLength(1);
    expect(sameOr(before, [ann, user(2)])).not.toBe(before);
  });
});
