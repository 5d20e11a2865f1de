// The events that a webhook can be sent, and the filters that stand for several. Pure.

export const everything = "*";
export const groups: Record<"presence" | "account", readonly string[]> = {
  presence: ["presence.online", "presence.offline", "presence.availability"],
  account: ["account.created", "account.suspended", "account.banned", "account.activated", "account.deactivated", "account.deleted"],
};
export type Group = keyof typeof groups;
export const groupNames = Object.keys(groups) as Group[];
export const groupFilter = (group: Group) => `${group}.*`;

/** What a box stands for, and the wider ones that have it already. */
export function coveredBy(filter: string): string[] {
  if (filter === everything) return [];
  const group = groupNames.find((name) => filter !== groupFilter(name) && filter.startsWith(`${name}.`));
  return group ? [groupFilter(group), everything] : [everything];
}

/** Nothing that a wider one has already. */
export function tidied(filters: readonly string[]): string[] {
  const chosen = new Set(filters);
  return [...chosen].filter((filter) => !coveredBy(filter).some((wider) => chosen.has(wider)));
}

/** Filters of a later server, which this page has no boxes for, stay. */
export function unknown(filters: readonly string[]): string[] {
  const known = new Set<string>([everything, ...groupNames.flatMap((name) => [groupFilter(name), ...groups[name]])]);
  return filters.filter((filter) => !known.has(filter));
}
