// When a choice ends. Pure: what "now" is comes from outside.

export const ends = ["never", "half", "hour", "today", "custom"] as const;
export type End = (typeof ends)[number];

const MINUTE = 60_000;

/** The moment, or null for never. `custom` is a local time as a field of that kind gives it. */
export function endOf(end: End, custom: string, now: number): string | null {
  switch (end) {
    case "half":
      return new Date(now + 30 * MINUTE).toISOString();
    case "hour":
      return new Date(now + 60 * MINUTE).toISOString();
    case "today": {
      const midnight = new Date(now);
      midnight.setHours(24, 0, 0, 0);
      return midnight.toISOString();
    }
    case "custom": {
      const at = new Date(custom);
      return Number.isNaN(at.getTime()) ? null : at.toISOString();
    }
    default:
      return null;
  }
}

/** A moment as a field for local times takes it. */
export function localField(at: number): string {
  const date = new Date(at);
  return new Date(at - date.getTimezoneOffset() * MINUTE).toISOString().slice(0, 16);
}
