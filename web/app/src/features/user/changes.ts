// What an entry of the audit log says of what changed, in a line.

type Details = Record<string, unknown> | null | undefined;

function record(value: unknown): Record<string, unknown> | null {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : null;
}

function word(value: unknown): string {
  if (value === null || value === undefined) return "–";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** "role: user → admin", for each field that differs between `from` and `to`; empty where there is nothing to say. */
export function changeWords(details: Details): string {
  const from = record(details?.from) ?? {};
  const to = record(details?.to) ?? {};
  return Object.keys(to)
    .filter((field) => word(from[field]) !== word(to[field]))
    .map((field) => (field in from ? `${field}: ${word(from[field])} → ${word(to[field])}` : `${field}: ${word(to[field])}`))
    .join(", ");
}
