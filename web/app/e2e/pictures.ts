// Not a test: draws the pages with people who might be.

import { join } from "node:path";
import { test, type Page } from "@playwright/test";
import { Backstage } from "./support/api";
import { Program, admin, freePort } from "./support/program";
import { hasPage, serve } from "./support/site";
import { expect, logIn, row } from "./support/test";

const DEMO_PASSWORD = "demo-password";
const devices = ["Firefox on Linux", "Chrome on Windows", "Safari on iPhone", "Chrome on Android", "Safari on Mac"];
const folder = process.env.PICTURES ?? join(import.meta.dirname, "../../../docs/pictures");

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
    await backstage.logIn(person, devices[index % devices.length] as string);
    if (index % 5 === 1) await backstage.logIn(person, devices[(index + 2) % devices.length] as string);
  }

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
    await draw(page, `contacts-${colorScheme}`);
    await page.goto("/me");
    await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
    await draw(page, `me-${colorScheme}`);
    await page.setViewportSize({ width: 390, height: 844 });
    await page.goto("/admin");
    await expect(row(page, admin.username)).toBeVisible();
    await draw(page, `people-phone-${colorScheme}`);
    await page.close();
  }
  server?.closeAllConnections();
  server?.close();
  await program.remove();
});
