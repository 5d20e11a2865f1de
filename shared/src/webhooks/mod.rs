//! Webhooks as the Standard Webhooks specification has them: what is sent, how it is signed, and where it may go.
//!
//! - `events`: the types, the filters of an endpoint, and an event's body.
//! - `presence`: which events a stretch of the transitions makes.
//! - `secret`: signing.
//! - `address`: which URLs and addresses deliveries may go to.
//!
//! The rows are [`crate::models::webhook`] and [`crate::models::delivery`]; the worker delivers.

pub mod address;
pub mod events;
pub mod presence;
pub mod retry;
pub mod secret;

pub use events::{Event, EventType, Filters};
pub use secret::SigningSecret;
