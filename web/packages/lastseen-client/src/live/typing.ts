import type { Clock, TimerHandle } from '../time/clock.js';

/** "I am typing" goes to the same user this often at most. */
const APART_MS = 2_000;
/** Where a frame does not say for how long. */
const DEFAULT_SECONDS = 5;

/** Who is typing, and to whom one has said so oneself. */
export class Typing {
  readonly #clock: Clock;
  readonly #onChange: (from: number, typing: boolean) => void;
  readonly #timers = new Map<number, TimerHandle>();
  readonly #said = new Map<number, number>();

  /** `onChange` is called when somebody begins, and when somebody has stopped. */
  constructor(clock: Clock, onChange: (from: number, typing: boolean) => void) {
    this.#clock = clock;
    this.#onChange = onChange;
  }

  /** Those who are typing. */
  get users(): number[] {
    return [...this.#timers.keys()];
  }

  /** Somebody types: for so long, unless it is said again. */
  hear(from: number, seconds: number): void {
    const begins = !this.#timers.has(from);
    this.#clock.clearTimeout(this.#timers.get(from));
    const ms = (Number.isFinite(seconds) && seconds > 0 ? seconds : DEFAULT_SECONDS) * 1_000;
    this.#timers.set(from, this.#clock.setTimeout(() => this.end(from), ms));
    if (begins) this.#onChange(from, true);
  }

  /** Somebody does not type any more. */
  end(from: number): void {
    if (!this.#timers.has(from)) return;
    this.#clock.clearTimeout(this.#timers.get(from));
    this.#timers.delete(from);
    this.#onChange(from, false);
  }

  /** Whether it should be said to a user now that one types; takes note of it. */
  due(to: number): boolean {
    const [now, last] = [this.#clock.now(), this.#said.get(to) ?? -Infinity];
    // By a clock that has been set back, the last time would be far ahead.
    if (now >= last && now - last < APART_MS) return false;
    this.#said.set(to, now);
    return true;
  }

  /** Ends it for all. */
  clear(): void {
    for (const from of this.users) this.end(from);
    this.#said.clear();
  }
}
