import { describe, expect, it, vi } from 'vitest';
import { backoffMs, paceMs } from '../src/heartbeat/pace.js';
import { localError } from '../src/problem.js';
import { heartbeat, pass, seconds, START, useFakeTime } from './support/heartbeat.js';
import { json, noNetwork, online, problem, silence } from './support/server.js';

useFakeTime();

describe('after a failure', () => {
  it.each([
    ['no network', noNetwork, 'network'],
    ['503', () => problem(503, 'engine_unavailable'), 'engine_unavailable'],
    ['429', () => problem(429, 'too_many_requests'), 'too_many_requests'],
    ['500', () => problem(500, 'internal'), 'internal'],
    ["a proxy's 502", () => new Response('<h1>Bad gateway</h1>', { status: 502 }), 'http_502'],
    ["a network's log-in page", () => new Response('<h1>Welcome to the hotel</h1>'), 'unexpected_answer'],
    ['a 200 of something else', () => json(null), 'unexpected_answer'],
  ])('of %s it backs off, twice as long each time, up to the interval', async (_, answering, code) => {
    const { client, server } = heartbeat();
    server.answering = answering;
    client.start();
    await pass(0);
    expect(client.state).toMatchObject({ status: 'backing-off', reason: { code } });
    await pass(130);
    expect(seconds(server.times(START))).toEqual([0, 1, 3, 7, 15, 31, 61, 91, 121]);
  });

  it('it goes on as before once an answer comes', async () => {
    const { client, server } = heartbeat();
    server.once(noNetwork, noNetwork);
    client.start();
    await pass(3);
    expect(client.state).toMatchObject({ status: 'running', reason: null });
    server.once(online, noNetwork);
    await pass(62);
    expect(seconds(server.times(START))).toEqual([0, 1, 3, 33, 63, 64]);
  });

  it('it says so in an event', async () => {
    const { client, server } = heartbeat();
    const seen = vi.fn();
    client.on('backoff', seen);
    server.once(noNetwork, () => problem(503, 'engine_unavailable', 4));
    client.start();
    await pass(2);
    expect(seen.mock.calls).toEqual([
      [{ reason: { code: 'network', detail: 'fetch failed' }, attempt: 1, delayMs: 1_000, sentHere: true }],
      [{
        reason: { code: 'engine_unavailable', detail: 'Detail of engine_unavailable.' },
        attempt: 2,
        delayMs: 4_400,
        sentHere: true,
      }],
    ]);
  });

  it('beat() answers null and throws nothing', async () => {
    const { client, server } = heartbeat();
    server.answering = noNetwork;
    client.start();
    const answer = client.beat();
    await pass(0);
    expect(await answer).toBeNull();
  });
});

describe('Retry-After', () => {
  it('is kept to, with some jitter', async () => {
    const { client, server } = heartbeat({ random: () => 0 });
    server.once(() => problem(503, 'overloaded', 20));
    client.start();
    await pass(21);
    expect(seconds(server.times(START))).toEqual([0, 20]);
  });

  it('may be longer than the interval', async () => {
    const { client, server } = heartbeat({ random: () => 0 });
    server.once(() => problem(429, 'too_many_requests', 45));
    client.start();
    await pass(46);
    expect(seconds(server.times(START))).toEqual([0, 45]);
  });

  it('may be a date', async () => {
    const { client, server } = heartbeat({ random: () => 0 });
    server.once(() => problem(503, 'overloaded', new Date(START + 12_000).toUTCString()));
    client.start();
    await pass(13);
    expect(seconds(server.times(START))).toEqual([0, 12]);
  });

  it('is believed for five minutes at most', async () => {
    const { client, server } = heartbeat({ random: () => 0 });
    server.once(() => problem(503, 'overloaded', 86_400));
    client.start();
    await pass(301);
    expect(seconds(server.times(START))).toEqual([0, 300]);
  });

  it.each(['soon', '', '-5'])('is ignored where it is %j', async (header) => {
    const { client, server } = heartbeat();
    server.once(() => problem(503, 'overloaded', header));
    client.start();
    await pass(2);
    expect(seconds(server.times(START))).toEqual([0, 1]);
  });
});

describe('a request without an answer', () => {
  it('is given up after half the interval, ten seconds at most', async () => {
    const { client, server } = heartbeat();
    server.answering = silence;
    client.start();
    await pass(9.9);
    expect(client.state.status).toBe('running');
    await pass(0.2);
    expect(client.state).toMatchObject({ status: 'backing-off', reason: { code: 'timeout' } });
    expect(server.got[0]?.signal?.aborted).toBe(true);
    await pass(14);
    expect(seconds(server.times(START))).toEqual([0, 11, 23]);
  });

  it('is given up after a time that is given', async () => {
    const { client, server } = heartbeat({ requestTimeoutSeconds: 2 });
    server.answering = silence;
    client.start();
    await pass(2);
    expect(client.state.reason?.code).toBe('timeout');
  });

  it('is given up also where its body does not end, and by a fetch that knows no signals', async () => {
    const { client, server } = heartbeat();
    const endless = () => new Response(new ReadableStream({ start: (body) => body.enqueue(new Uint8Array(1)) }));
    server.once(endless, () => new Promise(() => undefined));
    client.start();
    await pass(10);
    expect(client.state.reason?.code).toBe('timeout');
    await pass(12);
    expect(server.got).toHaveLength(2);
    expect(client.state.reason?.code).toBe('timeout');
  });
});

describe('a token that can not be had', () => {
  it('is a failure like any other', async () => {
    const getAccessToken = vi.fn().mockRejectedValueOnce(new Error('storage is locked')).mockResolvedValue('token-2');
    const { client, server } = heartbeat({ getAccessToken });
    client.start();
    await pass(0);
    expect(client.state).toMatchObject({ status: 'backing-off', reason: { detail: 'storage is locked' } });
    await pass(1);
    expect(server.tokens()).toEqual(['token-2']);
  });

  it.each([
    ['is empty', () => ''],
    ['is refused', () => Promise.reject(localError('not_logged_in', 'Nobody is logged in.', 401))],
  ])('ends it where it %s', async (_, getAccessToken) => {
    const { client, server } = heartbeat({ getAccessToken });
    client.start();
    await pass(0);
    expect(client.state).toMatchObject({ status: 'stopped', reason: { code: 'not_logged_in' } });
    expect(server.got).toHaveLength(0);
  });
});

describe('the arithmetic', () => {
  it('keeps backoff between half and the whole', () => {
    expect([1, 2, 3, 4, 5, 6, 7].map((n) => backoffMs(n, 30_000, null, () => 0))).toEqual([
      500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000,
    ]);
    expect(backoffMs(1_000, 30_000, null, () => 1)).toBe(30_000);
    expect(backoffMs(1, 200, null, () => 1)).toBe(200);
  });

  it('keeps the pace within 90 and 100 %', () => {
    expect(paceMs(30_000, () => 0)).toBe(27_000);
    expect(paceMs(30_000, () => 0.5)).toBeCloseTo(28_500);
    expect(paceMs(30_000, () => 1)).toBe(30_000);
  });
});
