import { describe, expect, it } from 'vitest';
import { Browser } from './support/browser.js';
import { heartbeat, pass, seconds, sleep, START, useFakeTime } from './support/heartbeat.js';
import { noNetwork, online, problem } from './support/server.js';

useFakeTime();

function inTab(options: Parameters<typeof heartbeat>[0] = {}) {
  const tab = new Browser().tab();
  return { tab, ...heartbeat({ environment: tab.environment, leaderElection: false, ...options }) };
}

describe('a wake-up', () => {
  it('brings a heartbeat at once', async () => {
    const { client, server } = heartbeat();
    client.start();
    await pass(2);
    sleep(3_600);
    // The timer that was running has 3 of its 5 seconds to go.
    await pass(3);
    expect(seconds(server.times(START))).toEqual([0, 3_605]);
    await pass(30);
    expect(seconds(server.times(START))).toEqual([0, 3_605, 3_635]);
  });

  it('is noticed while a request is on its way, which is begun anew', async () => {
    const { client, server } = heartbeat();
    server.once(() => new Promise(() => undefined));
    client.start();
    await pass(2);
    sleep(600);
    await pass(3);
    expect(seconds(server.times(START))).toEqual([0, 605]);
    expect(server.got[0]?.signal?.aborted).toBe(true);
    expect(client.state.status).toBe('running');
  });

  it('is noticed where the clock is set back', async () => {
    const { client, server } = heartbeat();
    client.start();
    await pass(2);
    sleep(-86_400);
    await pass(3);
    expect(server.got).toHaveLength(2);
    await pass(30);
    expect(server.got).toHaveLength(3);
  });

  it('is not mistaken for one where a timer is a little late', async () => {
    const { client, server } = heartbeat();
    client.start();
    for (let slice = 0; slice < 5; slice += 1) {
      sleep(0.5);
      await pass(4.9);
    }
    expect(server.got).toHaveLength(1);
  });
});

describe('the network', () => {
  it('that is back brings a heartbeat at once, out of a long backoff', async () => {
    const { client, server, tab } = inTab();
    server.answering = noNetwork;
    client.start();
    await pass(40);
    expect(seconds(server.times(START))).toEqual([0, 1, 3, 7, 15, 31]);
    server.answering = online;
    tab.online();
    await pass(0);
    expect(seconds(server.times(START)).at(-1)).toBe(40);
    expect(client.state.status).toBe('running');
  });

  it('that is back right after a failure is used within a second', async () => {
    const { client, server, tab } = inTab();
    server.answering = noNetwork;
    client.start();
    await pass(31.2);
    server.answering = online;
    tab.online();
    await pass(0.7);
    expect(seconds(server.times(START)).at(-1)).toBe(31);
    await pass(0.2);
    expect(seconds(server.times(START)).at(-1)).toBe(32);
  });

  it('that is back does not make up for patience that the server asks for', async () => {
    const { client, server, tab } = inTab({ random: () => 0 });
    server.once(() => problem(503, 'overloaded', 20));
    client.start();
    await pass(5);
    tab.online();
    await pass(14);
    expect(server.got).toHaveLength(1);
    await pass(2);
    expect(seconds(server.times(START))).toEqual([0, 20]);
  });

  it('that is back begins a request anew that hangs', async () => {
    const { client, server, tab } = inTab();
    server.once(() => new Promise(() => undefined));
    client.start();
    await pass(4);
    tab.online();
    await pass(0);
    expect(seconds(server.times(START))).toEqual([0, 4]);
    expect(client.state.status).toBe('running');
  });
});

describe('a page that is looked at again', () => {
  it('sends a heartbeat at once', async () => {
    const { client, server, tab } = inTab();
    client.start();
    await pass(10);
    tab.lookAway();
    await pass(5);
    tab.look();
    await pass(0);
    expect(seconds(server.times(START))).toEqual([0, 15]);
    await pass(30);
    expect(seconds(server.times(START))).toEqual([0, 15, 45]);
  });

  it('sends one a second at most', async () => {
    const { client, server, tab } = inTab();
    client.start();
    await pass(10);
    for (let turn = 0; turn < 20; turn += 1) {
      tab.look();
      tab.online();
      await pass(0.1);
    }
    expect(seconds(server.times(START))).toEqual([0, 10, 11]);
  });

  it('does nothing once it is stopped', async () => {
    const { client, server, tab } = inTab();
    client.start();
    await pass(10);
    client.stop();
    expect(tab.listeners).toBe(0);
    tab.look();
    tab.online();
    await pass(10);
    expect(server.got).toHaveLength(1);
  });
});
