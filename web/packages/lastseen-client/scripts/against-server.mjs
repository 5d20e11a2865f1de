// Tries the built package against a running server, by hand:
//
//   LASTSEEN_URL=http://127.0.0.1:8000 LASTSEEN_PASSWORD=… node scripts/against-server.mjs
//
// Logs in (as admin, or LASTSEEN_USERNAME), sends heartbeats, refreshes, leaves, logs out, and says what it finds.
import { HeartbeatClient, Session } from '../dist/index.js';

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
