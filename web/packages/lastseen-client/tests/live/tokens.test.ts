import { describe, expect, it, vi } from 'vitest';
import { localError } from '../../src/problem.js';
import { pass, seconds, START } from '../support/heartbeat.js';
import { FakeSocket, live, token, turn, useFakeTime } from '../support/live.js';

useFakeTime();

/** Tokens that are renewed on demand. Answers how often they were. */
function tokens(lifeSeconds = 900) {
  let count = 1;
  let current = token(1, lifeSeconds, START / 1_000);
  const refreshAccessToken = vi.fn((expired: string) => {
    if (expired === current) current = token(++count, lifeSeconds);
    return Promise.resolve<string | null>(current);
  });
  return { getAccessToken: () => current, refreshAccessToken, renewed: () => count - 1 };
}

const turnOf = (access: string | undefined) =>
  (JSON.parse(Buffer.from(access?.split('.')[1] ?? '', 'base64url').toString()) as { jti: number }).jti;
const shown = (socket: FakeSocket) => socket.got.map((frame) => (frame.type === 'auth' ? turnOf(frame.token) : null));

describe('a WebSocket outlives its token', () => {
  it('by showing another before that expires', async () => {
    const { renewed, ...options } = tokens();
    live(options);
    await turn();
    expect(turnOf(FakeSocket.last.protocols?.[1])).toBe(1);
    FakeSocket.last.ready();
    FakeSocket.onOpen = null;
    for (let minute = 0; minute < 60; minute += 1) {
      const before = FakeSocket.last.got.length;
      await pass(60);
      if (FakeSocket.last.got.length > before) FakeSocket.last.ready();
    }
    expect(FakeSocket.all).toHaveLength(1);
    // 14 minutes each; besides, the quiet WebSocket is asked each minute whether it lives.
    expect(renewed()).toBe(4);
    expect(Math.max(...shown(FakeSocket.last).map(Number))).toBe(5);
  });

  it('also where tokens live for seconds', async () => {
    const { renewed, ...options } = tokens(2);
    live(options);
    await turn();
    FakeSocket.last.ready();
    for (let tenth = 0; tenth < 100; tenth += 1) {
      const before = FakeSocket.last.got.length;
      await pass(0.1);
      if (FakeSocket.last.got.length > before) FakeSocket.last.ready();
    }
    expect(FakeSocket.all).toHaveLength(1);
    // Its moments are whole seconds.
    expect(renewed()).toBeGreaterThanOrEqual(5);
    expect(renewed()).toBeLessThanOrEqual(10);
  });

  it('with the token that another tab has got', async () => {
    let current = token(1);
    const refreshAccessToken = vi.fn(() => Promise.resolve(null));
    live({ getAccessToken: () => current, refreshAccessToken });
    await turn();
    FakeSocket.last.ready();
    await pass(50);
    current = token(2);
    for (let times = 0; times < 80; times += 1) {
      FakeSocket.last.say({ type: 'contacts' });
      await pass(10);
      if (FakeSocket.last.got.length > 0) FakeSocket.last.ready();
    }
    expect(shown(FakeSocket.last)).toEqual([2]);
    expect(refreshAccessToken).not.toHaveBeenCalled();
  });

  it('is not renewed on and on where the clock of this computer is wrong', async () => {
    let count = 1;
    // Expired for hours, as this computer sees it.
    const old = () => token(count, 900, START / 1_000 - 10_000);
    live({ getAccessToken: old, refreshAccessToken: () => Promise.resolve((++count, old())) });
    await turn();
    FakeSocket.last.ready();
    const before = count;
    for (let second = 0; second < 60; second += 1) {
      await pass(1);
      FakeSocket.last.ready();
    }
    expect(count - before).toBeLessThanOrEqual(12);
    expect(FakeSocket.all).toHaveLength(1);
  });

  it('is tried again where no other token could be had', async () => {
    const getAccessToken = () => token(1, 900, START / 1_000);
    const refreshAccessToken = vi.fn(() => Promise.reject<string | null>(localError('network', 'no network')));
    const { connection } = live({ getAccessToken, refreshAccessToken });
    await turn();
    FakeSocket.last.ready();
    for (let second = 0; second < 870; second += 30) {
      await pass(30);
      FakeSocket.last.say({ type: 'contacts' });
    }
    expect(refreshAccessToken.mock.calls.length).toBeGreaterThan(2);
    expect(connection.state.status).toBe('open');
  });
});

describe('4001', () => {
  it('brings another token, and another WebSocket at once', async () => {
    const { renewed, ...options } = tokens();
    const { states } = live(options);
    await turn();
    FakeSocket.last.ready();
    await pass(30);
    FakeSocket.last.end(4001, 'token expired');
    await turn();
    expect(renewed()).toBe(1);
    expect(FakeSocket.all).toHaveLength(2);
    expect(turnOf(FakeSocket.last.protocols?.[1])).toBe(2);
    FakeSocket.last.ready();
    expect(states).toEqual(['open', 'connecting token_refused', 'open']);
  });

  it('again and again is met with waits', async () => {
    const { renewed, ...options } = tokens();
    FakeSocket.onOpen = (socket) => queueMicrotask(() => socket.end(4001));
    const { connection } = live(options);
    await pass(8);
    expect(seconds(FakeSocket.all.map(({ openedAt }) => openedAt - START))).toEqual([0, 0, 1, 3, 7]);
    expect(renewed()).toBe(4);
    // That is no reason to do without.
    expect(connection.state.status).toBe('connecting');
  });

  it('ends it where the session has ended', async () => {
    const refreshAccessToken = vi.fn(() => Promise.resolve(null));
    const { connection } = live({ refreshAccessToken });
    await turn();
    FakeSocket.last.ready();
    FakeSocket.last.end(4001);
    await pass(60);
    expect(refreshAccessToken).toHaveBeenCalledTimes(1);
    expect(connection.state).toMatchObject({ status: 'closed', reason: { code: 'session_ended' } });
    expect(FakeSocket.all).toHaveLength(1);
  });

  it('ends it where tokens can\'t be renewed, unless there is another', async () => {
    let current = 'token-1';
    const { connection } = live({ getAccessToken: () => current });
    await turn();
    FakeSocket.last.ready();
    current = 'token-2';
    FakeSocket.last.end(4001);
    await turn();
    expect(FakeSocket.last.protocols).toEqual(['bearer', 'token-2']);
    FakeSocket.last.end(4001);
    await pass(5);
    expect(connection.state.status).toBe('closed');
  });

  it('waits where no answer could be had', async () => {
    const refreshAccessToken = vi.fn(() => Promise.reject<string | null>(localError('network', 'no network')));
    const { states } = live({ refreshAccessToken });
    await turn();
    FakeSocket.last.ready();
    FakeSocket.last.end(4001);
    await pass(10);
    expect(refreshAccessToken).toHaveBeenCalledTimes(4);
    expect(states.at(-1)).toBe('connecting network');
  });
});

describe('a token that can\'t be had', () => {
  it('ends it where nobody is logged in', async () => {
    const { connection } = live({
      getAccessToken: () => {
        throw localError('not_logged_in', 'Nobody is logged in.', 401);
      },
    });
    await turn();
    expect(connection.state).toMatchObject({ status: 'closed', reason: { code: 'not_logged_in' } });
  });

  it('that has expired is renewed before it is shown', async () => {
    const refreshAccessToken = vi.fn(() => Promise.resolve(token(2)));
    live({ getAccessToken: () => token(1, 10, START / 1_000 - 60), refreshAccessToken });
    await turn();
    expect(turnOf(FakeSocket.last.protocols?.[1])).toBe(2);
  });
});
