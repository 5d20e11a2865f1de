// Pictures of the running program for the documents: `npm run pictures`. Where to is said by PICTURES.

import { defineConfig } from "@playwright/test";
import { browser } from "./support/browser";

export default defineConfig({
  testDir: ".",
  testMatch: "pictures.ts",
  timeout: 120_000,
  reporter: "list",
  outputDir: "../../node_modules/.cache/pictures",
  use: { ...browser, deviceScaleFactor: 2 },
});
