// Who gets in where, and what one's own page does.

import { PASSWORD } from "./support/api";
import { admin } from "./support/program";
import { another, expect, logIn, openList, row, test } from "./support/test";

test("a user gets no admin page, and is told so", async ({ page, site }) => {
  const person = await site.backstage.create("plain.pat");
  const asked: string[] = [];
  page.on("request", (request) => asked.push(new URL(request.url()).pathname));
  await logIn(page, person, "/admin-login");
  await expect(page.getByRole("heading", { name: "This page is for admins" })).toBeVisible();
  await page.goto("/admin/users/1");
  await expect(page.getByRole("heading", { name: "This page is for admins" })).toBeVisible();
  expect(asked).not.toContain("/api/users/all-users/");
  await page.getByRole("link", { name: "Go to my account" }).click();
  await expect(page.getByRole("heading", { name: "plain.pat" })).toBeVisible();
});

test("a wrong password is told, and nothing is kept of it", async ({ page }) => {
  await logIn(page, { username: admin.username, password: "not this one" }, "/admin-login");
  await expect(page.getByRole("alert")).toBeVisible();
  await expect(page).toHaveURL(/admin-login/);
  expect(await page.evaluate(() => localStorage.length)).toBe(0);
});

test("who isn't logged in comes to the door, and from there where it wanted", async ({ page }) => {
  await page.goto("/admin?status=banned");
  await expect(page).toHaveURL(/\/admin-login$/);
  await page.getByLabel("Name or e-mail address").fill(admin.username);
  await page.getByLabel("Password", { exact: true }).fill(admin.password);
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/\/admin\?status=banned$/);
});

test("somebody registers, changes the own time-out and password, and sees the devices", async ({ page, site }) => {
  await page.goto("/login");
  await page.getByRole("link", { name: "Make an account" }).click();
  // The log-in page stays until the other has been loaded, and has fields that are named alike.
  await expect(page.getByRole("heading", { name: "Make an account" })).toBeVisible();
  await page.getByLabel("Name").fill("new.nia");
  await page.getByLabel("E-mail address").fill("new.nia@example.org");
  await page.getByLabel("Password", { exact: true }).fill("short");
  await page.getByRole("button", { name: "Make the account" }).click();
  await expect(page.getByText(/at least 8 characters/)).toBeVisible();
  await page.getByLabel("Password", { exact: true }).fill(PASSWORD);
  await page.getByRole("button", { name: "Make the account" }).click();
  await expect(page.getByRole("heading", { name: "new.nia" })).toBeVisible();
  await expect(page.getByText("this device", { exact: true })).toBeVisible();
  await expect(page.getByText("You are online while this page is open.")).toBeVisible();

  await site.backstage.logIn({ username: "new.nia", password: PASSWORD }, "old phone");
  await page.getByRole("button", { name: "Log out old phone" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Log out old phone" }).click();
  await expect(page.getByText("old phone is logged out.")).toBeVisible();

  await page.getByLabel("Own timeout, in seconds").fill("60");
  await page.getByRole("button", { name: "Save" }).first().click();
  await expect(page.getByText("Saved")).toBeVisible();
  await page.reload();
  await expect(page.getByLabel("Own timeout, in seconds")).toHaveValue("60");

  await page.getByLabel("Password until now").fill("not the old one");
  await page.getByLabel("New password").fill(`${PASSWORD} two`);
  await page.getByRole("button", { name: "Change the password" }).click();
  await expect(page.getByText("Old is not the password.")).toBeVisible();
  await page.getByLabel("Password until now").fill(PASSWORD);
  await page.getByRole("button", { name: "Change the password" }).click();
  await expect(page.getByText("The password is changed.")).toBeVisible();
});

test("two tabs share one log-in, and end together", async ({ page, context }) => {
  await openList(page);
  const second = await context.newPage();
  await second.goto("/admin");
  await expect(row(second, admin.username)).toBeVisible();
  await page.getByRole("button", { name: "Account of admin" }).click();
  await page.getByRole("menuitem", { name: "Log out" }).click();
  await expect(second).toHaveURL(/admin-login$/);
  await expect(second.getByLabel("Name or e-mail address")).toBeVisible();
});

test("two admins at once see what the other does", async ({ page, site, context, baseURL }) => {
  await site.backstage.create("watched.will");
  const theirs = await another(context, baseURL as string);
  await Promise.all([openList(page), openList(theirs)]);
  await row(page, "watched.will").getByRole("button", { name: "Suspend watched.will" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Suspend watched.will" }).click();
  await expect(row(theirs, "watched.will")).toContainText("Suspended");
  await theirs.context().close();
});
