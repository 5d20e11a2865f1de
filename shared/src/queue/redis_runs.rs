//! What became of jobs, over Redis: noted by every worker, so that any of them can show it all.

use std::collections::HashMap;

use redis::{Script, pipe};

use super::redis::{RedisQueue, within};
use super::runs::{Board, DeadTask, LastRun, Ran, kind_of, shorten};
use super::{KEEP_DEAD, QueueError};
use crate::timestamp::Timestamp;

/// Tasks of one state that are looked at.
const MOST: isize = 2_000;
/// Dead letters that are shown.
const SHOWN: usize = 100;

/// What is due, what is scheduled, workers, last runs, counts, and what is tried again.
type Looked = (Vec<String>, Vec<String>, Vec<String>, HashMap<String, String>, HashMap<String, u64>, Vec<String>);
/// What is read of a task: its payload, its result, when it ended in seconds.
type Finished = (Option<Vec<u8>>, Option<String>, Option<i64>);

impl RedisQueue {
    fn last_key(&self) -> String {
        format!("{}:runs:last", self.name())
    }

    fn counts_key(&self) -> String {
        format!("{}:runs:counts", self.name())
    }

    fn retrying_key(&self) -> String {
        format!("{}:runs:retrying", self.name())
    }

    pub(super) async fn note(&self, ran: &Ran) -> Result<(), QueueError> {
        let keep = KEEP_DEAD.as_secs().cast_signed();
        let mut pipe = pipe();
        let last = serde_json::to_string(&LastRun::of(ran))?;
        pipe.hset(self.last_key(), ran.job, last).ignore().expire(self.last_key(), keep).ignore();
        let count = format!("{}:{}", ran.job, ran.outcome);
        pipe.hincr(self.counts_key(), count, 1).ignore().expire(self.counts_key(), keep).ignore();
        let (retrying, task) = (self.retrying_key(), format!("{}:{:x}", ran.job, ran.task));
        match ran.trying_until {
            Some(until) => pipe.zadd(&retrying, task, until.0).ignore().expire(&retrying, keep).ignore(),
            None => pipe.zrem(&retrying, task).ignore(),
        };
        let mut connection = self.connection.clone();
        within(pipe.query_async::<()>(&mut connection)).await
    }

    /// How many tasks have failed and are tried again. One whose worker was killed amid that counts until it would have
    /// been tried.
    pub(super) async fn retrying(&self) -> Result<u64, QueueError> {
        let mut command = redis::cmd("ZCOUNT");
        command.arg(self.retrying_key()).arg(Timestamp::now().0).arg("+inf");
        let mut connection = self.connection.clone();
        within(command.query_async(&mut connection)).await
    }

    pub(super) async fn board(&self) -> Result<Board, QueueError> {
        let mut connection = self.connection.clone();
        let mut first = pipe();
        first
            .lrange(self.config.active_jobs_list(), 0, MOST)
            .zrange(self.config.scheduled_jobs_set(), 0, MOST)
            .zrange(self.config.workers_set(), 0, -1)
            .hgetall(self.last_key())
            .hgetall(self.counts_key())
            .zrangebyscore(self.retrying_key(), Timestamp::now().0, "+inf");
        let (due, scheduled, workers, last, counts, retrying): Looked =
            within(first.query_async(&mut connection)).await?;
        let mut board = Board::empty();
        for (job, run) in last {
            board.kind(&job).last = serde_json::from_str(&run).ok();
        }
        for (count, times) in counts {
            if let Some((job, outcome)) = count.split_once(':') {
                board.kind(job).attempts.count(outcome, times);
            }
        }
        for task in retrying {
            board.kind(task.split(':').next().unwrap_or("unknown")).retrying += 1;
        }
        for kind in self.kinds([due, scheduled].concat()).await? {
            board.kind(kind).waiting += 1;
        }
        for kind in self.kinds(self.in_hand(workers).await?).await? {
            board.kind(kind).running += 1;
        }
        for task in self.dead().await? {
            board.kind(&task.job).dead += 1;
            board.dead.push(task);
        }
        board.dead.sort_unstable_by(|one, other| (other.at, &other.id).cmp(&(one.at, &one.id)));
        board.dead.truncate(SHOWN);
        Ok(board)
    }

    /// The tasks that these workers have in hand.
    async fn in_hand(&self, workers: Vec<String>) -> Result<Vec<String>, QueueError> {
        if workers.is_empty() {
            return Ok(Vec::new());
        }
        let mut pipe = pipe();
        for worker in &workers {
            pipe.smembers(format!("{}:{worker}", self.config.inflight_jobs_set()));
        }
        let mut connection = self.connection.clone();
        let tasks: Vec<Vec<String>> = within(pipe.query_async(&mut connection)).await?;
        Ok(tasks.concat())
    }

    /// The kinds of these tasks.
    async fn kinds(&self, tasks: Vec<String>) -> Result<Vec<&'static str>, QueueError> {
        if tasks.is_empty() {
            return Ok(Vec::new());
        }
        let mut command = redis::cmd("HMGET");
        command.arg(self.config.job_data_hash()).arg(&tasks);
        let mut connection = self.connection.clone();
        let payloads: Vec<Option<Vec<u8>>> = within(command.query_async(&mut connection)).await?;
        Ok(payloads.into_iter().flatten().map(|payload| kind_of(&payload)).collect())
    }

    /// Tasks that were given up: all of them, as far as there are not very many.
    async fn dead(&self) -> Result<Vec<DeadTask>, QueueError> {
        let mut connection = self.connection.clone();
        let (mut ids, mut cursor) = (Vec::<String>::new(), 0_u64);
        loop {
            let mut scan = redis::cmd("SSCAN");
            scan.arg(self.config.dead_jobs_set()).arg(cursor).arg("COUNT").arg(500);
            let (next, some): (u64, Vec<String>) = within(scan.query_async(&mut connection)).await?;
            ids.extend(some);
            cursor = next;
            if cursor == 0 || ids.len() >= MOST.unsigned_abs() {
                break;
            }
        }
        // A scan may name one twice.
        ids.sort_unstable();
        ids.dedup();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut pipe = pipe();
        for id in &ids {
            let meta = format!("{}:{id}", self.config.job_meta_hash());
            pipe.hget(self.config.job_data_hash(), id).hget(&meta, "result").hget(&meta, "done_at");
        }
        let read: Vec<redis::Value> = within(pipe.query_async(&mut connection)).await?;
        let mut dead = Vec::with_capacity(ids.len());
        for (id, values) in ids.into_iter().zip(read.chunks_exact(3)) {
            let values = redis::Value::Array(values.to_vec());
            let (payload, result, ended): Finished = redis::from_redis_value(values).unwrap_or_default();
            // Cleaned up, or put back, since the scan.
            let Some(payload) = payload else { continue };
            dead.push(DeadTask {
                id,
                job: kind_of(&payload).to_owned(),
                payload: String::from_utf8_lossy(&payload).into_owned(),
                error: shorten(&error_of(&result.unwrap_or_default())),
                at: Timestamp(ended.unwrap_or(0).saturating_mul(1_000)),
            });
        }
        Ok(dead)
    }

    pub(super) async fn retry(&self, id: &str) -> Result<bool, QueueError> {
        let script = Script::new(include_str!("retry.lua"));
        let mut call = script.prepare_invoke();
        call.key(self.config.dead_jobs_set())
            .key(self.config.job_data_hash())
            .key(self.config.job_meta_hash())
            .key(self.config.active_jobs_list())
            .arg(id);
        let mut connection = self.connection.clone();
        Ok(within(call.invoke_async::<i64>(&mut connection)).await? == 1)
    }
}

/// The error in what apalis keeps of a task that failed: `{"Err": "…"}`.
fn error_of(result: &str) -> String {
    let value: Option<serde_json::Value> = serde_json::from_str(result).ok();
    let text = value.as_ref().and_then(|value| value.get("Err")).and_then(serde_json::Value::as_str);
    text.unwrap_or(result).to_owned()
}
