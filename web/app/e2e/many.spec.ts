// Thousands of rows. The server's answers are made up here, so that it takes no minutes to make the accounts.

import type { Page } from "@playwright/test";
import { expect, openList, row, test } from "./support/test";

const ONLINE = 3000;
const OFFLINE = 7000;

function person(id: number, online_status: string) {
  const username = `${online_status === "online" ? "a" : "z"}.person.${String(id).padStart(5, "0")}`;
  const last_seen = new Date(Date.now() - (online_status === "online" ? 5 : id) * 1000).toISOString();
  return { id, username, email: `${username}@example.org`, role: "user", status: "active", is_active: true, online_status, availability: "available", last_seen, reason: "heartbeat" };
}

async function crowd(page: Page) {
  const all = {
    online: Array.from({ length: ONLINE }, (_, index) => person(index + 10, "online")),
    offline: Array.from({ length: OFFLINE }, (_, index) => person(index + 10 + ONLINE, "offline")),
  };
  const etag = 'W/"same"';
  await page.route("**/api/users/all-users/**", (route) => {
    const asked = new URL(route.request().url()).searchParams;
    if (route.request().headers()["if-none-match"] === etag) return route.fulfill({ status: 304 });
    const list = asked.get("online_status") === "offline" ? all.offline : all.online;
    const limit = Number(asked.get("limit"));
    const from = Number(asked.get("cursor") ?? 0);
    const next = from + limit < list.length ? String(from + limit) : null;
    const total = asked.has("online_status") ? list.length : ONLINE + OFFLINE;
    return route.fulfill({ headers: { etag }, json: { users: list.slice(from, from + limit), total, online: ONLINE, at_least: false, next_cursor: next } });
  });
}

test("ten thousand people scroll by, and only those on the screen are in the document", async ({ page }) => {
  test.slow();
  await openList(page);
  await crowd(page);
  await page.reload();
  await expect(row(page, "a.person.00010")).toBeVisible();
  const measured = await page.evaluate(async () => {
    const frames: number[] = [];
    let most = 0;
    let last = performance.now();
    for (let still = 0; still < 90; ) {
      const before = scrollY;
      scrollBy(0, 1200);
      await new Promise(requestAnimationFrame);
      const now = performance.now();
      frames.push(now - last);
      last = now;
      most = Math.max(most, document.querySelectorAll("[data-user]").length);
      still = scrollY === before ? still + 1 : 0;
    }
    frames.sort((one, other) => one - other);
    const at = (share: number) => Math.round(frames[Math.floor(frames.length * share)] ?? 0);
    return { frames: frames.length, median: at(0.5), p95: at(0.95), worst: at(0.999), most };
  });
  console.log(JSON.stringify(measured));
  await expect(row(page, "z.person.10009")).toBeVisible();
  await expect(page.locator('[role="table"]')).toHaveAttribute("aria-rowcount", "10000");
  expect(measured.most).toBeLessThan(80);
  // A generous bound: other programs may be busy on the machine.
  expect(measured.median).toBeLessThan(100);
});

test("a page that left the screen is not asked for again, and is when it comes back", async ({ page }) => {
  await openList(page);
  await crowd(page);
  await page.reload();
  await expect(row(page, "a.person.00010")).toBeVisible();
  const asked: string[] = [];
  for (let step = 0; step < 12; step += 1) {
    await page.evaluate(() => scrollBy(0, 12_000));
    await page.waitForTimeout(150);
  }
  await page.evaluate(() => scrollTo(0, 0));
  await page.waitForTimeout(2500);
  page.on("request", (request) => request.url().includes("online_status=") && asked.push(new URL(request.url()).searchParams.get("cursor") ?? "0"));
  await page.waitForTimeout(2500);
  expect(asked).toContain("0");
  expect(asked.filter((cursor) => Number(cursor) > 700)).toEqual([]);
  await page.evaluate(() => scrollTo(0, 1100 * 56));
  await expect.poll(() => asked.some((cursor) => Number(cursor) >= 600)).toBe(true);
});
