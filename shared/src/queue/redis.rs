//! The distributed form of the queue: apalis over Redis.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use apalis::prelude::TaskBuilder;
use apalis_redis::{Config, RedisStorage};
use redis::{Script, pipe};
use serde_json::Value;
use ulid::Ulid;

use super::{Depth, Envelope, Pushed, QueueError};
use crate::redis_client::Connection;

/// A tag that puts the queue in the slot of the one key apalis does not prefix; see the module's table.
const HASH_TAG: &str = "{core:apalis:queues:list}";

/// The longest that one call may take, reconnecting included: a connection that is being made again keeps its callers waiting.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);

/// How often a worker says that it is alive.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// The fewest heartbeats a worker must miss to count as dead. apalis counts in whole seconds, so with fewer a live one would.
const MIN_MISSED: usize = 3;

/// How long what apalis notes about a worker outlives its registration.
const WORKER_METADATA_TTL: Duration = Duration::from_secs(24 * 3600);

/// How many tasks one call cleans.
const CLEAN_BATCH: usize = 200;

/// The queue over Redis.
#[derive(Clone)]
pub struct RedisQueue {
    pub(super) connection: Connection,
    pub(super) config: Arc<Config>,
}

impl std::fmt::Debug for RedisQueue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisQueue").field("queue", &self.config.queue).finish_non_exhaustive()
    }
}

impl RedisQueue {
    pub(super) fn new(connection: Connection, prefix: &str, idempotency_ttl: Duration) -> Self {
        // apalis counts the TTL in whole seconds, and makes of 0 a key that is gone at once.
        let ttl = Duration::from_secs(whole_seconds(idempotency_ttl).max(1));
        let config = Config::default()
            .queue(queue_name(prefix))
            .idempotency_ttl(Some(ttl))
            // Heartbeats stop while fetched tasks wait for a free slot: fetch only what can start.
            .batch_size(1)
            .heartbeat_interval(HEARTBEAT)
            // Nobody listens.
            .emit_events(false);
        Self { connection, config: Arc::new(config) }
    }

    /// The name that every key of this queue starts with.
    #[must_use]
    pub fn name(&self) -> &str {
        self.config.queue.as_ref()
    }

    pub(super) async fn push(&self, payload: &Envelope, key: Option<String>) -> Result<Pushed, QueueError> {
        let mut task = TaskBuilder::new(serde_json::to_vec(payload)?);
        if let Some(key) = key {
            task = task.idempotency_key(key);
        }
        let tasks = [task.build()];
        let mut connection = self.connection.clone();
        // Not through apalis's sink: it does not say whether the task was a duplicate.
        let (enqueued, scheduled) =
            within(apalis_redis::queries::push_tasks(&mut connection, &self.config, &tasks)).await?;
        Ok(if enqueued + scheduled > 0 { Pushed::New } else { Pushed::Duplicate })
    }

    /// What a worker hands to apalis. It must run under the name given to [`RedisQueue::announce`].
    ///
    /// A worker that has been silent for `orphan_timeout`, rounded up to whole seconds and at least three, is dead: the
    /// others put back what it had in hand, within a second or two of that.
    #[must_use]
    pub fn storage(&self, orphan_timeout: Duration) -> RedisStorage<Value, Connection> {
        let missed = usize::try_from(whole_seconds(orphan_timeout)).unwrap_or(usize::MAX);
        let config = Config::clone(&self.config).missed_heartbeats(missed.max(MIN_MISSED));
        RedisStorage::new(self.connection.clone()).with_config(config)
    }

    /// Prepares Redis for a worker that is about to register under this name, which no worker has had before.
    ///
    /// # Errors
    ///
    /// [`QueueError`] when Redis cannot be asked.
    pub async fn announce(&self, worker: &str) -> Result<(), QueueError> {
        let key = format!("{}:workers:metadata:{worker}", self.name());
        // apalis adds fields to this hash and never removes it. Made first, with a TTL, it goes away by itself.
        let mut pipe = pipe();
        pipe.atomic().hset(&key, "service", "").ignore().expire(&key, WORKER_METADATA_TTL.as_secs() as i64).ignore();
        let mut connection = self.connection.clone();
        within(pipe.query_async::<()>(&mut connection)).await
    }

    /// Says that a worker is alive, if it counts as such. For a worker that drains: apalis sends no heartbeats then, and a
    /// drain that outlasts the orphan time-out would see its work run by others as well.
    ///
    /// # Errors
    ///
    /// [`QueueError`] when Redis cannot be asked.
    pub async fn keep_alive(&self, worker: &str) -> Result<(), QueueError> {
        let mut command = redis::cmd("ZADD");
        command.arg(self.config.workers_set()).arg("XX").arg(unix_seconds()).arg(worker);
        let mut connection = self.connection.clone();
        within(command.query_async::<()>(&mut connection)).await
    }

    pub(super) async fn clean_finished(&self, keep_done: Duration, keep_dead: Duration) -> Result<u64, QueueError> {
        let done = self.clean_set(self.config.done_jobs_set(), keep_done).await?;
        let dead = self.clean_set(self.config.dead_jobs_set(), keep_dead).await?;
        Ok(done + dead)
    }

    async fn clean_set(&self, set: String, keep: Duration) -> Result<u64, QueueError> {
        let script = Script::new(include_str!("clean.lua"));
        let mut connection = self.connection.clone();
        let mut removed = 0;
        let mut cursor = 0_u64;
        loop {
            let mut scan = redis::cmd("SSCAN");
            scan.arg(&set).arg(cursor).arg("COUNT").arg(CLEAN_BATCH);
            let (next, ids): (u64, Vec<String>) = within(scan.query_async(&mut connection)).await?;
            if !ids.is_empty() {
                let mut call = script.prepare_invoke();
                call.key(&set)
                    .key(self.config.job_data_hash())
                    .key(self.config.job_meta_hash())
                    .arg(keep.as_secs())
                    .arg(&ids);
                removed += within(call.invoke_async::<u64>(&mut connection)).await?;
            }
            if next == 0 {
                return Ok(removed);
            }
            cursor = next;
        }
    }

    pub(super) async fn depth(&self) -> Result<Depth, QueueError> {
        let mut connection = self.connection.clone();
        let mut pipe = pipe();
        pipe.llen(self.config.active_jobs_list())
            .zcard(self.config.scheduled_jobs_set())
            .scard(self.config.dead_jobs_set())
            .zrange(self.config.workers_set(), 0, -1)
            // The longest in the list is its first, unless a dead worker's tasks were put back behind it.
            .lindex(self.config.active_jobs_list(), 0)
            .lindex(self.config.active_jobs_list(), -1)
            .zrange(self.config.scheduled_jobs_set(), 0, 0);
        type Looked = (u64, u64, u64, Vec<String>, Option<String>, Option<String>, Vec<String>);
        let (due, scheduled, dead, workers, first, last, soonest): Looked =
            within(pipe.query_async(&mut connection)).await?;
        let waiting = first.iter().chain(&last).chain(&soonest);
        let oldest = waiting.filter_map(|task| age(task, SystemTime::now())).max().unwrap_or_default();

        let mut active = 0;
        if !workers.is_empty() {
            let mut pipe = redis::pipe();
            for worker in &workers {
                pipe.scard(format!("{}:{worker}", self.config.inflight_jobs_set()));
            }
            let counts: Vec<u64> = within(pipe.query_async(&mut connection)).await?;
            active = counts.iter().sum();
        }
        Ok(Depth { waiting: due + scheduled, active, retrying: self.retrying().await?, dead, oldest })
    }
}

/// The name of the queue under a prefix.
fn queue_name(prefix: &str) -> String {
    format!("{prefix}{HASH_TAG}:jobs")
}

/// For how long there has been a task, by its id, which is a ULID: it begins with when it was made.
fn age(task: &str, now: SystemTime) -> Option<Duration> {
    let made = UNIX_EPOCH + Duration::from_millis(Ulid::from_string(task).ok()?.timestamp_ms());
    Some(now.duration_since(made).unwrap_or_default())
}

/// Bounds a call, whatever state the connection is in.
pub(super) async fn within<T, E>(call: impl Future<Output = Result<T, E>>) -> Result<T, QueueError>
where
    QueueError: From<E>,
{
    match tokio::time::timeout(CALL_TIMEOUT, call).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(QueueError::Timeout(CALL_TIMEOUT)),
    }
}

fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

/// This machine's clock, which is what apalis scores workers by.
fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_under_the_prefix_and_in_the_slot_of_apalis_own_key() {
        let name = queue_name("test7:");
        assert!(name.starts_with("test7:"));
        let tag = name.split_once('{').and_then(|(_, rest)| rest.split_once('}'));
        assert_eq!(tag, Some(("core:apalis:queues:list", ":jobs")));
    }

    #[test]
    fn a_task_is_as_old_as_its_id() {
        let now = UNIX_EPOCH + Duration::from_millis(1_767_268_800_000);
        let id = Ulid::from_parts(1_767_268_799_250, 7).to_string();
        assert_eq!(age(&id, now), Some(Duration::from_millis(750)));
        assert_eq!(
            age(&Ulid::from_parts(1_767_268_900_000, 7).to_string(), now),
            Some(Duration::ZERO),
            "of a clock ahead"
        );
        assert_eq!(age("7", now), None);
    }

    #[test]
    fn seconds_are_rounded_up() {
        assert_eq!(whole_seconds(Duration::ZERO), 0);
        assert_eq!(whole_seconds(Duration::from_millis(1)), 1);
        assert_eq!(whole_seconds(Duration::from_secs(5)), 5);
    }
}
