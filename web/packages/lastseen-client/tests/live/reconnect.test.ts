import { describe, expect, it } from 'vitest';
import { failuresAfter, reconnectMs } from '../../src/live/pace.js';
import { Browser } from '../support/browser.js';
import { pass, seconds, sleep, START } from '../support/heartbeat.js';
import { FakeSocket, live, turn, useFakeTime } from '../support/live.js';

useFakeTime();

const opened = () => seconds(FakeSocket.all.map(({ openedAt }) => openedAt - START));

/** Every WebSocket becomes ready, and is ended so at once. */
const endAll = (code: number) => {
  FakeSocket.onOpen = (socket) => {
    queueMicrotask(() => {
      socket.ready();
      socket.end(code);
    });
  };
};

describe('a WebSocket that ends', () => {
  it('is opened again, with waits that double, to 30 seconds', async () => {
    endAll(1006);
    live();
    await pass(120);
    expect(opened()).toEqual([0, 1, 3, 7, 15, 31, 61, 91]);
  });

  it('is opened again after any part of that wait', async () => {
    endAll(1006);
    const chances = [0.5, 0.1, 0, 0.75];
    live({ random: () => chances.shift() ?? 1 });
    await pass(8);
    expect(opened()).toEqual([0, 0.5, 0.7, 0.8, 6.8]);
  });

  it('begins with short waits again once one was open for a while', async () => {
    endAll(1006);
    const { states } = live();
    await pass(4);
    expect(opened()).toEqual([0, 1, 3]);
    FakeSocket.onOpen = null;
    await pass(3);
    FakeSocket.last.ready();
    await pass(15);
    FakeSocket.last.end();
    await pass(1);
    expect(opened()).toEqual([0, 1, 3, 7, 23]);
    expect(states.slice(-2)).toEqual(['open', 'connecting connection_lost']);
  });

  it('because the server goes away is opened soon, but not by all at the same time', async () => {
    const chances = [0.3];
    live({ random: () => chances.shift() ?? 1 });
    await turn();
    FakeSocket.last.ready();
    await pass(60);
    FakeSocket.last.end(1001, 'shutting down');
    await pass(0.5);
    expect(opened()).toEqual([0]);
    await pass(0.1);
    expect(opened()).toEqual([0, 60.6]);
  });

  it('because the server goes away does not come back to one that is not there at full speed', async () => {
    endAll(1001);
    live();
    await pass(20);
    expect(opened()).toEqual([0, 2, 4, 8, 16]);
  });

  it.each([[4008, 'too_slow'], [4029, 'too_many_frames']])('with %i is opened after a longer wait', async (code, reason) => {
    const { states } = live();
    await turn();
    FakeSocket.last.ready();
    await pass(60);
    FakeSocket.last.end(code);
    expect(states.at(-1)).toBe(`connecting ${reason}`);
    await pass(3.9);
    expect(opened()).toEqual([0]);
    await pass(0.2);
    expect(opened()).toEqual([0, 64]);
  });

  it('with 4003 is not opened again, and not replaced', async () => {
    const { connection, server } = live();
    await turn();
    FakeSocket.last.ready();
    FakeSocket.last.end(4003, 'account suspended');
    expect(connection.state).toEqual({ status: 'closed', reason: { code: 'account_barred', detail: 'account suspended' } });
    await pass(300);
    expect(opened()).toEqual([0]);
    expect(server.got).toEqual([]);
  });
});

describe('a WebSocket that may be gone', () => {
  it('is tried again at once when the network is back, or the page is looked at', async () => {
    const tab = new Browser().tab();
    live({ environment: tab.environment });
    FakeSocket.onOpen = (socket) => queueMicrotask(() => socket.end());
    await pass(1.5);
    expect(opened()).toEqual([0, 1]);
    tab.online();
    await pass(0.6);
    expect(opened()).toEqual([0, 1, 2]);
  });

  it('is given up at once when the network is gone', async () => {
    const tab = new Browser().tab();
    const { states } = live({ environment: tab.environment });
    await turn();
    FakeSocket.last.ready();
    await pass(20);
    tab.window.fire('offline');
    expect(FakeSocket.last.closed).toBe(1000);
    expect(states.at(-1)).toBe('connecting connection_lost');
    FakeSocket.onOpen = (socket) => queueMicrotask(() => socket.end());
    await pass(10);
    expect(states.at(-1)).toBe('fallback connection_lost');
    FakeSocket.onOpen = (socket) => queueMicrotask(() => socket.ready());
    tab.online();
    await pass(1);
    expect(states.at(-1)).toBe('open');
  });

  it('is asked for an answer when the network is back, and given up where none comes', async () => {
    const tab = new Browser().tab();
    const { states } = live({ environment: tab.environment });
    await turn();
    FakeSocket.last.ready();
    await pass(20);
    tab.look();
    await turn();
    expect(FakeSocket.last.got).toEqual([{ type: 'auth', token: 'token-1' }]);
    FakeSocket.last.ready();
    await pass(20);
    expect(opened()).toEqual([0]);
    tab.online();
    await pass(10);
    expect(states.at(-1)).toBe('connecting connection_lost');
    await pass(1);
    expect(opened()).toEqual([0, 51]);
  });

  it('is asked when the computer wakes up, and after a minute of silence', async () => {
    live();
    await turn();
    FakeSocket.last.ready();
    sleep(3_600);
    await pass(5);
    expect(FakeSocket.last.got).toHaveLength(1);
    FakeSocket.last.ready();
    await pass(59);
    expect(FakeSocket.last.got).toHaveLength(1);
    await pass(2);
    expect(FakeSocket.last.got).toHaveLength(2);
  });
});

describe('a handshake without an answer', () => {
  it('is given up', async () => {
    live();
    await turn();
    FakeSocket.last.fire('open');
    await pass(10);
    expect(FakeSocket.last.closed).toBe(1000);
    await pass(1);
    expect(opened()).toEqual([0, 11]);
  });
});

describe('the arithmetic', () => {
  it('has full jitter', () => {
    expect([1, 2, 3, 4, 5, 6, 7, 1_000].map((n) => reconnectMs(1006, n, () => 1))).toEqual([
      1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000,
    ]);
    expect(reconnectMs(1006, 5, () => 0.5)).toBe(8_000);
    expect(reconnectMs(1006, 5, () => 0)).toBe(100);
    expect(reconnectMs(1001, 1, () => 0.25)).toBe(500);
  });

  it('counts an offence as several failures', () => {
    expect([1006, 1001, 4008, 4029].map((code) => failuresAfter(code, 0))).toEqual([1, 1, 3, 3]);
    expect(failuresAfter(4029, 5)).toBe(6);
  });
});
