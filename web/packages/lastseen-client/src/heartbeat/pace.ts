/**
 * How long until the next heartbeat: the interval less 5 %, give or take 5 %. So clients that started together do not
 * go on in step, and none is later than the interval.
 */
export function paceMs(intervalMs: number, random: () => number): number {
  return intervalMs * (0.9 + 0.1 * random());
}

/**
 * How long to wait after the n-th failure in a row: 1 second, doubled each time, never more than the interval; half of
 * it at random. No sooner than the server wants to be asked again, and then up to a tenth later.
 */
export function backoffMs(
  failures: number,
  intervalMs: number,
  retryAfterMs: number | null,
  random: () => number,
): number {
  const most = Math.min(intervalMs, 1_000 * 2 ** Math.min(failures - 1, 20));
  const backoff = most * (0.5 + 0.5 * random());
  return retryAfterMs === null ? backoff : Math.max(backoff, retryAfterMs * (1 + 0.1 * random()));
}
