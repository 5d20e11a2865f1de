// The server's time on this machine, and one tick for everything that shows "… ago".

import { useSyncExternalStore } from "react";

// `Date` headers have whole seconds, so a difference below this is noise.
const NOISE_MS = 2000;
const TICK_MS = 1000;

let offset = 0;

/** Learn from a `Date` header how far this machine's clock is off. */
export function noteServerTime(date: string | null, sentAt: number, receivedAt: number) {
  const server = date ? Date.parse(date) : Number.NaN;
  if (Number.isNaN(server)) return;
  const difference = server + 500 - (sentAt + receivedAt) / 2;
  offset = Math.abs(difference) > NOISE_MS ? difference : 0;
}

/** Now, as the server would say it. */
export const serverNow = () => Date.now() + offset;

const listeners = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;
let tick = Date.now();

function subscribe(listener: () => void) {
  listeners.add(listener);
  timer ??= setInterval(() => {
    tick = Date.now();
    for (const each of listeners) each();
  }, TICK_MS);
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}

/** A time that moves on each second, by the server's clock. */
export function useNow(): number {
  return useSyncExternalStore(subscribe, () => tick) + offset;
}
