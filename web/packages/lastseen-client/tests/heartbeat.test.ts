import { describe, expect, it, vi } from 'vitest';
import { HeartbeatClient } from '../src/index.js';
import type { HeartbeatState } from '../src/index.js';
import { heartbeat, pass, seconds, START, useFakeTime } from './support/heartbeat.js';
import { noNetwork, online } from './support/server.js';

useFakeTime();

describe('a heartbeat', () => {
  it('is a POST with the token and without a body', async () => {
    const { client, server } = heartbeat({ baseUrl: 'https://presence.example/' });
    client.start();
    await pass(0);
    expect(server.got).toHaveLength(1);
    expect(server.got[0]).toMatchObject({
      method: 'POST',
      url: 'https://presence.example/api/users/heartbeat/',
      token: 'token-1',
      body: undefined,
      keepalive: false,
    });
    expect(server.got[0]?.headers.has('Content-Type')).toBe(false);
  });

  it('goes out at the start and then every interval', async () => {
    const { client, server } = heartbeat();
    client.start();
    await pass(95);
    expect(seconds(server.times(START))).toEqual([0, 30, 60, 90]);
  });

  it('keeps to the interval although answers take their time', async () => {
    const { client, server } = heartbeat();
    server.answering = () => new Promise((resolve) => setTimeout(() => resolve(online()), 2_000));
    client.start();
    await pass(95);
    expect(seconds(server.times(START))).toEqual([0, 30, 60, 90]);
  });

  it('is jittered by 5 % either way, and never later than the interval', async () => {
    const { client, server } = heartbeat({ random: Math.random });
    client.start();
    await pass(30 * 200);
    const times = server.times(START);
    const gaps = times.slice(1).map((at, index) => at - (times[index] ?? 0));
    expect(Math.max(...gaps)).toBeLessThanOrEqual(30_000);
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(27_000);
    expect(Math.max(...gaps) - Math.min(...gaps)).toBeGreaterThan(2_000);
  });

  it('asks for the token each time, also where that takes a while', async () => {
    let turn = 0;
    const { client, server } = heartbeat({ getAccessToken: () => Promise.resolve(`token-${++turn}`) });
    client.start();
    await pass(31);
    expect(server.tokens()).toEqual(['token-1', 'token-2']);
  });

  it('goes out at once by beat(), which answers what the server says', async () => {
    const { client, server } = heartbeat();
    client.start();
    await pass(10);
    const answer = client.beat();
    await pass(0);
    expect((await answer)?.online_until).toBe('2026-01-01T12:02:10.000Z');
    await pass(29);
    expect(seconds(server.times(START))).toEqual([0, 10]);
    await pass(1);
    expect(seconds(server.times(START))).toEqual([0, 10, 40]);
  });

  it('is one for all that call beat() at the same time', async () => {
    const { client, server } = heartbeat();
    client.start();
    const answers = Promise.all([client.beat(), client.beat(), client.beat()]);
    await pass(0);
    expect((await answers).every((answer) => answer !== null)).toBe(true);
    expect(server.got).toHaveLength(1);
  });

  it('is not sent before the start or after the stop', async () => {
    const { client, server } = heartbeat();
    expect(await client.beat()).toBeNull();
    client.start();
    await pass(0);
    client.stop();
    expect(await client.beat()).toBeNull();
    await pass(120);
    expect(server.got).toHaveLength(1);
  });
});

describe('the interval', () => {
  it('can be shortened: the next heartbeat comes sooner', async () => {
    const { client, server } = heartbeat();
    client.start();
    await pass(5);
    client.setInterval(10);
    expect(client.intervalSeconds).toBe(10);
    await pass(20);
    expect(seconds(server.times(START))).toEqual([0, 10, 20]);
  });

  it('can be lengthened', async () => {
    const { client, server } = heartbeat({ intervalSeconds: 10 });
    client.start();
    await pass(5);
    client.setInterval(60);
    await pass(60);
    expect(seconds(server.times(START))).toEqual([0, 60]);
  });

  it('may be shorter than a second', async () => {
    const { client, server } = heartbeat({ intervalSeconds: 0.2 });
    client.start();
    await pass(1.05);
    expect(seconds(server.times(START))).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1]);
  });

  it('must be one', () => {
    expect(() => heartbeat({ intervalSeconds: 0 })).toThrow(RangeError);
    expect(() => heartbeat({ intervalSeconds: NaN })).toThrow(RangeError);
    expect(() => heartbeat().client.setInterval(-1)).toThrow(RangeError);
  });
});

describe('the state', () => {
  it('tells what goes on, as an object that is never changed', async () => {
    const states: HeartbeatState[] = [];
    const { client } = heartbeat({ onState: (state) => states.push(state) });
    const idle = client.state;
    expect(idle).toEqual({ status: 'idle', lastBeat: null, onlineUntil: null, reason: null, leading: false });
    client.start();
    await pass(0);
    const [lastBeat, onlineUntil] = [new Date(START), new Date(START + 120_000)];
    expect(client.state).toEqual({ status: 'running', lastBeat, onlineUntil, reason: null, leading: true });
    expect(idle.status).toBe('idle');
    client.stop('logged out');
    const reason = { code: 'logged out', detail: 'logged out' };
    expect(client.state).toEqual({ status: 'stopped', lastBeat, onlineUntil, reason, leading: false });
    expect(states.at(-1)).toBe(client.state);
  });

  it('takes a code and a sentence for a reason', () => {
    const { client } = heartbeat();
    client.start();
    client.stop({ code: 'bye', detail: 'Good-bye.' });
    expect(client.state.reason).toEqual({ code: 'bye', detail: 'Good-bye.' });
  });

  it('begins anew after a stop and a start', async () => {
    const { client, server } = heartbeat();
    client.start();
    await pass(0);
    client.stop();
    client.start();
    expect(client.state).toMatchObject({ status: 'running', lastBeat: null, reason: null });
    await pass(30);
    expect(seconds(server.times(START))).toEqual([0, 0, 30]);
  });

  it('is not disturbed by a second start or stop', async () => {
    const { client, server } = heartbeat();
    client.stop();
    expect(client.state.status).toBe('idle');
    client.start();
    client.start();
    await pass(30);
    expect(server.got).toHaveLength(2);
    client.stop('one');
    client.stop('two');
    expect(client.state.reason?.code).toBe('one');
  });
});

describe('the events', () => {
  it('tell of heartbeats, of leading and of the stop', async () => {
    const { client } = heartbeat();
    const seen: unknown[] = [];
    client.on('beat', (event) => seen.push(['beat', event]));
    client.on('leader', (event) => seen.push(['leader', event]));
    client.on('stopped', (event) => seen.push(['stopped', event]));
    client.start();
    await pass(0);
    client.stop('done');
    expect(seen).toEqual([
      ['leader', { leading: true }],
      ['beat', { at: new Date(START), onlineUntil: new Date(START + 120_000), sentHere: true }],
      ['leader', { leading: false }],
      ['stopped', { reason: { code: 'done', detail: 'done' }, refused: false }],
    ]);
  });

  it('are told until the listener is taken off', async () => {
    const { client } = heartbeat();
    const listener = vi.fn();
    const off = client.on('beat', listener);
    client.start();
    await pass(0);
    off();
    await pass(60);
    expect(listener).toHaveBeenCalledTimes(1);
  });

  it('survive a listener that throws', async () => {
    const said = vi.spyOn(console, 'error').mockImplementation(() => undefined);
    const { client, server } = heartbeat();
    const listener = vi.fn();
    client.on('beat', () => {
      throw new Error('a bug of the page');
    });
    client.on('beat', listener);
    client.start();
    await pass(60);
    expect(listener).toHaveBeenCalledTimes(3);
    expect(server.got).toHaveLength(3);
    expect(said).toHaveBeenCalledTimes(3);
    said.mockRestore();
  });

  it('allow a stop from a listener', async () => {
    const { client, server } = heartbeat();
    client.on('beat', () => client.stop('enough'));
    client.start();
    await pass(120);
    expect(server.got).toHaveLength(1);
    expect(client.state.status).toBe('stopped');
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('the log', () => {
  it('says each heartbeat in the console at debug level', async () => {
    const debug = vi.spyOn(console, 'debug').mockImplementation(() => undefined);
    const { client, server } = heartbeat();
    const { client: loud } = heartbeat({ fetch: server.fetch });
    client.start();
    await pass(0);
    expect(debug).not.toHaveBeenCalled();
    loud.stop();
    const said = new HeartbeatClient({
      baseUrl: 'https://presence.example',
      intervalSeconds: 30,
      getAccessToken: () => 'token-1',
      fetch: server.fetch,
      environment: {},
    });
    said.start();
    await pass(0);
    expect(debug.mock.calls).toEqual([['[lastseen] heartbeat: online until 2026-01-01T12:02:00.000Z']]);
    said.stop();
    debug.mockRestore();
  });

  it('goes to the logger that is given, failures too', async () => {
    const logger = { debug: vi.fn() };
    const { client, server } = heartbeat({ logger });
    server.answering = noNetwork;
    client.start();
    await pass(0);
    client.stop('done');
    expect(logger.debug.mock.calls.flat()).toEqual([
      '[lastseen] heartbeat failed (network): again in 1.0 s',
      '[lastseen] heartbeat stopped: done',
    ]);
  });
});

it('leaves no timers behind', async () => {
  const { client } = heartbeat();
  client.start();
  await pass(45);
  client.stop();
  expect(vi.getTimerCount()).toBe(0);
});

it('takes a request back when it is stopped', async () => {
  const { client, server } = heartbeat();
  server.answering = () => new Promise(() => undefined);
  client.start();
  await pass(1);
  client.stop('done');
  await pass(0);
  expect(server.got[0]?.signal?.aborted).toBe(true);
  await pass(100);
  expect(client.state.reason?.code).toBe('done');
});
