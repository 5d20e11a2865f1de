/** What {@link Clock.setTimeout} returns. */
export type TimerHandle = unknown;

/** The time and timers. Tests and unusual platforms give their own. */
export interface Clock {
  /** Milliseconds since 1970, by the wall clock. */
  now(): number;
  /** Calls back once, after so many milliseconds. */
  setTimeout(callback: () => void, ms: number): TimerHandle;
  /** Takes a call back. */
  clearTimeout(handle: TimerHandle): void;
  /** Frees what the clock holds. */
  dispose?(): void;
}

/** The platform's own clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  setTimeout: (callback, ms) => setTimeout(callback, ms),
  clearTimeout: (handle) => clearTimeout(handle as number | undefined),
};
