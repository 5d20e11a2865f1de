import { Emitter } from '../emitter.js';
import { type ChannelLike, detectEnvironment, type Environment } from '../environment.js';
import { errorOf, exchange, post, systemFetch, trimmed, type Wire } from '../http.js';
import { asLastseenError, endsSession, localError, problemFrom, type Reason } from '../problem.js';
import { singleFlight } from '../single-flight.js';
import { systemClock } from '../time/clock.js';
import { exclusively, renew, tokensFrom } from './renewal.js';
import { replayable, targetOf } from './request.js';
import { memoryStorage, type Tokens, type TokenStorage } from './storage.js';
import { sessionIdOf } from './token.js';
import type { Credentials, LoggedIn, LoggedInUser, SessionEvents, SessionOptions } from './types.js';

/** What tabs of a session tell each other. */
type Message =
  | { readonly kind: 'renewed'; readonly sessionId: string; readonly spent: string; readonly tokens: Tokens }
  | { readonly kind: 'ended'; readonly sessionId: string; readonly reason: Reason };

/** How long a tab whose tokens vanished waits for the other tab to say why. */
const WORD_MS = 50;

interface LogInAnswer {
  readonly user: LoggedInUser;
  readonly heartbeat_interval_seconds: number;
  readonly inactivity_timeout_seconds: number;
  readonly away_after_seconds?: number;
}

const ELSEWHERE: Reason = { code: 'logged_out', detail: 'You have been logged out in another tab.' };
const RENEWED = Symbol();

/**
 * One log-in: keeps the tokens, sends them along, gets new ones when they expire, and says when the session has ended.
 *
 * ```ts
 * const session = new Session({ baseUrl, storage: webStorage(localStorage), onEnded: ({ detail }) => show(detail) });
 * await session.login({ username, password });
 * const answer = await session.authorizedFetch('/api/users/me/');
 * ```
 */
export class Session {
  readonly #baseUrl: string;
  readonly #storage: TokenStorage;
  readonly #environment: Environment;
  readonly #wire: Wire;
  readonly #timeoutMs: number;
  readonly #events = new Emitter<SessionEvents>();
  readonly #channel: ChannelLike | null;
  readonly #undo: (() => void)[] = [];
  /** The session that this tab knows to be logged in. */
  #known: string | null;

  /** Takes up the session whose tokens are in the storage, if there is one. */
  constructor(options: SessionOptions) {
    this.#baseUrl = trimmed(options.baseUrl);
    this.#storage = options.storage ?? memoryStorage();
    this.#environment = options.environment ?? detectEnvironment();
    this.#wire = { fetch: options.fetch ?? systemFetch, clock: options.clock ?? systemClock };
    this.#timeoutMs = (options.requestTimeoutSeconds ?? 15) * 1_000;
    if (options.onEnded) this.#events.on('ended', options.onEnded);
    this.#known = this.sessionId;
    this.#channel = this.#environment.openChannel?.(`lastseen-session:${this.#baseUrl}`) ?? null;
    if (this.#channel) this.#channel.onmessage = ({ data }) => this.#hear(data as Message);
    this.#listen('storage', (event) => {
      if (this.#storage.isMeant?.(event) === true) this.#look();
    });
    this.#listen('pageshow', () => this.#look());
  }

  /** Whether there are tokens. */
  get loggedIn(): boolean {
    return this.#storage.read() !== null;
  }

  /** Which session this is; null where nobody is logged in. */
  get sessionId(): string | null {
    const tokens = this.#storage.read();
    return tokens && idOf(tokens);
  }

  /** Calls `listener` at each event of that name, until the function that is returned is called. */
  on<Name extends keyof SessionEvents>(name: Name, listener: (event: SessionEvents[Name]) => void): () => void {
    return this.#events.on(name, listener);
  }

  /**
   * The access token. Bound, to be handed to a `HeartbeatClient`.
   *
   * @throws LastseenError `not_logged_in`.
   */
  readonly getAccessToken = (): string => {
    const tokens = this.#storage.read();
    if (!tokens) throw localError('not_logged_in', 'Nobody is logged in.', 401);
    return tokens.access;
  };

  /**
   * Gets a new access token, once for all that wait, over all tabs. With `expired`, the token that the server said that
   * of, nothing is asked where that is no longer the current one. Null where the session has ended. Bound.
   *
   * @throws LastseenError where no answer could be had; the session goes on.
   */
  readonly refresh = (expired?: string): Promise<string | null> => {
    const tokens = this.#storage.read();
    if (tokens && expired !== undefined && tokens.access !== expired) return Promise.resolve(tokens.access);
    return this.#renewal();
  };

  readonly #renewal = singleFlight(async (): Promise<string | null> => {
    const stale = this.#storage.read();
    if (!stale) return null;
    const lock = `lastseen-refresh:${this.#baseUrl}:${idOf(stale)}`;
    return exclusively(this.#environment.locks, lock, () => this.#renew(stale));
  });

  /**
   * `fetch` with the access token, for addresses of the server only; those that begin with `/` are resolved against
   * `baseUrl`. Where the token has expired, gets another and repeats the request once. Where the answer says that the
   * session has ended, so does this. Bound, to be handed to an API client.
   *
   * @throws LastseenError `not_logged_in`, or where a new token could not be had; and what `fetch` throws.
   */
  readonly authorizedFetch = async (input: string | URL | Request, init?: RequestInit): Promise<Response> => {
    const target = targetOf(input, this.#baseUrl, this.#environment.href);
    const requests = replayable(target, init);
    const token = this.getAccessToken();
    const response = await this.#wire.fetch(...requests.with(token));
    if (await this.#judge(response, token) !== RENEWED || !requests.again) return response;
    const renewed = this.#storage.read()?.access;
    if (renewed === undefined) return response;
    void response.body?.cancel().catch(() => undefined);
    const second = await this.#wire.fetch(...requests.with(renewed));
    await this.#judge(second, renewed, false);
    return second;
  };

  /**
   * Logs in, and keeps the tokens instead of any before.
   *
   * @throws LastseenError `invalid_credentials`, `account_…`, `too_many_requests`, …
   */
  async login({ username, password, device }: Credentials): Promise<LoggedIn> {
    const body = device === undefined ? { username, password } : { username, password, device };
    const answer = await this.#post('/api/users/login/', body);
    const tokens = tokensFrom(answer);
    this.#storage.write(tokens);
    this.#change();
    const { user, ...more } = answer as LogInAnswer;
    return {
      user,
      heartbeatIntervalSeconds: more.heartbeat_interval_seconds,
      inactivityTimeoutSeconds: more.inactivity_timeout_seconds,
      awayAfterSeconds: more.away_after_seconds ?? null,
    };
  }

  /**
   * Logs out, from all devices with `everywhere`. The tokens are erased at once, whatever the server answers; in other
   * tabs that share the session too.
   *
   * @throws LastseenError where the server could not be told. The session then lives on there until it expires.
   */
  async logout({ everywhere = false } = {}): Promise<void> {
    const tokens = this.#storage.read();
    if (!tokens) return;
    this.#erase(ELSEWHERE);
    const body = everywhere ? { everywhere } : undefined;
    try {
      await this.#post('/api/users/logout/', body, tokens.access);
    } catch (thrown) {
      const error = asLastseenError(thrown);
      if (endsSession(error.code)) return;
      if (error.code !== 'token_expired') throw error;
      const { access } = await renew(this.#wire, this.#baseUrl, tokens.refresh);
      await this.#post('/api/users/logout/', body, access);
    }
  }

  /** Ends the session for a reason that was learnt elsewhere, such as by a `HeartbeatClient`. Tells `onEnded`. */
  end(reason: Reason): void {
    if (!this.loggedIn) return;
    this.#erase(reason);
    this.#events.emit('ended', reason);
  }

  /** Listens to other tabs no more. The tokens stay. */
  close(): void {
    this.#undo.forEach((off) => off());
    this.#channel?.close();
  }

  async #post(path: string, body: unknown, access?: string): Promise<unknown> {
    const answer = await exchange(this.#wire, this.#baseUrl + path, post(body, access), { timeoutMs: this.#timeoutMs });
    if (!answer.ok) throw errorOf(answer);
    return answer.body;
  }

  async #renew(stale: Tokens): Promise<string | null> {
    const current = this.#storage.read();
    // Another tab was first.
    if (current?.refresh !== stale.refresh) return current?.access ?? null;
    try {
      const tokens = await renew(this.#wire, this.#baseUrl, current.refresh);
      // Logged out, or in as somebody else, in the meantime: then these are nobody's.
      if (this.#storage.read()?.refresh !== current.refresh) return this.#storage.read()?.access ?? null;
      this.#storage.write(tokens);
      this.#say({ kind: 'renewed', sessionId: idOf(tokens), spent: current.refresh, tokens });
      return tokens.access;
    } catch (thrown) {
      const error = asLastseenError(thrown);
      if (error.status !== 401 && !endsSession(error.code)) throw error;
      const now = this.#storage.read();
      if (now && now.refresh !== current.refresh) return now.access;
      this.end(error.reason);
      return null;
    }
  }

  /** Looks whether an answer is about the session. Answers `RENEWED` where there is a new token after it. */
  async #judge(response: Response, token: string, mayRenew = true): Promise<typeof RENEWED | null> {
    if (response.status !== 401 && response.status !== 403) return null;
    const body: unknown = await response.clone().json().catch(() => undefined);
    const { code, detail } = problemFrom(response.status, body);
    if (code === 'token_expired') return mayRenew && (await this.refresh(token)) !== null ? RENEWED : null;
    const mine = this.sessionId === (sessionIdOf(token) ?? this.sessionId);
    if (mine && (code === 'token_invalid' || endsSession(code))) this.end({ code, detail });
    return null;
  }

  #erase(reason: Reason): void {
    const { sessionId } = this;
    // Before the storage tells of it, which says no reason.
    if (sessionId !== null) this.#say({ kind: 'ended', sessionId, reason });
    this.#storage.erase();
    this.#change();
  }

  /** Takes note of which session is logged in now, and answers it. */
  #change(): string | null {
    const { sessionId } = this;
    if (this.#known === sessionId) return sessionId;
    this.#known = sessionId;
    this.#events.emit('changed', { loggedIn: sessionId !== null, sessionId });
    return sessionId;
  }

  #say(message: Message): void {
    this.#channel?.postMessage(message);
  }

  #hear(message: Message): void {
    if (message.sessionId !== this.#known) return;
    if (message.kind === 'renewed') {
      // Where the storage is shared, these are there already, or newer ones.
      if (this.#storage.read()?.refresh === message.spent) this.#storage.write(message.tokens);
      return;
    }
    if (this.sessionId === message.sessionId) this.#storage.erase();
    if (this.#change() === null) this.#events.emit('ended', message.reason);
  }

  /** Another tab has written to the storage, or may have. */
  #look(): void {
    const before = this.#known;
    if (before === null || this.sessionId !== null) {
      this.#change();
      return;
    }
    this.#wire.clock.setTimeout(() => {
      const unexplained = this.#known === before;
      if (this.#change() === null && unexplained) this.#events.emit('ended', ELSEWHERE);
    }, WORD_MS);
  }

  #listen(type: string, listener: (event: object) => void): void {
    const { window } = this.#environment;
    window?.addEventListener(type, listener);
    this.#undo.push(() => window?.removeEventListener(type, listener));
  }
}

/** Tells sessions apart, by their refresh token's first part where the access token says nothing. */
function idOf({ access, refresh }: Tokens): string {
  return sessionIdOf(access) ?? refresh.split('.')[0] ?? refresh;
}
