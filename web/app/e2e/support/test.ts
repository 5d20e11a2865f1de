// Each test file has a program of its own; each test tells what it saw in the browser's console if it fails.

import { test as base, expect, type BrowserContext, type Page } from "@playwright/test";
import { Backstage } from "./api";
import { Program, admin, freePort } from "./program";
import { hasPage, serve } from "./site";

interface Site {
  program: Program;
  backstage: Backstage;
  address: string;
}

export const test = base.extend<{ mirror: void }, { site: Site; settings: Record<string, string> }>({
  /** What a test file wants set otherwise. */
  settings: [{}, { scope: "worker", option: true }],
  site: [
    async ({ settings }, use) => {
      const program = await Program.start(settings);
      const own = await hasPage(program.address);
      const port = own ? program.port : await freePort();
      const server = own ? null : await serve(port, program.address);
      const backstage = await Backstage.enter(program.address);
      await use({ program, backstage, address: `http://127.0.0.1:${port}` });
      server?.closeAllConnections();
      server?.close();
      await program.remove();
    },
    { scope: "worker" },
  ],
  baseURL: async ({ site }, use) => use(site.address),
});

export { expect };

export async function logIn(page: Page, person: { username: string; password: string }, door = "/login") {
  await page.goto(door);
  await page.getByLabel("Name or e-mail address").fill(person.username);
  await page.getByLabel("Password", { exact: true }).fill(person.password);
  await page.getByRole("button", { name: "Log in", exact: true }).click();
}

/** An admin on the list, when it has come. */
export async function openList(page: Page) {
  await logIn(page, admin, "/admin-login");
  await expect(row(page, admin.username)).toBeVisible();
}

export const row = (page: Page, username: string) => page.locator(`[data-user="${username}"]`);

/** Another person at another computer. */
export async function another(context: BrowserContext, baseURL: string): Promise<Page> {
  const browser = context.browser();
  if (!browser) throw new Error("no browser");
  const other = await browser.newContext({ baseURL });
  return other.newPage();
}
