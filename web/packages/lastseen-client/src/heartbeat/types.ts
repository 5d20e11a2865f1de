import type { Environment } from '../environment.js';
import type { Fetch } from '../http.js';
import type { Reason } from '../problem.js';
import type { Clock } from '../time/clock.js';

/** What a {@link HeartbeatClient} is doing. */
export type HeartbeatStatus = 'idle' | 'running' | 'backing-off' | 'stopped';

/** The state of a {@link HeartbeatClient}. Never changed, only replaced, so that it can be compared by identity. */
export interface HeartbeatState {
  /** What it is doing. */
  readonly status: HeartbeatStatus;
  /** When the last heartbeat was answered, by this computer's clock. */
  readonly lastBeat: Date | null;
  /** Until when the server keeps the user online if there is no other sign of life, by the server's clock. */
  readonly onlineUntil: Date | null;
  /** Why it is backing off or was stopped. */
  readonly reason: Reason | null;
  /** Whether this tab sends for all. */
  readonly leading: boolean;
}

/** What the server answers to a heartbeat. */
export interface HeartbeatAnswer {
  /** Always `online`. */
  readonly online_status: string;
  /** The sign of life that this was, RFC 3339. */
  readonly last_seen: string;
  /** When the user goes offline unless there is another, RFC 3339. */
  readonly online_until: string;
}

/** The events of a {@link HeartbeatClient}. */
export interface HeartbeatEvents {
  /** A heartbeat was answered; `sentHere` is false where another tab has sent it. */
  beat: { readonly at: Date; readonly onlineUntil: Date; readonly sentHere: boolean };
  /** A heartbeat failed, and is tried again after `delayMs`. */
  backoff: { readonly reason: Reason; readonly attempt: number; readonly delayMs: number; readonly sentHere: boolean };
  /** It has stopped: because the server refuses (`refused`, here or in another tab), or by `stop()`. */
  stopped: { readonly reason: Reason; readonly refused: boolean };
  /** This tab leads now, or does no longer. */
  leader: { readonly leading: boolean };
  /** The state is another. */
  state: HeartbeatState;
}

/** Where heartbeats are told of. `console` is one. */
export interface Logger {
  debug(message: string): void;
}

/** The options of a {@link HeartbeatClient}. */
export interface HeartbeatOptions {
  /** The server, such as `https://presence.example.org`; empty for the page's own origin. */
  readonly baseUrl: string;
  /** Gives the access token. What it throws is a failure; a {@link LastseenError} of status 401 or 403 ends it. */
  readonly getAccessToken: () => string | Promise<string>;
  /**
   * Gets a new access token, when the server has said `token_expired` to the one that is given; null where there is
   * none to be had. What it throws is taken as from `getAccessToken`.
   */
  readonly refreshAccessToken?: (expired: string) => Promise<string | null>;
  /** The interval that the server names at log-in, as `heartbeat_interval_seconds`. */
  readonly intervalSeconds: number;
  /** How long each request may take. Default: half the interval, at least 1 second and at most 10. */
  readonly requestTimeoutSeconds?: number;
  /** In place of the platform's `fetch`. */
  readonly fetch?: Fetch;
  /** In place of the best clock that there is: timers in a worker where there are workers, else `setTimeout`. */
  readonly clock?: Clock;
  /**
   * The address of `lastseen-client/timer-worker`, for pages whose content security policy does not allow
   * `worker-src blob:`. False for no worker.
   */
  readonly timerWorker?: string | URL | false;
  /** In place of `Math.random`. */
  readonly random?: () => number;
  /** Where each heartbeat is said at debug level. Default `console`; false for nowhere. */
  readonly logger?: Logger | false;
  /** Called with each new state. */
  readonly onState?: (state: HeartbeatState) => void;
  /** Whether the server is told when the page goes away. Default true. */
  readonly leaveOnPageHide?: boolean;
  /**
   * Whether only one of several tabs sends. Default true. Give false where each tab has a session of its own.
   * Where the browser lacks Web Locks or BroadcastChannel, each tab sends.
   */
  readonly leaderElection?: boolean;
  /**
   * Tells sessions apart: only tabs of the same session share a leader. Default: the `sid` of the access token. Where
   * there is neither, each tab sends.
   */
  readonly sessionId?: string | number;
  /** In place of the page around it; for tests. */
  readonly environment?: Environment;
}
