// Tries the built package against a running server, by hand:
//
//   LASTSEEN_URL=http://127.0.0.1:8000 LASTSEEN_PASSWORD=… node scripts/against-server.mjs
//
// Logs in (as admin, or LASTSEEN_USERNAME), sends heartbeats, refreshes, leaves, logs out, and says what it finds. Where
// that is an admin, it also makes an account, watches it over a WebSocket, and deletes it in the end.
import { randomBytes } from 'node:crypto';
import WebSocket from 'ws';
import { connect, HeartbeatClient, Session } from '../dist/index.js';

const baseUrl = process.env.LASTSEEN_URL ?? 'http://127.0.0.1:8000';
const username = process.env.LASTSEEN_USERNAME ?? 'admin';
const password = process.env.LASTSEEN_PASSWORD ?? '';
let failed = 0;

function check(what, fine) {
  console.log(`${fine ? 'ok    ' : 'FAILED'} ${what}`);
  if (!fine) failed += 1;
}

function once(client, event) {
  return new Promise((resolve) => {
    const off = client.on(event, (said) => {
      off();
      resolve(said);
    });
  });
}

function ask(session, method, path, body) {
  const json = body && { body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } };
  return session.authorizedFetch(path, { method, ...json });
}

async function soon(condition, seconds = 5) {
  for (const end = Date.now() + seconds * 1_000; Date.now() < end;) {
    if (condition()) return true;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return condition();
}

/** Another account comes, types, goes, and does so unseen while the WebSocket is broken. */
async function watchAnother(admin, me) {
  const other = { username: `live.${randomBytes(4).toString('hex')}`, password: randomBytes(12).toString('hex') };
  const made = await ask(admin, 'POST', '/api/users/', { ...other, email: `${other.username}@example.org` });
  const { id } = (await made.json()).user;
  check(`the account ${other.username} is made`, made.status === 201);

  const sockets = [];
  class Noted extends WebSocket {
    frames = [];
    constructor(...given) {
      super(...given);
      sockets.push(this);
      this.on('message', (data) => this.frames.push(JSON.parse(data)));
    }
  }
  const open = (session) =>
    connect({ baseUrl, getAccessToken: session.getAccessToken, refreshAccessToken: session.refresh, webSocket: Noted, logger: false });
  const told = [];
  const typing = [];
  const live = open(admin);
  live.on('presence', ({ presence }) => told.push(presence.online_status));
  live.on('typing', (said) => typing.push(said));
  const ready = once(live, 'ready');
  const snapshot = once(live, 'snapshot');
  live.subscribe({ users: [id] });
  check('a WebSocket is ready', (await ready).userId === me.id);
  check('a snapshot has the other offline', (await snapshot).presences[0]?.online_status === 'offline');

  const theirs = new Session({ baseUrl });
  await theirs.login({ ...other, device: 'against-server.mjs' });
  check('the other comes', await soon(() => told.join() === 'online'));
  const otherLive = open(theirs);
  await once(otherLive, 'ready');
  check('the other types', otherLive.typing(me.id) && !otherLive.typing(me.id) && (await soon(() => live.typists.includes(id))));
  await otherLive.setAvailability({ availability: 'dnd', text: 'busy', emoji: '📅' });
  check('the other is busy', await soon(() => live.presences.get(id)?.availability === 'dnd' && live.presences.get(id).text === 'busy'));
  await otherLive.setAvailability({ availability: 'available', text: null, emoji: null });
  check('the other is available', await soon(() => live.presences.get(id)?.availability === 'available'));
  otherLive.close();

  told.length = 0;
  const again = once(live, 'ready');
  sockets[0].terminate();
  await theirs.logout();
  await theirs.login({ ...other, device: 'against-server.mjs' });
  await again;
  check('what was missed is told once and in order', (await soon(() => told.length >= 2)) && told.join() === 'offline,online');
  const frames = () => sockets.at(-1).frames.map(({ type }) => type);
  check('and without a snapshot, up to caught_up', (await soon(() => frames().includes('caught_up'))) && !frames().includes('snapshot'));
  await theirs.logout();
  check('the other goes', await soon(() => told.join() === 'offline,online,offline'));
  check('the other types no more', typing.map((said) => said.typing).join() === 'true,false');
  live.close();
  check('the account is deleted', (await ask(admin, 'DELETE', `/api/users/${id}/`)).ok);
}

const me = async (session) => (await (await session.authorizedFetch('/api/users/me/')).json()).user;
const ended = [];
const session = new Session({ baseUrl, onEnded: ({ code }) => ended.push(code) });

const wrong = await session.login({ username, password: 'certainly not' }).catch(({ code }) => code);
check('a wrong password is invalid_credentials', wrong === 'invalid_credentials');
const loggedIn = await session.login({ username, password, device: 'against-server.mjs' });
check(`${username} is logged in, session ${session.sessionId}`, loggedIn.user.username === username);
check(`the interval is ${loggedIn.heartbeatIntervalSeconds} s`, loggedIn.heartbeatIntervalSeconds > 0);

const heartbeat = new HeartbeatClient({
  baseUrl,
  intervalSeconds: 0.5,
  getAccessToken: session.getAccessToken,
  refreshAccessToken: session.refresh,
});
heartbeat.start();
for (let count = 1; count <= 3; count += 1) {
  const { onlineUntil } = await once(heartbeat, 'beat');
  check(`heartbeat ${count}`, onlineUntil.getTime() > Date.now() - 60_000);
}

const before = session.getAccessToken();
const [one, two] = await Promise.all([session.refresh(), session.refresh()]);
check('one refresh for two that wait', one === two && one !== before);
check('a heartbeat with the new token', (await heartbeat.beat())?.online_status === 'online');
check('oneself is online', (await me(session)).online_status === 'online');

const own = await me(session);
if (own.role === 'admin') await watchAnother(session, own);

const leaving = await fetch(`${baseUrl}/api/users/heartbeat/`, {
  method: 'POST',
  keepalive: true,
  headers: { Authorization: `Bearer ${session.getAccessToken()}`, 'Content-Type': 'application/json' },
  body: '{"leaving":true}',
});
const grace = leaving.ok ? (Date.parse((await leaving.json()).online_until) - Date.now()) / 1_000 : null;
check(`leaving: ${leaving.status}, ${grace === null ? 'not known to this server' : `${grace.toFixed(1)} s of grace`}`,
  leaving.status === 422 || (leaving.ok && grace < 11));
const back = await heartbeat.beat();
check('a heartbeat undoes the leaving', back !== null && Date.parse(back.online_until) - Date.now() > (grace ?? 0) * 1_000);

const stopped = once(heartbeat, 'stopped');
const token = session.getAccessToken();
await session.logout();
check('no token is left', !session.loggedIn);
check(`the heartbeat stops: ${(await stopped).reason.code}`, heartbeat.state.status === 'stopped');
const dead = new HeartbeatClient({ baseUrl, intervalSeconds: 1, getAccessToken: () => token, logger: false });
dead.start();
check('the old token is dead', (await once(dead, 'stopped')).reason.code === 'session_ended');
check('nothing ended elsewhere', ended.length === 0);
process.exitCode = failed === 0 ? 0 : 1;
