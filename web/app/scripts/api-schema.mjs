// Writes src/api/schema.d.ts from the API document, or with --check tells whether it still fits.
// Operation ids are left out: the types are found by path and method, and an id given twice would mix two up.

import { readFile, writeFile } from "node:fs/promises";
import openapiTS, { astToString } from "openapi-typescript";

const from = new URL("../../../docs/openapi.json", import.meta.url);
const to = new URL("../src/api/schema.d.ts", import.meta.url);
const head = "// Made by `npm run api:generate` from docs/openapi.json. Do not edit.\n\n";

const document = JSON.parse(await readFile(from, "utf8"));
for (const path of Object.values(document.paths)) {
  for (const operation of Object.values(path)) {
    if (operation && typeof operation === "object") delete operation.operationId;
  }
}
const types = head + astToString(await openapiTS(document, { defaultNonNullable: false }));

if (!process.argv.includes("--check")) {
  await writeFile(to, types);
} else if ((await readFile(to, "utf8")) !== types) {
  console.error("src/api/schema.d.ts does not fit docs/openapi.json: run npm run api:generate");
  process.exit(1);
}
