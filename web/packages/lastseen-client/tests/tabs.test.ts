import { describe, expect, it, vi } from 'vitest';
import type { HeartbeatOptions } from '../src/index.js';
import { Browser, type Tab } from './support/browser.js';
import { heartbeat, pass, seconds, START, useFakeTime } from './support/heartbeat.js';
import { accessToken, noNetwork, online, problem } from './support/server.js';

useFakeTime();

function open(tab: Tab, options: Partial<HeartbeatOptions> = {}) {
  const made = heartbeat({ environment: tab.environment, sessionId: 1, ...options });
  made.client.start();
  return { tab, ...made };
}

/** Some tabs of one browser, each with a client that has started. */
async function tabs(count: number, options: Partial<HeartbeatOptions> = {}) {
  const browser = new Browser();
  const all = [];
  for (let made = 0; made < count; made += 1) {
    all.push(open(browser.tab(), options));
    await pass(0);
  }
  return { browser, all: all as [(typeof all)[0], (typeof all)[0], ...typeof all] };
}

describe('of several tabs', () => {
  it('one sends for all, from the start', async () => {
    const { all: [first, second, third] } = await tabs(3);
    await pass(95);
    expect(seconds(first.server.times(START))).toEqual([0, 30, 60, 90]);
    expect(second.server.got).toHaveLength(0);
    expect(third?.server.got).toHaveLength(0);
    expect([first, second].map(({ client }) => client.state.leading)).toEqual([true, false]);
  });

  it('each shows the same', async () => {
    const { all: [first, second] } = await tabs(2);
    const beats = vi.fn();
    second.client.on('beat', beats);
    expect(second.client.state).toEqual({ ...first.client.state, leading: false });
    await pass(30);
    expect(second.client.state).toEqual({ ...first.client.state, leading: false });
    expect(second.client.state.lastBeat).toEqual(new Date(START + 30_000));
    expect(beats.mock.calls.at(-1)).toEqual([
      { at: new Date(START + 30_000), onlineUntil: new Date(START + 150_000), sentHere: false },
    ]);
    first.server.answering = noNetwork;
    const backoffs = vi.fn();
    second.client.on('backoff', backoffs);
    await pass(30);
    expect(second.client.state).toMatchObject({ status: 'backing-off', reason: { code: 'network' } });
    expect(backoffs.mock.calls).toEqual([
      [{ reason: { code: 'network', detail: 'fetch failed' }, attempt: 1, delayMs: 1_000, sentHere: false }],
    ]);
    first.server.answering = online;
    await pass(5);
    expect(second.client.state.status).toBe('running');
  });

  it('one that comes later knows at once what the others know', async () => {
    const { browser, all: [first] } = await tabs(2);
    await pass(40);
    const late = open(browser.tab());
    await pass(0.1);
    expect(late.client.state).toEqual({ ...first.client.state, leading: false });
    expect(late.server.got).toHaveLength(0);
  });
});

describe('the lead', () => {
  it('passes on when the leading tab closes, with a heartbeat at once', async () => {
    const { all: [first, second, third] } = await tabs(3);
    const leader = vi.fn();
    second.client.on('leader', leader);
    await pass(10);
    first.tab.close();
    await pass(0);
    expect(leader.mock.calls).toEqual([[{ leading: true }]]);
    expect(seconds(second.server.times(START))).toEqual([10]);
    await pass(30);
    expect(seconds(second.server.times(START))).toEqual([10, 40]);
    expect(third?.client.state).toEqual({ ...second.client.state, leading: false });
    expect(third?.server.got).toHaveLength(0);
  });

  it('passes on when the leading tab crashes, or its client is stopped', async () => {
    const { all: [first, second, third] } = await tabs(3);
    await pass(10);
    first.tab.crash();
    await pass(10);
    expect(seconds(second.server.times(START))).toEqual([10]);
    second.client.stop('closed by the page');
    await pass(0);
    expect(third && seconds(third.server.times(START))).toEqual([20]);
    expect(third?.client.state.status).toBe('running');
  });

  it('is not waited for where it is silent: then another tab sends, too', async () => {
    const { all: [first, second, third] } = await tabs(3);
    first.tab.frozen = true;
    first.server.answering = () => new Promise(() => undefined);
    await pass(120);
    const others = [...second.server.times(START), ...(third?.server.times(START) ?? [])].sort((a, b) => a - b);
    expect(others[0]).toBeLessThanOrEqual(45_000);
    const gaps = others.slice(1).map((at, index) => at - (others[index] ?? 0));
    expect(Math.max(...gaps)).toBeLessThanOrEqual(45_000);
    expect(second.client.state.status).toBe('running');
  });

  it('is not shared between sessions', async () => {
    const browser = new Browser();
    const ann = open(browser.tab(), { sessionId: 1 });
    const bob = open(browser.tab(), { sessionId: 2 });
    await pass(30);
    expect([ann, bob].map(({ server }) => server.got.length)).toEqual([2, 2]);
    expect(browser.lockNames).toEqual([
      'lastseen-heartbeat:https://presence.example:1',
      'lastseen-heartbeat:https://presence.example:2',
    ]);
  });

  it('goes by the session in the access token where none is given', async () => {
    const browser = new Browser();
    const made = (sid: number, turn: number) => {
      const tab = browser.tab();
      const one = heartbeat({ environment: tab.environment, getAccessToken: () => accessToken(sid, turn) });
      one.client.start();
      return one;
    };
    const all = [made(1, 1), made(2, 1), made(1, 2)];
    await pass(30);
    expect(all.map(({ server }) => server.got.length)).toEqual([2, 2, 0]);
  });
});

describe('each tab sends', () => {
  it.each([
    ['there are no locks', { locks: true } as const, {}],
    ['there are no channels', { channels: true } as const, {}],
    ['no election is wanted', {}, { leaderElection: false }],
  ])('where %s', async (_, without, options) => {
    const browser = new Browser();
    const all = [open(browser.tab(without), options), open(browser.tab(without), options)];
    await pass(30);
    expect(all.map(({ server }) => server.got.length)).toEqual([2, 2]);
    expect(all.map(({ client }) => client.state.leading)).toEqual([true, true]);
  });

  it('where the session is not known', async () => {
    const browser = new Browser();
    const all = [browser.tab(), browser.tab()].map((tab) => heartbeat({ environment: tab.environment }));
    all.forEach(({ client }) => client.start());
    await pass(30);
    expect(all.map(({ server }) => server.got.length)).toEqual([2, 2]);
  });

  it('where locks are refused', async () => {
    const tab = new Browser().tab();
    const locks = { request: () => Promise.reject(new DOMException('opaque origin', 'SecurityError')) };
    const { server } = open(tab, { environment: { ...tab.environment, locks } });
    await pass(30);
    expect(server.got).toHaveLength(2);
  });
});

describe('a follower', () => {
  it('that is looked at has the leader send at once', async () => {
    const { all: [first, second] } = await tabs(2);
    await pass(10);
    second.tab.look();
    await pass(5);
    expect(seconds(first.server.times(START))).toEqual([0, 10]);
    expect(second.server.got).toHaveLength(0);
  });

  it('sends itself where the leader does not hear', async () => {
    const { all: [first, second] } = await tabs(2);
    await pass(10);
    first.tab.frozen = true;
    second.tab.look();
    await pass(1.5);
    expect(seconds(second.server.times(START))).toEqual([11]);
  });

  it('can send by beat(), which the others hear of', async () => {
    const { all: [first, second, third] } = await tabs(3);
    await pass(10);
    void second.client.beat();
    await pass(0);
    expect(second.server.got).toHaveLength(1);
    expect(third?.client.state.lastBeat).toEqual(new Date(START + 10_000));
    await pass(25);
    expect([first, second].map(({ server }) => server.got.length)).toEqual([2, 1]);
  });

  it('waits as long as the server has told the leader to', async () => {
    const { all: [first, second] } = await tabs(2, { random: () => 0 });
    first.server.answering = () => problem(503, 'overloaded', 100);
    await pass(125);
    expect(second.server.got).toHaveLength(0);
  });
});

describe('a refusal to the leader', () => {
  it.each(['session_ended', 'account_suspended'])('with %s stops all', async (code) => {
    const { all: [first, second] } = await tabs(2);
    const stopped = vi.fn();
    second.client.on('stopped', stopped);
    first.server.answering = () => problem(code === 'session_ended' ? 401 : 403, code);
    await pass(31);
    expect(stopped).toHaveBeenCalledWith({ reason: { code, detail: `Detail of ${code}.` }, refused: true });
    for (const { client, server } of [first, second]) {
      expect(client.state).toMatchObject({ status: 'stopped', reason: { code, detail: `Detail of ${code}.` } });
      expect(server.got.length).toBeLessThan(3);
    }
    expect(second.server.got).toHaveLength(0);
  });

  it('that is about its token alone stops it alone', async () => {
    const { all: [first, second] } = await tabs(2);
    first.server.answering = () => problem(401, 'token_invalid');
    await pass(31);
    expect(first.client.state.status).toBe('stopped');
    expect(second.client.state).toMatchObject({ status: 'running', leading: true });
  });
});

it('leaves nothing behind when it stops', async () => {
  const { browser, all } = await tabs(3);
  for (const { client } of all) client.stop();
  await pass(0);
  expect(browser.lockNames).toEqual([]);
  expect(browser.channels.size).toBe(0);
  expect(vi.getTimerCount()).toBe(0);
});
