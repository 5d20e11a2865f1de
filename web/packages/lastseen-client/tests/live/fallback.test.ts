import { describe, expect, it } from 'vitest';
import type { Presence } from '../../src/index.js';
import { pass, seconds, START } from '../support/heartbeat.js';
import { FakeSocket, live, presence, turn, useFakeTime } from '../support/live.js';
import { type FakeServer, type Got, json, noNetwork, problem } from '../support/server.js';

useFakeTime();

/** What a server knows that is asked by HTTP. */
class World {
  presences = new Map<number, Presence>();
  contacts: { user_id: number; state: string }[] = [];
  notifications: object[] = [];
  transitions: { at: string; presence: Presence }[] = [];
  expired = false;

  change(to: Presence): void {
    this.presences.set(to.user_id, to);
    this.transitions.push({ at: new Date().toISOString(), presence: to });
  }

  answer = ({ url, path, body }: Got): Response => {
    const { searchParams: query } = new URL(url);
    switch (path) {
      case '/api/users/presence/changes/': {
        const since = query.get('since');
        if (since !== null && this.expired) return problem(410, 'cursor_expired');
        const from = since === null ? this.transitions.length : Number(since);
        // One answer has two at most.
        const transitions = this.transitions.slice(from, from + 2);
        return json({ transitions, next_cursor: String(from + transitions.length) });
      }
      case '/api/users/presence/': {
        const { ids } = body as { ids: number[] };
        return json({ presences: ids.map((id) => this.presences.get(id)) });
      }
      case '/api/contacts/':
        return json({ contacts: this.contacts.map((each) => ({ ...each, presence: this.presences.get(each.user_id) })) });
      case '/api/notifications/':
        return json({ notifications: this.notifications, unread: this.notifications.length, next_cursor: null });
      case '/api/users/all-users/': {
        const all = [...this.presences.values()].map(({ user_id, ...rest }) => ({ id: user_id, username: 'x', ...rest }));
        const from = Number(query.get('cursor') ?? 0);
        return json({ users: all.slice(from, from + 2), next_cursor: from + 2 < all.length ? String(from + 2) : null });
      }
      default:
        return problem(404, 'not_found');
    }
  };
}

function withWorld(options: Parameters<typeof live>[0] = { webSocket: false }) {
  const world = new World();
  for (const id of [1, 2, 3]) world.presences.set(id, presence(id));
  const made = live(options);
  made.server.answering = world.answer;
  return { world, ...made };
}

const asked = (server: FakeServer) => server.got.map(({ method, url }) => `${method} ${url.replace('https://presence.example/api/', '')}`);

describe('where there are no WebSockets', () => {
  it('asks every ten seconds instead, with the same events', async () => {
    const { world, connection, server, said, states } = withWorld();
    connection.subscribe({ users: [1, 2] });
    await turn();
    expect(connection.state).toEqual({ status: 'fallback', reason: null });
    expect(asked(server)).toEqual(['GET users/presence/changes/', 'POST users/presence/']);
    expect(server.got[1]?.body).toEqual({ ids: [1, 2] });
    expect(said).toEqual(['snapshot 1 2']);
    world.change(presence(1, 'offline'));
    world.change(presence(3, 'offline'));
    world.change(presence(1));
    await pass(9.9);
    expect(said).toHaveLength(1);
    await pass(0.2);
    // Everything that has happened, but only to those who were asked for.
    expect(said.slice(1)).toEqual(['1 offline', '1 online']);
    await pass(10);
    expect(said).toHaveLength(3);
    expect(asked(server).at(-1)).toBe('GET users/presence/changes/?since=3');
    expect(states).toEqual(['fallback']);
  });

  it('asks for somebody else at once', async () => {
    const { connection, said } = withWorld();
    connection.subscribe({ users: [1] });
    await pass(1);
    connection.subscribe({ users: [3] });
    await turn();
    expect(said).toEqual(['snapshot 1', 'snapshot 3']);
  });

  it('begins anew where the cursor is too old', async () => {
    const { world, connection, said } = withWorld();
    connection.subscribe({ users: [1, 2] });
    await pass(1);
    world.change(presence(2, 'offline'));
    world.expired = true;
    await pass(10);
    expect(said).toEqual(['snapshot 1 2', 'snapshot 1 2', '2 offline']);
  });

  it('knows everybody, in pages', async () => {
    const { world, connection, said } = withWorld();
    connection.subscribe({ all: true });
    await turn();
    expect(said).toEqual(['snapshot 1 2 3']);
    expect(connection.presences.get(2)).toEqual(presence(2));
    world.change(presence(3, 'offline'));
    await pass(10);
    expect(said.slice(1)).toEqual(['3 offline']);
  });

  it('begins at a cursor that was had before, and asks for nobody else again', async () => {
    const { world, connection, server, said } = withWorld();
    connection.subscribe({ users: [1] });
    await pass(1);
    world.change(presence(2, 'offline'));
    world.change(presence(1, 'offline'));
    await pass(10);
    connection.subscribe({ all: true }, { since: '0' });
    await turn();
    expect(said).toEqual(['snapshot 1', '1 offline', '2 offline']);
    world.change(presence(3, 'offline'));
    await pass(10);
    expect(said.slice(3)).toEqual(['3 offline']);
    expect(asked(server).filter((line) => line.includes('all-users'))).toEqual([]);
  });

  it('looks after contacts and notifications', async () => {
    const { world, connection, said } = withWorld();
    world.contacts = [{ user_id: 1, state: 'accepted' }];
    world.notifications = [{ id: 4 }];
    connection.subscribe({ contacts: true });
    await pass(1);
    expect(said).toEqual(['snapshot 1']);
    world.change(presence(1, 'offline'));
    world.change(presence(2, 'offline'));
    world.contacts.push({ user_id: 3, state: 'incoming' });
    world.notifications = [{ id: 6 }, { id: 5 }, { id: 4 }];
    await pass(10);
    expect(said.slice(1)).toEqual(['1 offline', 'contacts', 'snapshot 3', 'notification 5', 'notification 6']);
    await pass(30);
    expect(said).toHaveLength(6);
  });

  it('renews the token, and ends with the session', async () => {
    let ended = false;
    const { connection, server } = withWorld({
      webSocket: false,
      refreshAccessToken: () => Promise.resolve(ended ? null : 'token-2'),
    });
    server.once(() => problem(401, 'token_expired'));
    connection.subscribe({ users: [1] });
    await turn();
    expect(server.tokens()).toEqual(['token-1', 'token-2', 'token-1']);
    ended = true;
    server.answering = () => problem(401, 'session_ended');
    await pass(10);
    expect(connection.state).toMatchObject({ status: 'closed', reason: { code: 'session_ended' } });
    const count = server.got.length;
    await pass(60);
    expect(server.got).toHaveLength(count);
  });

  it('goes on after failures, and keeps to Retry-After', async () => {
    const { connection, server, said, states, world } = withWorld();
    connection.subscribe({ users: [1] });
    await pass(1);
    server.answering = noNetwork;
    await pass(10);
    expect(states).toEqual(['fallback', 'fallback network']);
    server.answering = () => problem(503, 'overloaded', 40);
    await pass(10);
    const count = server.got.length;
    await pass(38);
    expect(server.got).toHaveLength(count);
    world.change(presence(1, 'offline'));
    server.answering = world.answer;
    await pass(3);
    expect(said).toEqual(['snapshot 1', '1 offline']);
    expect(states.at(-1)).toBe('fallback');
  });

  it('does not type', () => {
    expect(withWorld().connection.typing(1)).toBe(false);
  });
});

describe('where WebSockets are blocked', () => {
  const opened = () => seconds(FakeSocket.all.map(({ openedAt }) => openedAt - START));
  const block = () => {
    FakeSocket.onOpen = (socket) => queueMicrotask(() => socket.end(1006));
  };

  it('falls back after three failures in a row, and tries again each minute', async () => {
    block();
    const { connection, states, said } = withWorld({ random: () => 0.5 });
    connection.subscribe({ users: [1] });
    await pass(130);
    expect(opened()).toEqual([0, 0.5, 1.5, 61.5, 121.5]);
    expect(states).toEqual(['connecting connection_lost', 'fallback connection_lost']);
    expect(said).toEqual(['snapshot 1']);
  });

  it('falls back where a handshake is not answered, too', async () => {
    const { connection, said } = withWorld({ timeoutSeconds: 2 });
    connection.subscribe({ users: [1] });
    await pass(9.5);
    expect(connection.state.status).toBe('fallback');
    expect(said).toEqual(['snapshot 1']);
  });

  it('falls back where a policy forbids them', async () => {
    const { connection } = withWorld({
      webSocket: function () {
        throw new DOMException('forbidden', 'SecurityError');
      } as never,
    });
    await pass(4);
    expect(connection.state.status).toBe('fallback');
  });

  it('returns to the WebSocket from where it has got to', async () => {
    block();
    const { world, connection, server, said, states } = withWorld({ random: () => 0.5 });
    connection.subscribe({ users: [1, 2] });
    await pass(5);
    world.change(presence(1, 'offline'));
    await pass(20);
    FakeSocket.onOpen = null;
    await pass(40);
    expect(connection.state.status).toBe('fallback');
    FakeSocket.last.ready();
    expect(connection.state.status).toBe('open');
    expect(FakeSocket.last.asked).toEqual([{ type: 'subscribe', users: [1, 2], since: '1' }]);
    FakeSocket.last.transition('2', presence(2, 'offline'));
    const count = server.got.length;
    await pass(30);
    expect(server.got).toHaveLength(count);
    expect(said).toEqual(['snapshot 1 2', '1 offline', '2 offline']);
    expect(states.at(-1)).toBe('open');
  });

  it('takes over from a WebSocket without a gap, and nothing twice', async () => {
    const { world, connection, said } = withWorld({});
    connection.subscribe({ users: [1, 2] });
    await turn();
    FakeSocket.last.ready();
    FakeSocket.last.snapshot('0', [presence(1), presence(2)]);
    await pass(20);
    world.change(presence(1, 'offline'));
    FakeSocket.last.transition('1', presence(1, 'offline'));
    block();
    FakeSocket.last.end();
    world.change(presence(2, 'offline'));
    await pass(20);
    expect(connection.state.status).toBe('fallback');
    expect(said).toEqual(['snapshot 1 2', '1 offline', '2 offline']);
  });

  it('tries the WebSocket at once when the server answers again', async () => {
    block();
    const { connection, server, world } = withWorld({});
    connection.subscribe({ users: [1] });
    server.answering = noNetwork;
    await pass(4);
    expect(opened()).toEqual([0, 1, 3]);
    await pass(11);
    server.answering = world.answer;
    FakeSocket.onOpen = (socket) => queueMicrotask(() => socket.ready());
    await pass(11);
    expect(FakeSocket.all).toHaveLength(4);
  });
});
