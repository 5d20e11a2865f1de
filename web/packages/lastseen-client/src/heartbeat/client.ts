import { Emitter, shielded } from '../emitter.js';
import { detectEnvironment, type Environment } from '../environment.js';
import { systemFetch, trimmed } from '../http.js';
import type { Reason } from '../problem.js';
import { singleFlight } from '../single-flight.js';
import type { Clock } from '../time/clock.js';
import { bestClock } from '../time/worker-clock.js';
import { listenToPage } from './page.js';
import { Run } from './run.js';
import type { HeartbeatAnswer, HeartbeatEvents, HeartbeatOptions, HeartbeatState } from './types.js';

const IDLE: HeartbeatState = { status: 'idle', lastBeat: null, onlineUntil: null, reason: null, leading: false };

/**
 * Keeps a user online: sends a heartbeat every interval, and at once when the computer wakes up, the network is back,
 * or the page is looked at again. Of several tabs of one session, one sends for all.
 *
 * ```ts
 * const heartbeat = new HeartbeatClient({ baseUrl, intervalSeconds: 30, getAccessToken: () => token });
 * heartbeat.on('stopped', ({ reason, refused }) => refused && console.log(reason.detail));
 * heartbeat.start();
 * ```
 */
export class HeartbeatClient {
  readonly #options: HeartbeatOptions;
  readonly #environment: Environment;
  readonly #events = new Emitter<HeartbeatEvents>();
  #state = IDLE;
  #intervalMs: number;
  #clock: Clock | null = null;
  #run: Run | null = null;
  #idleSeconds: number | null = null;
  #forgetPage: () => void = () => undefined;

  /**
   * Sends nothing before {@link start}.
   *
   * @throws RangeError for an interval that is none.
   */
  constructor(options: HeartbeatOptions) {
    const { refreshAccessToken } = options;
    this.#options = refreshAccessToken
      ? { ...options, refreshAccessToken: singleFlight(refreshAccessToken) }
      : options;
    this.#environment = options.environment ?? detectEnvironment();
    this.#intervalMs = milliseconds(options.intervalSeconds);
  }

  /** What it is doing. Another object after each change. */
  get state(): HeartbeatState {
    return this.#state;
  }

  /** The interval, in seconds. */
  get intervalSeconds(): number {
    return this.#intervalMs / 1_000;
  }

  /** Calls `listener` at each event of that name, until the function that is returned is called. */
  on<Name extends keyof HeartbeatEvents>(name: Name, listener: (event: HeartbeatEvents[Name]) => void): () => void {
    return this.#events.on(name, listener);
  }

  /** Starts, with a heartbeat at once unless another tab leads. Does nothing where it has started. */
  start(): void {
    if (this.#clock) return;
    this.#clock = this.#options.clock ?? bestClock(this.#environment, this.#options.timerWorker);
    this.#update({ ...IDLE, status: 'running' });
    this.#forgetPage = listenToPage(this.#environment, {
      onSignal: (what) => this.#run?.signal(what),
      onHide: () => this.#hide(),
      onShow: () => this.#show(),
    });
    this.#begin();
  }

  /**
   * Stops; another tab takes over, if there is one. The reason is shown in the state; a word will do. The server is
   * told nothing: log out, or let the time run out.
   */
  stop(reason: string | Reason = 'stopped'): void {
    this.#end(typeof reason === 'string' ? { code: reason, detail: reason } : reason, false);
  }

  /**
   * Sends a heartbeat at once, also where another tab leads or the server has asked for patience. Answers null where
   * none came, and where it has not started; {@link state} says why.
   */
  beat(): Promise<HeartbeatAnswer | null> {
    return this.#run?.beat() ?? Promise.resolve(null);
  }

  /**
   * Changes the interval, from the last heartbeat on.
   *
   * @throws RangeError for an interval that is none.
   */
  setInterval(seconds: number): void {
    this.#intervalMs = milliseconds(seconds);
    this.#run?.retime();
  }

  /**
   * Says with the next heartbeat, which goes out at once, for how many seconds nobody has touched this device; 0 when
   * somebody does. An `IdleWatcher` calls this. Of several tabs, the leading one sends: each must know the same.
   *
   * @throws RangeError for what is no number of seconds.
   */
  reportIdle(seconds: number): void {
    if (!Number.isFinite(seconds) || seconds < 0) throw new RangeError(`${seconds} is no number of seconds`);
    this.#idleSeconds = Math.ceil(seconds);
    this.#run?.idle();
  }

  #begin(): Run | null {
    const clock = this.#clock;
    if (!clock) return null;
    const run = new Run({
      options: this.#options,
      environment: this.#environment,
      clock,
      fetch: this.#options.fetch ?? systemFetch,
      random: this.#options.random ?? Math.random,
      url: `${trimmed(this.#options.baseUrl)}/api/users/heartbeat/`,
      intervalMs: () => this.#intervalMs,
      idleSeconds: () => this.#idleSeconds,
      state: () => this.#state,
      update: (changes) => this.#update(changes),
      emit: (name, event) => this.#events.emit(name, event),
      log: (message) => this.#log(message),
      refuse: (reason) => this.#end(reason, true),
    });
    this.#run = run;
    void run.begin();
    return run;
  }

  #end(reason: Reason, refused: boolean): void {
    if (!this.#clock) return;
    this.#forgetPage();
    this.#run?.end();
    this.#run = null;
    if (!this.#options.clock) this.#clock.dispose?.();
    this.#clock = null;
    this.#log(`heartbeat stopped: ${reason.detail}`);
    this.#update({ status: 'stopped', reason });
    this.#events.emit('stopped', { reason, refused });
  }

  #hide(): void {
    // All of it, locks and channel too: with them, browsers would not keep the page for the way back.
    this.#run?.end({ leaving: this.#options.leaveOnPageHide !== false });
    this.#run = null;
  }

  #show(): void {
    // Out of the back/forward cache, where there is no run: at once, before it is known who leads.
    if (!this.#run) void this.#begin()?.beat();
  }

  #update(changes: Partial<HeartbeatState>): void {
    this.#state = { ...this.#state, ...changes };
    const { onState } = this.#options;
    const state = this.#state;
    if (onState) shielded(() => onState(state));
    this.#events.emit('state', state);
  }

  #log(message: string): void {
    const { logger = console } = this.#options;
    if (logger) logger.debug(`[lastseen] ${message}`);
  }
}

function milliseconds(seconds: number): number {
  if (Number.isFinite(seconds) && seconds > 0) return seconds * 1_000;
  throw new RangeError(`a heartbeat interval is a positive number of seconds, not ${seconds}`);
}
