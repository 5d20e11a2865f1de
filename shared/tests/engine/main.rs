//! The presence engine's contract: one suite that every engine is held to, and what is each engine's own.
//!
//! Time is moved by hand throughout. The Redis tests need a server: `make test` starts one and names it in
//! `TEST_REDIS_URL`; tests that empty, stop or count a server start one of their own.

#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

#[macro_use]
mod harness;
mod choosing;
mod cost;
mod devices;
mod ending;
mod faults;
mod fleets;
mod idling;
mod invisible;
mod journal;
mod killed;
mod leaving;
mod limits;
mod model;
mod privacy;
mod private_redis;
mod races;
mod reading;
mod repair;
mod retiming;
mod snapshots;
mod stream;
mod sweeping;
mod touching;
