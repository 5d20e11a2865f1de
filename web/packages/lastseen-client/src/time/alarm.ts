import type { Clock, TimerHandle } from './clock.js';

/**
 * Rings at a moment of the wall clock. It sleeps in short slices, and so notices when the computer was asleep, or the
 * wall clock was set: a single long timer does not count the time asleep on most systems.
 */
export class Alarm {
  readonly #clock: Clock;
  readonly #onDue: () => void;
  readonly #onWake: () => void;
  #sliceMs = 5_000;
  #at = Infinity;
  #expected = 0;
  #handle: TimerHandle = undefined;
  #running = false;

  /** `onDue` is called at the moment that was set, `onWake` after a gap much larger than planned. */
  constructor(clock: Clock, handlers: { onDue: () => void; onWake: () => void }) {
    this.#clock = clock;
    this.#onDue = handlers.onDue;
    this.#onWake = handlers.onWake;
  }

  /** When it rings next; `Infinity` where it is not set. */
  get at(): number {
    return this.#at;
  }

  /** Rings at that moment, instead of any that was set before. Never for `Infinity`, but gaps are still noticed. */
  set(at: number): void {
    this.#at = at;
    this.#running = true;
    this.#arm();
  }

  /** Fits the slices to an interval. */
  fit(intervalMs: number): void {
    this.#sliceMs = Math.min(5_000, Math.max(50, intervalMs / 4));
  }

  /** Ends it. */
  stop(): void {
    this.#running = false;
    this.#clock.clearTimeout(this.#handle);
  }

  #arm(): void {
    this.#clock.clearTimeout(this.#handle);
    const now = this.#clock.now();
    const ms = Math.min(this.#sliceMs, Math.max(0, this.#at - now));
    this.#expected = now + ms;
    this.#handle = this.#clock.setTimeout(() => this.#tick(), ms);
  }

  #tick(): void {
    if (!this.#running) return;
    const now = this.#clock.now();
    // Backwards as well: a moment that was set by a clock that was wrong may be far away.
    const gap = Math.abs(now - this.#expected);
    // A timer may ring a millisecond early.
    const due = now + 1 >= this.#at;
    if (due) this.#at = Infinity;
    this.#arm();
    if (due) this.#onDue();
    else if (gap > Math.max(1_000, this.#sliceMs)) this.#onWake();
  }
}
