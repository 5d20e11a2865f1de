// What is live: others see a change within a second or so, long before the next refresh.

import type { BrowserContext, Page } from "@playwright/test";
import type { Backstage, Person } from "./support/api";
import { admin } from "./support/program";
import { another, expect, logIn, row, test } from "./support/test";

/** A refresh so slow that what is seen sooner came live. */
const REFRESH_S = 60;
/** The shortest that may be set. */
const AWAY_S = 30;
/** So long that nobody who sends no heartbeats goes before the page had a chance to see that they came. */
const TIMEOUT_S = 120;
/** A change to the other screen. */
const SOON = { timeout: 8_000 };

test.use({
  settings: {
    LASTSEEN_ADMIN_REFRESH: `${REFRESH_S}s`,
    LASTSEEN_AWAY_AFTER: `${AWAY_S}s`,
    LASTSEEN_INACTIVITY_TIMEOUT: `${TIMEOUT_S}s`,
  },
});

const live = (page: Page) => expect(page.getByTestId("live")).toHaveAttribute("data-live", "true");

/** The list in an admin's browser, live. */
async function watch(page: Page) {
  await logIn(page, admin, "/admin-login");
  await expect(row(page, admin.username)).toBeVisible();
  await live(page);
}

/** Somebody at another computer, on the page of contacts. */
async function enter(context: BrowserContext, baseURL: string | undefined, person: Person): Promise<Page> {
  const page = await another(context, baseURL as string);
  await logIn(page, person);
  await expect(page.getByRole("heading", { name: person.username })).toBeVisible();
  await page.getByRole("link", { name: "Contacts" }).click();
  await expect(page.getByRole("heading", { name: "Contacts", exact: true })).toBeVisible();
  await live(page);
  return page;
}

const contact = (page: Page, name: string) => page.locator(`[data-contact="${name}"]`);

async function befriend(backstage: Backstage, one: Person, other: Person) {
  const [mine, theirs] = [await backstage.logIn(one, "api"), await backstage.logIn(other, "api")];
  await backstage.as(mine, "POST", "/api/contacts/", { user_id: other.id });
  await backstage.as(theirs, "POST", "/api/contacts/", { user_id: one.id });
  await backstage.logOut(mine);
  await backstage.logOut(theirs);
}

async function choose(page: Page, person: { username: string }, availability: string) {
  await page.getByRole("button", { name: `Account of ${person.username}` }).click();
  await page.getByRole("menuitemradio", { name: availability }).click();
}

test("the list shows who comes, who does not want to be disturbed, and who goes", async ({ page, site, context, baseURL }) => {
  const person = await site.backstage.create("live.lou");
  await watch(page);
  await expect(row(page, "live.lou")).toContainText("Offline");
  const theirs = await another(context, baseURL as string);
  await logIn(theirs, person);
  await expect(row(page, "live.lou")).toContainText("Online", SOON);
  await expect(theirs.getByRole("heading", { name: "live.lou" })).toBeVisible();

  await choose(theirs, person, "Do not disturb");
  await expect(row(page, "live.lou")).toContainText("Do not disturb", SOON);
  await theirs.getByRole("button", { name: "Account of live.lou" }).click();
  await theirs.getByRole("menuitem", { name: "Set a status…" }).click();
  await expect(theirs.getByLabel("Status", { exact: true })).toBeFocused();
  await theirs.getByLabel("Status", { exact: true }).fill("in a meeting");
  await theirs.getByRole("button", { name: "📅" }).click();
  await theirs.getByLabel("Ends", { exact: true }).selectOption("hour");
  await theirs.getByRole("button", { name: "Save" }).last().click();
  await expect(theirs.getByRole("dialog")).toBeHidden();
  await expect(row(page, "live.lou")).toContainText("📅 in a meeting", SOON);
  await theirs.getByRole("button", { name: "Account of live.lou" }).click();
  await expect(theirs.getByRole("menuitemradio", { name: "Do not disturb" })).toContainText("until");
  await theirs.keyboard.press("Escape");

  await choose(theirs, person, "Available");
  await expect(row(page, "live.lou")).toContainText("Online", SOON);
  await theirs.getByRole("button", { name: "Account of live.lou" }).click();
  await theirs.getByRole("menuitem", { name: "Log out" }).click();
  await expect(row(page, "live.lou")).toContainText("Offline", SOON);
  await theirs.context().close();
});

test("the count follows without the refresh, and so does a person's page", async ({ page, site }) => {
  const person = await site.backstage.create("counted.cleo");
  await watch(page);
  const count = page.getByTestId("online-count");
  const before = Number(await count.textContent());
  const token = await site.backstage.logIn(person, "phone");
  await expect(count).toHaveText(String(before + 1), SOON);
  await page.getByRole("link", { name: "counted.cleo" }).click();
  // The page is loaded when it is first needed.
  await expect(page.getByRole("heading", { name: "counted.cleo" })).toBeVisible();
  await expect(page.getByText("Online", { exact: true }).first()).toBeVisible();
  await site.backstage.logOut(token);
  await expect(page.getByText("Offline", { exact: true })).toBeVisible(SOON);
});

test("somebody whom the list does not have yet is in it soon", async ({ page, site }) => {
  await watch(page);
  const person = await site.backstage.create("unknown.uma");
  await site.backstage.logIn(person, "phone");
  await expect(row(page, "unknown.uma")).toContainText("Online", { timeout: 6_000 });
});

test("somebody who is invisible is offline to all others, and knows it", async ({ page, site, context, baseURL }) => {
  const person = await site.backstage.create("hidden.hal");
  const theirs = await another(context, baseURL as string);
  await logIn(theirs, person);
  await watch(page);
  await expect(row(page, "hidden.hal")).toContainText("Online", SOON);
  await choose(theirs, person, "Invisible");
  await expect(row(page, "hidden.hal")).toContainText("Offline", SOON);
  await expect(theirs.getByText("everybody else sees you as offline")).toBeVisible();
  await page.reload();
  await expect(row(page, "hidden.hal")).toContainText("Offline");
  await choose(theirs, person, "Available");
  await expect(row(page, "hidden.hal")).toContainText("Online", SOON);
  await theirs.context().close();
});

test("somebody who touches nothing is away, and is back at a touch", async ({ page, site, context, baseURL }) => {
  const person = await site.backstage.create("idle.ida");
  const theirs = await another(context, baseURL as string);
  await theirs.clock.install();
  await logIn(theirs, person);
  await expect(theirs.getByRole("heading", { name: "idle.ida" })).toBeVisible();
  await watch(page);
  await expect(row(page, "idle.ida")).toContainText("Online");
  await theirs.clock.fastForward((AWAY_S + 1) * 1000);
  await expect(row(page, "idle.ida")).toContainText("Away", { timeout: 6_000 });
  await theirs.mouse.move(100, 100);
  await theirs.mouse.move(200, 200);
  await expect(row(page, "idle.ida")).toContainText("Online", SOON);
  await theirs.context().close();
});

test("two become contacts: a request, and its acceptance, on both screens at once", async ({ site, context, baseURL }) => {
  const [ann, bob] = [await site.backstage.create("asking.ann"), await site.backstage.create("asked.bob")];
  const [annes, bobs] = [await enter(context, baseURL, ann), await enter(context, baseURL, bob)];
  await annes.getByLabel("Search by name").fill("ASKED.");
  await annes.getByRole("button", { name: "Add asked.bob" }).click();
  await expect(annes.getByText("asked.bob is asked.")).toBeVisible();
  await expect(annes.getByRole("button", { name: "Withdraw the request to asked.bob" })).toBeVisible();

  await expect(contact(bobs, "asking.ann")).toBeVisible(SOON);
  await expect(bobs.getByRole("link", { name: /^Contacts/ })).toContainText("1");
  await bobs.getByRole("button", { name: "Accept asking.ann" }).click();
  await expect(contact(bobs, "asking.ann")).toContainText("Online");
  await expect(contact(annes, "asked.bob")).toContainText("Online", SOON);

  await choose(bobs, bob, "Away");
  await expect(contact(annes, "asked.bob")).toContainText("Away", SOON);

  await annes.getByRole("button", { name: "More about asked.bob" }).click();
  await annes.getByRole("menuitem", { name: "Block" }).click();
  await expect(annes.getByRole("button", { name: "Unblock asked.bob" })).toBeVisible();
  await expect(contact(bobs, "asking.ann")).toHaveCount(0, SOON);
  await annes.getByRole("button", { name: "Unblock asked.bob" }).click();
  await expect(contact(annes, "asked.bob")).toHaveCount(0);
  await annes.context().close();
  await bobs.context().close();
});

test("a request is declined", async ({ site, context, baseURL }) => {
  const [ann, bob] = [await site.backstage.create("hoping.ann"), await site.backstage.create("unsure.bob")];
  const mine = await site.backstage.logIn(ann, "api");
  await site.backstage.as(mine, "POST", "/api/contacts/", { user_id: bob.id });
  const bobs = await enter(context, baseURL, bob);
  await bobs.getByRole("button", { name: "Decline hoping.ann" }).click();
  await expect(contact(bobs, "hoping.ann")).toHaveCount(0);
  await bobs.context().close();
});

test("one sees that the other is typing, and that it has stopped", async ({ site, context, baseURL }) => {
  const [ann, bob] = [await site.backstage.create("typing.ann"), await site.backstage.create("reading.bob")];
  await befriend(site.backstage, ann, bob);
  const [annes, bobs] = [await enter(context, baseURL, ann), await enter(context, baseURL, bob)];
  await contact(annes, "reading.bob").getByRole("button", { name: /^reading.bob/ }).click();
  await annes.getByLabel("Write to reading.bob").pressSequentially("hello", { delay: 30 });
  await expect(contact(bobs, "typing.ann")).toContainText("is typing…", SOON);
  await expect(contact(bobs, "typing.ann")).not.toContainText("is typing…", { timeout: 8_000 });
  await annes.context().close();
  await bobs.context().close();
});

test("the bell rings once, and is read", async ({ site, context, baseURL }) => {
  const [ann, bob] = [await site.backstage.create("waiting.ann"), await site.backstage.create("coming.bob")];
  await befriend(site.backstage, ann, bob);
  const annes = await enter(context, baseURL, ann);
  await annes.getByRole("button", { name: "Tell me when coming.bob is online: Don’t tell me" }).click();
  await annes.getByRole("menuitemradio", { name: "Tell me once" }).click();
  await expect(annes.getByRole("button", { name: "Tell me when coming.bob is online: Tell me once" })).toBeVisible();

  const token = await site.backstage.logIn(bob, "phone");
  await expect(annes.getByText("coming.bob is online.")).toBeVisible(SOON);
  await expect(annes.getByTestId("unread")).toHaveText("1");
  // Once is once.
  await expect(annes.getByRole("button", { name: "Tell me when coming.bob is online: Don’t tell me" })).toBeVisible();
  await site.backstage.logOut(token);
  await expect(contact(annes, "coming.bob")).toContainText("Offline", SOON);
  await site.backstage.logIn(bob, "phone");
  await expect(contact(annes, "coming.bob")).toContainText("Online", SOON);
  await expect(annes.getByTestId("unread")).toHaveText("1");

  await annes.getByRole("button", { name: "Notifications, 1 unread" }).click();
  const list = annes.getByRole("dialog", { name: "Notifications" });
  await expect(list).toContainText("coming.bob came online");
  await list.getByRole("button", { name: "Mark as read: coming.bob" }).click();
  await expect(annes.getByTestId("unread")).toHaveCount(0);
  await annes.context().close();
});

test("an account that is suspended is out at once, and told why", async ({ page, site, context, baseURL }) => {
  const person = await site.backstage.create("suspended.sol");
  const theirs = await enter(context, baseURL, person);
  await watch(page);
  await site.backstage.act("suspend", person.id);
  await expect(theirs.getByText("Your account was suspended")).toBeVisible(SOON);
  await expect(row(page, "suspended.sol")).toContainText("Offline", SOON);
  await theirs.context().close();
});

test("the socket is back after it broke, with what was missed", async ({ page, site }) => {
  const person = await site.backstage.create("missed.mo");
  const sockets: { close: (options?: { code?: number }) => Promise<void> }[] = [];
  let blocked = false;
  await page.routeWebSocket("**/api/ws/", (socket) => {
    if (blocked) {
      void socket.close({ code: 1011 });
      return;
    }
    const server = socket.connectToServer();
    sockets.push({
      close: async (options) => {
        await socket.close(options);
        await server.close();
      },
    });
  });
  await watch(page);
  blocked = true;
  await sockets[0]?.close({ code: 1001 });
  const token = await site.backstage.logIn(person, "phone");
  blocked = false;
  await expect(row(page, "missed.mo")).toContainText("Online", { timeout: 6_000 });
  await live(page);
  await site.backstage.logOut(token);
  await expect(row(page, "missed.mo")).toContainText("Offline", SOON);
});

test("without WebSockets it is a few seconds later, and says so", async ({ page, site }) => {
  const person = await site.backstage.create("blocked.bea");
  await page.routeWebSocket("**/api/ws/", (socket) => void socket.close({ code: 1011 }));
  await logIn(page, admin, "/admin-login");
  await expect(row(page, "blocked.bea")).toContainText("Offline");
  await expect(page.getByTestId("live")).toHaveAttribute("data-live", "false");
  await expect(page.getByTestId("live")).toContainText("Refreshing");
  await site.backstage.logIn(person, "phone");
  // By the client's own asking every ten seconds; the list's refresh is slower still here.
  await expect(row(page, "blocked.bea")).toContainText("Online", { timeout: 20_000 });
});

test("privacy and the time until away are kept", async ({ page, site }) => {
  const person = await site.backstage.create("private.pia");
  await logIn(page, person);
  await page.getByLabel("Whether I am online").selectOption("contacts");
  await page.getByLabel("When I was last seen").selectOption("nobody");
  const privacy = page.getByRole("region", { name: "Who sees me?" });
  await privacy.getByRole("button", { name: "Save" }).click();
  await expect(page.getByText("Saved")).toBeVisible();
  const away = page.getByRole("region", { name: "When am I away?" });
  await expect(away).toContainText(`Empty for the standard of ${AWAY_S}.`);
  await away.getByLabel("Away after, in seconds").fill("90");
  await away.getByRole("button", { name: "Save" }).click();
  await page.reload();
  await expect(page.getByLabel("Whether I am online")).toHaveValue("contacts");
  await expect(page.getByLabel("When I was last seen")).toHaveValue("nobody");
  await expect(page.getByLabel("Away after, in seconds")).toHaveValue("90");
});
