//! Runs Lastseen's jobs and follows its presence transitions into the database.
//!
//! - [`schedule`]: the cron ticks, which only enqueue.
//! - [`registry`]: the one list of jobs, with their policies.
//! - [`consume`] and [`attempt`]: take jobs from the queue and run them.
//! - [`jobs`]: a file a job.
//! - [`projector`]: follows the transitions.
//! - [`startup`]: puts all of it together, for the worker's program and the stand-alone one.
//! - [`program`]: the worker as a program of its own.
//! - [`http`]: health, metrics and the board, on a listener of the worker's own.
//! - [`board`]: the job board.

pub mod attempt;
pub mod board;
pub mod consume;
pub mod context;
pub mod deliver;
pub mod healthcheck;
pub mod http;
pub mod jobs;
pub mod program;
pub mod projector;
pub mod registry;
pub mod schedule;
pub mod startup;
