import { afterEach, describe, expect, it, vi } from 'vitest';
import { type HeartbeatOptions, IdleWatcher } from '../src/index.js';
import { Browser, type Tab } from './support/browser.js';
import { heartbeat, pass, seconds, sleep, START, useFakeTime } from './support/heartbeat.js';
import { type FakeServer, noNetwork, online, problem } from './support/server.js';

useFakeTime();

const watchers: IdleWatcher[] = [];
afterEach(() => {
  for (const watcher of watchers.splice(0)) watcher.stop();
});

/** A tab whose heartbeats and idle watcher run; away after 50 seconds. */
async function open(tab: Tab, options: Partial<HeartbeatOptions> = {}) {
  const made = heartbeat({ environment: tab.environment, sessionId: 1, ...options });
  const watcher = new IdleWatcher({ heartbeat: made.client, awayAfterSeconds: 50, environment: tab.environment });
  watchers.push(watcher);
  made.client.start();
  watcher.start();
  await pass(0);
  return { tab, watcher, ...made };
}

/** What a server was told of idleness, with the seconds at which it was. */
const told = (...servers: FakeServer[]) =>
  servers
    .flatMap(({ got }) => got)
    .filter(({ body }) => body !== undefined)
    .sort((one, other) => one.at - other.at)
    .map(({ at, body }) => [(at - START) / 1_000, (body as { idle_seconds: number }).idle_seconds]);

describe('a device', () => {
  it('is idle when nobody has touched it for so long, and no longer when somebody does', async () => {
    const { server, tab, watcher } = await open(new Browser().tab());
    const idle = vi.fn();
    watcher.on('idle', idle);
    expect(told(server)).toEqual([[0, 0]]);
    await pass(35);
    tab.window.fire('pointermove');
    await pass(49);
    expect(watcher.idle).toBe(false);
    await pass(1);
    expect(told(server)).toEqual([[0, 0], [85, 50]]);
    await pass(200);
    expect(told(server)).toHaveLength(2);
    tab.window.fire('keydown');
    await pass(0);
    expect(told(server).slice(2)).toEqual([[285, 0]]);
    expect(idle.mock.calls).toEqual([[{ idle: true, idleSeconds: 50 }], [{ idle: false, idleSeconds: 0 }]]);
  });

  it.each(['pointerdown', 'pointermove', 'keydown', 'wheel', 'touchstart'])('is touched by %s', async (sign) => {
    const { tab, watcher } = await open(new Browser().tab());
    await pass(70);
    expect(watcher.idle).toBe(true);
    tab.window.fire(sign);
    expect(watcher.idle).toBe(false);
  });

  it('is touched by looking at the page, but not by looking away', async () => {
    const { tab, watcher } = await open(new Browser().tab());
    await pass(40);
    tab.lookAway();
    await pass(20);
    expect(watcher.idle).toBe(true);
    tab.look();
    expect(watcher.idle).toBe(false);
  });

  it('that wakes up from sleep is idle', async () => {
    const { server, watcher } = await open(new Browser().tab());
    sleep(3_600);
    await pass(7);
    expect(watcher.idle).toBe(true);
    expect(told(server).at(-1)?.[1]).toBeGreaterThanOrEqual(3_600);
  });

  it('has another time set', async () => {
    const { server, watcher } = await open(new Browser().tab());
    await pass(35);
    watcher.setAwayAfter(20);
    await pass(0);
    expect(told(server)).toEqual([[0, 0], [35, 35]]);
    watcher.setAwayAfter(600);
    await pass(1);
    expect(told(server).slice(2).map(([, idle]) => idle)).toEqual([0]);
    expect(() => watcher.setAwayAfter(0)).toThrow(RangeError);
  });
});

describe('several tabs are one device', () => {
  it('that is idle only when all of them are', async () => {
    const browser = new Browser();
    const [first, second] = [await open(browser.tab()), await open(browser.tab())];
    for (let times = 0; times < 6; times += 1) {
      await pass(30);
      second.tab.window.fire('pointermove');
    }
    expect([first, second].map(({ watcher }) => watcher.idle)).toEqual([false, false]);
    await pass(60);
    expect([first, second].map(({ watcher }) => watcher.idle)).toEqual([true, true]);
    await pass(30);
    second.tab.window.fire('keydown');
    await pass(1);
    expect([first, second].map(({ watcher }) => watcher.idle)).toEqual([false, false]);
    // Told once, by the tab that leads.
    expect(told(first.server)).toEqual([[0, 0], [230, 50], [270, 0]]);
    expect(second.server.got).toHaveLength(0);
  });

  it('of which another tells where the leading one is silent', async () => {
    const browser = new Browser();
    const [first, second] = [await open(browser.tab()), await open(browser.tab())];
    await pass(20);
    first.tab.frozen = true;
    first.server.answering = () => new Promise(() => undefined);
    await pass(45);
    expect(told(second.server).at(-1)).toEqual([51, 50]);
  });

  it('of which the next to lead says what changes then', async () => {
    const browser = new Browser();
    const [first, second] = [await open(browser.tab()), await open(browser.tab())];
    await pass(70);
    first.tab.crash();
    await pass(5);
    second.tab.window.fire('keydown');
    await pass(0);
    expect(told(first.server)).toEqual([[0, 0], [50, 50]]);
    expect(told(second.server)).toEqual([[75, 0]]);
  });

  it('but none, where tabs can\'t tell each other', async () => {
    const { server, watcher } = await open(new Browser().tab({ channels: true }));
    await pass(300);
    expect(watcher.idle).toBe(false);
    expect(told(server)).toEqual([]);
  });
});

describe('the heartbeat', () => {
  it('says it again where it was not answered', async () => {
    const { server } = await open(new Browser().tab());
    await pass(49);
    server.answering = noNetwork;
    await pass(2);
    server.answering = online;
    await pass(10);
    expect(told(server).slice(1).map(([, idle]) => idle)).toEqual([50, 50, 50]);
    await pass(60);
    expect(told(server)).toHaveLength(4);
  });

  it('says it after the one that is on its way', async () => {
    const { client, server, tab } = await open(new Browser().tab());
    await pass(70);
    let answer: (response: Response) => void = () => undefined;
    server.once(() => new Promise((resolve) => (answer = resolve)));
    void client.beat();
    await pass(0.5);
    tab.window.fire('keydown');
    await pass(0.2);
    answer(online());
    await pass(1);
    expect(told(server).at(-1)?.[1]).toBe(0);
  });

  it('goes on without it at a server that does not know it', async () => {
    const { client, server } = await open(new Browser().tab());
    server.answering = ({ body }) => (body === undefined ? online() : problem(422, 'invalid_field'));
    await pass(51);
    expect(client.state.status).toBe('running');
    expect(seconds(server.times(START)).filter((at) => at >= 50)).toEqual([50, 50]);
  });

  it('takes whole seconds only, and no nonsense', async () => {
    const { client, server } = heartbeat();
    client.reportIdle(90.2);
    client.start();
    await pass(0);
    expect(told(server)).toEqual([[0, 91]]);
    expect(() => client.reportIdle(-1)).toThrow(RangeError);
    expect(() => client.reportIdle(NaN)).toThrow(RangeError);
  });
});

it('leaves nothing behind, and does nothing outside of a page', async () => {
  const browser = new Browser();
  const { client, tab, watcher } = await open(browser.tab());
  watcher.stop();
  client.stop();
  await pass(0);
  expect(tab.listeners).toBe(0);
  expect(browser.channels.size).toBe(0);
  expect(vi.getTimerCount()).toBe(0);
  const outside = new IdleWatcher({ awayAfterSeconds: 1, environment: {} });
  outside.start();
  await pass(10);
  expect(outside.idle).toBe(false);
  outside.stop();
});
