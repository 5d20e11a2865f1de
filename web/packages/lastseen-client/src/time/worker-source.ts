/**
 * The script of the timer worker: `[id, ms]` sets a timer, `[id, null]` clears it, and `id` comes back when it is due.
 * A text, so that a Blob can be made of it; the build writes it to `timer-worker.js` as well.
 */
export const TIMER_WORKER_SOURCE = `'use strict';
const timers = new Map();
self.onmessage = ({ data: [id, ms] }) => {
  clearTimeout(timers.get(id));
  timers.delete(id);
  if (ms === null) return;
  timers.set(id, setTimeout(() => {
    timers.delete(id);
    self.postMessage(id);
  }, ms));
};
self.postMessage('ready');
`;
