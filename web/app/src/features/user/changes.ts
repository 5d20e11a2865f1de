// What an entry of the audit log says of what changed, in a line.

import { texts } from "../../texts";

type Details = Record<string, unknown> | null | undefined;

function record(value: unknown): Record<string, unknown> | null {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : null;
}

function word(value: unknown): string {
  if (value === null || value === undefined) return texts.user.none;
  if (typeof value === "boolean") return value ? texts.user.yes : texts.user.no;
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

const label = (field: string) => texts.user.fields[field] ?? field;

/**
 * "role: user → admin" for each field that differs between `from` and `to`. Some entries say only what was asked for,
 * with null for what was not, and `true` for what is not to be shown.
 */
export function changeWords(details: Details): string {
  if (!details) return "";
  const [from, to] = [record(details.from), record(details.to)];
  if (from && to) {
    return Object.keys(to)
      .filter((field) => word(from[field]) !== word(to[field]))
      .map((field) => `${label(field)}: ${word(from[field])} → ${word(to[field])}`)
      .join(", ");
  }
  return Object.entries(details)
    .filter(([, value]) => value !== null)
    .map(([field, value]) => (field === "password" ? label(field) : `${label(field)}: ${word(value)}`))
    .join(", ");
}
