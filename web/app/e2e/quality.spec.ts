// How it feels: for those who can't see it, on a phone, with many thousand rows, under a strict policy.

import { findings } from "./support/axe";
import { admin } from "./support/program";
import { expect, logIn, openList, row, test } from "./support/test";

// Both forms of the list and both sets of colours.
for (const [colorScheme, width] of [["light", 1280], ["dark", 390]] as const) {
  test(`axe finds nothing serious (${colorScheme}, ${width} wide)`, async ({ page, site }) => {
    test.slow();
    await page.setViewportSize({ width, height: 844 });
    await page.emulateMedia({ colorScheme });
    const person = await site.backstage.create(`axe.${colorScheme}`);
    await site.backstage.logIn(person, "phone");
    const myId = (await site.backstage.everyone()).find(({ username }) => username === admin.username)?.id;
    const barred = [];
    for (const action of ["ban", "suspend", "deactivate"]) {
      const one = await site.backstage.create(`axe.${action}.${colorScheme}`);
      await site.backstage.act(action, one.id, "for the colours");
      barred.push(one);
    }
    await site.backstage.create(`axe.pending.${colorScheme}`, { status: "pending" });

    for (const door of ["/login", "/register", "/nowhere"]) {
      await page.goto(door);
      await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
      expect(await findings(page), door).toEqual([]);
    }
    await openList(page);
    expect(await findings(page), "list").toEqual([]);
    await row(page, person.username).getByRole("button", { name: /^Suspend/ }).click();
    expect(await findings(page), "question").toEqual([]);
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: `More actions for ${person.username}` }).click();
    expect(await findings(page), "menu").toEqual([]);
    await page.keyboard.press("Escape");
    const [asking, friend] = [await site.backstage.create(`axe.asking.${colorScheme}`), await site.backstage.create(`axe.friend.${colorScheme}`)];
    const mine = await site.backstage.logIn(admin, "api");
    for (const each of [asking, friend]) {
      const theirs = await site.backstage.logIn(each, "phone");
      await site.backstage.as(theirs, "POST", "/api/contacts/", { user_id: myId });
    }
    await site.backstage.as(mine, "POST", "/api/contacts/", { user_id: friend.id });
    await site.backstage.as(mine, "POST", "/api/contacts/", { user_id: person.id });
    await page.goto("/admin/contacts");
    await page.getByRole("button", { name: new RegExp(`^${friend.username}`) }).click();
    await expect(page.getByLabel(`Write to ${friend.username}`)).toBeVisible();
    await page.getByLabel("Search by name").fill("axe.");
    await expect(page.getByRole("list", { name: "People found" })).toBeVisible();
    expect(await findings(page), "contacts").toEqual([]);
    expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "no sideways scrolling").toBe(true);
    await page.getByRole("button", { name: /^Notifications/ }).click();
    await expect(page.getByRole("dialog", { name: "Notifications" })).toBeVisible();
    expect(await findings(page), "notifications").toEqual([]);
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "Account of admin" }).click();
    expect(await findings(page), "own menu").toEqual([]);
    await page.getByRole("menuitem", { name: "Set a status…" }).click();
    await expect(page.getByLabel("Ends", { exact: true })).toBeVisible();
    expect(await findings(page), "status").toEqual([]);
    await page.keyboard.press("Escape");
    for (const path of [`/admin/users/${person.id}`, `/admin/users/${barred[0]?.id}`, "/me"]) {
      await page.goto(path);
      await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
      expect(await findings(page), path).toEqual([]);
      expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "no sideways scrolling").toBe(true);
    }
  });
}

test("suspending works by keyboard alone, and the focus comes back", async ({ page, site }) => {
  await site.backstage.create("keyed.kai");
  await openList(page);
  const button = row(page, "keyed.kai").getByRole("button", { name: "Suspend keyed.kai" });
  await button.focus();
  await page.keyboard.press("Enter");
  await expect(page.getByLabel("Reason")).toBeFocused();
  await page.keyboard.press("Escape");
  await expect(button).toBeFocused();
  await page.keyboard.press("Enter");
  await page.getByLabel("Reason").fill("by keyboard");
  await page.keyboard.press("Enter");
  await expect(row(page, "keyed.kai")).toContainText("Suspended");
});

test("nothing is blocked by the policy, no other host is asked, and little is loaded", async ({ page, baseURL }) => {
  const blocked: string[] = [];
  const hosts = new Set<string>();
  page.on("console", (message) => /content security|refused to/i.test(message.text()) && blocked.push(message.text()));
  page.on("request", (request) => request.url().startsWith("http") && hosts.add(new URL(request.url()).origin));
  await openList(page);
  await page.goto("/me");
  await expect(page.getByRole("heading", { name: admin.username })).toBeVisible();
  expect(blocked).toEqual([]);
  expect([...hosts]).toEqual([baseURL]);
});

test("nothing moves when the data comes", async ({ page }) => {
  await logIn(page, admin, "/admin-login");
  await expect(row(page, admin.username)).toBeVisible();
  await page.addInitScript(() => {
    const shifts: number[] = [];
    Object.assign(window, { shifts });
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) shifts.push((entry as PerformanceEntry & { value: number }).value);
    }).observe({ type: "layout-shift", buffered: true });
  });
  await page.reload();
  await expect(row(page, admin.username)).toBeVisible();
  await page.waitForTimeout(2500);
  const shifts = await page.evaluate(() => (window as unknown as { shifts: number[] }).shifts);
  expect(shifts.reduce((sum, each) => sum + each, 0)).toBeLessThan(0.02);
});
