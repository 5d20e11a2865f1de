import { describe, expect, it } from "vitest";
import { Conditional } from "../src/api/conditional";
import { Problem, Unreachable } from "../src/api/problem";

const ok = (data: unknown, etag?: string) =>
  Promise.resolve({ data, response: new Response("{}", { headers: etag ? { ETag: etag } : {} }) });

describe("Conditional", () => {
  it("asks with the ETag and keeps the very data on a 304", async () => {
    const cache = new Conditional();
    const first = await cache.get("a", () => ok({ users: [1] }, 'W/"1"'));
    let sent: Record<string, string> = {};
    const second = await cache.get("a", (headers) => {
      sent = headers;
      return Promise.resolve({ error: "", response: new Response(null, { status: 304 }) });
    });
    expect(sent).toEqual({ "If-None-Match": 'W/"1"' });
    expect(second).toBe(first);
  });

  it("asks without where the answer had none, for another name, and after clear", async () => {
    const cache = new Conditional();
    await cache.get("a", () => ok(1));
    await cache.get("b", () => ok(1, '"1"'));
    cache.clear();
    for (const name of ["a", "b"]) {
      await cache.get(name, (headers) => {
        expect(headers).toEqual({});
        return ok(2);
      });
    }
  });

  it("throws the server's words, and says where there are none", async () => {
    const cache = new Conditional();
    const body = { type: "", title: "", status: 403, code: "forbidden", detail: "for admins" };
    const refused = cache.get("a", () => Promise.resolve({ error: body, response: new Response("", { status: 403 }) }));
    await expect(refused).rejects.toBeInstanceOf(Problem);
    const proxy = cache.get("a", () => Promise.resolve({ error: "<html>", response: new Response("", { status: 502 }) }));
    await expect(proxy).rejects.toBeInstanceOf(Unreachable);
    await expect(cache.get("a", () => Promise.reject(new TypeError("failed to fetch")))).rejects.toBeInstanceOf(Unreachable);
  });

  it("knows how old its data is", async () => {
    const cache = new Conditional();
    await cache.get("a", () => ok(1, '"1"'));
    expect(cache.recent("a", 1000)).toBe(1);
    expect(cache.recent("a", -1)).toBeUndefined();
    expect(cache.recent("b", 1000)).toBeUndefined();
  });
});
