import { defineConfig } from "@playwright/test";
import { browser } from "./e2e/support/browser";

export default defineConfig({
  testDir: "e2e",
  testMatch: "*.spec.ts",
  timeout: 30_000,
  expect: { timeout: 8_000 },
  workers: 2,
  fullyParallel: false,
  reporter: process.env.CI ? "dot" : "list",
  outputDir: "../node_modules/.cache/e2e",
  use: browser,
});
