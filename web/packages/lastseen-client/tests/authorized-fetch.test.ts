import { describe, expect, it } from 'vitest';
import { accessToken, noNetwork, problem } from './support/server.js';
import { pass } from './support/heartbeat.js';
import { ANN, session, useFakeTime } from './support/session.js';

useFakeTime();

async function loggedIn(...given: Parameters<typeof session>) {
  const made = session(...given);
  await made.session.login(ANN);
  made.server.got.length = 0;
  return { ...made, fetch: made.session.authorizedFetch };
}

describe('a request', () => {
  it('goes to the server with the token, whatever its form', async () => {
    const { fetch, server } = await loggedIn();
    await fetch('/api/users/me/');
    await fetch('https://presence.example/api/users/me/');
    await fetch(new URL('https://presence.example/api/users/me/'));
    await fetch(new Request('https://presence.example/api/users/me/'));
    expect(server.got.map(({ url }) => url)).toEqual(Array(4).fill('https://presence.example/api/users/me/'));
    expect(server.tokens()).toEqual(Array(4).fill(accessToken(1, 1)));
  });

  it('keeps its method, headers and body', async () => {
    const { fetch } = await loggedIn();
    const init = { method: 'PATCH', headers: { 'Content-Type': 'application/json', 'If-Match': 'x' }, body: '{"a":1}' };
    const plain = await fetch('/api/users/me/', init);
    expect(await plain.json()).toMatchObject({ body: { a: 1 } });
    const request = new Request('https://presence.example/api/users/me/', init);
    const made = await fetch(request);
    expect(await made.json()).toMatchObject({ body: { a: 1 } });
  });

  it.each([
    'https://elsewhere.example/api/users/me/',
    '//elsewhere.example/api/users/me/',
    'http://presence.example/api/users/me/',
    'https://presence.example:8443/',
  ])('to %s is refused: the token is not for it', async (address) => {
    const { fetch, server } = await loggedIn(undefined, { environment: { href: 'https://page.example/' } });
    await expect(fetch(address)).rejects.toThrow(TypeError);
    expect(server.got).toHaveLength(0);
  });

  it("may go to the page's own origin", async () => {
    const { fetch, server } = await loggedIn(undefined, { baseUrl: '', environment: { href: 'https://page.example/x' } });
    await fetch('/api/users/me/');
    await fetch('https://page.example/api/users/me/');
    await expect(fetch('https://presence.example/api/users/me/')).rejects.toThrow(TypeError);
    await expect(fetch('/\\presence.example/')).rejects.toThrow(TypeError);
    expect(server.got.map(({ url }) => url)).toEqual(['/api/users/me/', 'https://page.example/api/users/me/']);
  });

  it('is not sent where nobody is logged in', async () => {
    const { session: one, server } = session();
    await expect(one.authorizedFetch('/api/users/me/')).rejects.toMatchObject({ code: 'not_logged_in', status: 401 });
    expect(server.got).toHaveLength(0);
  });
});

describe('an expired token', () => {
  it('is refreshed, and the request repeated once', async () => {
    const { fetch, server } = await loggedIn();
    server.expire(1);
    const response = await fetch('/api/users/me/');
    expect(response.status).toBe(200);
    expect(server.tokens()).toEqual([accessToken(1, 1), null, accessToken(1, 2)]);
  });

  it('is refreshed once for many requests', async () => {
    const { fetch, server } = await loggedIn();
    server.expire(1);
    const all = await Promise.all(Array.from({ length: 10 }, (_, index) => fetch(`/api/users/${index}/`)));
    expect(all.map(({ status }) => status)).toEqual(Array(10).fill(200));
    expect(server.refreshes).toBe(1);
    expect(server.got).toHaveLength(21);
  });

  it('is refreshed once also where some answers come late', async () => {
    const { fetch, server } = await loggedIn();
    server.expire(1);
    server.once(() => new Promise((resolve) => setTimeout(() => resolve(problem(401, 'token_expired')), 9_000)));
    const late = fetch('/api/users/1/');
    await fetch('/api/users/2/');
    await pass(9);
    expect((await late).status).toBe(200);
    expect(server.refreshes).toBe(1);
  });

  it('has the body sent again', async () => {
    const { fetch, server } = await loggedIn();
    const init = { method: 'POST', body: '{"ids":[1,2]}' };
    server.expire(1);
    expect(await (await fetch('/api/users/presence/', init)).json()).toMatchObject({ body: { ids: [1, 2] } });
    server.expire(1);
    const request = new Request('https://presence.example/api/users/presence/', init);
    expect(await (await fetch(request)).json()).toMatchObject({ body: { ids: [1, 2] } });
    expect(server.refreshes).toBe(2);
  });

  it('is refreshed for a streamed body, which can not be sent again', async () => {
    const { fetch, session: one, server } = await loggedIn();
    server.expire(1);
    const body = new ReadableStream({ start: (stream) => stream.close() });
    const response = await fetch('/api/users/me/', { method: 'PATCH', body, duplex: 'half' } as RequestInit);
    expect(response.status).toBe(401);
    expect(one.getAccessToken()).toBe(accessToken(1, 2));
    expect(server.got).toHaveLength(2);
  });

  it('is not refreshed for ever', async () => {
    const { fetch, server, ended } = await loggedIn();
    server.once(
      () => problem(401, 'token_expired'),
      server.answering,
      () => problem(401, 'token_expired'),
    );
    expect((await fetch('/api/users/me/')).status).toBe(401);
    expect(server.refreshes).toBe(1);
    expect(ended).not.toHaveBeenCalled();
  });

  it('throws where the refresh fails, and the session goes on', async () => {
    const { fetch, session: one, server, ended } = await loggedIn();
    server.expire(1);
    server.once(() => problem(401, 'token_expired'), noNetwork, noNetwork, noNetwork);
    const response = fetch('/api/users/me/');
    response.catch(() => undefined);
    await pass(2);
    await expect(response).rejects.toMatchObject({ code: 'network' });
    expect(one.loggedIn).toBe(true);
    expect(ended).not.toHaveBeenCalled();
    expect((await fetch('/api/users/me/')).status).toBe(200);
  });

  it('of a session that has ended answers the refusal', async () => {
    const { fetch, session: one, server, ended } = await loggedIn();
    server.expire(1);
    server.ended.add(1);
    const response = await fetch('/api/users/me/');
    expect(await response.json()).toMatchObject({ code: 'token_expired' });
    expect(ended.mock.calls).toEqual([[{ code: 'session_ended', detail: 'Detail of session_ended.' }]]);
    expect(one.loggedIn).toBe(false);
  });
});

describe('a refusal', () => {
  it.each([
    [401, 'session_ended'],
    [401, 'token_invalid'],
    [403, 'account_banned'],
  ])('of %i %s ends the session, and can still be read', async (status, code) => {
    const { fetch, session: one, server, ended } = await loggedIn();
    server.once(() => problem(status, code));
    const response = await fetch('/api/users/me/');
    expect(await response.json()).toMatchObject({ code });
    expect(ended.mock.calls).toEqual([[{ code, detail: `Detail of ${code}.` }]]);
    expect(one.loggedIn).toBe(false);
  });

  it.each([
    [403, 'forbidden'],
    [401, 'invalid_credentials'],
    [404, 'user_not_found'],
    [503, 'engine_unavailable'],
  ])('of %i %s does not', async (status, code) => {
    const { fetch, session: one, server, ended } = await loggedIn();
    server.once(() => problem(status, code));
    expect((await fetch('/api/users/me/')).status).toBe(status);
    expect(one.loggedIn).toBe(true);
    expect(ended).not.toHaveBeenCalled();
  });

  it('to an earlier session does not end the one that is logged in now', async () => {
    const { fetch, session: one, server, ended } = await loggedIn();
    server.once(() => new Promise((resolve) => setTimeout(() => resolve(problem(401, 'session_ended')), 1_000)));
    const late = fetch('/api/users/me/');
    await one.logout();
    await one.login(ANN);
    await pass(1);
    expect((await late).status).toBe(401);
    expect(one.sessionId).toBe('2');
    expect(ended).not.toHaveBeenCalled();
  });

  it('to many requests is told once', async () => {
    const { fetch, server, ended } = await loggedIn();
    server.ended.add(1);
    await Promise.all([1, 2, 3].map((id) => fetch(`/api/users/${id}/`)));
    expect(ended).toHaveBeenCalledTimes(1);
  });
});
