import { afterEach, beforeEach, vi } from 'vitest';
import { type ClientFrame, connect, type LiveConnection, type LiveOptions, type Presence } from '../../src/index.js';
import { START } from './heartbeat.js';
import { FakeServer, json } from './server.js';

type Listener = (event: never) => void;

/** A WebSocket without a network: the test is the server. */
export class FakeSocket {
  static all: FakeSocket[] = [];
  readonly got: ClientFrame[] = [];
  readonly openedAt = Date.now();
  closed: number | null = null;
  readonly #listeners = new Map<string, Listener[]>();

  constructor(
    readonly url: string,
    readonly protocols?: string[],
  ) {
    FakeSocket.all.push(this);
    FakeSocket.onOpen?.(this);
  }

  /** What each new one is met with. */
  static onOpen: ((socket: FakeSocket) => void) | null = null;

  static get last(): FakeSocket {
    const last = FakeSocket.all.at(-1);
    if (!last) throw new Error('no WebSocket was opened');
    return last;
  }

  addEventListener(type: string, listener: Listener): void {
    this.#listeners.set(type, [...(this.#listeners.get(type) ?? []), listener]);
  }

  send(data: string): void {
    this.got.push(JSON.parse(data) as ClientFrame);
  }

  close(code = 1005): void {
    this.closed ??= code;
  }

  fire(type: string, event: object = {}): void {
    for (const listener of this.#listeners.get(type) ?? []) listener(event as never);
  }

  /** Opened, and the token accepted. */
  ready(more: object = {}): void {
    this.fire('open');
    this.say({ type: 'ready', user_id: 7, session_id: 1, heartbeat_interval_seconds: 30, away_after_seconds: 300, ...more });
  }

  say(frame: object): void {
    this.fire('message', { data: JSON.stringify(frame) });
  }

  /** Ended by the server, or by the network. */
  end(code = 1006, reason = ''): void {
    this.closed = code;
    this.fire('close', { code, reason });
  }

  snapshot(cursor: string, presences: Presence[], more?: true): void {
    this.say({ type: 'snapshot', cursor, presences, ...(more && { more }) });
  }

  transition(cursor: string, presence: Presence, at = new Date().toISOString()): void {
    this.say({ type: 'transition', cursor, at, presence });
  }

  caughtUp(cursor: string): void {
    this.say({ type: 'caught_up', cursor });
  }

  /** Subscriptions and the like, without tokens. */
  get asked(): ClientFrame[] {
    return this.got.filter(({ type }) => type !== 'auth');
  }
}

export function presence(user_id: number, online_status: 'online' | 'offline' = 'online', more: Partial<Presence> = {}): Presence {
  return {
    user_id,
    online_status,
    availability: 'available',
    text: null,
    emoji: null,
    last_seen: '2026-01-01T11:00:00.000Z',
    online_until: null,
    reason: online_status === 'online' ? 'login' : 'logout',
    ...more,
  };
}

/** An access token that says when it expires. */
export function token(turn: number, lifeSeconds = 900, iat = Math.floor(Date.now() / 1_000)): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'HS256' })}.${part({ sub: 7, sid: 1, jti: turn, iat, exp: iat + lifeSeconds })}.signature`;
}

const open: LiveConnection[] = [];

export function useFakeTime(): void {
  beforeEach(() => {
    vi.useFakeTimers({ now: START });
    FakeSocket.all = [];
    FakeSocket.onOpen = null;
  });
  afterEach(() => {
    for (const connection of open.splice(0)) connection.close();
    vi.useRealTimers();
  });
}

/** A connection to a fake server, with the longest of all waits. `said` has what its events told. */
export function live(options: Partial<LiveOptions> = {}) {
  const server = new FakeServer(() => json({ transitions: [], next_cursor: 'now' }));
  const connection = connect({
    baseUrl: 'https://presence.example',
    getAccessToken: () => 'token-1',
    webSocket: FakeSocket,
    fetch: server.fetch,
    random: () => 1,
    logger: false,
    environment: {},
    ...options,
  });
  open.push(connection);
  const said: unknown[] = [];
  connection.on('presence', ({ presence: { user_id, online_status } }) => said.push(`${user_id} ${online_status}`));
  connection.on('snapshot', ({ presences }) => said.push(`snapshot ${presences.map(({ user_id }) => user_id).join(' ')}`.trim()));
  connection.on('typing', ({ from, typing }) => said.push(`${from} ${typing ? 'types' : 'stops'}`));
  connection.on('notification', ({ id }) => said.push(`notification ${id}`));
  connection.on('contacts', () => said.push('contacts'));
  connection.on('error', ({ code }) => said.push(`error ${code}`));
  const states: string[] = [];
  connection.on('state', ({ status, reason }) => states.push(reason ? `${status} ${reason.code}` : status));
  return { connection, server, said, states };
}

/** Lets what waits for promises go on. */
export async function turn(): Promise<void> {
  await vi.advanceTimersByTimeAsync(0);
}
