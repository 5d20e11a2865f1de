// The dashboard, with the server's numbers made up; the number of this moment is the program's own.

import type { Locator, Page } from "@playwright/test";
import { anyImpact, findings, scrollsSideways } from "./support/axe";
import { admin } from "./support/program";
import { mockStats } from "./support/stats";
import { expect, logIn, openList, test } from "./support/test";

// Who logs in and sends no heartbeats stays long enough to be counted.
test.use({ settings: { LASTSEEN_INACTIVITY_TIMEOUT: "120s" } });

const HOUR = 3_600_000;
const panel = (page: Page, name: string) => page.getByRole("region", { name, exact: true });
const path = (page: Page) => new URL(page.url());
const choose = (page: Page, range: string) => page.getByRole("radiogroup", { name: "Time", exact: true }).getByText(range, { exact: true }).click();

async function open(page: Page, query = "") {
  await openList(page);
  await page.goto(`/admin/statistics${query}`);
  await expect(page.getByRole("heading", { level: 1, name: "Statistics" })).toBeVisible();
}

/** Whether something is drawn in a column of the chart, a little above its foot. Its share of the width: 0 to 1. */
function painted(canvas: Locator, share: number) {
  return canvas.evaluate((element, share) => {
    const canvas = element as HTMLCanvasElement;
    const over = canvas.parentElement?.querySelector<HTMLElement>(".u-over");
    const scale = canvas.width / canvas.clientWidth;
    if (!over) throw new Error("no chart");
    const [x, y] = [(over.offsetLeft + over.clientWidth * share) * scale, (over.offsetTop + over.clientHeight - 4) * scale];
    return (canvas.getContext("2d")?.getImageData(Math.round(x), Math.round(y), 1, 1).data[3] ?? 0) > 0;
  }, share);
}

for (const [colorScheme, width] of [["light", 1280], ["dark", 1280], ["light", 360], ["dark", 360]] as const) {
  test(`charts with a gap, without a finding (${colorScheme}, ${width} wide)`, async ({ page }) => {
    test.slow();
    const blocked: string[] = [];
    page.on("console", (message) => /content security|refused to/i.test(message.text()) && blocked.push(message.text()));
    await page.setViewportSize({ width, height: 800 });
    await page.emulateMedia({ colorScheme });
    const now = Date.now();
    await mockStats(page, { gap: { from: now - 9 * HOUR, to: now - 7 * HOUR } });
    await open(page);
    await expect(page.locator("canvas")).toHaveCount(4);
    await expect(panel(page, "Online over time").getByText(/^Peak: \d+, /)).toBeVisible();
    for (const name of ["Online over time", "Availability"]) {
      const canvas = panel(page, name).locator("canvas");
      await expect.poll(() => painted(canvas, 0.4), name).toBe(true);
      expect(await painted(canvas, 16 / 24), `${name}: in the gap`).toBe(false);
      expect(await painted(canvas, 20 / 24), `${name}: after the gap`).toBe(true);
    }
    await expect(panel(page, "Availability").getByRole("list", { name: /^Accounts by status/ })).toContainText("1,612");
    await expect(panel(page, "Length of sessions").getByRole("row", { name: /15 min – 1 h/ })).toContainText("1,488");
    await expect(panel(page, "Platforms").getByRole("row", { name: /iOS/ })).toContainText("61.4");
    await expect(panel(page, "Hours of the week").getByRole("img")).toHaveAttribute("aria-label", /Most at Wednesday|Most at (Mon|Tues|Thurs|Fri)day/);
    expect(await findings(page, anyImpact), "charts").toEqual([]);
    for (const name of ["Online over time", "Availability", "Log-ins", "Hours of the week", "Active users"]) {
      await page.getByRole("button", { name: `${name}: show as a table` }).click();
      await expect(panel(page, name).getByRole("table")).toBeVisible();
    }
    expect(await findings(page, anyImpact), "tables").toEqual([]);
    expect(await scrollsSideways(page)).toBe(false);
    expect(blocked).toEqual([]);
  });
}

test("the address says what is shown, and a link shows the same in another time zone", async ({ page, browser, baseURL }) => {
  const { asked } = await mockStats(page);
  await open(page);
  await expect.poll(() => path(page).search).toBe("?tz=Europe%2FBerlin");
  await choose(page, "Month");
  await page.getByLabel("In steps of").selectOption("By the day");
  await page.getByLabel("Platform", { exact: true }).selectOption("iOS");
  await page.getByLabel("Time zone").selectOption("Asia/Kabul");
  await page.getByRole("button", { name: "Earlier" }).click();
  await expect.poll(() => path(page).searchParams.get("to")).not.toBeNull();
  const shown = panel(page, "Online over time").getByText(/–/).first();
  await expect(shown).toContainText(/^\w+ \d+ \w+, 00:00 – /);
  await expect.poll(() => Object.fromEntries(asked.filter(({ path }) => path === "online").at(-1)?.query ?? [])).toMatchObject({
    step: "day",
    tz: "Asia/Kabul",
    platform: "ios",
    from: expect.stringMatching(/T19:30:00\.000Z$/),
    to: path(page).searchParams.get("to"),
  });
  // Until the answer is there, the one before is shown as what it is.
  await expect(shown).not.toContainText("now");
  const words = await shown.textContent();

  const elsewhere = await browser.newContext({ baseURL, timezoneId: "America/New_York" });
  const other = await elsewhere.newPage();
  await mockStats(other);
  await openList(other);
  await other.goto(path(page).pathname + path(page).search);
  await expect(panel(other, "Online over time").getByText(words ?? "")).toBeVisible();
  expect(path(other).search).toBe(path(page).search);
  await elsewhere.close();

  await page.getByRole("button", { name: "Now" }).click();
  await expect(shown).toContainText("now");
  await expect(page.getByRole("button", { name: "Later" })).toBeDisabled();
});

test("what is pointed at is said", async ({ page }) => {
  await mockStats(page);
  await open(page, "?range=week");
  const chart = panel(page, "Online over time").locator(".u-over");
  await chart.hover({ position: { x: 400, y: 60 } });
  await expect(chart.getByText(/^At most: \d+$/)).toBeVisible();
  await panel(page, "Hours of the week").locator('[data-cell="12"]').hover();
  await expect(panel(page, "Hours of the week").getByText(/^Monday 12:00–13:00: \d+ on average$/)).toBeVisible();
});

test("availability is by the hour, and by the day for a month; of every platform", async ({ page }) => {
  const { asked, state } = await mockStats(page);
  const last = () => Object.fromEntries(asked.filter(({ path, csv }) => path === "statuses" && !csv).at(-1)?.query ?? []);
  await open(page, "?tz=Asia/Kolkata");
  const part = panel(page, "Availability");
  await expect(part.getByRole("img")).toHaveAttribute("aria-label", /^Areas of users online by availability, .* Available: [\d.]+, Away: [\d.]+, Do not disturb: [\d.]+\.$/);
  expect(last()).toEqual({ from: expect.stringMatching(/:30:00\.000Z$/), to: expect.any(String), step: "hour", tz: "Asia/Kolkata" });
  const accounts = part.getByRole("list", { name: /^Accounts by status, on average in the hour from / });
  await expect(accounts.getByRole("listitem")).toHaveText(["Active1,612", "Pending7.5", "Suspended12", "Banned3", "Deactivated41.2"]);
  const chart = part.locator(".u-over");
  await chart.hover({ position: { x: 400, y: 60 } });
  const said = await Promise.all(["Online", "Available", "Away", "Do not disturb"].map((name) => chart.getByText(new RegExp(`^${name}: `)).textContent()));
  const [all = 0, ...parts] = said.map((text) => Number(text?.replace(/.*: /, "")));
  expect(Math.abs(all - parts.reduce((sum, each) => sum + each, 0))).toBeLessThan(2);

  await expect(part.getByText("Every platform")).toHaveCount(0);
  await page.getByLabel("Platform", { exact: true }).selectOption("iOS");
  await expect(part.getByText("Every platform")).toBeVisible();
  const before = asked.length;
  await choose(page, "Month");
  await expect(part.getByRole("list", { name: /^Accounts by status, on average on / })).toBeVisible();
  expect(asked.length).toBeGreaterThan(before);
  expect(last()).toMatchObject({ step: "day", from: expect.stringMatching(/T18:30:00\.000Z$/) });
  expect(last()).not.toHaveProperty("platform");
  const request = page.waitForRequest((each) => each.headers().accept === "text/csv");
  const download = page.waitForEvent("download");
  await page.getByRole("button", { name: "Availability: download as CSV" }).click();
  expect(Object.fromEntries(new URL((await request).url()).searchParams)).toMatchObject({ step: "day", tz: "Asia/Kolkata" });
  expect((await download).suggestedFilename()).toBe("availability.csv");

  await choose(page, "Hour");
  await expect.poll(() => last().step).toBe("hour");
  await expect(part.locator("canvas")).toBeVisible();
  state.empty = true;
  await page.getByRole("button", { name: "Earlier" }).click();
  await expect(part.getByText("Nothing is known of this time.")).toBeVisible();
});

test("nothing known is said, and is no zero", async ({ page }) => {
  const { state } = await mockStats(page, { empty: true });
  await open(page);
  await expect(page.getByText("Nothing is known of this time.")).toHaveCount(7);
  await expect(page.locator("canvas")).toHaveCount(0);
  expect(await findings(page, anyImpact)).toEqual([]);
  state.empty = false;
  await choose(page, "Week");
  await expect(page.locator("canvas").first()).toBeVisible();
});

test("a server that fails is said in each part, and can be asked again", async ({ page }) => {
  const { state } = await mockStats(page, { broken: true });
  await open(page);
  await expect(page.getByText("This could not be loaded. Something went wrong on the server.")).toHaveCount(7);
  await expect(page.getByTestId("online-now")).not.toHaveText("–");
  expect(await findings(page, anyImpact)).toEqual([]);
  state.broken = false;
  await panel(page, "Online over time").getByRole("button", { name: "Try again" }).click();
  await expect(panel(page, "Online over time").locator("canvas")).toBeVisible();
  await expect(panel(page, "Platforms").getByText("This could not be loaded.")).toBeVisible();
});

test("the numbers can be taken away as a file", async ({ page }) => {
  const { asked } = await mockStats(page);
  await open(page, "?range=week");
  const request = page.waitForRequest((each) => each.headers().accept === "text/csv");
  const download = page.waitForEvent("download");
  await page.getByRole("button", { name: "Online over time: download as CSV" }).click();
  expect((await request).headers().authorization).toMatch(/^Bearer /);
  const file = await download;
  expect(file.suggestedFilename()).toBe("online.csv");
  const chunks: Buffer[] = [];
  for await (const chunk of await file.createReadStream()) chunks.push(chunk as Buffer);
  expect(Buffer.concat(chunks).toString()).toMatch(/^at,online,peak,logins/);
  expect(Object.fromEntries(asked.find(({ csv }) => csv)?.query ?? [])).toMatchObject({ step: "hour", tz: "Europe/Berlin" });
});

test("the number of this moment follows who comes", async ({ page, site }) => {
  await mockStats(page);
  const person = await site.backstage.create("counted.carl");
  await open(page);
  const shown = page.getByTestId("online-now");
  await expect(shown).toHaveText(/^\d+$/);
  const before = Number(await shown.textContent());
  await site.backstage.logIn(person, "phone");
  await expect(shown).toHaveText(String(before + 1));
});

test("against the program: each part is answered, for each range", async ({ page, site }) => {
  const answer = await fetch(`${site.program.address}/api/stats/online/`);
  test.skip(answer.status === 404, "the program has no statistics");
  const refused: string[] = [];
  page.on("response", (response) => response.url().includes("/api/stats/") && !response.ok() && refused.push(`${response.status()} ${response.url()}`));
  test.slow();
  await openList(page);
  for (const query of ["range=hour", "", "step=hour&tz=Asia/Kabul", "range=week&tz=UTC", "range=month&days=365", "range=month&step=day&tz=Africa/Cairo"]) {
    await page.goto(`/admin/statistics?${query}`);
    await expect(page.getByRole("status", { name: "Loading…" })).toHaveCount(0);
    await expect(page.getByText("This could not be loaded.")).toHaveCount(0);
  }
  await page.getByLabel("Platform", { exact: true }).selectOption("Web");
  await page.getByRole("button", { name: "Earlier" }).click();
  await expect(page.getByText("This could not be loaded.")).toHaveCount(0);
  expect(refused).toEqual([]);
});

test("is for admins, and nobody else loads a chart", async ({ page, site }) => {
  const loaded: string[] = [];
  page.on("request", (request) => loaded.push(request.url()));
  const person = await site.backstage.create("curious.cora");
  await logIn(page, person);
  await expect(page).toHaveURL(/\/me$/);
  await expect(page.getByRole("link", { name: "Statistics" })).toHaveCount(0);
  await page.goto("/admin/statistics");
  await expect(page.getByRole("heading", { name: "This page is for admins" })).toBeVisible();
  expect(loaded.filter((url) => url.includes("/api/stats/"))).toEqual([]);
  expect(loaded.filter((url) => /\/Chart-/.test(url))).toEqual([]);
});

test("an admin finds it in the navigation", async ({ page }) => {
  await mockStats(page);
  await logIn(page, admin, "/admin-login");
  await page.getByRole("link", { name: "Statistics" }).click();
  await expect(page).toHaveTitle("Statistics · Lastseen");
  await expect(page.getByRole("link", { name: "Statistics" })).toHaveAttribute("aria-current", "page");
  await expect(page.getByRole("link", { name: "People" })).not.toHaveAttribute("aria-current", "page");
});
