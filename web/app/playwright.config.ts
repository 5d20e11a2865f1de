import { defineConfig } from "@playwright/test";
import { browser } from "./e2e/support/browser";

export default defineConfig({
  testDir: "e2e",
  testMatch: "*.spec.ts",
  // Others' machines are slow at times; what never comes is told from what comes late all the same.
  timeout: process.env.CI ? 90_000 : 30_000,
  expect: { timeout: process.env.CI ? 20_000 : 8_000 },
  // Once more in CI, with a program of its own: what passes then is named as flaky, and counted as such.
  retries: process.env.CI ? 1 : 0,
  workers: 2,
  fullyParallel: false,
  reporter: process.env.CI ? "dot" : "list",
  outputDir: "../node_modules/.cache/e2e",
  use: browser,
});
