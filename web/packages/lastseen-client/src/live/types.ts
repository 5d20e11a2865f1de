import type { Environment } from '../environment.js';
import type { Logger } from '../heartbeat/types.js';
import type { Fetch } from '../http.js';
import type { Reason } from '../problem.js';
import type { Clock } from '../time/clock.js';
import type { LiveNotification, Presence } from './frames.js';

/** Of a `WebSocket`: the platform's, or one of the npm package `ws`. */
export interface WebSocketLike {
  /** As everywhere: the event's name, and what is called. Kinds of WebSockets differ in how they say so. */
  addEventListener(...listening: never[]): void;
  send(data: string): void;
  close(code?: number, reason?: string): void;
}

/** Makes a {@link WebSocketLike}. */
export type WebSocketConstructor = new (url: string, protocols?: string[]) => WebSocketLike;

/**
 * What a {@link LiveConnection} is doing: `connecting` also while it waits before the next try, `fallback` while it
 * asks by HTTP instead.
 */
export type LiveStatus = 'connecting' | 'open' | 'fallback' | 'closed';

/** The state of a {@link LiveConnection}. Never changed, only replaced. */
export interface LiveState {
  readonly status: LiveStatus;
  /** What went wrong last, or why it was closed. */
  readonly reason: Reason | null;
}

/** A user's presence that is another now. */
export interface PresenceChange {
  readonly presence: Presence;
  /** What was known before; null where nothing was. */
  readonly previous: Presence | null;
  /** When it changed, RFC 3339; null where only a snapshot tells. */
  readonly at: string | null;
}

/** The events of a {@link LiveConnection}. */
export interface LiveEvents {
  /** Somebody's presence has changed. Not for those of whom nothing was known before a snapshot. */
  presence: PresenceChange;
  /** What a subscription begins with, or begins anew with, as a whole. */
  snapshot: { readonly presences: readonly Presence[] };
  /** Somebody types to this user, or has stopped. */
  typing: { readonly from: number; readonly typing: boolean };
  /** Somebody whom this user waited for has come online. */
  notification: LiveNotification;
  /** The list of contacts or requests is another: ask for it again. */
  contacts: undefined;
  /** The server took the token: at each connecting, and each time the token was renewed. Not in fallback. */
  ready: {
    readonly userId: number;
    readonly sessionId: number;
    readonly heartbeatIntervalSeconds: number;
    readonly awayAfterSeconds: number;
  };
  /** The server said that something was wrong, such as a subscription that is not allowed. */
  error: Reason;
  /** The state is another. */
  state: LiveState;
}

/** The options of a {@link LiveConnection}. */
export interface LiveOptions {
  /** The server, such as `https://presence.example.org`; empty for the page's own origin. */
  readonly baseUrl: string;
  /** Gives the access token. A {@link LastseenError} of status 401 or 403 closes the connection. */
  readonly getAccessToken: () => string | Promise<string>;
  /** Gets a new access token instead of the one that is given; null where there is none to be had. */
  readonly refreshAccessToken?: (expired: string) => Promise<string | null>;
  /** In place of the platform's `WebSocket`. False for none: asks by HTTP at once. */
  readonly webSocket?: WebSocketConstructor | false;
  /** How often it asks in fallback. Default 10. */
  readonly pollSeconds?: number;
  /** After how long in fallback the WebSocket is tried again. Default 60. */
  readonly retrySeconds?: number;
  /** How long it may take until the server says `ready`, and how long a request may take. Default 10. */
  readonly timeoutSeconds?: number;
  /** Where it says what it does, at debug level. Default `console`; false for nowhere. */
  readonly logger?: Logger | false;
  /** In place of the platform's `fetch`. */
  readonly fetch?: Fetch;
  /** In place of the platform's clock. */
  readonly clock?: Clock;
  /** In place of `Math.random`. */
  readonly random?: () => number;
  /** In place of the page around it; for tests. */
  readonly environment?: Environment;
}
