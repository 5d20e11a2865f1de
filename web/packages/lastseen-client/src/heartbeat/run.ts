import type { Environment } from '../environment.js';
import { type Fetch, within } from '../http.js';
import { endsSession, type Reason } from '../problem.js';
import { sessionIdOf } from '../session/token.js';
import { Alarm } from '../time/alarm.js';
import type { Clock } from '../time/clock.js';
import { attempt, leave, type Outcome } from './attempt.js';
import { Election, type Told } from './election.js';
import { backoffMs, paceMs } from './pace.js';
import type { HeartbeatAnswer, HeartbeatEvents, HeartbeatOptions, HeartbeatState } from './types.js';

/** Signals such as `online` bring a heartbeat at most this often. */
const SIGNALS_APART_MS = 1_000;

/** What a run needs of the client that it belongs to. */
export interface RunHost {
  readonly options: HeartbeatOptions;
  readonly environment: Environment;
  readonly clock: Clock;
  readonly fetch: Fetch;
  readonly random: () => number;
  readonly url: string;
  readonly intervalMs: () => number;
  /** For how long nobody has touched this device; null where nobody looks. */
  readonly idleSeconds: () => number | null;
  readonly state: () => HeartbeatState;
  readonly update: (changes: Partial<HeartbeatState>) => void;
  readonly emit: <Name extends keyof HeartbeatEvents>(name: Name, event: HeartbeatEvents[Name]) => void;
  readonly log: (message: string) => void;
  /** The server refuses: ends the run, and the client with it. */
  readonly refuse: (reason: Reason) => void;
}

interface Flight {
  readonly controller: AbortController;
  readonly startedAt: number;
  readonly settled: Promise<HeartbeatAnswer | null>;
}

/** Heartbeats from a start, or from a page's return, to a stop, or to the page's leave. */
export class Run {
  readonly #host: RunHost;
  readonly #alarm: Alarm;
  #election: Election | null = null;
  /** Whether other tabs may send for the same session without this one knowing. */
  #blind = false;
  #leads = false;
  #flight: Flight | null = null;
  #failures = 0;
  #lastAttempt = -Infinity;
  /** The server does not want to be asked before this. */
  #notBefore = -Infinity;
  #token: string | null = null;
  /** What the server was told last of idleness. */
  #idleTold: number | null = null;
  #over = false;

  /** Nothing happens before {@link begin}. */
  constructor(host: RunHost) {
    this.#host = host;
    this.#alarm = new Alarm(host.clock, { onDue: () => void this.beat(), onWake: () => this.signal('wake-up') });
    this.#alarm.fit(host.intervalMs());
  }

  /** Begins: with an election where one is wanted, else with a heartbeat. */
  async begin(): Promise<void> {
    const { options, environment } = this.#host;
    this.#alarm.set(Infinity);
    if (options.leaderElection === false || !environment.document) {
      this.#lead();
      return;
    }
    const id = await this.#sessionId();
    if (this.#over) return;
    const name = `lastseen-heartbeat:${options.baseUrl}:${id ?? ''}`;
    this.#election = id === null ? null : Election.start(environment, name, {
      onLead: () => this.#lead(),
      onFollow: () => this.#follow(),
      onTold: (told) => this.#hear(told),
      onNudge: () => {
        this.signal('another tab');
        this.#tell();
      },
      onHello: () => this.#tell(),
    });
    if (this.#election) return;
    this.#blind = true;
    this.#lead();
  }

  /** Sends one now, or joins the one on its way. Null where no good answer came. */
  beat(): Promise<HeartbeatAnswer | null> {
    if (this.#over) return Promise.resolve(null);
    if (this.#flight) return this.#flight.settled;
    const { clock, fetch, options, url } = this.#host;
    const [controller, startedAt] = [new AbortController(), clock.now()];
    const idle = this.#idleToTell();
    this.#lastAttempt = startedAt;
    this.#alarm.set(Infinity);
    const sent = attempt({
      wire: { fetch, clock },
      url,
      options,
      timeoutMs: this.#timeoutMs(),
      signal: controller.signal,
      idleSeconds: idle,
      onToken: (token) => {
        this.#token = token;
      },
    });
    const settled = sent.then((outcome) => {
      if (this.#flight?.controller !== controller) return null;
      this.#flight = null;
      if (outcome.kind === 'ok' && idle !== null) this.#idleTold = idle;
      return this.#settle(outcome, startedAt);
    });
    this.#flight = { controller, startedAt, settled };
    return settled;
  }

  /** Something has happened after which a heartbeat should go out at once. */
  signal(what: string): void {
    if (this.#over) return;
    this.#host.log(`heartbeat wanted: ${what}`);
    if (this.#leads) {
      this.#soon();
    } else if (this.#election) {
      this.#election.nudge();
      // A leader that does not answer may be frozen: then this tab sends itself.
      this.#alarm.set(Math.min(this.#alarm.at, this.#host.clock.now() + SIGNALS_APART_MS));
    }
  }

  /** Idleness has begun or ended: the server is told at once, by whichever tab leads. */
  idle(): void {
    if (this.#over || this.#idleToTell() === null) return;
    if (this.#leads) {
      // One that is on its way says what was true before; the next follows it.
      if (!this.#flight) this.#soon();
      return;
    }
    // The leader sees the same. If it is silent, this tab sends itself.
    if (this.#election) this.#alarm.set(Math.min(this.#alarm.at, this.#host.clock.now() + SIGNALS_APART_MS));
  }

  /** The interval is another. */
  retime(): void {
    const { clock, random, intervalMs } = this.#host;
    this.#alarm.fit(intervalMs());
    if (this.#flight || this.#host.state().status !== 'running' || this.#lastAttempt === -Infinity) return;
    this.#alarm.set(Math.max(clock.now(), this.#lastAttempt + paceMs(intervalMs(), random)));
  }

  /** Ends it. `leaving`: the page goes away, of which the server is told unless another tab stays. */
  end({ leaving = false } = {}): void {
    if (this.#over) return;
    this.#over = true;
    this.#alarm.stop();
    // A heartbeat on its way could undo the leaving.
    this.#flight?.controller.abort();
    this.#flight = null;
    const alone = this.#leads && !this.#blind && this.#election?.hasFollowers !== true;
    if (leaving && alone) this.#leave();
    this.#election?.stop();
    this.#setLeading(false);
  }

  #leave(): void {
    const { options, fetch, url, log } = this.#host;
    let token = this.#token;
    try {
      const current = options.getAccessToken();
      if (typeof current === 'string') token = current;
      else void current.catch(() => undefined);
    } catch {
      return;
    }
    if (token === null || token === '') return;
    log('heartbeat: leaving');
    leave(fetch, url, token);
  }

  #idleToTell(): number | null {
    const [idle, told] = [this.#host.idleSeconds(), this.#idleTold];
    // For how long, only matters where it begins.
    return told !== null && idle !== null && told > 0 === idle > 0 ? null : idle;
  }

  async #sessionId(): Promise<string | null> {
    const { options, clock } = this.#host;
    if (options.sessionId !== undefined) return String(options.sessionId);
    try {
      return sessionIdOf(await within(Promise.resolve(options.getAccessToken()), clock, 5_000));
    } catch {
      // The first heartbeat will meet the same fault, and say it.
      return null;
    }
  }

  #timeoutMs(): number {
    const { requestTimeoutSeconds } = this.#host.options;
    if (requestTimeoutSeconds !== undefined) return requestTimeoutSeconds * 1_000;
    return Math.min(10_000, Math.max(1_000, this.#host.intervalMs() / 2));
  }

  #lead(): void {
    this.#leads = true;
    this.#setLeading(true);
    void this.beat();
  }

  #follow(): void {
    this.#setLeading(false);
    // The leader answers within this time; if not, this tab sends itself.
    this.#alarm.set(this.#host.clock.now() + SIGNALS_APART_MS);
  }

  #setLeading(leading: boolean): void {
    if (this.#host.state().leading === leading) return;
    this.#host.update({ leading });
    this.#host.emit('leader', { leading });
  }

  /** A heartbeat as soon as may be. */
  #soon(): void {
    const now = this.#host.clock.now();
    // By a clock that has been set back, these would be far away.
    if (this.#lastAttempt > now) this.#lastAttempt = this.#notBefore = -Infinity;
    const earliest = Math.max(this.#lastAttempt + SIGNALS_APART_MS, this.#notBefore);
    if (this.#flight && now >= this.#flight.startedAt + SIGNALS_APART_MS) {
      // It may be waiting on a connection that is gone.
      this.#flight.controller.abort();
      this.#flight = null;
    }
    if (this.#flight) return;
    if (now >= earliest) void this.beat();
    else if (this.#host.state().status === 'backing-off' || this.#idleToTell() !== null) {
      this.#alarm.set(Math.min(this.#alarm.at, earliest));
    }
  }

  #settle(outcome: Outcome, startedAt: number): HeartbeatAnswer | null {
    const { clock, log, emit, update, random, intervalMs } = this.#host;
    if (outcome.kind === 'aborted') return null;
    if (outcome.kind === 'refused') {
      this.#refuse(outcome.reason);
      return null;
    }
    const now = clock.now();
    if (outcome.kind === 'ok') {
      const [at, onlineUntil] = [new Date(now), new Date(outcome.answer.online_until)];
      this.#failures = 0;
      this.#notBefore = -Infinity;
      this.#alarm.set(Math.max(now, startedAt + paceMs(intervalMs(), random)));
      log(`heartbeat: online until ${outcome.answer.online_until}`);
      update({ status: 'running', lastBeat: at, onlineUntil, reason: null });
      emit('beat', { at, onlineUntil, sentHere: true });
      this.#tell();
      if (this.#idleToTell() !== null) this.#soon();
      return outcome.answer;
    }
    const { reason, retryAfterMs } = outcome;
    this.#failures += 1;
    const delayMs = backoffMs(this.#failures, intervalMs(), retryAfterMs, random);
    this.#notBefore = retryAfterMs === null ? -Infinity : now + delayMs;
    this.#alarm.set(now + delayMs);
    log(`heartbeat failed (${reason.code}): again in ${(delayMs / 1_000).toFixed(1)} s`);
    update({ status: 'backing-off', reason });
    emit('backoff', { reason, attempt: this.#failures, delayMs, sentHere: true });
    this.#tell();
    return null;
  }

  #refuse(reason: Reason): void {
    // What is wrong with this tab's token alone is not wrong with the others'.
    if (endsSession(reason.code)) this.#tell({ status: 'stopped', reason });
    this.#host.refuse(reason);
  }

  #tell(changes: Partial<Told> = {}): void {
    const { status, lastBeat, onlineUntil, reason } = this.#host.state();
    const own = { nextAt: this.#alarm.at, failures: this.#failures, idle: this.#idleTold };
    this.#election?.tell({ status, lastBeat, onlineUntil, reason, ...own, ...changes });
  }

  /** Another tab has sent. */
  #hear({ status, lastBeat, onlineUntil, reason, nextAt, failures, idle }: Told): void {
    const { state, update, emit, refuse, clock, random, intervalMs } = this.#host;
    if (this.#over) return;
    if (status === 'stopped' && reason) {
      refuse(reason);
      return;
    }
    if (this.#leads) return;
    this.#idleTold = idle ?? null;
    const before = state();
    const now = clock.now();
    // The leader's own moment, and then some: a leader that is silent for longer is not waited for. Not by all at once.
    const next = Number.isFinite(nextAt) ? Math.max(nextAt, now) : now;
    const patience = intervalMs() * (0.25 + 0.15 * random());
    if (!this.#flight) this.#alarm.set(Math.max(now + intervalMs(), next) + patience);
    update({ status, lastBeat: lastBeat ?? before.lastBeat, onlineUntil: onlineUntil ?? before.onlineUntil, reason });
    if (status === 'running' && lastBeat && onlineUntil && lastBeat.getTime() !== before.lastBeat?.getTime()) {
      emit('beat', { at: lastBeat, onlineUntil, sentHere: false });
    } else if (status === 'backing-off' && reason) {
      emit('backoff', { reason, attempt: failures, delayMs: Math.max(0, next - now), sentHere: false });
    }
  }
}
