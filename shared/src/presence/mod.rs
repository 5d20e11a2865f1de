//! Presence: who is online, decided at the moment of reading.
//!
//! - [`rule`]: the one rule, pure, with the time passed in.
//! - [`engine`]: the operations on live sessions, as a trait; [`Engine`] is one of its two implementations.
//! - [`redis`]: the engine of the distributed form; its module docs name every key.
//! - [`memory`]: the engine of the stand-alone program, with a journal in SQLite.
//! - [`group`]: all heartbeats that wait in a thread, in one command.
//! - [`transition`]: changes of presence, their ids and cursors.
//! - [`counts`]: how many are online.
//! - [`availability`]: what users say of themselves, and who may see it.
//! - [`clock`]: where an engine's time comes from.

pub mod availability;
pub mod clock;
pub mod counts;
pub mod cursor;
pub mod engine;
pub mod group;
pub mod memory;
pub mod reason;
pub mod redis;
pub mod rule;
pub mod transition;

pub use engine::{Engine, EngineError, PresenceEngine};
pub use reason::Reason;
pub use rule::Presence;
pub use transition::{Transition, TransitionId};
