// What the first load of each page weighs, gzipped. More than the bound ends with an error.
// Vite's manifest is not written into dist, which is what the program serves: the files are followed by their imports.

import { readFileSync, readdirSync } from "node:fs";
import { gzipSync } from "node:zlib";

const BOUND = 300_000;
const dist = new URL("../../dist/", import.meta.url);
const read = (path) => readFileSync(new URL(path, dist));
const weight = (path) => gzipSync(read(path), { level: 9 }).length;

const index = read("index.html").toString();
const linked = [...index.matchAll(/(?:src|href)="\/([^"]+\.(?:js|css|svg))"/g)].map(([, path]) => path);
const assets = readdirSync(new URL("assets/", dist));

/** A script and all that it imports before it runs, and the styles that are named like them. */
function withImports(path, seen = new Set()) {
  if (seen.has(path)) return seen;
  seen.add(path);
  for (const [, name] of read(path).toString().matchAll(/(?:from|import)\s*"\.\/([^"]+\.js)"/g)) withImports(`assets/${name}`, seen);
  const stem = path.replace(/^assets\//, "").replace(/-[^-]+\.js$/, "-");
  for (const name of assets) if (name.startsWith(stem) && name.endsWith(".css")) seen.add(`assets/${name}`);
  return seen;
}

let heaviest = 0;
for (const page of ["LoginPage", "RegisterPage", "UsersPage", "UserPage", "ContactsPage", "StatisticsPage", "WebhooksPage", "WebhookPage", "MePage"]) {
  const own = assets.find((name) => name.startsWith(`${page}-`) && name.endsWith(".js"));
  if (!own) throw new Error(`there is no ${page} in dist: build first`);
  const files = new Set(["index.html", ...linked]);
  for (const path of [...linked.filter((each) => each.endsWith(".js") && each.startsWith("assets/")), `assets/${own}`]) {
    for (const each of withImports(path)) files.add(each);
  }
  const total = [...files].reduce((sum, path) => sum + weight(path), 0);
  heaviest = Math.max(heaviest, total);
  console.log(`${page.padEnd(14)}${(total / 1000).toFixed(1).padStart(7)} kB in ${files.size} files`);
}
if (heaviest > BOUND) {
  console.error(`more than ${BOUND / 1000} kB`);
  process.exit(1);
}
