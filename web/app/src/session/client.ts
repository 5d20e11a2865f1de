// The log-in, its heartbeats and its live connection, by the client package.

import { connect, HeartbeatClient, IdleWatcher, LastseenError, Session, webStorage, type LiveConnection, type LiveOptions } from "lastseen-client";
import { Problem, Unreachable } from "../api/problem";
import type { Config, Profile } from "../api/types";
import { deviceName } from "./device";
import type { Pulse, SessionPort, SessionState } from "./port";

const LOGGED_OUT = "logged_out";
// Until the server has said its own, which is a moment after the page was loaded.
const DEFAULT_INTERVAL_SECONDS = 30;
const DEFAULT_AWAY_SECONDS = 300;

export class ClientSession implements SessionPort {
  private readonly session: Session;
  private readonly listeners = new Set<() => void>();
  private heartbeat: HeartbeatClient | null = null;
  private connection: LiveConnection | null = null;
  private watcher: IdleWatcher | null = null;
  private current: SessionState;
  /** While this tab logs in, what the session says of itself is no news. */
  private entering = false;

  constructor(private readonly baseUrl: string) {
    this.session = new Session({ baseUrl, storage: webStorage(window.localStorage) });
    this.current = { id: this.session.sessionId, user: null, ended: null };
    this.session.on("changed", ({ sessionId }) => {
      if (this.entering) return;
      if (sessionId !== null) this.become({ id: sessionId, user: null, ended: null });
      else this.become({ id: null, user: null, ended: this.current.ended ?? LOGGED_OUT });
    });
    this.session.on("ended", ({ code }) => this.become({ id: null, user: null, ended: code }));
    if (this.session.loggedIn) void this.resume();
  }

  state = () => this.current;
  live = () => this.connection;
  setAwayAfter = (seconds: number) => this.watcher?.setAwayAfter(seconds);

  pulse = (): Pulse => {
    switch (this.heartbeat?.state.status) {
      case "running":
        return "beating";
      case "backing-off":
        return "retrying";
      default:
        return "stopped";
    }
  };

  subscribe = (listener: () => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  async login(username: string, password: string): Promise<Profile> {
    this.entering = true;
    const answer = await this.session
      .login({ username, password, device: deviceName() })
      .catch(fail)
      .finally(() => (this.entering = false));
    // What the server answers is a whole profile; the package promises less.
    const user = answer.user as unknown as Profile;
    this.become({ id: this.session.sessionId, user, ended: null });
    this.beat(answer.heartbeatIntervalSeconds, awayAfter(user, answer.awayAfterSeconds));
    this.tell();
    return user;
  }

  async logout(everywhere = false): Promise<void> {
    await this.session.logout({ everywhere }).catch(fail);
  }

  fetch = (request: Request) => this.session.authorizedFetch(request).catch(fail);

  /** After a reload: heartbeats go on at once, and at the server's own pace as soon as that is known. */
  private async resume() {
    this.beat(DEFAULT_INTERVAL_SECONDS, DEFAULT_AWAY_SECONDS);
    const response = await fetch(`${this.baseUrl}/api/config/`).catch(() => null);
    if (!response?.ok) return;
    const config = (await response.json()) as Config;
    this.heartbeat?.setInterval(config.heartbeat_interval_seconds);
    this.watcher?.setAwayAfter(config.away_after_seconds);
  }

  private beat(intervalSeconds: number, awayAfterSeconds: number) {
    this.quiet();
    const tokens = { getAccessToken: this.session.getAccessToken, refreshAccessToken: this.session.refresh };
    const heartbeat = new HeartbeatClient({
      baseUrl: this.baseUrl,
      intervalSeconds,
      ...tokens,
      onState: () => this.tell(),
    });
    // The server refuses heartbeats: then the log-in is over, for the same reason.
    heartbeat.on("stopped", ({ reason, refused }) => refused && this.session.end(reason));
    this.heartbeat = heartbeat;
    heartbeat.start();
    const watcher = new IdleWatcher({ heartbeat, awayAfterSeconds, name: this.session.sessionId ?? "" });
    this.watcher = watcher;
    watcher.start();
    this.connection = this.connect(tokens, heartbeat, watcher);
  }

  private connect(tokens: Pick<LiveOptions, "getAccessToken" | "refreshAccessToken">, heartbeat: HeartbeatClient, watcher: IdleWatcher) {
    const live = connect({ baseUrl: this.baseUrl, ...tokens });
    live.on("ready", ({ awayAfterSeconds, heartbeatIntervalSeconds }) => {
      if (awayAfterSeconds > 0) watcher.setAwayAfter(awayAfterSeconds);
      if (heartbeatIntervalSeconds > 0) heartbeat.setInterval(heartbeatIntervalSeconds);
    });
    // The server lets nobody in any more: a heartbeat learns why.
    live.on("state", ({ status, reason }) => status === "closed" && reason?.code !== "closed" && void heartbeat.beat());
    return live;
  }

  private become(state: SessionState) {
    const { id } = this.current;
    this.current = state;
    if (state.id === null) this.quiet();
    // Logged in, or in as somebody else, in another tab.
    else if (state.id !== id && state.user === null) void this.resume();
    this.tell();
  }

  private quiet() {
    const { connection, heartbeat, watcher } = this;
    this.heartbeat = this.connection = this.watcher = null;
    connection?.close();
    watcher?.stop();
    heartbeat?.stop();
  }

  private tell() {
    for (const listener of this.listeners) listener();
  }
}

const awayAfter = (user: Profile, operators: number | null) => user.away_after_seconds ?? operators ?? DEFAULT_AWAY_SECONDS;

/** The package's errors as the page's. */
function fail(error: unknown): never {
  if (!(error instanceof LastseenError)) throw new Unreachable(error);
  const { problem, retryAfterMs } = error;
  // Not the server's own words: nothing came, or something of a proxy's.
  if (problem.status === 0 || problem.type === "about:blank") throw new Unreachable(error);
  throw new Problem({ ...problem, field: problem.field ?? null }, retryAfterMs === null ? null : retryAfterMs / 1000);
}
