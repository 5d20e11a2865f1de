// How far the list can be believed.

interface Freshness {
  /** The list is older than it should be, or the last try failed. */
  stale: boolean;
  /** Old enough that whoever was online may be offline by now. */
  uncertain: boolean;
}

export function freshness(input: {
  now: number;
  updatedAt: number;
  failed: boolean;
  refreshMs: number;
  timeoutMs: number;
}): Freshness {
  if (input.updatedAt === 0) return { stale: input.failed, uncertain: false };
  const age = input.now - input.updatedAt;
  // Two refreshes may be missed, and a slow answer is no fault.
  const late = age > 3 * input.refreshMs + 2000;
  const stale = input.failed || late;
  return { stale, uncertain: stale && age > Math.min(input.timeoutMs, 60_000) };
}
