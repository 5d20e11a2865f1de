//! What Lastseen's API and worker share: the presence engine, the models, the settings, the jobs' payloads, and the
//! functions that a handler or a job calls.

pub mod account;
pub mod db;
pub mod demo;
pub mod ids;
pub mod import;
pub mod limits;
pub mod logging;
pub mod models;
pub mod presence;
pub mod privacy;
pub mod queue;
pub mod readiness;
pub mod redis_client;
pub mod refusal;
pub mod service;
pub mod settings;
pub mod signals;
pub mod statistics;
pub mod stop;
pub mod telemetry;
pub mod timestamp;
pub mod webhooks;
