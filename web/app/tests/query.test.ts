import { describe, expect, it } from "vitest";
import type { UsersPage } from "../src/api/types";
import {
  everyone,
  firstPage,
  fromAddress,
  isFiltered,
  matchingQuery,
  nextPage,
  pageQuery,
  runs,
  toAddress,
  wantsMore,
  type Filter,
} from "../src/features/users/query";

const filter = (part: Partial<Filter>): Filter => ({ ...everyone, ...part });
const page = (next_cursor: string | null): UsersPage => ({ users: [], total: 0, online: 0, at_least: false, next_cursor });

describe("the filter in the address", () => {
  it("leaves out what is as usual", () => expect(toAddress(everyone).toString()).toBe(""));

  it("comes back as it went", () => {
    const all = filter({ search: "50% & _", presence: "online", status: "banned", role: "admin", sort: "-last_seen" });
    expect(fromAddress(new URLSearchParams(toAddress(all).toString()))).toEqual(all);
  });

  it("does not believe an address that somebody made up", () => {
    const made = new URLSearchParams("presence=maybe&status=king&role=&sort=password");
    expect(fromAddress(made)).toEqual(everyone);
  });

  it("tells a filter from a mere order", () => {
    expect(isFiltered(filter({ sort: "username" }))).toBe(false);
    expect(isFiltered(filter({ role: "user" }))).toBe(true);
  });
});

describe("the requests of a filter", () => {
  it("lists those who are online first, then those who are offline", () => {
    expect(pageQuery(everyone, firstPage)).toEqual({ online_status: "online", order: "username", limit: 100 });
    const second = nextPage(everyone, page(null), firstPage);
    expect(second).toEqual({ run: 1, cursor: null, index: 1 });
    expect(pageQuery(everyone, second!)).toEqual({ online_status: "offline", order: "username", limit: 500 });
    expect(nextPage(everyone, page(null), second!)).toBeUndefined();
  });

  it("follows the cursor to the end of a run", () => {
    const next = nextPage(everyone, page("c2"), firstPage);
    expect(next).toEqual({ run: 0, cursor: "c2", index: 1 });
    expect(pageQuery(everyone, next!).cursor).toBe("c2");
  });

  it("is one run where one presence or another order is asked for", () => {
    expect(runs(filter({ presence: "offline" }))).toEqual(["offline"]);
    expect(runs(filter({ sort: "username" }))).toEqual([null]);
    expect(pageQuery(filter({ sort: "-last_seen", search: " ann " }), firstPage)).toEqual({
      search: "ann",
      order: "-last_seen",
      limit: 100,
    });
  });

  it("counts without asking for anybody", () => {
    expect(matchingQuery(filter({ status: "suspended", sort: "username" }))).toEqual({ status: "suspended", limit: 1 });
  });

  it("fills a screen where the first page has little", () => {
    expect(wantsMore(3, true)).toBe(true);
    expect(wantsMore(3, false)).toBe(false);
    expect(wantsMore(100, true)).toBe(false);
  });
});
