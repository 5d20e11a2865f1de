/**
 * Heartbeats, sessions and live presence for a Lastseen server.
 *
 * @packageDocumentation
 */
export { HeartbeatClient } from './heartbeat/client.js';
export type {
  HeartbeatAnswer,
  HeartbeatEvents,
  HeartbeatOptions,
  HeartbeatState,
  HeartbeatStatus,
  Logger,
} from './heartbeat/types.js';
export { Session } from './session/session.js';
export {
  memoryStorage,
  type Tokens,
  type TokenStorage,
  webStorage,
  type WebStorageLike,
} from './session/storage.js';
export { sessionIdOf } from './session/token.js';
export type { Credentials, LoggedIn, LoggedInUser, SessionEvents, SessionOptions } from './session/types.js';
export { connect, LiveConnection } from './live/connection.js';
export {
  type Availability,
  type AvailabilityChange,
  type ClientFrame,
  CLOSE,
  type LiveNotification,
  parseFrame,
  type Presence,
  type ReadyFrame,
  type ServerFrame,
  type SnapshotFrame,
  type Subscription,
  type TransitionFrame,
} from './live/frames.js';
export type {
  LiveEvents,
  LiveOptions,
  LiveState,
  LiveStatus,
  PresenceChange,
  WebSocketConstructor,
  WebSocketLike,
} from './live/types.js';
export { type IdleEvents, type IdleOptions, type IdleReporter, IdleWatcher } from './idle/watcher.js';
export { LastseenError, type Problem, type Reason } from './problem.js';
export type { Clock, TimerHandle } from './time/clock.js';
export type {
  ChannelLike,
  DocumentLike,
  Environment,
  EventSource,
  ListenerOptions,
  LocksLike,
  WorkerLike,
} from './environment.js';
export type { Fetch } from './http.js';
