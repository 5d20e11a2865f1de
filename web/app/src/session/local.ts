// A log-in kept in the browser's storage: the plainest thing that fulfils the port.

import { Problem, Unreachable, errorOf } from "../api/problem";
import type { Profile } from "../api/types";
import { deviceName } from "./device";
import type { Pulse, SessionPort, SessionState } from "./port";

interface Tokens {
  access: string;
  refresh: string;
  interval: number;
}

const KEY = "lastseen-session";
const OVER = new Set(["session_ended", "token_invalid", "refresh_reused"]);

export class LocalSession implements SessionPort {
  private listeners = new Set<() => void>();
  private current: SessionState;
  private timer: number | undefined;
  private beat: Pulse = "stopped";

  constructor() {
    this.current = { signedIn: this.tokens() !== null, user: null, ended: null };
    window.addEventListener("storage", (event) => {
      if (event.key !== KEY) return;
      if (event.newValue === null) this.set({ signedIn: false, user: null, ended: "logged_out" });
      else if (!this.current.signedIn) this.set({ signedIn: true, user: null, ended: null });
    });
    this.schedule();
  }

  state = () => this.current;
  pulse = () => this.beat;

  subscribe = (listener: () => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  async login(username: string, password: string): Promise<Profile> {
    const body = await this.post("/api/users/login/", { username, password, device: deviceName() });
    this.keep({ access: body.access, refresh: body.refresh, interval: body.heartbeat_interval_seconds });
    this.set({ signedIn: true, user: body.user, ended: null });
    return body.user;
  }

  async logout(everywhere = false): Promise<void> {
    try {
      const body = JSON.stringify({ everywhere });
      const headers = { "Content-Type": "application/json" };
      await this.fetch(new Request("/api/users/logout/", { method: "POST", body, headers }));
    } finally {
      this.end("logged_out");
    }
  }

  fetch = async (request: Request): Promise<Response> => {
    const again = request.clone();
    const response = await this.send(request);
    if (response.status !== 401 && response.status !== 403) return response;
    const code = await codeOf(response);
    if (code === "token_expired") {
      await this.refresh();
      return this.send(again);
    }
    if (OVER.has(code) || code.startsWith("account_")) this.end(code);
    return response;
  };

  private send(request: Request): Promise<Response> {
    const tokens = this.tokens();
    if (tokens) request.headers.set("Authorization", `Bearer ${tokens.access}`);
    return fetch(request);
  }

  private async refresh(): Promise<void> {
    const before = this.tokens()?.refresh;
    await navigator.locks.request(`${KEY}-refresh`, async () => {
      const tokens = this.tokens();
      if (!tokens || tokens.refresh !== before) return;
      try {
        const body = await this.post("/api/users/token/refresh/", { refresh: tokens.refresh });
        this.keep({ ...tokens, access: body.access, refresh: body.refresh });
      } catch (error) {
        if (error instanceof Problem && error.status < 500) this.end(error.code);
        throw error;
      }
    });
  }

  private async post(path: string, body: unknown) {
    const headers = { "Content-Type": "application/json" };
    const response = await fetch(path, { method: "POST", headers, body: JSON.stringify(body) }).catch((error) => {
      throw new Unreachable(error);
    });
    const answer = await response.json().catch(() => null);
    if (!response.ok) throw errorOf(response, answer);
    return answer;
  }

  private tokens(): Tokens | null {
    const text = localStorage.getItem(KEY);
    return text ? (JSON.parse(text) as Tokens) : null;
  }

  private keep(tokens: Tokens) {
    localStorage.setItem(KEY, JSON.stringify(tokens));
  }

  private end(code: string) {
    localStorage.removeItem(KEY);
    this.set({ signedIn: false, user: null, ended: code });
  }

  private set(state: SessionState) {
    this.current = state;
    this.schedule();
    for (const listener of this.listeners) listener();
  }

  private schedule() {
    window.clearInterval(this.timer);
    const tokens = this.tokens();
    this.beat = tokens ? "beating" : "stopped";
    if (!tokens) return;
    const beat = () =>
      this.fetch(new Request("/api/users/heartbeat/", { method: "POST" })).then(
        () => (this.beat = "beating"),
        () => (this.beat = "retrying"),
      );
    this.timer = window.setInterval(beat, tokens.interval * 1000);
  }
}

async function codeOf(response: Response): Promise<string> {
  const body = await response.clone().json().catch(() => null);
  return typeof body?.code === "string" ? body.code : "";
}
