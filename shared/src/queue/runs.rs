//! What became of jobs, for whoever looks at the queue: attempts by kind, what waits, and what was given up.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::payload::Job;
use crate::timestamp::Timestamp;

/// How an attempt at a job ended, as the queue is told of it.
#[derive(Clone, Debug)]
pub struct Ran {
    /// The kind, or `unknown` for what could not be read.
    pub job: &'static str,
    /// Tells this task from others for as long as it is tried.
    pub task: u64,
    /// `succeeded`, `retrying` or `failed`.
    pub outcome: &'static str,
    /// When it ended.
    pub at: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// What went wrong.
    pub error: Option<String>,
    /// Where it is tried again: until when that is over at the latest.
    pub trying_until: Option<Timestamp>,
}

/// The last attempt at a kind of job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastRun {
    /// When it ended.
    pub at: Timestamp,
    /// `succeeded`, `retrying` or `failed`.
    pub outcome: String,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// What went wrong.
    pub error: Option<String>,
}

/// Attempts at a kind of job so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Attempts {
    /// That ended well.
    pub succeeded: u64,
    /// After which there was another.
    pub retrying: u64,
    /// After which the task was given up.
    pub failed: u64,
}

/// A kind of job: what of it there is in the queue, and what became of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct KindOfJob {
    /// Tasks that wait for a worker.
    pub waiting: u64,
    /// Tasks that a worker has in hand, those in a pause between attempts included.
    pub running: u64,
    /// Of those, tasks that have failed and are tried again.
    pub retrying: u64,
    /// Tasks that were given up and are kept.
    pub dead: u64,
    /// Attempts so far.
    pub attempts: Attempts,
    /// The last attempt.
    pub last: Option<LastRun>,
}

/// A task that was given up: a dead letter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeadTask {
    /// The task.
    pub id: String,
    /// The kind, or `unknown`.
    pub job: String,
    /// As it was pushed.
    pub payload: String,
    /// What went wrong at the last attempt.
    pub error: String,
    /// When it was given up.
    pub at: Timestamp,
}

/// The queue as it is looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Board {
    /// By name.
    pub jobs: BTreeMap<String, KindOfJob>,
    /// The newest dead letters.
    pub dead: Vec<DeadTask>,
}

impl Board {
    /// A board on which each kind has its place.
    pub(super) fn empty() -> Self {
        let jobs = Job::NAMES.iter().map(|name| ((*name).to_owned(), KindOfJob::default())).collect();
        Self { jobs, dead: Vec::new() }
    }

    pub(super) fn kind(&mut self, name: &str) -> &mut KindOfJob {
        self.jobs.entry(name.to_owned()).or_default()
    }
}

impl Attempts {
    pub(super) fn count(&mut self, outcome: &str, times: u64) {
        match outcome {
            "succeeded" => self.succeeded += times,
            "retrying" => self.retrying += times,
            _ => self.failed += times,
        }
    }
}

impl LastRun {
    pub(super) fn of(ran: &Ran) -> Self {
        Self {
            at: ran.at,
            outcome: ran.outcome.to_owned(),
            took_ms: u64::try_from(ran.took.as_millis()).unwrap_or(u64::MAX),
            error: ran.error.as_deref().map(shorten),
        }
    }
}

/// An error is shown up to here.
pub(super) fn shorten(error: &str) -> String {
    error.chars().take(1_000).collect()
}

/// The kind that a payload names.
pub(super) fn kind_of(payload: &[u8]) -> &'static str {
    let value: Option<serde_json::Value> = serde_json::from_slice(payload).ok();
    let name = value.as_ref().and_then(|value| value.get("job")).and_then(serde_json::Value::as_str);
    Job::NAMES.into_iter().find(|known| Some(*known) == name).unwrap_or("unknown")
}
