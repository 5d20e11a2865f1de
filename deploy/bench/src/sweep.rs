//! Sessions that all fall due at one moment, swept by whatever workers there are: how long until the last transition is in
//! the stream, and until the database has it.

use std::time::Duration;

use futures_util::StreamExt;
use lastseen_shared::db::Db;
use lastseen_shared::ids::{SessionId, UserId};
use lastseen_shared::models::projection::Offset;
use lastseen_shared::presence::availability::Profile;
use lastseen_shared::presence::engine::{Connect, Connected};
use lastseen_shared::presence::redis::{RedisClock, RedisEngine};
use lastseen_shared::presence::{PresenceEngine, Reason, TransitionId};
use lastseen_shared::queue::{Job, Queue};
use lastseen_shared::redis_client::{Connection, Redis};
use lastseen_shared::settings::Settings;
use lastseen_shared::timestamp::Timestamp;

use crate::Failed;
use crate::crowd::settings;

/// Log-ins at a time.
const IN_FLIGHT: usize = 200;

/// How often is looked how far it is.
const LOOK: Duration = Duration::from_millis(5);

/// The parts that a sweep concerns.
struct Parts {
    engine: RedisEngine,
    db: Db,
    queue: Queue,
    redis: Connection,
    prefix: String,
}

impl Parts {
    fn new(settings: &Settings) -> Result<Self, Failed> {
        let redis = Redis::new(settings.redis.as_ref().ok_or("REDIS_URL is not set")?)?;
        let prefix = redis.key_prefix().to_owned();
        Ok(Self {
            queue: Queue::redis(redis.shared(), &prefix, Duration::from_secs(600)),
            redis: redis.shared(),
            engine: RedisEngine::new(redis, settings.presence.shards, RedisClock::Server),
            db: Db::new(settings.database.address.clone(), 2)?,
            prefix,
        })
    }

    fn shards(&self) -> std::ops::Range<u32> {
        0..self.engine.shards()
    }

    fn stream(&self, shard: u32) -> String {
        format!("{}{{p:{shard}}}:transitions", self.prefix)
    }

    /// How many entries the streams have.
    async fn entries(&self) -> Result<u64, Failed> {
        let mut entries = 0;
        for shard in self.shards() {
            entries += redis::cmd("XLEN").arg(self.stream(shard)).query_async::<u64>(&mut self.redis.clone()).await?;
        }
        Ok(entries)
    }

    /// Each stream's newest entry.
    async fn newest(&self) -> Result<Vec<TransitionId>, Failed> {
        let mut newest = Vec::new();
        for shard in self.shards() {
            newest.push(self.engine.transitions(shard, TransitionId { ms: u64::MAX, seq: 0 }, 1).await?.newest);
        }
        Ok(newest)
    }

    /// Waits until the database has followed every stream this far.
    async fn projected(&self, far: &[TransitionId]) -> Result<(), Failed> {
        for (shard, far) in self.shards().zip(far) {
            let reached = |offset: Option<Offset>| offset.is_some_and(|offset| offset.id >= *far);
            while !reached(self.db.run(move |connection| Offset::load(connection, shard)).await?) {
                tokio::time::sleep(LOOK).await;
            }
        }
        Ok(())
    }
}

/// Waits until the database has all transitions, and prints how long that took.
pub async fn caught_up() -> Result<(), Failed> {
    let parts = Parts::new(&settings()?)?;
    let began = Timestamp::now();
    let entries = parts.entries().await?;
    parts.projected(&parts.newest().await?).await?;
    println!("{{\"entries\": {entries}, \"ms\": {}}}", Timestamp::now().0 - began.0);
    Ok(())
}

/// Has the sessions of `count` users from `first` on fall due at once, `within` seconds from now, sweeps, and prints how long
/// it took.
pub async fn run(first: i64, count: i64, within: i64) -> Result<(), Failed> {
    let parts = Parts::new(&settings()?)?;
    let due = Timestamp::now().plus(Duration::from_secs(within.unsigned_abs()));
    let mut log_ins = futures_util::stream::iter(first..first + count)
        .map(|number| {
            let engine = parts.engine.clone();
            async move {
                let read_at = Timestamp::now();
                let timeout = Duration::from_millis((due.0 - read_at.0).max(1).unsigned_abs());
                let (user, session, profile) = (UserId(number), SessionId(number), Profile::default());
                engine.connect(Connect { user, session, timeout, profile, reason: Reason::Login, read_at }).await
            }
        })
        .buffer_unordered(IN_FLIGHT);
    while let Some(connected) = log_ins.next().await {
        if !matches!(connected?, Connected::Live { .. }) {
            return Err("a session is not live".into());
        }
    }
    drop(log_ins);
    if Timestamp::now().plus(Duration::from_secs(1)) > due {
        return Err("the log-ins took too long: give them more time".into());
    }
    let (before, entries) = (parts.newest().await?, parts.entries().await?);
    // A deadline is later than that by as long as its log-in took.
    let wait = due.plus(Duration::from_millis(500)).0 - Timestamp::now().0;
    tokio::time::sleep(Duration::from_millis(wait.max(0).unsigned_abs())).await;
    let pushed = Timestamp::now();
    for shard in parts.shards() {
        parts.queue.push(Job::Sweep { shard }, pushed.0).await?;
    }
    while parts.entries().await? < entries + count.unsigned_abs() {
        tokio::time::sleep(LOOK).await;
    }
    let last = parts.newest().await?;
    parts.projected(&last).await?;
    let committed = Timestamp::now();
    let mut began = u64::MAX;
    for (shard, before) in parts.shards().zip(before) {
        let first = parts.engine.transitions(shard, before, 1).await?.entries.first().map_or(u64::MAX, |e| e.id.ms);
        began = began.min(first);
    }
    let end = last.iter().map(|id| id.ms).max().unwrap_or_default();
    println!(
        "{{\"expired\": {count}, \"started_ms\": {}, \"swept_ms\": {}, \"committed_ms\": {}}}",
        began.saturating_sub(pushed.0.unsigned_abs()),
        end.saturating_sub(began),
        committed.0.unsigned_abs().saturating_sub(began)
    );
    Ok(())
}
