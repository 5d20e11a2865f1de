import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

// Where the API answers while the page is served by Vite.
const api = process.env.LASTSEEN_API ?? "http://127.0.0.1:8000";
const proxy = { "/api": { target: api, changeOrigin: false, ws: true } };

export default defineConfig({
  plugins: [react()],
  // From its source, so that the page needs no build of the package before its own.
  resolve: { alias: { "lastseen-client": fileURLToPath(new URL("../packages/lastseen-client/src/index.ts", import.meta.url)) } },
  base: "/",
  build: {
    outDir: "../dist",
    emptyOutDir: true,
    target: "es2022",
    // From these on browsers know light-dark(), which the page's colours are made with.
    cssTarget: ["chrome123", "firefox120", "safari17.5"],
    // Everything is a file of its own: the content security policy takes no data: scripts or fonts.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // What half of the pages use is one file: many small ones weigh more and load later.
    rolldownOptions: { output: { codeSplitting: { groups: [{ name: "shared", minShareCount: 5 }] } } },
  },
  server: { port: 5173, strictPort: true, proxy },
  preview: { proxy },
  test: {
    include: ["tests/**/*.test.{ts,tsx}"],
    environment: "node",
  },
});
