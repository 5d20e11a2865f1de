import { Emitter } from '../emitter.js';
import { detectEnvironment, type Environment } from '../environment.js';
import { listenToPage } from '../heartbeat/page.js';
import { systemFetch, trimmed } from '../http.js';
import { endsSession, type LastseenError, type Reason } from '../problem.js';
import { singleFlight } from '../single-flight.js';
import { type Clock, systemClock } from '../time/clock.js';
import type { AvailabilityChange, Subscription, Presence, ServerFrame } from './frames.js';
import { Subscriptions } from './subscriptions.js';
import { Polling } from './polling.js';
import { Requests } from './requests.js';
import { PresenceStore } from './store.js';
import { ReconnectingSocket } from './reconnecting.js';
import type { LiveEvents, LiveOptions, LiveState } from './types.js';
import { Typing } from './typing.js';

const CLOSED: Reason = { code: 'closed', detail: 'closed' };

/**
 * Presence as it changes, over a WebSocket; where there can be none, by asking every few seconds.
 *
 * ```ts
 * const live = connect({ baseUrl, getAccessToken: session.getAccessToken, refreshAccessToken: session.refresh });
 * live.on('presence', ({ presence }) => show(presence));
 * live.subscribe({ contacts: true });
 * ```
 */
export class LiveConnection {
  readonly #options: LiveOptions;
  readonly #environment: Environment;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #events = new Emitter<LiveEvents>();
  readonly #store = new PresenceStore();
  readonly #subscriptions: Subscriptions;
  readonly #typing: Typing;
  readonly #requests: Requests;
  #state: LiveState = { status: 'closed', reason: null };
  #socket: ReconnectingSocket | null = null;
  #polling: Polling | null = null;
  #parts: Presence[] = [];
  #syncing = false;
  #troubled = false;
  #forgetPage: () => void = () => undefined;

  /** Does nothing before {@link open}. */
  constructor(options: LiveOptions) {
    const { refreshAccessToken } = options;
    this.#options = refreshAccessToken ? { ...options, refreshAccessToken: singleFlight(refreshAccessToken) } : options;
    this.#environment = options.environment ?? detectEnvironment();
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? Math.random;
    this.#subscriptions = new Subscriptions();
    this.#typing = new Typing(this.#clock, (from, typing) => this.#events.emit('typing', { from, typing }));
    const wire = { fetch: options.fetch ?? systemFetch, clock: this.#clock };
    this.#requests = new Requests(wire, trimmed(options.baseUrl), this.#options, this.#timeoutMs);
  }

  /** What it is doing. Another object after each change. */
  get state(): LiveState {
    return this.#state;
  }

  /** What is known of users, by id; a living map. */
  get presences(): ReadonlyMap<number, Presence> {
    return this.#store.presences;
  }

  /** Who is typing to this user. */
  get typists(): readonly number[] {
    return this.#typing.users;
  }

  /** Calls `listener` at each event of that name, until the function that is returned is called. */
  on<Name extends keyof LiveEvents>(name: Name, listener: (event: LiveEvents[Name]) => void): () => void {
    return this.#events.on(name, listener);
  }

  /** Connects. Does nothing where it has. */
  open(): void {
    if (this.#state.status !== 'closed') return;
    this.#update({ status: 'connecting', reason: null });
    this.#forgetPage = listenToPage(this.#environment, {
      onSignal: (what) => this.#socket?.signal(what),
      onOffline: () => this.#socket?.offline(),
      onHide: () => {
        this.#pause();
        this.#update({ status: 'connecting', reason: null });
      },
      onShow: () => {
        if (!this.#socket) this.#begin();
      },
    });
    this.#begin();
  }

  /** Ends it, for good unless it is opened again. What was subscribed to is remembered. */
  close(reason: Reason = CLOSED): void {
    if (this.#state.status === 'closed') return;
    this.#forgetPage();
    this.#pause();
    this.#typing.clear();
    this.#update({ status: 'closed', reason });
  }

  /**
   * Subscribes to users, to one's contacts, or as an admin to all. Answered by a snapshot; with `since`, a cursor that
   * `GET /api/users/presence/changes/` has answered, by what has changed after it instead. Remembered over breaks.
   * What is subscribed to twice is unsubscribed from twice. The function that is returned does that once.
   */
  subscribe(subscription: Subscription, { since }: { readonly since?: string } = {}): () => void {
    this.#subscriptions.add(subscription, since);
    this.#sync();
    let subscribed = true;
    return () => {
      if (subscribed) this.unsubscribe(subscription);
      subscribed = false;
    };
  }

  /** Unsubscribes. What nothing is subscribed to is forgotten. */
  unsubscribe(subscription: Subscription): void {
    this.#subscriptions.remove(subscription);
    this.#sync();
  }

  /**
   * Tells a user that one types to it: at each key, it goes out once in 2 seconds. Answers whether it went out; it
   * does not in fallback.
   */
  typing(to: number): boolean {
    return this.#socket?.open === true && this.#typing.due(to) && this.#socket.send({ type: 'typing', to });
  }

  /**
   * Says how available one is. By HTTP, since the WebSocket gives no answer to it. Answers the profile as the server
   * then has it.
   *
   * @throws LastseenError where the server refuses, or gave no answer.
   */
  async setAvailability(change: AvailabilityChange): Promise<Readonly<Record<string, unknown>>> {
    const body = (await this.#requests.send('PATCH', '/api/users/me/', change)) as { user: Record<string, unknown> };
    return body.user;
  }

  get #timeoutMs(): number {
    return (this.#options.timeoutSeconds ?? 10) * 1_000;
  }

  #begin(): void {
    const socket = new ReconnectingSocket({
      options: this.#options,
      clock: this.#clock,
      random: this.#random,
      timeoutMs: this.#timeoutMs,
      retryMs: (this.#options.retrySeconds ?? 60) * 1_000,
      ...(this.#environment.href !== undefined && { href: this.#environment.href }),
      onFrame: (frame) => this.#hear(frame),
      onLost: (reason) => {
        this.#subscriptions.reset();
        this.#parts = [];
        this.#update({ status: 'connecting', reason });
      },
      onFallback: (reason) => this.#fallBack(reason),
      onRefused: (reason) => this.close(reason),
      log: (message) => this.#log(message),
    });
    this.#socket = socket;
    socket.begin();
  }

  /** Nothing goes on until it begins again: with an open WebSocket, browsers would not keep a page for the way back. */
  #pause(): void {
    this.#socket?.end();
    this.#socket = null;
    this.#stopPolling();
    this.#subscriptions.reset();
    this.#parts = [];
  }

  #fallBack(reason: Reason | null): void {
    this.#update({ status: 'fallback', reason });
    if (this.#polling) return;
    this.#troubled = false;
    this.#polling = new Polling({
      requests: this.#requests,
      subscriptions: this.#subscriptions,
      clock: this.#clock,
      random: this.#random,
      intervalMs: (this.#options.pollSeconds ?? 10) * 1_000,
      onSnapshot: (presences, everybody) => this.#snapshot(presences, everybody),
      onTransition: (transition) => this.#change(transition, true),
      onNotification: (notification) => this.#events.emit('notification', notification),
      onContacts: () => this.#events.emit('contacts', undefined),
      onRound: (error) => this.#rounded(error),
    });
  }

  #stopPolling(): void {
    this.#polling?.stop();
    this.#polling = null;
  }

  #rounded(error: LastseenError | null): void {
    if (error && (error.status === 401 || endsSession(error.code)) && error.code !== 'token_expired') {
      this.close(error.reason);
      return;
    }
    const recovered = this.#troubled && !error;
    this.#troubled = error !== null;
    if (error || recovered) this.#update({ status: 'fallback', reason: error?.reason ?? null });
    // The server is back: its WebSocket may be, too.
    if (recovered) this.#socket?.signal('answers again');
  }

  #hear(frame: ServerFrame): void {
    switch (frame.type) {
      case 'ready':
        this.#opened();
        this.#events.emit('ready', {
          userId: frame.user_id,
          sessionId: frame.session_id,
          heartbeatIntervalSeconds: frame.heartbeat_interval_seconds,
          awayAfterSeconds: frame.away_after_seconds,
        });
        break;
      case 'snapshot': {
        this.#parts.push(...frame.presences);
        if (frame.more) break;
        const presences = this.#parts;
        this.#parts = [];
        this.#snapshot(presences, this.#subscriptions.snapshot(presences, frame.cursor)?.all === true);
        break;
      }
      case 'transition':
        this.#subscriptions.at(frame.cursor);
        this.#change(frame, this.#subscriptions.resuming);
        break;
      case 'caught_up':
        this.#subscriptions.caughtUp(frame.cursor);
        break;
      case 'typing':
        this.#typing.hear(frame.from, frame.seconds);
        break;
      case 'notification':
        this.#events.emit('notification', frame.notification);
        break;
      case 'contacts':
        this.#events.emit('contacts', undefined);
        break;
      case 'error':
        if (frame.code === 'cursor_expired' || frame.code === 'invalid_cursor') this.#subscriptions.expired();
        this.#log(`error: ${frame.detail}`);
        this.#events.emit('error', { code: frame.code, detail: frame.detail });
        break;
    }
  }

  #opened(): void {
    if (this.#state.status === 'open') return;
    this.#stopPolling();
    this.#update({ status: 'open', reason: null });
    this.#send();
  }

  #snapshot(presences: readonly Presence[], everybody: boolean): void {
    const changes = this.#store.replace(presences);
    if (everybody) {
      const ids = new Set(presences.map(({ user_id }) => user_id));
      this.#store.retain((id) => ids.has(id));
    }
    this.#events.emit('snapshot', { presences });
    for (const change of changes) this.#events.emit('presence', change);
  }

  #change(transition: Parameters<PresenceStore['apply']>[0], again: boolean): void {
    const change = this.#store.apply(transition, again);
    if (!change) return;
    if (change.presence.online_status === 'offline') this.#typing.end(change.presence.user_id);
    this.#events.emit('presence', change);
  }

  /** Tells the server what is wanted now, once for all that is changed at a time. */
  #sync(): void {
    if (this.#syncing) return;
    this.#syncing = true;
    queueMicrotask(() => {
      this.#syncing = false;
      this.#store.retain((id) => this.#subscriptions.covers(id));
      if (this.#socket?.open) this.#send();
      else this.#polling?.wake();
    });
  }

  #send(): void {
    for (const frame of this.#subscriptions.frames()) this.#socket?.send(frame);
  }

  #update(state: LiveState): void {
    const { status, reason } = this.#state;
    if (status === state.status && reason?.code === state.reason?.code) return;
    this.#state = state;
    this.#log(`live: ${state.status}${state.reason ? ` (${state.reason.code})` : ''}`);
    this.#events.emit('state', state);
  }

  #log(message: string): void {
    const { logger = console } = this.#options;
    if (logger) logger.debug(`[lastseen] ${message}`);
  }
}

/** Makes a {@link LiveConnection}, and opens it. */
export function connect(options: LiveOptions): LiveConnection {
  const connection = new LiveConnection(options);
  connection.open();
  return connection;
}
