// What an admin does to accounts, and what those on the other side see of it.

import type { Page } from "@playwright/test";
import { PASSWORD } from "./support/api";
import { admin } from "./support/program";
import { another, expect, logIn, openList, row, test } from "./support/test";

async function choose(page: Page, username: string, action: string) {
  await page.getByRole("button", { name: `More actions for ${username}` }).click();
  await page.getByRole("menuitem", { name: action, exact: true }).click();
}

test("suspending takes two clicks; the person is out at once and can't come back", async ({ page, site, context, baseURL }) => {
  const person = await site.backstage.create("suspended.sue");
  const theirs = await another(context, baseURL as string);
  await logIn(theirs, person);
  await openList(page);
  await expect(row(page, person.username)).toContainText("Online");

  await row(page, person.username).getByRole("button", { name: "Suspend suspended.sue" }).click();
  await expect(page.getByRole("dialog", { name: "Suspend suspended.sue?" })).toBeVisible();
  await page.getByRole("dialog").getByRole("button", { name: "Suspend suspended.sue" }).click();
  await expect(row(page, person.username)).toContainText("Suspended");
  await expect(row(page, person.username)).toContainText("Offline");
  await expect(page.getByText("suspended.sue is suspended and logged out.")).toBeVisible();

  await expect(theirs).toHaveURL(/\/login$/);
  await expect(theirs.getByText("Your account was suspended")).toBeVisible();
  await logIn(theirs, person);
  await expect(theirs.getByRole("alert")).toContainText(/suspended/i);
  await expect(theirs).toHaveURL(/\/login$/);
  await expect(row(page, person.username)).toContainText("Offline");

  await row(page, person.username).getByRole("button", { name: "Activate suspended.sue" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Activate suspended.sue" }).click();
  await expect(row(page, person.username)).toContainText("Active");
  await logIn(theirs, person);
  await expect(row(page, person.username)).toContainText("Online");
  await theirs.context().close();
});

test("a refused action is taken back, with the server's sentence", async ({ page, site }) => {
  await site.backstage.create("refused.rob");
  await openList(page);
  await page.route("**/suspend/", (route) =>
    route.fulfill({
      status: 409,
      contentType: "application/problem+json",
      body: JSON.stringify({ type: "/x", title: "x", status: 409, code: "last_admin", detail: "nobody would be left to manage accounts" }),
    }),
  );
  await row(page, "refused.rob").getByRole("button", { name: "Suspend refused.rob" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Suspend refused.rob" }).click();
  await expect(page.getByText("Nobody would be left to manage accounts.")).toBeVisible();
  await expect(row(page, "refused.rob")).toContainText("Active");
});

test("an account is made, edited, banned for a reason, and deleted", async ({ page }) => {
  await openList(page);
  await page.getByRole("button", { name: "New account" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Name").fill("admin");
  await dialog.getByLabel("E-mail address").fill("made.mia@example.org");
  await dialog.getByLabel("Password", { exact: true }).fill(PASSWORD);
  await dialog.getByRole("button", { name: "Make the account" }).click();
  await expect(dialog.getByText(/taken|already|another account/i)).toBeVisible();
  await dialog.getByLabel("Name").fill("made.mia");
  await dialog.getByRole("button", { name: "Make the account" }).click();
  await expect(row(page, "made.mia")).toBeVisible();

  await choose(page, "made.mia", "Edit");
  await dialog.getByLabel("Role").selectOption("admin");
  await dialog.getByRole("button", { name: "Save" }).click();
  await expect(row(page, "made.mia")).toContainText("Admin");

  await choose(page, "made.mia", "Ban");
  await dialog.getByLabel("Reason").fill("Spam after a warning");
  await dialog.getByRole("button", { name: "Ban made.mia" }).click();
  await expect(row(page, "made.mia")).toContainText("Banned");

  await page.getByRole("link", { name: "made.mia" }).click();
  await expect(page.getByRole("heading", { name: "made.mia" })).toBeVisible();
  await expect(page.getByText("Spam after a warning")).toBeVisible();
  await expect(page.getByText("role: admin")).toBeVisible();
  await choose(page, "made.mia", "Delete");
  await dialog.getByRole("button", { name: "Delete made.mia" }).click();
  await expect(page).toHaveURL(/\/admin$/);
  await expect(page.getByText("made.mia is deleted.")).toBeVisible();
  await expect(row(page, "made.mia")).toHaveCount(0);
});

test("search, filters and order are in the address and reach the server", async ({ page, site }) => {
  const jo = await site.backstage.create("filter.jo");
  await site.backstage.create("filter.kim");
  await site.backstage.act("ban", jo.id);
  await openList(page);
  await page.getByLabel("Search by name or e-mail address").fill("FILTER.");
  await expect(page.getByText("2 accounts")).toBeVisible();
  await expect(row(page, admin.username)).toHaveCount(0);
  await page.getByLabel("Account status").selectOption("banned");
  await expect(page.getByText("1 account", { exact: true })).toBeVisible();
  await expect(row(page, "filter.jo")).toContainText("Banned");
  await expect(page).toHaveURL(/search=FILTER\.&status=banned/);
  await page.reload();
  await expect(row(page, "filter.jo")).toBeVisible();
  await expect(row(page, "filter.kim")).toHaveCount(0);
  await page.getByLabel("Account status").selectOption("");
  await page.getByRole("button", { name: "Name" }).click();
  await page.getByRole("button", { name: "Name" }).click();
  await expect(page.locator("[data-user]").first()).toHaveAttribute("data-user", "filter.kim");
  await page.getByLabel("Search by name or e-mail address").fill("nobody at all");
  await expect(page.getByText("Nobody matches this filter.")).toBeVisible();
  await page.getByRole("button", { name: "Clear the filter" }).last().click();
  await expect(row(page, admin.username)).toBeVisible();
});

test("a device is ended, and its page says why", async ({ page, site, context, baseURL }) => {
  const person = await site.backstage.create("devices.dan");
  const theirs = await another(context, baseURL as string);
  await logIn(theirs, person);
  await expect(theirs).toHaveURL(/\/me$/);
  await logIn(page, admin, `/admin/users/${person.id}`);
  await expect(page.getByRole("heading", { name: "devices.dan" })).toBeVisible();
  await page.getByRole("button", { name: /^Log out Chrome/ }).click();
  await page.getByRole("dialog").getByRole("button", { name: /^Log out Chrome/ }).click();
  await expect(page.getByText("Not logged in anywhere.")).toBeVisible();
  await expect(theirs).toHaveURL(/\/login$/);
  await expect(theirs.getByText("Your log-in was ended on another device or by an admin.")).toBeVisible();
  await theirs.context().close();
});
