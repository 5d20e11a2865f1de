import { describe, expect, it } from 'vitest';
import { pass } from '../support/heartbeat.js';
import { FakeSocket, live, presence, turn, useFakeTime } from '../support/live.js';

useFakeTime();

const at = (second: number) => new Date(Date.parse('2026-01-01T12:00:00.000Z') + second * 1_000).toISOString();

/** A connection with users 1 to 3 known as of a cursor. */
async function settled() {
  const made = live();
  made.connection.subscribe({ users: [1, 2, 3] });
  await turn();
  FakeSocket.last.ready();
  FakeSocket.last.snapshot('c1', [presence(1), presence(2), presence(3, 'offline')]);
  made.said.length = 0;
  return made;
}

/** The WebSocket breaks, and the next one is ready. */
async function broken() {
  const before = FakeSocket.last;
  before.end();
  while (FakeSocket.last === before) await pass(1);
  FakeSocket.last.ready();
}

describe('after a break', () => {
  it('goes on from the last cursor', async () => {
    const { said } = await settled();
    FakeSocket.last.transition('c2', presence(3), at(20));
    await broken();
    expect(FakeSocket.last.asked).toEqual([{ type: 'subscribe', users: [1, 2, 3], since: 'c2' }]);
    FakeSocket.last.transition('c3', presence(1, 'offline'), at(21));
    FakeSocket.last.transition('c4', presence(1), at(22));
    expect(said).toEqual(['3 online', '1 offline', '1 online']);
    FakeSocket.last.caughtUp('c5');
    await broken();
    expect(FakeSocket.last.asked).toEqual([{ type: 'subscribe', users: [1, 2, 3], since: 'c5' }]);
    FakeSocket.last.caughtUp('c6');
    FakeSocket.last.transition('c7', presence(2, 'offline'), at(23));
    await broken();
    expect(FakeSocket.last.asked).toEqual([{ type: 'subscribe', users: [1, 2, 3], since: 'c7' }]);
  });

  it('goes on from the same cursor until all that was missed has been told', async () => {
    const { said } = await settled();
    await broken();
    FakeSocket.last.transition('c2', presence(1, 'offline'), at(20));
    await pass(60);
    await broken();
    expect(FakeSocket.last.asked).toEqual([{ type: 'subscribe', users: [1, 2, 3], since: 'c1' }]);
    FakeSocket.last.transition('c2', presence(1, 'offline'), at(20));
    FakeSocket.last.transition('c3', presence(2, 'offline'), at(21));
    expect(said).toEqual(['1 offline', '2 offline']);
  });

  it('several that were resumed together go on from where the first had caught up', async () => {
    const { connection } = await settled();
    connection.subscribe({ contacts: true });
    await turn();
    FakeSocket.last.snapshot('c2', []);
    await broken();
    expect(FakeSocket.last.asked.map((frame) => 'since' in frame && frame.since)).toEqual(['c2', 'c2']);
    FakeSocket.last.caughtUp('c4');
    // For the first already, while nothing has been told for the second.
    FakeSocket.last.transition('c5', presence(1, 'offline'), at(20));
    FakeSocket.last.caughtUp('c6');
    await broken();
    expect(FakeSocket.last.asked.map((frame) => 'since' in frame && frame.since)).toEqual(['c4', 'c4']);
  });

  it('one that begins later does not move on those that were there', async () => {
    const { connection } = await settled();
    connection.subscribe({ all: true }, { since: 'c0' });
    await turn();
    expect(FakeSocket.last.asked.at(-1)).toEqual({ type: 'subscribe', all: true, since: 'c0' });
    FakeSocket.last.caughtUp('c9');
    await broken();
    // Of the others, c8 may not have come.
    expect(FakeSocket.last.asked.map((frame) => 'since' in frame && frame.since)).toEqual(['c1', 'c1']);
    FakeSocket.last.caughtUp('c9');
    FakeSocket.last.caughtUp('c9');
    FakeSocket.last.transition('c10', presence(1, 'offline'), at(20));
    await broken();
    expect(FakeSocket.last.asked.map((frame) => 'since' in frame && frame.since)).toEqual(['c10', 'c10']);
  });

  it('goes on from a snapshot\'s cursor where nothing has changed since', async () => {
    await settled();
    await broken();
    expect(FakeSocket.last.asked).toEqual([{ type: 'subscribe', users: [1, 2, 3], since: 'c1' }]);
  });

  it('asks for a snapshot of what none has come of', async () => {
    const { connection } = await settled();
    connection.subscribe({ users: [4], contacts: true });
    await turn();
    FakeSocket.last.snapshot('c2', [presence(4)]);
    await broken();
    expect(FakeSocket.last.asked).toEqual([
      { type: 'subscribe', users: [1, 2, 3, 4], since: 'c2' },
      { type: 'subscribe', contacts: true },
    ]);
  });

  it('a snapshot of which only a part has come counts for nothing', async () => {
    const { connection, said } = live();
    connection.subscribe({ all: true });
    await turn();
    FakeSocket.last.ready();
    FakeSocket.last.snapshot('c1', [presence(1)], true);
    await broken();
    expect(FakeSocket.last.asked).toEqual([{ type: 'subscribe', all: true }]);
    FakeSocket.last.snapshot('c2', [presence(2)]);
    expect(said).toEqual(['snapshot 2']);
  });

  it('what was unsubscribed from and subscribed to again meanwhile begins anew', async () => {
    const { connection } = await settled();
    FakeSocket.last.end();
    connection.unsubscribe({ users: [3] });
    await turn();
    connection.subscribe({ users: [3] });
    await pass(1);
    FakeSocket.last.ready();
    expect(FakeSocket.last.asked).toEqual([
      { type: 'subscribe', users: [1, 2], since: 'c1' },
      { type: 'subscribe', users: [3] },
    ]);
  });
});

describe('each transition is applied once', () => {
  it('where two subscriptions tell of the same', async () => {
    const { connection, said } = await settled();
    connection.subscribe({ contacts: true });
    await turn();
    FakeSocket.last.snapshot('c1', [presence(1), presence(2)]);
    said.length = 0;
    await broken();
    const missed = [['c2', presence(1, 'offline'), at(41)], ['c3', presence(1), at(42)]] as const;
    // For the users, and again for the contacts.
    for (const [cursor, to, when] of [...missed, ...missed]) FakeSocket.last.transition(cursor, to, when);
    expect(said).toEqual(['1 offline', '1 online']);
    expect(connection.presences.get(1)?.online_status).toBe('online');
  });

  it('where it breaks again while the missed ones are told: nothing is left out, nothing told twice', async () => {
    const { connection, said } = await settled();
    connection.subscribe({ contacts: true });
    await turn();
    FakeSocket.last.snapshot('c1', [presence(1), presence(4)]);
    said.length = 0;
    await broken();
    // All for the users, c9 the last; of the contacts nothing has come.
    FakeSocket.last.transition('c2', presence(1, 'offline'), at(41));
    FakeSocket.last.transition('c9', presence(2, 'offline'), at(43));
    FakeSocket.last.caughtUp('c9');
    FakeSocket.last.transition('c10', presence(3), at(44));
    await broken();
    expect(FakeSocket.last.asked).toEqual([
      { type: 'subscribe', users: [1, 2, 3], since: 'c1' },
      { type: 'subscribe', contacts: true, since: 'c1' },
    ]);
    FakeSocket.last.transition('c2', presence(1, 'offline'), at(41));
    FakeSocket.last.transition('c9', presence(2, 'offline'), at(43));
    FakeSocket.last.transition('c2', presence(1, 'offline'), at(41));
    FakeSocket.last.transition('c5', presence(4, 'offline'), at(42));
    expect(said).toEqual(['1 offline', '2 offline', '3 online', '4 offline']);
    expect([...connection.presences.values()].map(({ online_status }) => online_status)).toEqual(['offline', 'offline', 'online', 'offline']);
  });

  it('where a snapshot has told it already', async () => {
    const { connection, said } = await settled();
    connection.subscribe({ users: [5] });
    await turn();
    FakeSocket.last.snapshot('c7', [presence(5, 'online', { last_seen: at(20) })]);
    await broken();
    said.length = 0;
    FakeSocket.last.transition('c5', presence(5, 'offline'), at(10));
    FakeSocket.last.transition('c6', presence(5), at(19));
    FakeSocket.last.transition('c8', presence(5, 'offline'), at(21));
    expect(said).toEqual(['5 offline']);
  });

  it('but a clock of the server\'s that was set back keeps nothing from being told', async () => {
    const { said } = await settled();
    await broken();
    FakeSocket.last.transition('c2', presence(1, 'offline'), at(20));
    FakeSocket.last.caughtUp('c2');
    FakeSocket.last.transition('c3', presence(1), at(5));
    expect(said).toEqual(['1 offline', '1 online']);
  });
});

describe('a cursor that is too old', () => {
  it('is followed by a snapshot, which tells what differs', async () => {
    const { said } = await settled();
    await broken();
    FakeSocket.last.say({ type: 'error', code: 'cursor_expired', detail: 'too old' });
    FakeSocket.last.snapshot('d1', [presence(1), presence(2, 'offline'), presence(3, 'offline')]);
    expect(said).toEqual(['error cursor_expired', 'snapshot 1 2 3', '2 offline']);
    await broken();
    expect(FakeSocket.last.asked).toEqual([{ type: 'subscribe', users: [1, 2, 3], since: 'd1' }]);
  });

  it('or that is none of the server\'s', async () => {
    const { said } = await settled();
    await broken();
    FakeSocket.last.say({ type: 'error', code: 'invalid_cursor', detail: 'not a cursor' });
    FakeSocket.last.snapshot('d1', [presence(1), presence(2), presence(3, 'offline')]);
    expect(said).toEqual(['error invalid_cursor', 'snapshot 1 2 3']);
    await broken();
    expect(FakeSocket.last.asked).toEqual([{ type: 'subscribe', users: [1, 2, 3], since: 'd1' }]);
  });

  it('of one subscription only leaves the other where it was until the next frame', async () => {
    const { connection } = await settled();
    connection.subscribe({ all: true });
    await turn();
    FakeSocket.last.snapshot('c1', [1, 2, 3].map((id) => presence(id)));
    await broken();
    FakeSocket.last.say({ type: 'error', code: 'cursor_expired', detail: 'too old' });
    FakeSocket.last.snapshot('d1', [1, 2, 3].map((id) => presence(id)));
    FakeSocket.last.caughtUp('d2');
    FakeSocket.last.transition('d3', presence(1, 'offline'), at(20));
    await broken();
    expect(FakeSocket.last.asked.map((frame) => 'since' in frame && frame.since)).toEqual(['d3', 'd3']);
  });

  it('is not used again where that snapshot did not come', async () => {
    await settled();
    await broken();
    FakeSocket.last.say({ type: 'error', code: 'cursor_expired', detail: 'too old' });
    await broken();
    expect(FakeSocket.last.asked).toEqual([{ type: 'subscribe', users: [1, 2, 3] }]);
  });

  it('is too old for each subscription', async () => {
    const { connection } = await settled();
    connection.subscribe({ all: true });
    await turn();
    FakeSocket.last.snapshot('c1', [1, 2, 3, 4].map((id) => presence(id)));
    await broken();
    FakeSocket.last.say({ type: 'error', code: 'cursor_expired', detail: 'too old' });
    FakeSocket.last.snapshot('d1', [presence(1), presence(2), presence(3)]);
    FakeSocket.last.say({ type: 'error', code: 'cursor_expired', detail: 'too old' });
    FakeSocket.last.snapshot('d2', [presence(1), presence(2), presence(3)]);
    // Everybody, and so 4 is no more.
    expect([...connection.presences.keys()]).toEqual([1, 2, 3]);
    await broken();
    expect(FakeSocket.last.asked.map((frame) => 'since' in frame && frame.since)).toEqual(['d2', 'd2']);
  });
});
