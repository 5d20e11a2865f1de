/** The built package in a real Node, against a real HTTP server and real time. `npm test` builds it first. */
import { execFile } from 'node:child_process';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, expect, it } from 'vitest';

const PACKAGE = fileURLToPath(new URL('..', import.meta.url));

/** Runs a script as a file of the package's own folder would be, so that the package is found by its name. */
async function node(script: string): Promise<string> {
  const given = ['--input-type=module', '--unhandled-rejections=strict', '-e', script];
  const { stdout, stderr } = await promisify(execFile)(process.execPath, given, { cwd: PACKAGE, timeout: 20_000 });
  expect(stderr).toBe('');
  return stdout;
}

let server: Server | undefined;
afterEach(() => void server?.close());

async function listen(answer: (request: IncomingMessage, count: number) => [number, object, object?]) {
  const got: string[] = [];
  server = createServer((request, response) => {
    got.push(`${request.method ?? ''} ${request.url ?? ''} ${request.headers.authorization ?? ''}`.trim());
    const [status, body, headers] = answer(request, got.length);
    request.resume().on('end', () => {
      response.writeHead(status, { 'Content-Type': 'application/json', ...headers }).end(JSON.stringify(body));
    });
  });
  await new Promise<void>((resolve) => void server?.listen(0, '127.0.0.1', resolve));
  return { got, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

it('can be imported by its name', async () => {
  const said = await node(`
    import * as everything from 'lastseen-client';
    console.log(Object.keys(everything).sort().join(' '), import.meta.resolve('lastseen-client/timer-worker').slice(-21));
  `);
  expect(said.trim()).toBe(
    'CLOSE HeartbeatClient IdleWatcher LastseenError LiveConnection Session connect memoryStorage parseFrame sessionIdOf ' +
      'webStorage /dist/timer-worker.js',
  );
});

it('sends heartbeats, and lets the process end once it is stopped', async () => {
  const answer = { online_status: 'online', last_seen: new Date(), online_until: new Date(Date.now() + 120_000) };
  const { got, url } = await listen((_, count) => (count === 2 ? [503, {}, { 'Retry-After': '0' }] : [200, answer]));
  const said = await node(`
    import { HeartbeatClient } from 'lastseen-client';
    const client = new HeartbeatClient({
      baseUrl: '${url}',
      intervalSeconds: 0.1,
      getAccessToken: async () => 'token',
      onState: ({ status }) => console.log(status),
    });
    let beats = 0;
    client.on('beat', () => ++beats === 3 && client.stop('enough'));
    client.start();
  `);
  expect(got).toEqual(Array(4).fill('POST /api/users/heartbeat/ Bearer token'));
  expect(said).toContain('[lastseen] heartbeat: online until ');
  expect(said).toContain('backing-off');
  expect(said.trim().split('\n').at(-1)).toBe('stopped');
});

it('logs in, refreshes and logs out', async () => {
  const { got, url } = await listen(({ url: path, headers }) => {
    if (path === '/api/users/login/') return [200, { access: 'a1', refresh: 'r1', user: { id: 1 } }];
    if (path === '/api/users/token/refresh/') return [200, { access: 'a2', refresh: 'r2' }];
    return headers.authorization === 'Bearer a2' ? [200, { fine: true }] : [401, { code: 'token_expired' }];
  });
  const said = await node(`
    import { Session } from 'lastseen-client';
    const session = new Session({ baseUrl: '${url}/' });
    await session.login({ username: 'ann', password: 'right' });
    const answers = await Promise.all([1, 2, 3].map((id) => session.authorizedFetch('/api/users/' + id + '/')));
    console.log(answers.map(({ status }) => status).join(' '), JSON.stringify(await answers[2].json()));
    await session.logout();
    console.log(session.loggedIn);
  `);
  expect(said).toBe('200 200 200 {"fine":true}\nfalse\n');
  expect(got.filter((line) => line.includes('refresh'))).toHaveLength(1);
  expect(got.at(-1)).toBe('POST /api/users/logout/ Bearer a2');
});
