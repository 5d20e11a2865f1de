//! Webhooks: what is told to whom, and how it is delivered, on both databases.
//!
//! - `receiver`: who is delivered to.
//! - `hooks`: a world with webhooks.

mod attempts;
mod hooks;
mod receiver;
mod refusals;
mod safety;
mod telling;
