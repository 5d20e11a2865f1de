import { describe, expect, it } from 'vitest';
import type { HeartbeatOptions } from '../src/index.js';
import { Browser, type Tab } from './support/browser.js';
import { heartbeat, pass, seconds, START, useFakeTime } from './support/heartbeat.js';
import { type FakeServer, noNetwork, problem } from './support/server.js';

useFakeTime();

async function open(tab: Tab, options: Partial<HeartbeatOptions> = {}) {
  const made = heartbeat({ environment: tab.environment, sessionId: 1, ...options });
  made.client.start();
  await pass(0);
  return { tab, ...made };
}

const leavings = ({ got }: FakeServer) => got.filter(({ body }) => body !== undefined);

describe('a page that goes away', () => {
  it('tells the server, in a request that outlives it', async () => {
    const { server, tab } = await open(new Browser().tab());
    tab.close();
    expect(server.got).toHaveLength(2);
    expect(server.got[1]).toMatchObject({
      method: 'POST',
      path: '/api/users/heartbeat/',
      body: { leaving: true },
      keepalive: true,
      token: 'token-1',
    });
    expect(server.got[1]?.headers.get('Content-Type')).toBe('application/json');
    await pass(120);
    expect(server.got).toHaveLength(2);
  });

  it('takes back the heartbeat that is on its way, which would undo the leaving', async () => {
    const { server, tab, client } = await open(new Browser().tab());
    server.once(() => new Promise(() => undefined));
    void client.beat();
    await pass(0);
    tab.close();
    await pass(0);
    expect(server.got.map(({ signal }) => signal?.aborted)).toEqual([true, true, undefined]);
  });

  it.each([
    ['the server knows no leaving', () => problem(422, 'invalid_field')],
    ['the network is gone', noNetwork],
    ['the token has expired', () => problem(401, 'token_expired')],
    ['fetch throws', () => { throw new Error('quota'); }],
  ])('does not mind where %s', async (_, answering) => {
    const { server, tab, client } = await open(new Browser().tab());
    server.answering = answering;
    tab.window.fire('pagehide', { persisted: true });
    await pass(1);
    expect(leavings(server)).toHaveLength(1);
    expect(client.state.status).toBe('running');
  });

  it('uses the last token where the next one takes a while', async () => {
    let turn = 0;
    const getAccessToken = () => Promise.resolve(`token-${++turn}`);
    const { server, tab } = await open(new Browser().tab(), { getAccessToken });
    tab.close();
    expect(server.tokens()).toEqual(['token-1', 'token-1']);
  });

  it('says nothing where there is no token any more', async () => {
    let gone = false;
    const getAccessToken = () => {
      if (gone) throw new Error('logged out');
      return 'token-1';
    };
    const { server, tab } = await open(new Browser().tab(), { getAccessToken });
    gone = true;
    tab.close();
    expect(leavings(server)).toHaveLength(0);
  });

  it('says nothing where that is not wanted, or where it was stopped', async () => {
    const quiet = await open(new Browser().tab(), { leaveOnPageHide: false });
    quiet.tab.close();
    const stopped = await open(new Browser().tab());
    stopped.client.stop();
    stopped.tab.close();
    expect([quiet, stopped].map(({ server }) => leavings(server).length)).toEqual([0, 0]);
  });
});

describe('of several tabs', () => {
  it('a follower that closes says nothing', async () => {
    const browser = new Browser();
    const [first, second] = [await open(browser.tab()), await open(browser.tab())];
    second.tab.close();
    await pass(0);
    expect([first, second].map(({ server }) => leavings(server).length)).toEqual([0, 0]);
  });

  it('the leader that closes says nothing where another takes over, which sends at once', async () => {
    const browser = new Browser();
    const [first, second] = [await open(browser.tab()), await open(browser.tab())];
    await pass(5);
    first.tab.close();
    await pass(0);
    expect(leavings(first.server)).toHaveLength(0);
    expect(seconds(second.server.times(START))).toEqual([5]);
  });

  it('the last one to close says so', async () => {
    const browser = new Browser();
    const all = [await open(browser.tab()), await open(browser.tab()), await open(browser.tab())];
    for (const { tab } of all) {
      tab.close();
      await pass(0);
    }
    expect(all.map(({ server }) => leavings(server).length)).toEqual([0, 0, 1]);
  });

  it('the leader says so after its followers have closed', async () => {
    const browser = new Browser();
    const [first, second] = [await open(browser.tab()), await open(browser.tab())];
    second.tab.close();
    await pass(0);
    first.tab.close();
    expect(leavings(first.server)).toHaveLength(1);
  });

  it('none says so where tabs do not know of each other', async () => {
    const browser = new Browser();
    const all = [await open(browser.tab({ locks: true })), await open(browser.tab({ locks: true }))];
    all.forEach(({ tab }) => tab.close());
    expect(all.map(({ server }) => leavings(server).length)).toEqual([0, 0]);
  });

  it('each says so where each is a session of its own', async () => {
    const browser = new Browser();
    const options = { leaderElection: false };
    const all = [await open(browser.tab(), options), await open(browser.tab(), options)];
    all.forEach(({ tab }) => tab.close());
    expect(all.map(({ server }) => leavings(server).length)).toEqual([1, 1]);
  });
});

describe('a page that comes back', () => {
  it('by a reload sends at once', async () => {
    const browser = new Browser();
    const old = await open(browser.tab());
    await pass(10);
    old.tab.close();
    await pass(0.4);
    const anew = await open(browser.tab());
    expect(leavings(old.server)).toHaveLength(1);
    expect(seconds(anew.server.times(START))).toEqual([10.4]);
    expect(anew.client.state.leading).toBe(true);
  });

  it('out of the back/forward cache sends at once and goes on', async () => {
    const { server, tab, client } = await open(new Browser().tab());
    await pass(10);
    tab.window.fire('pagehide', { persisted: true });
    expect(tab.browser.channels.size).toBe(0);
    await pass(60);
    expect(tab.browser.lockNames).toEqual([]);
    expect(seconds(server.times(START))).toEqual([0, 10]);
    tab.window.fire('pageshow', { persisted: true });
    await pass(0);
    expect(seconds(server.times(START))).toEqual([0, 10, 70]);
    expect(client.state).toMatchObject({ status: 'running', leading: true });
    await pass(30);
    expect(seconds(server.times(START))).toEqual([0, 10, 70, 100]);
  });

  it('out of the back/forward cache follows whoever leads now', async () => {
    const browser = new Browser();
    const [first, second] = [await open(browser.tab()), await open(browser.tab())];
    first.tab.window.fire('pagehide', { persisted: true });
    await pass(20);
    first.tab.window.fire('pageshow', { persisted: true });
    await pass(100);
    expect(seconds(first.server.times(START))).toEqual([0, 20]);
    expect(first.client.state).toEqual({ ...second.client.state, leading: false });
  });

  it('is not mistaken for one where it is shown for the first time', async () => {
    const { server, tab } = await open(new Browser().tab());
    tab.window.fire('pageshow', { persisted: false });
    await pass(0);
    expect(server.got).toHaveLength(1);
  });

  it('after a stop stays stopped', async () => {
    const { server, tab, client } = await open(new Browser().tab());
    tab.window.fire('pagehide', { persisted: true });
    client.stop();
    tab.window.fire('pageshow', { persisted: true });
    await pass(60);
    expect(server.got).toHaveLength(2);
  });
});
