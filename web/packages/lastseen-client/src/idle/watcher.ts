import { Emitter } from '../emitter.js';
import { type ChannelLike, detectEnvironment, type Environment } from '../environment.js';
import { Alarm } from '../time/alarm.js';
import { type Clock, systemClock } from '../time/clock.js';

/** What people do to a device. */
const SIGNS = ['pointerdown', 'pointermove', 'keydown', 'wheel', 'touchstart'];
/** Tabs tell each other of it this often at most. */
const TELL_APART_MS = 1_000;
const LISTENING = { capture: true, passive: true };

/** What an {@link IdleWatcher} needs of a `HeartbeatClient`. */
export interface IdleReporter {
  reportIdle(seconds: number): void;
  on(event: 'beat', listener: () => void): () => void;
}

/** The options of an {@link IdleWatcher}. */
export interface IdleOptions {
  /** Is told when idleness begins and ends: a `HeartbeatClient`. */
  readonly heartbeat?: IdleReporter;
  /** After how long without being touched the device is idle: what the server names as `away_after_seconds`. */
  readonly awayAfterSeconds: number;
  /** Tells devices apart that share a browser: only tabs with the same name count as one. Default: all of them. */
  readonly name?: string;
  /** In place of the platform's clock. */
  readonly clock?: Clock;
  /** In place of the page around it; for tests. */
  readonly environment?: Environment;
}

/** The events of an {@link IdleWatcher}. */
export interface IdleEvents {
  /** The device has become idle, or is no longer. */
  idle: { readonly idle: boolean; readonly idleSeconds: number };
}

/**
 * Watches whether anybody touches this device: pointer, keyboard, wheel, touch, and the page being looked at again, in
 * all tabs. Where tabs can't tell each other, nobody is ever idle.
 *
 * ```ts
 * const watcher = new IdleWatcher({ heartbeat, awayAfterSeconds: 300 });
 * watcher.start();
 * ```
 */
export class IdleWatcher {
  readonly #options: IdleOptions;
  readonly #environment: Environment;
  readonly #clock: Clock;
  readonly #events = new Emitter<IdleEvents>();
  readonly #alarm: Alarm;
  readonly #undo: (() => void)[] = [];
  #channel: ChannelLike | null = null;
  #awayAfterMs: number;
  #touchedAt = 0;
  #toldAt = -Infinity;
  #idle = false;

  /**
   * Watches nothing before {@link start}.
   *
   * @throws RangeError for a time that is none.
   */
  constructor(options: IdleOptions) {
    this.#options = options;
    this.#environment = options.environment ?? detectEnvironment();
    this.#clock = options.clock ?? systemClock;
    this.#awayAfterMs = milliseconds(options.awayAfterSeconds);
    this.#alarm = new Alarm(this.#clock, { onDue: () => this.#look(), onWake: () => this.#look() });
  }

  /** Whether the device is idle. */
  get idle(): boolean {
    return this.#idle;
  }

  /** For how long nobody has touched the device, in seconds. */
  get idleSeconds(): number {
    return this.#channel ? Math.max(0, this.#clock.now() - this.#touchedAt) / 1_000 : 0;
  }

  /** Calls `listener` at each event of that name, until the function that is returned is called. */
  on<Name extends keyof IdleEvents>(name: Name, listener: (event: IdleEvents[Name]) => void): () => void {
    return this.#events.on(name, listener);
  }

  /** Starts. Somebody has just opened the page: the device is not idle. Does nothing outside of a page. */
  start(): void {
    const { window, document, openChannel } = this.#environment;
    if (this.#channel || !window || !document || !openChannel) return;
    this.#channel = openChannel(`lastseen-idle:${this.#options.name ?? ''}`);
    this.#channel.onmessage = ({ data }) => this.#hear(data);
    const touched = () => this.#touch();
    for (const sign of SIGNS) {
      window.addEventListener(sign, touched, LISTENING);
      this.#undo.push(() => window.removeEventListener(sign, touched, LISTENING));
    }
    const looked = () => {
      if (document.visibilityState === 'visible') this.#touch();
    };
    document.addEventListener('visibilitychange', looked);
    this.#undo.push(() => document.removeEventListener('visibilitychange', looked));
    // Heartbeats keep their time in the background, where this page's timers are slowed down.
    const off = this.#options.heartbeat?.on('beat', () => this.#look());
    if (off) this.#undo.push(off);
    this.#idle = false;
    this.#toldAt = -Infinity;
    this.#touch();
    this.#options.heartbeat?.reportIdle(0);
  }

  /** Stops. What was said last stays said. */
  stop(): void {
    this.#undo.splice(0).forEach((off) => off());
    this.#alarm.stop();
    this.#channel?.close();
    this.#channel = null;
  }

  /**
   * Another time after which the device is idle.
   *
   * @throws RangeError for a time that is none.
   */
  setAwayAfter(seconds: number): void {
    const ms = milliseconds(seconds);
    if (ms === this.#awayAfterMs) return;
    this.#awayAfterMs = ms;
    if (this.#channel) this.#look();
  }

  #touch(): void {
    const now = this.#clock.now();
    this.#touchedAt = now;
    if (this.#idle || Math.abs(now - this.#toldAt) >= TELL_APART_MS) {
      this.#toldAt = now;
      this.#channel?.postMessage({ touchedAt: now });
      this.#look();
    }
  }

  /** Another tab was touched. */
  #hear(data: unknown): void {
    const { touchedAt } = (data ?? {}) as { touchedAt?: unknown };
    if (typeof touchedAt !== 'number' || touchedAt <= this.#touchedAt) return;
    this.#touchedAt = Math.min(touchedAt, this.#clock.now());
    this.#look();
  }

  #look(): void {
    const now = this.#clock.now();
    // By a clock that has been set back, the last touch would lie ahead.
    if (this.#touchedAt > now) this.#touchedAt = now;
    const due = this.#touchedAt + this.#awayAfterMs;
    const idle = now >= due;
    this.#alarm.set(idle ? Infinity : due);
    if (idle === this.#idle) return;
    this.#idle = idle;
    const idleSeconds = idle ? (now - this.#touchedAt) / 1_000 : 0;
    this.#options.heartbeat?.reportIdle(idleSeconds);
    this.#events.emit('idle', { idle, idleSeconds });
  }
}

function milliseconds(seconds: number): number {
  if (Number.isFinite(seconds) && seconds > 0) return seconds * 1_000;
  throw new RangeError(`the time until a device is idle is a positive number of seconds, not ${seconds}`);
}
