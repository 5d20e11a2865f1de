/** In real time, against real WebSockets, by the npm package `ws`. */
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { type WebSocket, WebSocket as NodeWebSocket, WebSocketServer } from 'ws';
import { type ClientFrame, connect, type LiveConnection } from '../../src/index.js';
import { presence } from '../support/live.js';

let server: WebSocketServer | undefined;
let connection: LiveConnection | undefined;
afterEach(() => {
  connection?.close();
  for (const client of server?.clients ?? []) client.terminate();
  server?.close();
});

/** A server that answers as the real one does, as far as this goes. */
async function serve(onFrame: (socket: WebSocket, frame: ClientFrame, count: number) => void) {
  const made = new WebSocketServer({ port: 0, host: '127.0.0.1', handleProtocols: () => 'bearer' });
  server = made;
  const tokens: (string | undefined)[] = [];
  made.on('connection', (socket, request) => {
    tokens.push(request.headers['sec-websocket-protocol']);
    const say = (frame: object) => socket.send(JSON.stringify(frame));
    const ready = { type: 'ready', user_id: 7, session_id: 1, heartbeat_interval_seconds: 30, away_after_seconds: 300 };
    say(ready);
    socket.on('message', (data: Buffer) => {
      const frame = JSON.parse(data.toString()) as ClientFrame;
      if (frame.type === 'auth') say(ready);
      else onFrame(socket, frame, tokens.length);
    });
  });
  await new Promise((resolve) => made.once('listening', resolve));
  return { baseUrl: `http://127.0.0.1:${(made.address() as AddressInfo).port}`, tokens };
}

it('connects, resumes after the server went away, and ends', async () => {
  const asked: ClientFrame[] = [];
  const { baseUrl, tokens } = await serve((socket, frame, count) => {
    asked.push(frame);
    if (frame.type !== 'subscribe') return;
    if (count === 1) {
      socket.send(JSON.stringify({ type: 'snapshot', cursor: 'c1', presences: [presence(1)] }));
      setTimeout(() => socket.close(1001), 20);
    } else {
      socket.send(JSON.stringify({ type: 'transition', cursor: 'c2', at: new Date(), presence: presence(1, 'offline') }));
    }
  });
  const live = connect({
    baseUrl,
    getAccessToken: () => 'a.b-c_d',
    webSocket: NodeWebSocket,
    random: () => 0.05,
    logger: false,
  });
  connection = live;
  const changed = new Promise((resolve) => live.on('presence', resolve));
  live.subscribe({ users: [1] });
  expect(await changed).toMatchObject({ presence: { user_id: 1, online_status: 'offline' }, previous: { online_status: 'online' } });
  expect(tokens).toEqual(['bearer,a.b-c_d', 'bearer,a.b-c_d']);
  expect(asked).toEqual([
    { type: 'subscribe', users: [1] },
    { type: 'subscribe', users: [1], since: 'c1' },
  ]);
  const gone = new Promise((resolve) => [...(server?.clients ?? [])].at(-1)?.once('close', resolve));
  live.close();
  expect(await gone).toBe(1000);
});

it('knows what a close says', async () => {
  const { baseUrl } = await serve((socket) => socket.close(4003, 'the account is suspended'));
  const live = connect({ baseUrl, getAccessToken: () => 'token', webSocket: NodeWebSocket, logger: false });
  connection = live;
  const closed = new Promise((resolve) => live.on('state', (state) => state.status === 'closed' && resolve(state.reason)));
  live.subscribe({ contacts: true });
  expect(await closed).toEqual({ code: 'account_barred', detail: 'the account is suspended' });
});
