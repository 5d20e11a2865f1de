import { describe, expect, it, vi } from 'vitest';
import { memoryStorage } from '../src/index.js';
import { Browser } from './support/browser.js';
import { pass } from './support/heartbeat.js';
import { accessToken, noNetwork, problem } from './support/server.js';
import { ANN, inTab, session, SessionServer, twoTabs, useFakeTime } from './support/session.js';

useFakeTime();

describe('two tabs that share a log-in', () => {
  it('are both logged in by it', async () => {
    const browser = new Browser();
    const server = new SessionServer();
    const two = inTab(browser.tab(), server);
    const changed = vi.fn();
    two.session.on('changed', changed);
    await inTab(browser.tab(), server).session.login(ANN);
    await pass(0);
    expect(changed.mock.calls).toEqual([[{ loggedIn: true, sessionId: '1' }]]);
    expect(two.session.getAccessToken()).toBe(accessToken(1, 1));
  });

  it('refresh once, although both need it', async () => {
    const { server, one, two } = await twoTabs(new Browser());
    const changed = vi.fn();
    two.session.on('changed', changed);
    server.expire(1);
    const answers = await Promise.all([one, two].map((tab) => tab.session.authorizedFetch('/api/users/me/')));
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    expect(server.refreshes).toBe(1);
    expect(changed).not.toHaveBeenCalled();
  });

  it('get along without locks', async () => {
    const { server, one, two } = await twoTabs(new Browser(), { locks: true, channels: true });
    server.expire(1);
    const answers = await Promise.all([one, two].map((tab) => tab.session.authorizedFetch('/api/users/me/')));
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    expect(server.ended.size).toBe(0);
    await pass(60);
    server.expire(1);
    expect((await one.session.authorizedFetch('/api/users/me/')).status).toBe(200);
  });

  it('get along where locks are refused', async () => {
    const locks = { request: () => Promise.reject(new DOMException('opaque origin', 'SecurityError')) };
    const { session: one } = session(undefined, { environment: { locks } });
    await one.login(ANN);
    expect(await one.refresh()).toBe(accessToken(1, 2));
  });

  it('do not take the answer for lost where the other was faster', async () => {
    const { server, one, two } = await twoTabs(new Browser(), { locks: true, channels: true });
    server.once(() => new Promise((resolve) => setTimeout(() => resolve(noNetwork()), 1_000)));
    const slow = one.session.refresh();
    await two.session.refresh();
    await pass(8);
    expect(await slow).toBe(accessToken(1, 2));
    expect(server.ended.size).toBe(0);
  });

  it('do not end where a refresh of old is refused, but the other has new tokens', async () => {
    const { server, one, two } = await twoTabs(new Browser(), { locks: true, channels: true });
    server.once(() => new Promise((resolve) => setTimeout(() => resolve(problem(401, 'refresh_reused')), 1_000)));
    const refused = one.session.refresh();
    await two.session.refresh();
    await pass(1);
    expect(await refused).toBe(accessToken(1, 2));
    expect(one.ended).not.toHaveBeenCalled();
  });

  it('do not go back to tokens that they hear of late', async () => {
    const browser = new Browser();
    const { one, two } = await twoTabs(browser);
    await one.session.refresh();
    await one.session.refresh();
    const channel = browser.tab().environment.openChannel?.('lastseen-session:https://presence.example');
    const tokens = { access: accessToken(1, 2), refresh: '1.2' };
    channel?.postMessage({ kind: 'renewed', sessionId: '1', spent: '1.1', tokens });
    await pass(1);
    expect(two.session.getAccessToken()).toBe(accessToken(1, 3));
  });

  it('are both logged out by a log-out, the other with a reason', async () => {
    const { one, two, server } = await twoTabs(new Browser());
    await one.session.logout();
    await pass(1);
    expect([one, two].map((tab) => tab.session.loggedIn)).toEqual([false, false]);
    expect(one.ended).not.toHaveBeenCalled();
    const reason = { code: 'logged_out', detail: 'You have been logged out in another tab.' };
    expect(two.ended.mock.calls).toEqual([[reason]]);
    expect(server.got.filter(({ path }) => path === '/api/users/logout/')).toHaveLength(1);
  });

  it('are both logged out also where there is only the storage event', async () => {
    const { one, two } = await twoTabs(new Browser(), { locks: true, channels: true });
    await one.session.logout();
    await pass(1);
    expect(two.ended.mock.calls.map(([{ code }]) => code as string)).toEqual(['logged_out']);
  });

  it('show the same reason where the session was ended', async () => {
    const { one, two, server } = await twoTabs(new Browser());
    server.ended.add(1);
    await one.session.authorizedFetch('/api/users/me/');
    await pass(1);
    const reason = { code: 'session_ended', detail: 'Detail of session_ended.' };
    expect([one.ended.mock.calls, two.ended.mock.calls]).toEqual([[[reason]], [[reason]]]);
  });

  it('notice somebody else logging in', async () => {
    const { one, two } = await twoTabs(new Browser());
    const changed = vi.fn();
    one.session.on('changed', changed);
    await two.session.login(ANN);
    await pass(1);
    expect(changed.mock.calls).toEqual([[{ loggedIn: true, sessionId: '2' }]]);
    expect(one.ended).not.toHaveBeenCalled();
  });

  it('notice it on coming out of the back/forward cache', async () => {
    const browser = new Browser();
    const server = new SessionServer();
    const tab = browser.tab({ channels: true });
    const one = inTab(tab, server);
    await one.session.login(ANN);
    browser.storage.clear();
    tab.window.fire('pageshow', { persisted: true });
    await pass(1);
    expect(one.ended).toHaveBeenCalledTimes(1);
  });

  it('hear nothing any more once they are closed', async () => {
    const browser = new Browser();
    const { one, two } = await twoTabs(browser);
    two.session.close();
    await one.session.logout();
    await pass(1);
    expect(two.ended).not.toHaveBeenCalled();
    expect(browser.channels.size).toBe(1);
  });
});

describe('two tabs with storage of their own', () => {
  it('do not meddle with each other', async () => {
    const browser = new Browser();
    const server = new SessionServer();
    const one = session(server, { environment: browser.tab().environment });
    const two = session(server, { environment: browser.tab().environment });
    await one.session.login(ANN);
    await two.session.login(ANN);
    await one.session.refresh();
    await one.session.logout();
    await pass(1);
    expect(two.session.loggedIn).toBe(true);
    expect(two.ended).not.toHaveBeenCalled();
  });

  it('share new tokens where one is a copy of the other', async () => {
    const browser = new Browser();
    const server = new SessionServer();
    const [mine, copy] = [memoryStorage(), memoryStorage()];
    const one = session(server, { environment: browser.tab().environment, storage: mine });
    await one.session.login(ANN);
    const kept = mine.read();
    if (kept) copy.write(kept);
    const two = session(server, { environment: browser.tab().environment, storage: copy });
    server.expire(1);
    await one.session.authorizedFetch('/api/users/me/');
    await pass(60);
    expect((await two.session.authorizedFetch('/api/users/me/')).status).toBe(200);
    expect(server.refreshes).toBe(1);
    await one.session.logout();
    await pass(1);
    expect(copy.read()).toBeNull();
    expect(two.ended).toHaveBeenCalledTimes(1);
  });
});
