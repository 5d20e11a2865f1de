// What axe finds on a page, for those who can't see it.

import AxeBuilder from "@axe-core/playwright";
import type { Page } from "@playwright/test";

export async function findings(page: Page, impacts: readonly string[] = ["serious", "critical"]) {
  // Fading dialogs have other colours for a moment.
  await page.waitForTimeout(400);
  // What passes is of no use here, and costs most of the time.
  const { violations } = await new AxeBuilder({ page }).options({ resultTypes: ["violations"] }).analyze();
  return violations
    .filter(({ impact }) => impacts.includes(impact ?? ""))
    .map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).slice(0, 3).join(" ")}`);
}

export const anyImpact = ["minor", "moderate", "serious", "critical"];

export const scrollsSideways = (page: Page) => page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
