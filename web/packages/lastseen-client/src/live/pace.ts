import { CLOSE } from './frames.js';

const LONGEST_MS = 30_000;
const SHORTEST_MS = 100;
/** Within this, all clients of a server that goes away come back. */
const SPREAD_MS = 2_000;
/** Whom the server has sent away for what it did begins with a longer wait. */
const AFTER_OFFENCE = 3;

/** How many failures a close counts as, after so many before it. */
export function failuresAfter(code: number, before: number): number {
  const offence = code === CLOSE.tooSlow || code === CLOSE.tooMany;
  return Math.max(before + 1, offence ? AFTER_OFFENCE : 0);
}

/**
 * How long to wait before the next try, after so many failures in a row: anything up to 1 second, doubled each time,
 * 30 at most ("full jitter"). After a server that went away, up to 2 seconds.
 */
export function reconnectMs(code: number, failures: number, random: () => number): number {
  const doubled = Math.min(LONGEST_MS, 500 * 2 ** Math.min(failures, 20));
  const most = code === CLOSE.goingAway && failures === 1 ? SPREAD_MS : doubled;
  return Math.max(SHORTEST_MS, random() * most);
}
