// The log-in and its heartbeats, by the client package.

import { HeartbeatClient, LastseenError, Session, webStorage } from "lastseen-client";
import { Problem, Unreachable } from "../api/problem";
import type { Config, Profile } from "../api/types";
import { deviceName } from "./device";
import type { Pulse, SessionPort, SessionState } from "./port";

const LOGGED_OUT = "logged_out";
// Until the server has said its own, which is a moment after the page was loaded.
const DEFAULT_INTERVAL_SECONDS = 30;

export class ClientSession implements SessionPort {
  private readonly session: Session;
  private readonly listeners = new Set<() => void>();
  private heartbeat: HeartbeatClient | null = null;
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
    this.beat(answer.heartbeatIntervalSeconds);
    return user;
  }

  async logout(everywhere = false): Promise<void> {
    await this.session.logout({ everywhere }).catch(fail);
  }

  fetch = (request: Request) => this.session.authorizedFetch(request).catch(fail);

  /** After a reload: heartbeats go on at once, and at the server's own pace as soon as that is known. */
  private async resume() {
    this.beat(DEFAULT_INTERVAL_SECONDS);
    const response = await fetch(`${this.baseUrl}/api/config/`).catch(() => null);
    if (!response?.ok) return;
    const config = (await response.json()) as Config;
    this.heartbeat?.setInterval(config.heartbeat_interval_seconds);
  }

  private beat(intervalSeconds: number) {
    this.quiet();
    const heartbeat = new HeartbeatClient({
      baseUrl: this.baseUrl,
      intervalSeconds,
      getAccessToken: this.session.getAccessToken,
      refreshAccessToken: this.session.refresh,
      onState: () => this.tell(),
    });
    // The server refuses heartbeats: then the log-in is over, for the same reason.
    heartbeat.on("stopped", ({ reason, refused }) => refused && this.session.end(reason));
    this.heartbeat = heartbeat;
    heartbeat.start();
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
    const { heartbeat } = this;
    this.heartbeat = null;
    heartbeat?.stop();
  }

  private tell() {
    for (const listener of this.listeners) listener();
  }
}

/** The package's errors as the page's. */
function fail(error: unknown): never {
  if (!(error instanceof LastseenError)) throw new Unreachable(error);
  const { problem, retryAfterMs } = error;
  // Not the server's own words: nothing came, or something of a proxy's.
  if (problem.status === 0 || problem.type === "about:blank") throw new Unreachable(error);
  throw new Problem({ ...problem, field: problem.field ?? null }, retryAfterMs === null ? null : retryAfterMs / 1000);
}
