import { describe, expect, it, vi } from 'vitest';
import { HeartbeatClient, LastseenError, memoryStorage, sessionIdOf, webStorage } from '../src/index.js';
import { pass } from './support/heartbeat.js';
import { accessToken, noNetwork, problem, silence } from './support/server.js';
import { ANN, session, SessionServer, useFakeTime } from './support/session.js';

useFakeTime();

async function loggedIn(...given: Parameters<typeof session>) {
  const made = session(...given);
  await made.session.login(ANN);
  return made;
}

describe('log-in', () => {
  it('keeps the tokens and answers the rest', async () => {
    const { session: one, server } = session();
    const changed = vi.fn();
    one.on('changed', changed);
    expect(one.loggedIn).toBe(false);
    expect(await one.login({ ...ANN, device: 'laptop' })).toEqual({
      user: { id: 7, username: 'ann', role: 'user' },
      heartbeatIntervalSeconds: 30,
      inactivityTimeoutSeconds: 120,
      awayAfterSeconds: 300,
    });
    expect(server.got[0]).toMatchObject({
      method: 'POST',
      url: 'https://presence.example/api/users/login/',
      body: { username: 'ann', password: 'right', device: 'laptop' },
      token: null,
    });
    expect(one.getAccessToken()).toBe(accessToken(1, 1));
    expect(one.sessionId).toBe('1');
    expect(changed.mock.calls).toEqual([[{ loggedIn: true, sessionId: '1' }]]);
  });

  it('leaves out the device where there is none', async () => {
    const { server } = await loggedIn();
    expect(server.got[0]?.body).toEqual(ANN);
  });

  it('throws what the server says', async () => {
    const { session: one, ended } = session();
    const error: unknown = await one.login({ ...ANN, password: 'wrong' }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(LastseenError);
    expect(error).toMatchObject({
      code: 'invalid_credentials',
      status: 401,
      message: 'Detail of invalid_credentials.',
      reason: { code: 'invalid_credentials', detail: 'Detail of invalid_credentials.' },
      problem: { type: '/api/docs/#invalid_credentials', title: 'Title of invalid_credentials' },
    });
    expect(one.loggedIn).toBe(false);
    expect(ended).not.toHaveBeenCalled();
  });

  it('throws where no answer comes, or a strange one', async () => {
    const { session: one, server } = session();
    server.once(noNetwork, silence, () => new Response('<h1>Welcome to the hotel</h1>'));
    await expect(one.login(ANN)).rejects.toMatchObject({ code: 'network', status: 0 });
    const slow = one.login(ANN);
    slow.catch(() => undefined);
    await pass(15);
    await expect(slow).rejects.toMatchObject({ code: 'timeout' });
    await expect(one.login(ANN)).rejects.toMatchObject({ code: 'unexpected_answer' });
    expect(one.loggedIn).toBe(false);
  });

  it('says when to try again', async () => {
    const { session: one, server } = session();
    server.once(() => problem(429, 'too_many_requests', 7));
    await expect(one.login(ANN)).rejects.toMatchObject({ code: 'too_many_requests', retryAfterMs: 7_000 });
  });
});

describe('log-out', () => {
  it('erases the tokens at once, and tells the server', async () => {
    const { session: one, server, ended } = await loggedIn();
    const going = one.logout();
    expect(one.loggedIn).toBe(false);
    expect(() => one.getAccessToken()).toThrow(expect.objectContaining({ code: 'not_logged_in' }));
    await going;
    expect(server.got[1]).toMatchObject({ path: '/api/users/logout/', token: accessToken(1, 1), body: undefined });
    expect(server.ended.has(1)).toBe(true);
    expect(ended).not.toHaveBeenCalled();
    await one.logout();
    expect(server.got).toHaveLength(2);
  });

  it('may be from everywhere', async () => {
    const { session: one, server } = await loggedIn();
    await one.logout({ everywhere: true });
    expect(server.got[1]?.body).toEqual({ everywhere: true });
  });

  it('refreshes a token that has expired, without keeping it', async () => {
    const { session: one, server } = await loggedIn();
    server.expire(1);
    await one.logout();
    expect(server.ended.has(1)).toBe(true);
    expect(one.loggedIn).toBe(false);
    expect(server.paths().slice(1)).toEqual([
      '/api/users/logout/',
      '/api/users/token/refresh/',
      '/api/users/logout/',
    ]);
  });

  it('is done where the session has ended already, and says where the server was not told', async () => {
    const { session: one, server } = await loggedIn();
    server.once(() => problem(401, 'session_ended'));
    await one.logout();
    await one.login(ANN);
    server.once(noNetwork);
    await expect(one.logout()).rejects.toMatchObject({ code: 'network' });
    expect(one.loggedIn).toBe(false);
  });

  it('is not undone by a refresh that was on its way', async () => {
    const { session: one, server } = await loggedIn();
    const refreshed = one.refresh();
    await one.logout();
    expect(await refreshed).toBeNull();
    expect(one.loggedIn).toBe(false);
    expect(server.refreshes).toBe(1);
  });
});

describe('refresh', () => {
  it('turns the tokens', async () => {
    const { session: one, server } = await loggedIn();
    expect(await one.refresh()).toBe(accessToken(1, 2));
    expect(one.getAccessToken()).toBe(accessToken(1, 2));
    expect(server.got[1]).toMatchObject({ body: { refresh: '1.1' }, token: null });
    await one.refresh();
    expect(server.got[2]?.body).toEqual({ refresh: '1.2' });
  });

  it('is one for all that wait', async () => {
    const { session: one, server } = await loggedIn();
    const all = await Promise.all([one.refresh(), one.refresh(accessToken(1, 1)), one.refresh()]);
    expect(all).toEqual(Array(3).fill(accessToken(1, 2)));
    expect(server.refreshes).toBe(1);
  });

  it('is none where the expired token is no longer the current one', async () => {
    const { session: one, server } = await loggedIn();
    await one.refresh();
    expect(await one.refresh(accessToken(1, 1))).toBe(accessToken(1, 2));
    expect(server.refreshes).toBe(1);
  });

  it('asks again soon where the answer was lost, while the server still gives it', async () => {
    const { session: one, server } = await loggedIn();
    server.once(
      (got) => {
        void server.answering(got);
        return noNetwork();
      },
      noNetwork,
    );
    const refreshed = one.refresh();
    await pass(2);
    expect(await refreshed).toBe(accessToken(1, 2));
    expect(server.refreshes).toBe(3);
  });

  it('fails after three tries, and the session goes on', async () => {
    const { session: one, server, ended } = await loggedIn();
    server.once(noNetwork, noNetwork, noNetwork);
    const refreshed = one.refresh();
    refreshed.catch(() => undefined);
    await pass(2);
    await expect(refreshed).rejects.toMatchObject({ code: 'network' });
    expect(one.loggedIn).toBe(true);
    expect(ended).not.toHaveBeenCalled();
    expect(await one.refresh()).toBe(accessToken(1, 2));
  });

  it('does not hang on a server that is silent', async () => {
    const { session: one, server } = await loggedIn();
    server.once(silence);
    const refreshed = one.refresh();
    await pass(4.5);
    expect(await refreshed).toBe(accessToken(1, 2));
  });

  it('passes on what the server says, and the session goes on', async () => {
    const { session: one, server } = await loggedIn();
    server.once(() => problem(503, 'conflicting_change', 1));
    await expect(one.refresh()).rejects.toMatchObject({ code: 'conflicting_change', retryAfterMs: 1_000 });
    expect(one.loggedIn).toBe(true);
  });

  it.each([
    [401, 'refresh_reused'],
    [401, 'session_ended'],
    [401, 'token_invalid'],
    [403, 'account_suspended'],
  ])('that is refused with %i %s ends the session', async (status, code) => {
    const { session: one, server, ended } = await loggedIn();
    server.once(() => problem(status, code));
    expect(await one.refresh()).toBeNull();
    expect(one.loggedIn).toBe(false);
    expect(ended.mock.calls).toEqual([[{ code, detail: `Detail of ${code}.` }]]);
    expect(await one.refresh()).toBeNull();
  });
});

describe('with a heartbeat', () => {
  it('an expired token is refreshed, and an ended session ends both', async () => {
    const { session: one, server, ended } = await loggedIn();
    const heartbeat = new HeartbeatClient({
      baseUrl: 'https://presence.example',
      intervalSeconds: 30,
      getAccessToken: one.getAccessToken,
      refreshAccessToken: one.refresh,
      fetch: server.fetch,
      logger: false,
      environment: {},
    });
    heartbeat.on('stopped', ({ reason, refused }) => {
      if (refused) one.end(reason);
    });
    server.expire(1);
    heartbeat.start();
    await pass(0);
    expect(heartbeat.state.status).toBe('running');
    expect(server.refreshes).toBe(1);
    heartbeat.stop('the page shows something else');
    expect(one.loggedIn).toBe(true);
    heartbeat.start();
    server.ended.add(1);
    await pass(30);
    expect(heartbeat.state.reason?.code).toBe('session_ended');
    expect(ended.mock.calls).toEqual([[{ code: 'session_ended', detail: 'Detail of session_ended.' }]]);
    expect(one.loggedIn).toBe(false);
  });
});

describe('storage', () => {
  const pair = { access: 'a', refresh: 'r' };

  it('may be web storage, where a session is taken up after a reload', async () => {
    const kept = new Map<string, string>();
    const store = {
      getItem: (key: string) => kept.get(key) ?? null,
      setItem: (key: string, value: string) => void kept.set(key, value),
      removeItem: (key: string) => void kept.delete(key),
    };
    const server = new SessionServer();
    const { session: one } = await loggedIn(server, { storage: webStorage(store) });
    expect([...kept.keys()]).toEqual(['lastseen.session']);
    const { session: again } = session(server, { storage: webStorage(store) });
    expect(again.getAccessToken()).toBe(one.getAccessToken());
    await again.logout();
    expect(kept.size).toBe(0);
  });

  it.each(['', 'null', '{}', '[]', '"text"', '{"access":1,"refresh":2}', '{"access":"a"'])(
    'with %j in it holds no session',
    (text) => {
      const store = { getItem: () => text, setItem: () => undefined, removeItem: () => undefined };
      expect(webStorage(store).read()).toBeNull();
    },
  );

  it('that is full or forbidden is made up for by memory', () => {
    const no = () => {
      throw new DOMException('no', 'QuotaExceededError');
    };
    const storage = webStorage({ getItem: no, setItem: no, removeItem: no });
    expect(storage.read()).toBeNull();
    storage.write(pair);
    expect(storage.read()).toEqual(pair);
    storage.erase();
    expect(storage.read()).toBeNull();
  });

  it('in memory is of one object', () => {
    const [one, other] = [memoryStorage(), memoryStorage()];
    one.write(pair);
    expect([one.read(), other.read()]).toEqual([pair, null]);
  });
});

describe("a session's id", () => {
  it('is read from the access token', () => {
    expect(sessionIdOf(accessToken(42))).toBe('42');
    expect(sessionIdOf('opaque')).toBeNull();
    expect(sessionIdOf('a.b.c')).toBeNull();
    expect(sessionIdOf('')).toBeNull();
  });
});
