import { describe, expect, it, vi } from 'vitest';
import { pass, START } from '../support/heartbeat.js';
import { json } from '../support/server.js';
import { FakeSocket, live, presence, turn, useFakeTime } from '../support/live.js';

useFakeTime();

describe('connect()', () => {
  it('gives the token as a subprotocol, never in the address', async () => {
    live();
    await turn();
    expect(FakeSocket.last.url).toBe('wss://presence.example/api/ws/');
    expect(FakeSocket.last.protocols).toEqual(['bearer', 'token-1']);
  });

  it('gives it in the first frame where it can be no subprotocol', async () => {
    live({ getAccessToken: () => 'with a blank' });
    await turn();
    expect(FakeSocket.last.protocols).toBeUndefined();
    expect(FakeSocket.last.got).toEqual([]);
    FakeSocket.last.fire('open');
    expect(FakeSocket.last.got).toEqual([{ type: 'auth', token: 'with a blank' }]);
  });

  it('goes to the page\'s own origin', async () => {
    live({ baseUrl: '', environment: { href: 'http://localhost:8000/admin?x=1' } });
    await turn();
    expect(FakeSocket.last.url).toBe('ws://localhost:8000/api/ws/');
  });

  it('is open once the server is ready, and tells what it said', async () => {
    const { connection, states } = live();
    const ready = vi.fn();
    connection.on('ready', ready);
    expect(connection.state).toEqual({ status: 'connecting', reason: null });
    await turn();
    FakeSocket.last.fire('open');
    expect(connection.state.status).toBe('connecting');
    FakeSocket.last.ready();
    expect(states).toEqual(['open']);
    expect(ready).toHaveBeenCalledWith({ userId: 7, sessionId: 1, heartbeatIntervalSeconds: 30, awayAfterSeconds: 300 });
  });

  it('leaves nothing behind when it is closed, and can be opened again', async () => {
    const { connection, states } = live();
    connection.subscribe({ users: [1] });
    await turn();
    FakeSocket.last.ready();
    connection.close();
    expect(FakeSocket.last.closed).toBe(1000);
    expect(vi.getTimerCount()).toBe(0);
    FakeSocket.last.end(1000);
    expect(states).toEqual(['open', 'closed closed']);
    connection.open();
    await turn();
    FakeSocket.last.ready();
    expect(FakeSocket.all).toHaveLength(2);
    expect(FakeSocket.last.asked).toEqual([{ type: 'subscribe', users: [1] }]);
  });

  it('goes away with the page, and comes back with it', async () => {
    const { Browser } = await import('../support/browser.js');
    const tab = new Browser().tab();
    const { connection } = live({ environment: tab.environment });
    connection.subscribe({ contacts: true });
    await turn();
    FakeSocket.last.ready();
    FakeSocket.last.snapshot('c1', []);
    tab.window.fire('pagehide', { persisted: true });
    expect(FakeSocket.last.closed).toBe(1000);
    await pass(100);
    expect(FakeSocket.all).toHaveLength(1);
    tab.window.fire('pageshow', { persisted: true });
    await turn();
    FakeSocket.last.ready();
    expect(FakeSocket.last.asked).toEqual([{ type: 'subscribe', contacts: true, since: 'c1' }]);
    connection.close();
    expect(tab.listeners).toBe(0);
  });
});

describe('subscriptions', () => {
  it('are told once, together, and in parts that the server takes', async () => {
    const { connection } = live();
    await turn();
    FakeSocket.last.ready();
    connection.subscribe({ users: [1, 2] });
    connection.subscribe({ users: [2, 3], contacts: true });
    const off = connection.subscribe({ all: true });
    await turn();
    expect(FakeSocket.last.asked).toEqual([
      { type: 'subscribe', users: [1, 2, 3] },
      { type: 'subscribe', contacts: true },
      { type: 'subscribe', all: true },
    ]);
    off();
    off();
    connection.unsubscribe({ users: [2, 3] });
    await turn();
    expect(FakeSocket.last.asked.slice(3)).toEqual([
      { type: 'unsubscribe', users: [3] },
      { type: 'unsubscribe', all: true },
    ]);
    connection.subscribe({ users: Array.from({ length: 1_500 }, (_, index) => index + 10) });
    await turn();
    expect(FakeSocket.last.asked.slice(5).map((frame) => 'users' in frame && frame.users.length)).toEqual([1_000, 500]);
  });

  it('that come and go at once are not told at all', async () => {
    const { connection } = live();
    await turn();
    FakeSocket.last.ready();
    connection.subscribe({ users: [1] })();
    await turn();
    expect(FakeSocket.last.got).toEqual([]);
  });

  it('begin at a cursor that was had by HTTP, without a snapshot', async () => {
    const { connection, said } = live();
    connection.subscribe({ all: true }, { since: 'c9' });
    await turn();
    FakeSocket.last.ready();
    expect(FakeSocket.last.asked).toEqual([{ type: 'subscribe', all: true, since: 'c9' }]);
    FakeSocket.last.transition('c10', presence(1));
    expect(said).toEqual(['1 online']);
  });
});

describe('the store', () => {
  it('has what snapshots and transitions say, in parts too', async () => {
    const { connection, said } = live();
    connection.subscribe({ users: [1, 2, 3] });
    await turn();
    FakeSocket.last.ready();
    FakeSocket.last.snapshot('c1', [presence(1), presence(2, 'offline')], true);
    expect(said).toEqual([]);
    FakeSocket.last.snapshot('c1', [presence(3)]);
    expect(said).toEqual(['snapshot 1 2 3']);
    FakeSocket.last.transition('c2', presence(2));
    expect(said.slice(1)).toEqual(['2 online']);
    expect([...connection.presences.values()].map(({ online_status }) => online_status)).toEqual(['online', 'online', 'online']);
    // A server may begin anew at any time. Only what differs is an event of its own.
    FakeSocket.last.snapshot('c3', [presence(1, 'offline'), presence(2)]);
    expect(said.slice(2)).toEqual(['snapshot 1 2', '1 offline']);
    expect(connection.presences.get(3)?.online_status).toBe('online');
  });

  it('takes nobody offline by the time passing', async () => {
    const { connection, said } = live();
    connection.subscribe({ users: [1] });
    await turn();
    FakeSocket.last.ready();
    FakeSocket.last.snapshot('c1', [presence(1, 'online', { online_until: new Date(START + 1_000).toISOString() })]);
    await pass(30);
    expect(connection.presences.get(1)?.online_status).toBe('online');
    expect(said).toEqual(['snapshot 1']);
  });

  it('forgets what is not subscribed to', async () => {
    const { connection } = live();
    const off = connection.subscribe({ users: [1] });
    connection.subscribe({ all: true });
    await turn();
    FakeSocket.last.ready();
    FakeSocket.last.snapshot('c1', [presence(1)]);
    FakeSocket.last.snapshot('c1', [presence(1), presence(2)]);
    off();
    await turn();
    expect([...connection.presences.keys()]).toEqual([1, 2]);
    connection.unsubscribe({ all: true });
    await turn();
    expect([...connection.presences.keys()]).toEqual([]);
  });

  it('knows null where the server left something out', async () => {
    const { connection } = live();
    connection.subscribe({ users: [1] });
    await turn();
    FakeSocket.last.ready();
    FakeSocket.last.say({ type: 'snapshot', cursor: 'c', presences: [{ user_id: 1, online_status: 'online' }, null, { id: 2 }] });
    expect([...connection.presences.values()]).toEqual([
      presence(1, 'online', { last_seen: null, reason: null }),
    ]);
  });

  it('is not troubled by frames that it does not know', async () => {
    const { connection } = live();
    await turn();
    FakeSocket.last.ready();
    for (const data of ['no json', '7', 'null', '[]', '{"type":"later"}', '{"type":"transition"}', new ArrayBuffer(2)]) {
      FakeSocket.last.fire('message', { data });
    }
    expect(connection.state.status).toBe('open');
  });
});

describe('typing', () => {
  it('ends by itself, unless it is said again', async () => {
    const { connection, said } = live();
    await turn();
    FakeSocket.last.ready();
    FakeSocket.last.say({ type: 'typing', from: 3, seconds: 5 });
    await pass(4);
    FakeSocket.last.say({ type: 'typing', from: 3, seconds: 5 });
    expect(connection.typists).toEqual([3]);
    await pass(4.9);
    expect(said).toEqual(['3 types']);
    await pass(0.2);
    expect(said).toEqual(['3 types', '3 stops']);
    expect(connection.typists).toEqual([]);
  });

  it('ends when somebody goes offline', async () => {
    const { connection, said } = live();
    connection.subscribe({ contacts: true });
    await turn();
    FakeSocket.last.ready();
    FakeSocket.last.say({ type: 'typing', from: 3, seconds: 5 });
    FakeSocket.last.transition('c', presence(3, 'offline'));
    expect(said).toEqual(['3 types', '3 stops', '3 offline']);
  });

  it('goes out once in two seconds to each', async () => {
    const { connection } = live();
    await turn();
    expect(connection.typing(3)).toBe(false);
    FakeSocket.last.ready();
    const sent: [number, number][] = [];
    for (let tenths = 0; tenths < 45; tenths += 1) {
      if (connection.typing(3)) sent.push([3, Date.now() - START]);
      if (tenths === 5 && connection.typing(4)) sent.push([4, Date.now() - START]);
      await pass(0.1);
    }
    expect(sent).toEqual([[3, 0], [4, 500], [3, 2_000], [3, 4_000]]);
    expect(FakeSocket.last.got).toHaveLength(4);
    expect(FakeSocket.last.got[1]).toEqual({ type: 'typing', to: 4 });
  });
});

it('tells notifications, contacts and errors', async () => {
  const { said } = live();
  await turn();
  FakeSocket.last.ready();
  FakeSocket.last.say({ type: 'notification', notification: { id: 5, kind: 'online', user_id: 2 } });
  FakeSocket.last.say({ type: 'contacts' });
  FakeSocket.last.say({ type: 'error', code: 'forbidden', detail: 'for admins' });
  expect(said).toEqual(['notification 5', 'contacts', 'error forbidden']);
});

it('sets the availability by HTTP, where an answer comes', async () => {
  const { connection, server } = live();
  server.once(() => json({ user: { id: 7, availability: 'dnd' } }));
  expect(await connection.setAvailability({ availability: 'dnd', text: 'busy', until: null })).toEqual({ id: 7, availability: 'dnd' });
  expect(server.got[0]).toMatchObject({
    method: 'PATCH',
    path: '/api/users/me/',
    token: 'token-1',
    body: { availability: 'dnd', text: 'busy', until: null },
  });
  server.once(() => json({ type: '/api/docs/#x', title: 'x', status: 422, detail: 'one emoji', code: 'invalid_field' }, 422));
  await expect(connection.setAvailability({ emoji: 'xx' })).rejects.toMatchObject({ code: 'invalid_field' });
});

it('says each step at debug level', async () => {
  const debug = vi.fn();
  live({ logger: { debug } });
  await turn();
  FakeSocket.last.ready();
  expect(debug.mock.calls.flat()).toEqual(['[lastseen] live: connecting', '[lastseen] live: connects', '[lastseen] live: open']);
});
