import { afterEach, beforeEach, vi } from 'vitest';
import { Session, type SessionOptions, webStorage } from '../../src/index.js';
import type { Browser, Tab } from './browser.js';
import { START } from './heartbeat.js';
import { accessToken, FakeServer, type Got, json, online, problem } from './server.js';

/** A server of sessions, with tokens that turn as the real ones do. */
export class SessionServer extends FakeServer {
  /** How often each session's tokens have turned. */
  readonly turns = new Map<number, number>();
  /** When they did last. */
  readonly #turned = new Map<number, number>();
  readonly ended = new Set<number>();
  /** Access tokens that are past their time. */
  readonly expired = new Set<string>();
  #sessions = 0;

  constructor() {
    super((got) => this.#route(got));
  }

  /** The current access token of a session expires. */
  expire(sid: number): void {
    this.expired.add(accessToken(sid, this.turns.get(sid)));
  }

  get refreshes(): number {
    return this.paths().filter((path) => path === '/api/users/token/refresh/').length;
  }

  #pair(sid: number) {
    const turn = this.turns.get(sid) ?? 0;
    return { access: accessToken(sid, turn), refresh: `${sid}.${turn}` };
  }

  #route(got: Got): Response {
    if (got.path === '/api/users/login/') return this.#logIn(got.body as { password: string });
    if (got.path === '/api/users/token/refresh/') return this.#refresh(got.body as { refresh: string });
    const sid = [...this.turns.keys()].find((id) => sidOf(got.token) === String(id));
    if (sid === undefined) return problem(401, 'token_invalid');
    if (this.expired.has(got.token ?? '')) return problem(401, 'token_expired');
    if (got.path === '/api/users/logout/') {
      this.ended.add(sid);
      return new Response(null, { status: 204 });
    }
    if (this.ended.has(sid)) return problem(401, 'session_ended');
    if (got.path === '/api/users/heartbeat/') return online();
    return json({ sid, path: got.path, body: got.body ?? null });
  }

  #logIn({ password }: { password: string }): Response {
    if (password !== 'right') return problem(401, 'invalid_credentials');
    const sid = ++this.#sessions;
    this.turns.set(sid, 1);
    const user = { id: 7, username: 'ann', role: 'user' };
    const times = { heartbeat_interval_seconds: 30, inactivity_timeout_seconds: 120, away_after_seconds: 300 };
    return json({ ...this.#pair(sid), user, ...times });
  }

  #refresh({ refresh }: { refresh: string }): Response {
    const [sid = 0, turn = 0] = refresh.split('.').map(Number);
    if (this.ended.has(sid)) return problem(401, 'session_ended');
    const current = this.turns.get(sid) ?? 0;
    if (turn === current) {
      this.turns.set(sid, turn + 1);
      this.#turned.set(sid, Date.now());
    } else if (turn !== current - 1 || Date.now() > (this.#turned.get(sid) ?? 0) + 5_000) {
      this.ended.add(sid);
      return problem(401, 'refresh_reused');
    }
    return json(this.#pair(sid));
  }
}

function sidOf(token: string | null): string | null {
  const payload = JSON.parse(Buffer.from(token?.split('.')[1] ?? '', 'base64url').toString() || '{}') as { sid?: number };
  return payload.sid === undefined ? null : String(payload.sid);
}

const open: Session[] = [];

export function useFakeTime(): void {
  beforeEach(() => {
    vi.useFakeTimers({ now: START });
  });
  afterEach(() => {
    for (const session of open.splice(0)) session.close();
    vi.useRealTimers();
  });
}

/** A session against a fake server, not logged in yet. */
export function session(server = new SessionServer(), options: Partial<SessionOptions> = {}) {
  const ended = vi.fn();
  const made = new Session({
    baseUrl: 'https://presence.example',
    fetch: server.fetch,
    environment: {},
    onEnded: ended,
    ...options,
  });
  open.push(made);
  return { session: made, server, ended };
}

/** The session of a tab, its tokens in the local storage that all tabs share. */
export function inTab(tab: Tab, server: SessionServer, options: Partial<SessionOptions> = {}) {
  return session(server, { environment: tab.environment, storage: webStorage(tab.localStorage), ...options });
}

/** Two tabs of one browser that share a log-in. */
export async function twoTabs(browser: Browser, without: { locks?: true; channels?: true } = {}) {
  const server = new SessionServer();
  const one = inTab(browser.tab(without), server);
  const two = inTab(browser.tab(without), server);
  await one.session.login(ANN);
  await vi.advanceTimersByTimeAsync(0);
  return { server, one, two };
}

export const ANN = { username: 'ann', password: 'right' };
