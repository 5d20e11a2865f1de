/**
 * What goes over the WebSocket: JSON objects with a `type`, as the server's documentation names them.
 */

/** How available a user is. `invisible` is only ever shown to the user itself. */
export type Availability = 'available' | 'away' | 'dnd' | 'invisible';

/** What is known of a user at a moment. */
export interface Presence {
  readonly user_id: number;
  readonly online_status: 'online' | 'offline';
  /** Of somebody who is offline: `available`. */
  readonly availability: Availability;
  /** The user's own words beside it. */
  readonly text: string | null;
  /** The user's own emoji beside it. */
  readonly emoji: string | null;
  /** The last sign of life, RFC 3339. Null where there was none, or where it is not for this reader. */
  readonly last_seen: string | null;
  /**
   * Until when the user is online if there is no other sign of life, RFC 3339. It moves on with each of them without
   * a frame: whoever goes offline is told of by a `transition`, and not by this moment passing.
   */
  readonly online_until: string | null;
  /** Why, such as `login` or `timeout`. */
  readonly reason: string | null;
}

/** That somebody whom one waited for came online. */
export interface LiveNotification {
  readonly id: number;
  readonly kind: string;
  /** Who it is about. */
  readonly user_id: number;
  readonly username: string;
  readonly at: string;
  /** When it was read; null where it was not. */
  readonly read_at: string | null;
}

/** What is subscribed to: some users, one's contacts, or everybody (for admins). */
export interface Subscription {
  readonly users?: readonly number[];
  readonly contacts?: true;
  readonly all?: true;
}

/** What a user says of itself. Only what is named changes; naming `availability` without `until` takes the end away. */
export interface AvailabilityChange {
  readonly availability?: Availability;
  /** Null takes it away. */
  readonly text?: string | null;
  /** Null takes it away. */
  readonly emoji?: string | null;
  /** When it ends by itself, RFC 3339. Null for never. */
  readonly until?: string | null;
}

/** A frame to the server. */
export type ClientFrame =
  | { readonly type: 'auth'; readonly token: string }
  | ({ readonly type: 'subscribe'; readonly since?: string } & Subscription)
  | ({ readonly type: 'unsubscribe' } & Subscription)
  | { readonly type: 'typing'; readonly to: number }
  | ({ readonly type: 'availability' } & AvailabilityChange)
  | { readonly type: 'heartbeat'; readonly idle_seconds?: number };

/** The answer to a token that was accepted. */
export interface ReadyFrame {
  readonly type: 'ready';
  readonly user_id: number;
  readonly session_id: number;
  readonly heartbeat_interval_seconds: number;
  readonly away_after_seconds: number;
}

/** How some users stand now, instead of what was known of them. */
export interface SnapshotFrame {
  readonly type: 'snapshot';
  readonly cursor: string;
  readonly presences: readonly Presence[];
  /** There are further parts. */
  readonly more?: boolean;
}

/** A user's presence has changed. */
export interface TransitionFrame {
  readonly type: 'transition';
  readonly cursor: string;
  /** When it did, RFC 3339. A time-out is dated at its deadline. */
  readonly at: string;
  readonly presence: Presence;
}

/** A frame from the server. */
export type ServerFrame =
  | ReadyFrame
  | SnapshotFrame
  | TransitionFrame
  /** All that was missed since a subscription's `since` has been told. */
  | { readonly type: 'caught_up'; readonly cursor: string }
  | { readonly type: 'typing'; readonly from: number; readonly seconds: number }
  | { readonly type: 'notification'; readonly notification: LiveNotification }
  | { readonly type: 'contacts' }
  | { readonly type: 'error'; readonly code: string; readonly detail: string };

/** How the server ends a WebSocket. */
export const CLOSE = {
  /** The server is going away. */
  goingAway: 1001,
  /** The token was not accepted or has expired, or the session has ended. */
  unauthorized: 4001,
  /** The account is barred. */
  barred: 4003,
  /** Frames were not taken fast enough. */
  tooSlow: 4008,
  /** Too many frames were sent. */
  tooMany: 4029,
} as const;

/** A presence as it came, with null for what was left out. Null for what is none. */
export function presenceFrom(value: unknown): Presence | null {
  const seen = value as Partial<Presence> | null | undefined;
  if (typeof seen?.user_id !== 'number') return null;
  return {
    user_id: seen.user_id,
    online_status: seen.online_status === 'online' ? 'online' : 'offline',
    availability: seen.availability ?? 'available',
    text: seen.text ?? null,
    emoji: seen.emoji ?? null,
    last_seen: seen.last_seen ?? null,
    online_until: seen.online_until ?? null,
    reason: seen.reason ?? null,
  };
}

/** All presences in a list. */
export function presencesFrom(values: unknown): Presence[] {
  if (!Array.isArray(values)) return [];
  return values.map(presenceFrom).filter((presence) => presence !== null);
}

/** A frame of the server's; null for what is none that this package knows. */
export function parseFrame(data: unknown): ServerFrame | null {
  if (typeof data !== 'string') return null;
  try {
    const frame = JSON.parse(data) as Record<string, unknown> | null;
    switch (frame?.type) {
      case 'snapshot':
        return { ...(frame as unknown as SnapshotFrame), presences: presencesFrom(frame.presences) };
      case 'transition': {
        const presence = presenceFrom(frame.presence);
        return presence && { ...(frame as unknown as TransitionFrame), presence };
      }
      case 'ready':
      case 'caught_up':
      case 'typing':
      case 'notification':
      case 'contacts':
      case 'error':
        return frame as unknown as ServerFrame;
      default:
        return null;
    }
  } catch {
    return null;
  }
}
