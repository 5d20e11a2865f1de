//! The worker's parts: the queue and its consumers, the projector and the reconciliation, on both databases.
#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod board;
mod notifications;
mod projector;
mod queue;
mod reconcile;
mod schema;
mod statistics;
mod webhooks;
mod world;
