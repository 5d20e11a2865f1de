import type { Environment } from '../environment.js';
import type { Fetch } from '../http.js';
import type { Reason } from '../problem.js';
import type { Clock } from '../time/clock.js';
import type { TokenStorage } from './storage.js';

/** A user, as the server answers it at log-in. */
export interface LoggedInUser {
  readonly id: number;
  readonly username: string;
  readonly role: string;
  /** What else the server says of the user. */
  readonly [more: string]: unknown;
}

/** What a log-in answers, but for the tokens, which the {@link Session} keeps. */
export interface LoggedIn {
  /** Who has logged in. */
  readonly user: LoggedInUser;
  /** How often to send a heartbeat. */
  readonly heartbeatIntervalSeconds: number;
  /** After how much silence the user is offline. */
  readonly inactivityTimeoutSeconds: number;
  /** After how long without being touched a device is away; null where the server does not say. */
  readonly awayAfterSeconds: number | null;
}

/** What a log-in needs. */
export interface Credentials {
  /** Name or e-mail address. */
  readonly username: string;
  /** The password. */
  readonly password: string;
  /** A name for the list of devices. */
  readonly device?: string;
}

/** The events of a {@link Session}. */
export interface SessionEvents {
  /** Logged in or out, here or in another tab. Not after a refresh. */
  changed: { readonly loggedIn: boolean; readonly sessionId: string | null };
  /** The session has ended, but not by this tab's `logout()`. The tokens are gone already. */
  ended: Reason;
}

/** The options of a {@link Session}. */
export interface SessionOptions {
  /** The server, such as `https://presence.example.org`; empty for the page's own origin. */
  readonly baseUrl: string;
  /** Where tokens are kept. Default: in memory. */
  readonly storage?: TokenStorage;
  /** Called when the session has ended elsewhere: by another tab, an admin, or a refresh token used twice. */
  readonly onEnded?: (reason: Reason) => void;
  /** How long log-in and log-out may take. Default 15. */
  readonly requestTimeoutSeconds?: number;
  /** In place of the platform's `fetch`. */
  readonly fetch?: Fetch;
  /** In place of the platform's clock. */
  readonly clock?: Clock;
  /** In place of the page around it; for tests. */
  readonly environment?: Environment;
}
