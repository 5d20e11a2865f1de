// What the page is for: who is online, told truly and at once.

import { admin, times } from "./support/program";
import { another, expect, logIn, openList, row, test } from "./support/test";

/** The longest that a change may take to the screen: a refresh, and the way there and back. */
const REFRESH = times.refresh * 1000 + 1500;

test("an admin logs in, sees itself online, and sends a heartbeat each interval", async ({ page }) => {
  const beats: number[] = [];
  // By the browser's clock: this process may look late.
  page.on("requestfinished", (request) => {
    if (request.url().endsWith("/api/users/heartbeat/")) beats.push(request.timing().startTime);
  });
  const said: string[] = [];
  page.on("console", (message) => message.type() === "debug" && said.push(message.text()));

  await openList(page);
  await expect(page).toHaveURL(/\/admin$/);
  await expect(row(page, admin.username)).toContainText("Online");
  await expect.poll(() => beats.length, { timeout: 8000 }).toBeGreaterThanOrEqual(5);
  const gaps = beats.slice(2).map((at, index) => at - (beats[index + 1] as number));
  const median = gaps.sort((a, b) => a - b)[Math.floor(gaps.length / 2)] as number;
  expect(median).toBeGreaterThan(700);
  expect(median).toBeLessThan(1900);
  expect(said.some((line) => /heartbeat/i.test(line))).toBe(true);
});

test("somebody who falls silent goes offline in the list, and is back with the next sign of life", async ({ page, site, context, baseURL }) => {
  const person = await site.backstage.create("silent.sam");
  const theirs = await another(context, baseURL as string);
  await logIn(theirs, person);
  await expect(theirs.getByRole("heading", { name: "silent.sam" })).toBeVisible();

  await openList(page);
  await expect(row(page, "silent.sam")).toContainText("Online");
  await theirs.context().setOffline(true);
  await expect(row(page, "silent.sam")).toContainText("Offline", { timeout: times.timeout * 1000 + REFRESH });
  await expect(theirs.getByText("The server can't be reached.")).toBeVisible();
  await theirs.context().setOffline(false);
  await expect(row(page, "silent.sam")).toContainText("Online", { timeout: times.timeout * 1000 + REFRESH });
  await theirs.context().close();
});

test("somebody who logs out is offline at once; somebody who closes the page soon", async ({ page, site, context, baseURL }) => {
  const [leaver, closer] = [await site.backstage.create("leaving.lea"), await site.backstage.create("closing.cem")];
  const theirs = await another(context, baseURL as string);
  await logIn(theirs, leaver);
  const others = await another(context, baseURL as string);
  await logIn(others, closer);
  await openList(page);
  await expect(row(page, "leaving.lea")).toContainText("Online");
  await expect(row(page, "closing.cem")).toContainText("Online");

  await theirs.getByRole("button", { name: "Account of leaving.lea" }).click();
  await theirs.getByRole("menuitem", { name: "Log out" }).click();
  await expect(theirs.getByText("You are logged out.")).toBeVisible();
  await expect(row(page, "leaving.lea")).toContainText("Offline", { timeout: REFRESH });
  const kept = await theirs.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie]));
  expect(kept).not.toContain("eyJ");
  expect(kept).not.toContain("refresh");

  await others.close({ runBeforeUnload: true });
  await expect(row(page, "closing.cem")).toContainText("Offline", { timeout: times.timeout * 1000 + REFRESH });
  await theirs.context().close();
});

test("the list asks again each refresh, and only for what has changed", async ({ page }) => {
  const answers: number[] = [];
  const conditions: boolean[] = [];
  await openList(page);
  await page.waitForTimeout(1500);
  page.on("response", (response) => {
    if (!response.url().includes("online_status=online")) return;
    answers.push(response.status());
    conditions.push("if-none-match" in response.request().headers());
  });
  await expect.poll(() => answers.length, { timeout: 8000 }).toBeGreaterThanOrEqual(4);
  expect(conditions.every(Boolean)).toBe(true);
  expect(answers.filter((status) => status === 304).length).toBeGreaterThanOrEqual(2);
  await expect(row(page, admin.username)).toBeVisible();
});

test("the times keep moving between refreshes, with the exact one on hover", async ({ page, site }) => {
  const person = await site.backstage.create("ticking.tom");
  await site.backstage.logOut(await site.backstage.logIn(person, "phone"));
  await openList(page);
  const seen = row(page, "ticking.tom").locator("time");
  await expect(seen).toHaveText(/^\d seconds? ago$/);
  await page.route("**/api/users/all-users/**", (route) => route.abort());
  const before = await seen.textContent();
  await expect(seen).not.toHaveText(before as string);
  expect(await seen.getAttribute("title")).toMatch(/\d{4}.*\d{1,2}:\d{2}:\d{2}/);
});

test("the server is stopped and started under an open page", async ({ page, site }) => {
  await openList(page);
  await expect(row(page, admin.username)).toContainText("Online");
  await site.program.stop();
  await expect(page.getByTestId("stale")).toContainText("The server can't be reached.");
  await expect(page.getByTestId("stale")).toContainText("What you see is from");
  await expect(row(page, admin.username)).toBeVisible();
  // After the time-out nobody is said to be online.
  await expect(row(page, admin.username)).toContainText("Was online");
  await site.program.start();
  await expect(page.getByTestId("stale")).toBeHidden({ timeout: 15_000 });
  await expect(row(page, admin.username)).toContainText("Online", { timeout: 15_000 });
});
