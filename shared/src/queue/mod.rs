//! The job queue: apalis over Redis for any number of workers, or in memory for one process.
//!
//! - `payload`: what a job is on the wire.
//! - `redis`: the distributed form.
//! - `memory`: the stand-alone form.
//! - `runs`: what became of jobs, for whoever looks.
//! - `cron`: the moments at which the scheduler enqueues.
//!
//! # Redis keys
//!
//! The queue's name, `Q` below, is the configured prefix followed by `{core:apalis:queues:list}:jobs`. apalis names its keys after
//! it. Every one has the hash tag, so on a Cluster all are in one slot; see the last row for why it is this tag.
//!
//! | key | type | holds, and why |
//! | --- | --- | --- |
//! | `Q:idempotency:<name:shard:tick>` | string | the task that took this key first. Makes one job of the many that replicas enqueue; expires by itself |
//! | `Q:scheduled` | sorted set | tasks by the second they are due. Every new task waits here until a worker looks, as does a task given back by a stopping worker |
//! | `Q:active` | list | tasks that are due, or were taken from a dead worker: what a worker takes next |
//! | `Q:signal` | list | one element while there may be work. Written by apalis, read by nobody |
//! | `Q:inflight:<worker>` | set | tasks a worker has in hand. What others put back when the worker is dead |
//! | `Q:workers` | sorted set | workers by their last heartbeat, in seconds of their own clock |
//! | `Q:workers:metadata:<worker>` | hash | what kind of worker it is. apalis never removes it: the consumer gives it a day to live |
//! | `Q:data` | hash | task → [`Envelope`]. apalis never removes an entry: [`Queue::clean_finished`] does |
//! | `Q:meta:<task>` | hash | a task's state, attempts and result. Removed by [`Queue::clean_finished`] |
//! | `Q:runs:last` | hash | kind of job → how its last attempt ended, whichever worker made it |
//! | `Q:runs:counts` | hash | kind and outcome → attempts so far |
//! | `Q:runs:retrying` | sorted set | tasks in a pause between attempts, by when the next one is over at the latest |
//! | `Q:done` | set | tasks that ended well. Only grows, until [`Queue::clean_finished`] |
//! | `Q:dead` | set | tasks that were given up. The same, but kept for longer, to be looked at |
//! | `core:apalis:queues:list` | sorted set | every queue's `:workers` key, for apalis's own web page. The one key without a prefix: a worker's registration writes it in the same script as `Q:workers`, so a Cluster wants both in one slot, and the hash tag of `Q` is this key's name |
//!
//! # What is promised
//!
//! A task runs at least once: it is put back when its worker dies. A tick's job is enqueued once, whoever enqueues it, as long
//! as the replicas do so within the idempotency TTL of each other. How often a failing job is tried is the worker's policy, and
//! not apalis's, whose own limit is fixed at 25.

pub mod cron;
mod memory;
pub mod payload;
mod redis;
mod redis_runs;
pub mod runs;

use std::time::Duration;

use crate::ids::WebhookId;

pub use memory::{ActiveTask, MemoryQueue};
pub use payload::{Envelope, Job, PayloadError, Place};
pub use redis::RedisQueue;

/// How long the record of a task that ended well is kept.
pub const KEEP_DONE: Duration = Duration::from_secs(60);

/// How long the record of a task that was given up is kept.
pub const KEEP_DEAD: Duration = Duration::from_secs(7 * 24 * 3600);

/// What became of a job that was pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// It was enqueued.
    New,
    /// The same job of the same tick had been enqueued before.
    Duplicate,
}

/// How many tasks the queue holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Depth {
    /// Tasks that wait for a worker.
    pub waiting: u64,
    /// Tasks that a worker has in hand.
    pub active: u64,
    /// Of those, tasks that have failed and are tried again.
    pub retrying: u64,
    /// Tasks that were given up and whose record is still kept. In memory that of the last hundred.
    pub dead: u64,
    /// For how long the oldest of those that wait has done so, by the clocks of who enqueued it and who asks; to the
    /// millisecond.
    pub oldest: Duration,
}

/// Why the queue could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// Redis refused or could not be reached.
    #[error("job queue: {0}")]
    Redis(#[from] ::redis::RedisError),
    /// apalis could not enqueue.
    #[error("job queue: {0}")]
    Backend(#[from] apalis_redis::Error),
    /// Redis did not answer in time.
    #[error("job queue: no answer within {0:?}")]
    Timeout(Duration),
    /// A job could not be written as JSON.
    #[error("job queue: {0}")]
    Encode(#[from] serde_json::Error),
    /// The stand-alone queue has one consumer: it has been taken before, or has ended.
    #[error("job queue: the consumer of the stand-alone queue is taken or gone")]
    NoConsumer,
}

/// The job queue, in either form. Cheap to clone.
#[derive(Clone, Debug)]
pub enum Queue {
    /// Over Redis.
    Redis(RedisQueue),
    /// In this process.
    Memory(MemoryQueue),
}

impl Queue {
    /// A queue over Redis, under `prefix`, which has no `{` in it. The connection should have a response time-out: no call of
    /// the queue or of apalis blocks on purpose.
    ///
    /// `idempotency_ttl` is how far apart replicas may enqueue the same job of the same tick and still make one of it. It is
    /// rounded up to whole seconds, and is at least one.
    #[must_use]
    pub fn redis(connection: crate::redis_client::Connection, prefix: &str, idempotency_ttl: Duration) -> Self {
        Self::Redis(RedisQueue::new(connection, prefix, idempotency_ttl))
    }

    /// A queue in this process, with one consumer. What waits in it is lost when the process ends.
    #[must_use]
    pub fn memory(idempotency_ttl: Duration) -> Self {
        Self::Memory(MemoryQueue::new(idempotency_ttl))
    }

    /// Enqueues a job. `tick` is the scheduled moment in Unix milliseconds; with 0, a job by hand, nothing is a duplicate.
    ///
    /// # Errors
    ///
    /// [`QueueError`] when Redis does not take it. The job may have been enqueued all the same; pushing it again is safe, as it
    /// is then a duplicate.
    pub async fn push(&self, job: Job, tick: i64) -> Result<Pushed, QueueError> {
        let key = (tick != 0).then(|| job.idempotency_key(tick));
        let payload = Envelope::new(job, tick);
        match self {
            Self::Redis(queue) => queue.push(&payload, key).await,
            Self::Memory(queue) => queue.push(&payload, key),
        }
    }

    /// Has workers send what was written for these webhooks, beside the work at hand: what is not pushed is found by a job.
    ///
    /// # Panics
    /// Outside of a Tokio runtime.
    pub fn deliver(&self, webhooks: Vec<WebhookId>) {
        if webhooks.is_empty() {
            return;
        }
        let queue = self.clone();
        tokio::spawn(async move {
            for webhook in webhooks {
                if let Err(error) = queue.push(Job::Deliver { webhook }, 0).await {
                    log::warn!("deliveries wait for the next look at what is due: {error}");
                    return;
                }
            }
        });
    }

    /// Removes finished tasks and all that is kept of them: those that ended well [`KEEP_DONE`] ago and those given up
    /// [`KEEP_DEAD`] ago. Answers how many. The stand-alone queue keeps none.
    ///
    /// # Errors
    ///
    /// [`QueueError`] when Redis cannot be asked.
    pub async fn clean_finished(&self) -> Result<u64, QueueError> {
        self.clean_finished_before(KEEP_DONE, KEEP_DEAD).await
    }

    /// As [`Queue::clean_finished`], with the ages given. They count in whole seconds.
    ///
    /// # Errors
    ///
    /// [`QueueError`] when Redis cannot be asked.
    pub async fn clean_finished_before(&self, keep_done: Duration, keep_dead: Duration) -> Result<u64, QueueError> {
        match self {
            Self::Redis(queue) => queue.clean_finished(keep_done, keep_dead).await,
            Self::Memory(_) => Ok(0),
        }
    }

    /// Notes how an attempt ended, for [`Queue::board`].
    ///
    /// # Errors
    ///
    /// [`QueueError`] when Redis does not take it.
    pub async fn note(&self, ran: &runs::Ran) -> Result<(), QueueError> {
        match self {
            Self::Redis(queue) => queue.note(ran).await,
            Self::Memory(queue) => {
                queue.note(ran);
                Ok(())
            }
        }
    }

    /// The queue as an operator looks at it.
    ///
    /// # Errors
    ///
    /// [`QueueError`] when Redis cannot be asked.
    pub async fn board(&self) -> Result<runs::Board, QueueError> {
        match self {
            Self::Redis(queue) => queue.board().await,
            Self::Memory(queue) => Ok(queue.board()),
        }
    }

    /// Puts a task that was given up back into the queue. Answers whether there was one.
    ///
    /// # Errors
    ///
    /// [`QueueError`] when Redis cannot be asked.
    pub async fn retry(&self, id: &str) -> Result<bool, QueueError> {
        match self {
            Self::Redis(queue) => queue.retry(id).await,
            Self::Memory(queue) => queue.retry(id),
        }
    }

    /// How many tasks wait, run and were given up.
    ///
    /// # Errors
    ///
    /// [`QueueError`] when Redis cannot be asked.
    pub async fn depth(&self) -> Result<Depth, QueueError> {
        match self {
            Self::Redis(queue) => queue.depth().await,
            Self::Memory(queue) => Ok(queue.depth()),
        }
    }
}
