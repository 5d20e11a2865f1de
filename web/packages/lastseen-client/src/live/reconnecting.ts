import { asLastseenError, type Reason } from '../problem.js';
import { expiryOf } from '../session/token.js';
import { Alarm } from '../time/alarm.js';
import type { Clock, TimerHandle } from '../time/clock.js';
import { type ClientFrame, CLOSE, type ServerFrame } from './frames.js';
import { ABNORMAL, LiveSocket } from './socket.js';
import { failuresAfter, reconnectMs } from './pace.js';
import type { LiveOptions, WebSocketConstructor } from './types.js';

/** So many WebSockets that failed in a row before the server said `ready`, and there is none to be had. */
const MAX_HANDSHAKE_FAILURES = 3;
/** A WebSocket that was open for so long was a good one. */
const STABLE_MS = 10_000;
/** After so long without a frame it is asked whether anybody is there. */
const SILENCE_MS = 60_000;
/** The token is renewed so long before its end, or a tenth of its life where that is less. */
const MARGIN_MS = 60_000;
/** The token is renewed no more often, whatever the clocks say. */
const RENEWALS_APART_MS = 5_000;
/** Signals bring a try at most this often. */
const TRIES_APART_MS = 1_000;

/** What a reconnecting socket needs of the connection that it is for. */
export interface ReconnectingHost {
  readonly options: LiveOptions;
  readonly clock: Clock;
  readonly random: () => number;
  readonly timeoutMs: number;
  readonly retryMs: number;
  readonly href?: string;
  readonly onFrame: (frame: ServerFrame) => void;
  /** The WebSocket is gone, and another is tried. Not in fallback. */
  readonly onLost: (reason: Reason) => void;
  /** There is no WebSocket to be had for now. */
  readonly onFallback: (reason: Reason | null) => void;
  /** The server lets this user in no more. */
  readonly onRefused: (reason: Reason) => void;
  readonly log: (message: string) => void;
}

/** A WebSocket that is opened again where it fails, with backoff, and whose token is renewed before it expires. */
export class ReconnectingSocket {
  readonly #host: ReconnectingHost;
  readonly #WebSocket: WebSocketConstructor | null;
  readonly #alarm: Alarm;
  #socket: LiveSocket | null = null;
  #token = '';
  #retry: TimerHandle = undefined;
  #failures = 0;
  #handshakeFailures = 0;
  #refusals = 0;
  /** The token was refused: another is wanted for the next try. */
  #spent = false;
  #fallback = false;
  #trying = false;
  #triedAt = -Infinity;
  #readyAt = -Infinity;
  #heardAt = -Infinity;
  #renewAt = Infinity;
  #over = false;

  /** Nothing happens before {@link begin}. */
  constructor(host: ReconnectingHost) {
    this.#host = host;
    this.#WebSocket = webSocketOf(host.options.webSocket);
    this.#alarm = new Alarm(host.clock, { onDue: () => this.#look(), onWake: () => this.signal('wake-up') });
  }

  /** Whether the server has said `ready`. */
  get open(): boolean {
    return this.#socket?.ready === true;
  }

  /** Begins. */
  begin(): void {
    if (this.#WebSocket) void this.#try();
    else queueMicrotask(() => this.#over || this.#host.onFallback(null));
  }

  /** Sends a frame, and answers whether it could. */
  send(frame: ClientFrame): boolean {
    return this.#socket?.send(frame) === true;
  }

  /** Something has happened after which the WebSocket may be gone, or may be had again. */
  signal(what: string): void {
    if (this.#over || !this.#WebSocket || this.#trying) return;
    this.#host.log(`live: ${what}`);
    if (this.#socket) {
      if (this.open) void this.#authenticate();
      return;
    }
    const soonest = Math.max(0, this.#triedAt + TRIES_APART_MS - this.#host.clock.now());
    this.#again(Math.min(soonest, TRIES_APART_MS));
  }

  /** The network is gone, and the WebSocket with it, which may learn that late: others see this user until it does. */
  offline(): void {
    const socket = this.#socket;
    if (!socket) return;
    socket.close();
    this.#closed({ code: ABNORMAL, reason: 'The network is gone.', opened: socket.ready });
  }

  /** Ends it all. */
  end(): void {
    this.#over = true;
    this.#alarm.stop();
    this.#host.clock.clearTimeout(this.#retry);
    this.#socket?.close();
    this.#socket = null;
  }

  async #try(): Promise<void> {
    const { clock, href, log, options, timeoutMs } = this.#host;
    const WebSocket = this.#WebSocket;
    if (this.#over || this.#trying || !WebSocket) return;
    clock.clearTimeout(this.#retry);
    this.#trying = true;
    this.#triedAt = clock.now();
    const token = await this.#freshToken();
    this.#trying = false;
    if (token === null || this.#ended()) return;
    this.#token = token;
    this.#socket = new LiveSocket({
      WebSocket,
      url: addressOf(options.baseUrl, href),
      token,
      clock,
      timeoutMs,
      onFrame: (frame) => this.#hear(frame),
      onEnd: (end) => this.#closed(end),
    });
    log('live: connects');
  }

  /** A token that is likely to be accepted. Null where there is none; then what follows is seen to already. */
  async #freshToken(): Promise<string | null> {
    const { clock, onRefused, options: { getAccessToken, refreshAccessToken } } = this.#host;
    try {
      let token: string | null = await getAccessToken();
      const renew = this.#spent;
      const expired = (expiryOf(token)?.at ?? Infinity) <= clock.now() && token !== this.#token;
      // Another tab may have renewed the token that was refused.
      if (refreshAccessToken && (expired || (renew && token === this.#token))) token = await refreshAccessToken(token);
      else if (renew && token === this.#token) token = null;
      if (token !== null && token !== '') {
        this.#spent = false;
        return token;
      }
      onRefused({ code: 'session_ended', detail: 'The session has ended.' });
    } catch (thrown) {
      const error = asLastseenError(thrown);
      if (error.status === 401 || error.status === 403) onRefused(error.reason);
      else this.#failed(error.reason, 0);
    }
    return null;
  }

  /** Asked anew after each wait: it may be over by now. */
  #ended(): boolean {
    return this.#over;
  }

  #hear(frame: ServerFrame): void {
    const { clock, onFrame } = this.#host;
    const now = clock.now();
    this.#heardAt = now;
    if (frame.type === 'ready') {
      if (this.#fallback || this.#readyAt < this.#triedAt) this.#readyAt = now;
      this.#fallback = false;
      this.#handshakeFailures = this.#refusals = 0;
      this.#planRenewal();
    }
    this.#setAlarm();
    onFrame(frame);
  }

  #closed({ code, reason, opened }: { code: number; reason: string; opened: boolean }): void {
    const { clock, onRefused } = this.#host;
    this.#socket = null;
    this.#alarm.stop();
    if (opened && clock.now() - this.#readyAt >= STABLE_MS) this.#failures = 0;
    const why = { code: CODES[code] ?? 'connection_lost', detail: reason || `The connection has ended (${code}).` };
    if (code === CLOSE.barred) {
      onRefused(why);
      return;
    }
    if (code === CLOSE.unauthorized) {
      this.#refusals += 1;
      this.#handshakeFailures = 0;
      this.#spent = true;
      this.#failed(why, code);
      return;
    }
    if (!opened) this.#handshakeFailures += 1;
    this.#failed(why, code);
  }

  /** It did not work: when is it tried again? */
  #failed(reason: Reason, code: number): void {
    const { onLost, onFallback, random, retryMs } = this.#host;
    if (this.#over) return;
    this.#failures = failuresAfter(code, this.#failures);
    if (this.#fallback || this.#handshakeFailures >= MAX_HANDSHAKE_FAILURES) {
      this.#fallback = true;
      onFallback(reason);
      this.#again(retryMs * (0.9 + 0.2 * random()));
      return;
    }
    onLost(reason);
    // A token that has run out is no fault: at once, with another, but not on and on.
    const atOnce = code === CLOSE.unauthorized && this.#refusals === 1;
    if (atOnce) this.#failures -= 1;
    this.#again(atOnce ? 0 : reconnectMs(code, this.#failures, random));
  }

  #again(ms: number): void {
    const { clock } = this.#host;
    clock.clearTimeout(this.#retry);
    this.#retry = clock.setTimeout(() => void this.#try(), ms);
  }

  #planRenewal(): void {
    const now = this.#host.clock.now();
    const expiry = expiryOf(this.#token);
    if (!expiry) {
      this.#renewAt = Infinity;
      return;
    }
    const margin = Math.min(MARGIN_MS, expiry.lifeMs / 10);
    // By a clock that is wrong it may have expired already, or live for days.
    const left = Math.min(expiry.at - now, expiry.lifeMs);
    this.#renewAt = now + Math.max(left - margin, Math.min(RENEWALS_APART_MS, expiry.lifeMs / 2));
  }

  #setAlarm(): void {
    this.#alarm.set(Math.min(this.#renewAt, this.#heardAt + SILENCE_MS));
  }

  #look(): void {
    const { clock } = this.#host;
    if (!this.open) return;
    if (clock.now() + 1 >= this.#renewAt) void this.#authenticate(true);
    else if (clock.now() + 1 >= this.#heardAt + SILENCE_MS) void this.#authenticate();
    else this.#setAlarm();
  }

  /** Shows the server the token, or another; the link ends where it does not answer. */
  async #authenticate(renew = false): Promise<void> {
    const { clock, log, onRefused, options: { getAccessToken, refreshAccessToken } } = this.#host;
    const socket = this.#socket;
    if (!socket) return;
    try {
      let token: string | null = await getAccessToken();
      if (renew && refreshAccessToken && token === this.#token) token = await refreshAccessToken(token);
      if (this.#socket !== socket || this.#over) return;
      if (token === null || token === '') {
        onRefused({ code: 'session_ended', detail: 'The session has ended.' });
        return;
      }
      this.#token = token;
      socket.auth(token);
      this.#heardAt = clock.now();
      this.#renewAt = Math.max(this.#renewAt, clock.now() + RENEWALS_APART_MS);
    } catch (thrown) {
      const error = asLastseenError(thrown);
      if (this.#socket !== socket || this.#over) return;
      if (error.status === 401 || error.status === 403) {
        onRefused(error.reason);
        return;
      }
      // The server ends the WebSocket when the token does; until then it is tried again.
      log(`live: no new token (${error.code})`);
      this.#renewAt = clock.now() + RENEWALS_APART_MS;
    }
    this.#setAlarm();
  }
}

const CODES: Record<number, string> = {
  [CLOSE.goingAway]: 'going_away',
  [CLOSE.unauthorized]: 'token_refused',
  [CLOSE.barred]: 'account_barred',
  [CLOSE.tooSlow]: 'too_slow',
  [CLOSE.tooMany]: 'too_many_frames',
};

function webSocketOf(given: LiveOptions['webSocket']): WebSocketConstructor | null {
  if (given !== undefined) return given || null;
  const { WebSocket } = globalThis as { WebSocket?: WebSocketConstructor };
  return WebSocket ?? null;
}

/** The WebSocket's address: `wss` for `https`. */
function addressOf(baseUrl: string, href?: string): string {
  const url = new URL(`${baseUrl.replace(/\/+$/, '')}/api/ws/`, href);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  return url.href;
}
