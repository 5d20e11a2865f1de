// What the page needs of a log-in. The page knows this and not how it is done.

import type { LiveConnection } from "lastseen-client";
import type { Profile } from "../api/types";

export interface SessionState {
  /** Which log-in; null where nobody is logged in. */
  id: string | null;
  /** Who, where this tab knows already; after a reload the server has to be asked. */
  user: Profile | null;
  /** Why the log-in is over: the code of the server's answer, or `logged_out`; null where there was none. */
  ended: string | null;
}

/** Presence as it changes. */
export type Live = Pick<LiveConnection, "on" | "state" | "presences" | "typists" | "subscribe" | "typing">;

/** Whether heartbeats get through. */
export type Pulse = "beating" | "retrying" | "stopped";

export interface SessionPort {
  /** The same object until something changes. */
  state(): SessionState;
  pulse(): Pulse;
  /** The connection of this log-in; null where there is none. */
  live(): Live | null;
  subscribe(listener: () => void): () => void;
  /** After how long without being touched this device is away. */
  setAwayAfter(seconds: number): void;
  /** Throws `Problem` or `Unreachable`. */
  login(username: string, password: string): Promise<Profile>;
  logout(everywhere?: boolean): Promise<void>;
  /** A request with the access token, refreshed without the caller's noticing. */
  fetch(request: Request): Promise<Response>;
}
