import { describe, expect, it, vi } from 'vitest';
import { LastseenError } from '../src/index.js';
import { problemFrom } from '../src/problem.js';
import { heartbeat, pass, seconds, START, useFakeTime } from './support/heartbeat.js';
import { problem } from './support/server.js';

useFakeTime();

const expired = () => problem(401, 'token_expired');

describe('an expired token', () => {
  it('is refreshed, and the heartbeat sent again at once', async () => {
    const refreshAccessToken = vi.fn().mockResolvedValue('token-2');
    const { client, server } = heartbeat({ refreshAccessToken });
    server.once(expired);
    client.start();
    await pass(0);
    expect(refreshAccessToken.mock.calls).toEqual([['token-1']]);
    expect(server.tokens()).toEqual(['token-1', 'token-2']);
    expect(client.state.status).toBe('running');
  });

  it('is refreshed once for all that wait', async () => {
    const refreshAccessToken = vi.fn(
      () => new Promise<string>((resolve) => setTimeout(() => resolve('token-2'), 500)),
    );
    const { client, server } = heartbeat({ refreshAccessToken });
    server.once(expired);
    client.start();
    await pass(0.1);
    const answers = Promise.all([client.beat(), client.beat()]);
    await pass(1);
    expect((await answers).every((answer) => answer !== null)).toBe(true);
    expect(refreshAccessToken).toHaveBeenCalledTimes(1);
    expect(server.got).toHaveLength(2);
  });

  it('is refreshed once also where the heartbeat is begun anew in the meantime', async () => {
    const refreshAccessToken = vi.fn(
      () => new Promise<string>((resolve) => setTimeout(() => resolve('token-2'), 3_000)),
    );
    const { client, server } = heartbeat({ refreshAccessToken });
    server.once(expired, expired);
    client.start();
    await pass(1);
    client.stop();
    client.start();
    await pass(3);
    expect(refreshAccessToken).toHaveBeenCalledTimes(1);
    expect(server.tokens()).toEqual(['token-1', 'token-1', 'token-2']);
  });

  it('ends it where there is no way to refresh', async () => {
    const { client, server } = heartbeat();
    server.answering = expired;
    client.start();
    await pass(60);
    expect(client.state).toMatchObject({
      status: 'stopped',
      reason: { code: 'token_expired', detail: 'Detail of token_expired.' },
    });
    expect(server.got).toHaveLength(1);
  });

  it('ends it where there is none to be had', async () => {
    const { client, server } = heartbeat({ refreshAccessToken: () => Promise.resolve(null) });
    server.answering = expired;
    client.start();
    await pass(60);
    expect(client.state).toMatchObject({ status: 'stopped', reason: { code: 'token_expired' } });
    expect(server.got).toHaveLength(1);
  });

  it('ends it with the reason why there is none', async () => {
    const refused = new LastseenError(problemFrom(401, { code: 'refresh_reused', detail: 'Used twice.' }));
    const { client, server } = heartbeat({ refreshAccessToken: () => Promise.reject(refused) });
    server.answering = expired;
    client.start();
    await pass(0);
    expect(client.state.reason).toEqual({ code: 'refresh_reused', detail: 'Used twice.' });
  });

  it('is tried again later where the refresh failed', async () => {
    const refreshAccessToken = vi
      .fn()
      .mockRejectedValueOnce(new TypeError('fetch failed'))
      .mockRejectedValueOnce(new LastseenError(problemFrom(503, { code: 'conflicting_change' }), { retryAfterMs: 5_000 }))
      .mockResolvedValue('token-2');
    const { client, server } = heartbeat({ refreshAccessToken, random: () => 0 });
    server.once(expired, expired, expired);
    client.start();
    await pass(0);
    expect(client.state).toMatchObject({ status: 'backing-off', reason: { code: 'network' } });
    await pass(6);
    expect(seconds(server.times(START))).toEqual([0, 0.5, 5.5, 5.5]);
    expect(client.state.status).toBe('running');
  });

  it('that is expired again at once is no reason to end', async () => {
    const { client, server } = heartbeat({ refreshAccessToken: () => Promise.resolve('token-2') });
    server.once(expired, expired);
    client.start();
    await pass(0);
    expect(client.state).toMatchObject({ status: 'backing-off', reason: { code: 'token_expired' } });
    await pass(1);
    expect(client.state.status).toBe('running');
  });
});

describe('a refusal', () => {
  it.each([
    [401, 'token_invalid'],
    [401, 'session_ended'],
    [403, 'account_suspended'],
    [403, 'account_banned'],
    [403, 'account_inactive'],
  ])('of %i %s ends it, with the code and the sentence', async (status, code) => {
    const refreshAccessToken = vi.fn();
    const { client, server } = heartbeat({ refreshAccessToken });
    const stopped = vi.fn();
    client.on('stopped', stopped);
    client.start();
    await pass(0);
    server.answering = () => problem(status, code);
    await pass(300);
    const reason = { code, detail: `Detail of ${code}.` };
    expect(client.state).toMatchObject({ status: 'stopped', reason });
    expect(stopped.mock.calls).toEqual([[{ reason, refused: true }]]);
    expect(server.got).toHaveLength(2);
    expect(refreshAccessToken).not.toHaveBeenCalled();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('of no known form ends it too', async () => {
    const { client, server } = heartbeat();
    server.answering = () => new Response('no', { status: 403 });
    client.start();
    await pass(0);
    expect(client.state).toMatchObject({ status: 'stopped', reason: { code: 'http_403' } });
  });
});
