//! The API over HTTP, in both forms, in this process: what it refuses, what it costs, what it documents.
#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod accounts;
mod app;
mod authorisation;
mod bad_input;
mod board;
mod contacts;
mod corpus;
mod cost;
mod directory;
mod documented;
mod every_reader;
mod heartbeats;
mod importing;
mod limits;
mod notifications;
mod observing;
mod privacy;
mod profile;
mod sight;
mod statistics;
mod taking_out;
mod tokens;
mod ways_out;
mod webhooks;
