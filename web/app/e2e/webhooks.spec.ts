// Webhooks, with the server's answers made up; and once more against the program, where it has them.

import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import type { Page } from "@playwright/test";
import { anyImpact, findings, scrollsSideways } from "./support/axe";
import { FakeWebhooks } from "./support/hooks";
import { admin } from "./support/program";
import { expect, logIn, openList, test } from "./support/test";

test.use({ settings: { LASTSEEN_WEBHOOK_ALLOW_PRIVATE: "true" }, permissions: ["clipboard-read", "clipboard-write"] });

const item = (page: Page, url: string) => page.locator(`[data-webhook="${url}"]`);
const line = (page: Page, id: number) => page.locator(`[data-delivery="${id}"]`);
const menu = async (page: Page, url: string, choice: string) => {
  await page.getByRole("button", { name: `More about ${url}` }).click();
  await page.getByRole("menuitem", { name: choice }).click();
};

async function open(page: Page, path = "/admin/webhooks") {
  await openList(page);
  await page.goto(path);
  await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
}

for (const [colorScheme, width] of [["light", 1280], ["dark", 1280], ["light", 360], ["dark", 360]] as const) {
  test(`without a finding (${colorScheme}, ${width} wide)`, async ({ page }) => {
    test.slow();
    await page.setViewportSize({ width, height: 800 });
    await page.emulateMedia({ colorScheme });
    const fake = await FakeWebhooks.at(page);
    const well = fake.furnish();
    await open(page);
    await expect(item(page, well.url)).toContainText("Green dots in the chat");
    await expect(item(page, "https://old.example.org/")).toContainText("Disabled because the receiver answered that it is gone (410).");
    expect(await findings(page, anyImpact), "list").toEqual([]);
    expect(await scrollsSideways(page), "list").toBe(false);
    await menu(page, well.url, "Edit");
    await expect(page.getByRole("dialog", { name: "Edit the webhook" })).toBeVisible();
    expect(await findings(page), "form").toEqual([]);
    await page.keyboard.press("Escape");
    await page.getByRole("link", { name: well.url }).click();
    await expect(line(page, 40)).toContainText("answered 503");
    await line(page, 40).getByText("What was sent").click();
    expect(await findings(page, anyImpact), "deliveries").toEqual([]);
    expect(await scrollsSideways(page), "deliveries").toBe(false);
  });
}

test("a webhook is made, its secret shown once, changed, and deleted", async ({ page }) => {
  const fake = await FakeWebhooks.at(page);
  await open(page);
  await expect(page.getByText("No webhooks yet.")).toBeVisible();
  await page.getByRole("button", { name: "New webhook" }).click();
  const form = page.getByRole("dialog", { name: "New webhook" });
  await expect(form.getByRole("button", { name: "Make the webhook" })).toBeDisabled();
  await form.getByLabel("Address").fill("http://127.0.0.1:9/");
  await form.getByLabel("account.created").check();
  await form.getByLabel("presence.online").check();
  await form.getByLabel("Presence: all").check();
  await expect(form.getByLabel("presence.offline")).toBeChecked();
  await expect(form.getByLabel("presence.offline")).toBeDisabled();
  await form.getByRole("button", { name: "Make the webhook" }).click();
  await expect(form.getByText("Url must not lead to a private address.")).toBeVisible();
  await form.getByLabel("Address").fill("https://example.org/hook");
  await form.getByRole("button", { name: "Make the webhook" }).click();
  const secret = page.getByRole("dialog", { name: "The secret" });
  await expect(secret).toContainText("This is shown once.");
  await expect(secret.getByLabel("Secret", { exact: true })).toHaveValue(/^whsec_/);
  expect(await findings(page), "secret").toEqual([]);
  await page.keyboard.press("Escape");
  await secret.getByRole("button", { name: "Copy" }).click();
  await expect(secret.getByText("Copied", { exact: true })).toBeVisible();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toMatch(/^whsec_/);
  await secret.getByRole("button", { name: "I have kept it" }).click();
  await expect(page.getByText(/whsec_/)).toHaveCount(0);
  expect(fake.sent.at(-1)).toMatchObject({ method: "POST", body: { url: "https://example.org/hook", events: ["account.created", "presence.*"] } });

  await menu(page, "https://example.org/hook", "Edit");
  await page.getByLabel("What it is for").fill("to try it");
  await page.getByLabel("account.created").uncheck();
  await page.getByRole("button", { name: "Save" }).click();
  await expect(item(page, "https://example.org/hook")).toContainText("to try it");
  expect(fake.sent.at(-1)).toMatchObject({ method: "PATCH", body: { description: "to try it", events: ["presence.*"] } });

  await menu(page, "https://example.org/hook", "New secret");
  await page.getByRole("button", { name: "Make a new secret" }).click();
  await expect(secret.getByLabel("Secret", { exact: true })).toHaveValue(/S2$/);
  await secret.getByRole("button", { name: "I have kept it" }).click();

  await menu(page, "https://example.org/hook", "Delete");
  await page.getByRole("button", { name: "Cancel" }).click();
  await expect(item(page, "https://example.org/hook")).toBeVisible();
  await menu(page, "https://example.org/hook", "Delete");
  await page.getByRole("button", { name: "Delete the webhook" }).click();
  await expect(page.getByText("No webhooks yet.")).toBeVisible();
});

test("one that was disabled is enabled again", async ({ page }) => {
  const fake = await FakeWebhooks.at(page);
  fake.furnish();
  await open(page);
  await item(page, "https://old.example.org/").getByRole("button", { name: "Enable" }).click();
  await expect(item(page, "https://old.example.org/").getByText("Enabled", { exact: true })).toBeVisible();
  expect(fake.sent.at(-1)).toMatchObject({ method: "PATCH", body: { enabled: true } });
});

test("the log of deliveries is read page by page, refreshes itself, and sends again", async ({ page }) => {
  const fake = await FakeWebhooks.at(page);
  const well = fake.furnish();
  await open(page, `/admin/webhooks/${well.id}`);
  await expect(line(page, 40)).toContainText("Waiting");
  await expect(line(page, 40)).toContainText("2 attempts");
  await expect(line(page, 39)).toContainText("no answer");
  await expect(line(page, 1)).toHaveCount(0);
  await page.getByRole("button", { name: "Show older" }).click();
  await expect(line(page, 1)).toBeVisible();
  await line(page, 40).getByText("What was sent").click();
  await expect(line(page, 40)).toContainText('"user_id": 47');
  await expect(line(page, 40)).toContainText("upstream is away");

  await page.getByRole("button", { name: "Send presence.online again (39)" }).click();
  await expect(line(page, 39)).toContainText("Waiting");
  Object.assign(fake.deliveries.get(well.id)?.find(({ id }) => id === 39) ?? {}, { status: "delivered", attempts: 1, last_status: 200, last_error: null });
  await expect(line(page, 39)).toContainText("Delivered");

  await page.getByText("Given up", { exact: true }).first().click();
  await expect(page.getByText("Nothing here.")).toBeVisible();
  expect(new URL(page.url()).searchParams.get("status")).toBe("dead");
  await page.getByRole("button", { name: "Send a test event" }).click();
  await page.getByText("All", { exact: true }).click();
  await expect(line(page, 41)).toContainText("webhook.test");
});

test("what does not work is said", async ({ page }) => {
  const fake = await FakeWebhooks.at(page);
  const well = fake.furnish();
  await open(page, "/admin/webhooks/99");
  await expect(page.getByRole("heading", { name: "There is no such webhook" })).toBeVisible();
  await page.route("**/api/webhooks/", (route) => route.fulfill({ status: 503, json: { type: "", title: "", status: 503, code: "unavailable", detail: "the database can't be reached" } }));
  await page.getByRole("link", { name: "Webhooks", exact: true }).click();
  await expect(page.getByText("The webhooks could not be loaded. The database can't be reached.")).toBeVisible();
  await page.unroute("**/api/webhooks/");
  await page.getByRole("button", { name: "Try again" }).click();
  await expect(item(page, well.url)).toBeVisible();
});

test("are for admins", async ({ page, site }) => {
  const person = await site.backstage.create("hookless.hana");
  await logIn(page, person);
  await expect(page).toHaveURL(/\/me$/);
  await expect(page.getByRole("link", { name: "Webhooks" })).toHaveCount(0);
  await page.goto("/admin/webhooks");
  await expect(page.getByRole("heading", { name: "This page is for admins" })).toBeVisible();
});

test("against the program: a test event arrives, signed, and is in the log", async ({ page, site }) => {
  const document = await fetch(`${site.program.address}/api/webhooks/`);
  test.skip(document.status === 404, "the program has no webhooks");
  const got: { headers: IncomingHttpHeaders; body: string }[] = [];
  let status = 204;
  const receiver = createServer((asked, answer) => {
    let body = "";
    asked.on("data", (text) => (body += text));
    asked.on("end", () => {
      got.push({ headers: asked.headers, body });
      answer.writeHead(status).end();
    });
  });
  await new Promise<void>((done) => receiver.listen(0, "127.0.0.1", done));
  const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook`;

  await logIn(page, admin, "/admin-login");
  await page.getByRole("link", { name: "Webhooks" }).click();
  await page.getByRole("button", { name: "New webhook" }).click();
  await page.getByLabel("Address").fill("ftp://example.org/");
  await page.getByLabel("account.created").check();
  await page.getByRole("button", { name: "Make the webhook" }).click();
  await expect(page.getByLabel("Address")).toHaveAttribute("aria-invalid", "true");
  await page.getByLabel("Address").fill(url);
  await page.getByRole("button", { name: "Make the webhook" }).click();
  await expect(page.getByLabel("Secret", { exact: true })).toHaveValue(/^whsec_.{30,}/);
  await page.getByRole("button", { name: "I have kept it" }).click();
  await page.getByRole("link", { name: url }).click();
  await page.getByRole("button", { name: "Send a test event" }).click();
  const first = page.locator("[data-delivery]").first();
  await expect(first).toContainText("Delivered", { timeout: 15_000 });
  await expect(first).toContainText("answered 204");
  expect(got[0]?.headers["webhook-signature"]).toMatch(/^v1,/);
  expect(JSON.parse(got[0]?.body ?? "{}").type).toBe("webhook.test");

  await page.getByRole("button", { name: /^Send webhook.test again/ }).click();
  await expect.poll(() => got.length, { timeout: 15_000 }).toBe(2);
  expect(got[1]?.headers["webhook-id"]).toBe(got[0]?.headers["webhook-id"]);

  status = 410;
  await page.getByRole("button", { name: "Send a test event" }).click();
  await expect(page.getByText("Disabled because the receiver answered that it is gone (410).")).toBeVisible({ timeout: 15_000 });
  status = 204;
  await page.getByRole("button", { name: "Enable" }).click();
  await expect(page.getByText("Enabled", { exact: true })).toBeVisible();
  await menu(page, url, "New secret");
  await page.getByRole("button", { name: "Make a new secret" }).click();
  await page.getByRole("button", { name: "I have kept it" }).click();
  await menu(page, url, "Delete");
  await page.getByRole("button", { name: "Delete the webhook" }).click();
  await expect(page.getByText("No webhooks yet.")).toBeVisible();
  receiver.close();
});
