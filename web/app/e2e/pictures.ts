// Not a test: draws the pages with people who might be.

import { join } from "node:path";
import { test, type Page } from "@playwright/test";
import { Backstage } from "./support/api";
import { Program, admin, freePort } from "./support/program";
import { hasPage, serve } from "./support/site";
import { mockStats } from "./support/stats";
import { expect, logIn, row } from "./support/test";

const DEMO_PASSWORD = "demo-password";
const devices = ["Firefox on Linux", "Chrome on Windows", "Safari on iPhone", "Chrome on Android", "Safari on Mac"];
const folder = process.env.PICTURES ?? join(import.meta.dirname, "../../../docs/pictures");

const moods = [
  { availability: "dnd", text: "in a meeting", emoji: "📅" },
  { availability: "away", text: "back at two", emoji: "🍜" },
  { text: "working from home", emoji: "🏠" },
  { availability: "away" },
  { text: "in the train", emoji: "🚆" },
];

/** Gives the admin contacts: some who are here, one who asks, and one who types. Some have come online by now. */
async function befriend(page: Page, backstage: Backstage, people: { id: number; username: string }[]) {
  const enter = (username: string) => backstage.logIn({ username, password: DEMO_PASSWORD }, "Firefox on Linux");
  const mine = await backstage.logIn(admin, "Firefox on Linux");
  const { user: me } = await backstage.as(mine, "GET", "/api/users/me/");
  // Of three each, the last is not logged in.
  const [typist, ...others] = people.slice(0, 9) as [(typeof people)[number], ...typeof people];
  const away = people.slice(0, 9).filter((_, index) => index % 3 === 2);
  for (const each of [typist, ...others]) {
    const theirs = await enter(each.username);
    await backstage.as(theirs, "POST", "/api/contacts/", { user_id: me.id });
    await backstage.as(mine, "POST", `/api/contacts/${each.id}/accept/`);
    if (away.includes(each)) await backstage.logOut(theirs);
  }
  const asking = people[9] as (typeof people)[number];
  await backstage.as(await enter(asking.username), "POST", "/api/contacts/", { user_id: me.id });
  const asked = people[10] as (typeof people)[number];
  await backstage.as(mine, "POST", "/api/contacts/", { user_id: asked.id });
  for (const each of away) {
    await backstage.as(mine, "POST", `/api/contacts/${each.id}/notify/`, { when: "always" });
    await backstage.logOut(await enter(each.username));
  }
  const token = await enter(typist.username);
  await backstage.logOut(mine);
  await page.goto(`${backstage.address}/healthz`);
  const type = () =>
    page.evaluate(
      ([token, to]) => {
        const socket = new WebSocket("/api/ws/", ["bearer", token]);
        // The first message says that the token was accepted.
        socket.onmessage = () => socket.send(JSON.stringify({ type: "typing", to }));
        setTimeout(() => socket.close(), 1000);
      },
      [token, me.id] as [string, number],
    );
  return { typist, type };
}

test("pictures", async ({ browser }) => {
  const program = await Program.demo(160, { LASTSEEN_HEARTBEAT_INTERVAL: "30s", LASTSEEN_INACTIVITY_TIMEOUT: "2m" });
  const own = await hasPage(program.address);
  const port = own ? program.port : await freePort();
  const server = own ? null : await serve(port, program.address);
  const backstage = await Backstage.enter(program.address);
  const active = (await backstage.everyone()).filter((user) => user.status === "active" && user.is_active && user.username !== admin.username);
  for (const [index, user] of active.entries()) {
    if (index % 3 === 2) continue;
    const person = { username: user.username, password: DEMO_PASSWORD };
    const token = await backstage.logIn(person, devices[index % devices.length] as string);
    if (index % 5 === 1) await backstage.logIn(person, devices[(index + 2) % devices.length] as string);
    const own = index % 4 === 0 ? moods[(index / 4) % moods.length] : undefined;
    if (own) await backstage.as(token, "PATCH", "/api/users/me/", own);
  }
  const friends = await befriend(await browser.newPage(), backstage, active);

  const draw = async (page: Page, name: string) => {
    // Until what fades has faded.
    await page.waitForTimeout(600);
    await page.screenshot({ path: join(folder, `${name}.png`) });
  };

  for (const colorScheme of ["light", "dark"] as const) {
    const page = await browser.newPage({ baseURL: `http://127.0.0.1:${port}`, colorScheme });
    await page.goto("/admin-login");
    await draw(page, `log-in-${colorScheme}`);
    await logIn(page, admin, "/admin-login");
    await expect(row(page, admin.username)).toBeVisible();
    await page.mouse.move(0, 0);
    await draw(page, `people-${colorScheme}`);
    await page.getByRole("button", { name: /^Suspend/ }).nth(1).click();
    await draw(page, `suspend-${colorScheme}`);
    await page.keyboard.press("Escape");
    await page.goto("/admin?status=suspended&sort=username");
    await draw(page, `suspended-${colorScheme}`);
    await page.goto(`/admin/users/${active[1]?.id}`);
    await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
    await draw(page, `person-${colorScheme}`);
    await page.goto("/admin/contacts");
    await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
    await page.getByRole("button", { name: new RegExp(`^${friends.typist.username}`) }).click();
    await friends.type();
    await expect(page.getByText("is typing…").first()).toBeVisible();
    await draw(page, `contacts-${colorScheme}`);
    await page.getByRole("button", { name: /^Notifications/ }).click();
    await expect(page.getByRole("dialog", { name: "Notifications" })).toContainText("came online");
    await draw(page, `notifications-${colorScheme}`);
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: `Account of ${admin.username}` }).click();
    await expect(page.getByRole("menuitemradio", { name: "Invisible" })).toBeVisible();
    await draw(page, `availability-${colorScheme}`);
    await page.getByRole("menuitem", { name: "Set a status…" }).click();
    await expect(page.getByLabel("Status", { exact: true })).toBeVisible();
    await draw(page, `status-${colorScheme}`);
    await page.keyboard.press("Escape");
    if (colorScheme === "light") {
      // A new program has no weeks behind it.
      await mockStats(page);
      await page.goto("/admin/statistics?range=week");
      await expect(page.locator("canvas")).toHaveCount(4);
      await page.waitForTimeout(600);
      await page.screenshot({ path: join(folder, "statistics-light.png"), fullPage: true });
    }
    await page.goto("/me");
    await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
    await draw(page, `me-${colorScheme}`);
    await page.setViewportSize({ width: 390, height: 844 });
    await page.goto("/admin/contacts");
    await friends.type();
    await expect(page.getByText("is typing…").first()).toBeVisible();
    await draw(page, `contacts-phone-${colorScheme}`);
    await page.getByRole("button", { name: `Account of ${admin.username}` }).click();
    await expect(page.getByRole("menuitemradio", { name: "Invisible" })).toBeVisible();
    await draw(page, `availability-phone-${colorScheme}`);
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: /^Notifications/ }).click();
    await expect(page.getByRole("dialog", { name: "Notifications" })).toContainText("came online");
    await draw(page, `notifications-phone-${colorScheme}`);
    await page.goto("/admin");
    await expect(row(page, admin.username)).toBeVisible();
    await draw(page, `people-phone-${colorScheme}`);
    await page.close();
  }
  server?.closeAllConnections();
  server?.close();
  await program.remove();
});
