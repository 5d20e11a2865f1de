//! The engine itself: its connection, its keys, and how a script is called.

use std::sync::Arc;
use std::time::Duration;

use redis::{FromRedisValue, Script, ScriptInvocation, Value};

use super::answers::{Answer, array, counts, id, integer, known_of, text, unknown};
use super::scripts::{RedisClock, Scripts};
use crate::ids::UserId;
use crate::presence::EngineError;
use crate::presence::cursor::Place;
use crate::presence::engine::{Delta, Lookup, PresenceEngine, Snapshot, Touch, Work};
use crate::presence::group::Beat;
use crate::redis_client::{Blocking, CALL_WITHIN, Connection, Redis, unavailable};
use crate::timestamp::{Deadline, Timestamp, millis};

/// Past so many users who wait for the sweep, or groups to be looked at, a reader that counts sweeps first: it bounds a
/// script's time.
pub(super) const OVERDUE_COUNTED: usize = 100;
/// How many users one call of the sweep may take, for that: some milliseconds of Redis's time.
pub(super) const SWEEP_BATCH: usize = 50;
/// Users of one lookup call: likewise.
pub(super) const LOOKUP_BATCH: usize = 500;
/// Heartbeats of one command: likewise, and Lua passes no more than some thousands to a command.
pub(super) const TOUCH_BATCH: usize = 1_000;

/// What a wait for transitions may take at the most.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// The presence engine on Redis. Cheap to clone; clones share a connection.
#[derive(Clone)]
pub struct RedisEngine {
    pub(super) redis: Redis,
    pub(super) connection: Connection,
    pub(super) scripts: Arc<Scripts>,
    pub(super) shards: u32,
    pub(super) keys: Arc<Vec<ShardKeys>>,
    /// For blocking reads, kept one a shard, made when first waited on: they would hold up everybody else's.
    pub(super) waiting: Arc<Vec<tokio::sync::Mutex<Option<Blocking>>>>,
    /// Held for each call of the sweep: of one server, one at a time of each process, so that a heartbeat never waits for
    /// those of all shards.
    pub(super) sweeping: Arc<tokio::sync::Semaphore>,
}

/// Redis was restarted, or its scripts were flushed.
const NO_SCRIPT: redis::ErrorKind = redis::ErrorKind::Server(redis::ServerErrorKind::NoScript);

/// A transaction was refused: in a Cluster, because its keys are elsewhere.
pub(super) const ABORTED: redis::ErrorKind = redis::ErrorKind::Server(redis::ServerErrorKind::ExecAbort);

/// The keys of every script but `touch` and `lease`.
const COMMON: [&str; 10] =
    ["deadlines", "unprojected", "transitions", "epoch", "hidden", "limited", "away", "dnd", "groups", "due"];

/// The places in it of those that are used without a script.
pub(super) const DEADLINES: usize = 0;
pub(super) const TRANSITIONS: usize = 2;
pub(super) const EPOCH: usize = 3;

/// One shard's keys, made once.
pub(super) struct ShardKeys {
    pub(super) tag: String,
    /// What the scripts' prelude names, in its order.
    pub(super) common: [String; 10],
    pub(super) trimmed: String,
}

impl ShardKeys {
    fn new(prefix: &str, shard: u32) -> Self {
        let tag = format!("{prefix}{{p:{shard}}}");
        let key = |name: &str| format!("{tag}:{name}");
        let common = COMMON.map(key);
        Self { common, trimmed: key("trimmed"), tag }
    }
}

/// Puts what `touch` answers to the heartbeats at these places, sent in this order, into the answers to all.
fn answer_to(sent: Answer<Vec<i64>>, order: &[usize], all: &mut [Answer<Beat>]) {
    let read = sent.and_then(|answer| {
        let [now, common, rest @ ..] = answer.as_slice() else { return Err(unknown(&answer)) };
        let now = Timestamp(*now);
        let beat = |at: i64| Beat { now, deadline: Timestamp(at).nonzero().map(Deadline) };
        for place in order {
            all[*place] = Ok(beat(*common));
        }
        for pair in rest.chunks(2) {
            // Lua counts from 1.
            let place = usize::try_from(pair[0] - 1).ok().and_then(|sent| order.get(sent));
            let (Some(place), Some(at)) = (place, pair.get(1)) else { return Err(unknown(&answer)) };
            all[*place] = Ok(beat(*at));
        }
        Ok(())
    });
    if let Err(error) = read {
        for place in order {
            all[*place] = Err(error.clone());
        }
    }
}

impl RedisEngine {
    /// An engine on `redis` with `shards` shards. Connects at the first call.
    ///
    /// # Panics
    /// For a Cluster, outside of a Tokio runtime.
    #[must_use]
    pub fn new(redis: Redis, shards: u32, clock: RedisClock) -> Self {
        let keys = (0..shards).map(|shard| ShardKeys::new(redis.key_prefix(), shard)).collect();
        let waiting = (0..shards).map(|_| tokio::sync::Mutex::default()).collect();
        let connection = redis.shared();
        let scripts = Arc::new(Scripts::new(clock));
        // Which shard is on which server of a Cluster is not known here.
        let sweeping = Arc::new(tokio::sync::Semaphore::new(if redis.is_cluster() { shards as usize } else { 1 }));
        Self { redis, connection, scripts, shards, keys: Arc::new(keys), waiting: Arc::new(waiting), sweeping }
    }

    /// The same engine on a connection of its own: what a thread that sends many heartbeats takes.
    ///
    /// # Panics
    /// For a Cluster, outside of a Tokio runtime.
    #[must_use]
    pub fn with_own_connection(&self) -> Self {
        Self { connection: self.redis.shared(), ..self.clone() }
    }

    pub(super) fn keys(&self, shard: u32) -> Answer<&ShardKeys> {
        self.keys.get(shard as usize).ok_or_else(|| EngineError::Protocol(format!("no shard {shard}")))
    }

    pub(super) fn keys_of(&self, user: UserId) -> Answer<&ShardKeys> {
        self.keys(user.shard(self.shards))
    }

    /// For each shard: the places of its users among these.
    pub(super) fn places_by_shard(&self, users: &[UserId]) -> Vec<Vec<usize>> {
        let mut places: Vec<Vec<usize>> = vec![Vec::new(); self.shards as usize];
        for (place, user) in users.iter().enumerate() {
            places[user.shard(self.shards) as usize].push(place);
        }
        places
    }

    /// Runs a call within [`CALL_WITHIN`], and once more where the connection was found lost: the first to use it after
    /// Redis was away, however long ago, would be told of that otherwise. No call of ours does harm twice.
    pub(super) async fn within<T, C>(&self, call: impl Fn(Connection) -> C) -> Answer<T>
    where
        C: Future<Output = redis::RedisResult<T>>,
    {
        let twice = async {
            match call(self.connection.clone()).await {
                Err(error) if error.is_connection_dropped() => call(self.connection.clone()).await,
                answer => answer,
            }
        };
        match tokio::time::timeout(CALL_WITHIN, twice).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) if error.code() == Some("SHARDS") => Err(EngineError::OtherShardCount {
                stored: error.detail().and_then(|d| d.trim().parse().ok()).unwrap_or(0),
                configured: self.shards,
            }),
            Ok(Err(error)) => Err(unavailable(error)),
            Err(_) => Err(EngineError::Unavailable(format!("no answer within {CALL_WITHIN:?}"))),
        }
    }

    pub(super) async fn invoke<T: FromRedisValue>(&self, invocation: &ScriptInvocation<'_>) -> Answer<T> {
        self.within(|mut connection| async move { invocation.invoke_async(&mut connection).await }).await
    }

    pub(super) fn script<'a>(&self, script: &'a Script, keys: &ShardKeys) -> ScriptInvocation<'a> {
        let mut invocation = script.prepare_invoke();
        for key in &keys.common {
            invocation.key(key);
        }
        invocation
    }

    /// Sweeps a shard until less is overdue than a reader's count allows.
    pub(super) async fn make_countable(&self, shard: u32) -> Answer<()> {
        while self.expire(shard, SWEEP_BATCH).await?.taken >= SWEEP_BATCH {}
        Ok(())
    }

    /// At most a thousand heartbeats, of any shards: in one command, or in a Cluster in one for each shard, so that one
    /// server's failure is its own users'.
    pub(crate) async fn touch_all(&self, touches: &[Touch]) -> Vec<Answer<Beat>> {
        let shard = |place: &usize| touches[*place].user.shard(self.shards);
        let mut order: Vec<usize> = (0..touches.len()).collect();
        order.sort_by_key(shard);
        let mut all = vec![Ok(Beat { now: Timestamp(0), deadline: None }); touches.len()];
        if !self.redis.is_cluster() {
            answer_to(self.send_touches(touches, &order).await, &order, &mut all);
            return all;
        }
        let parts: Vec<&[usize]> = order.chunk_by(|a, b| shard(a) == shard(b)).collect();
        let calls = parts.iter().map(|part| self.send_touches(touches, part));
        for (answer, part) in futures_util::future::join_all(calls).await.into_iter().zip(&parts) {
            answer_to(answer, part, &mut all);
        }
        all
    }

    async fn send_touches(&self, touches: &[Touch], order: &[usize]) -> Answer<Vec<i64>> {
        let command = self.touch_command(touches, order);
        let (command, touch) = (&command, &self.scripts.touch);
        let call = self.within(|mut connection| async move {
            match command.query_async::<Vec<i64>>(&mut connection).await {
                Err(error) if error.kind() == NO_SCRIPT => {
                    touch.load_async(&mut connection).await?;
                    command.query_async(&mut connection).await
                }
                answer => answer,
            }
        });
        call.await
    }

    /// The call of `touch`, written once into one buffer: heartbeats are most of what is ever sent.
    fn touch_command(&self, touches: &[Touch], order: &[usize]) -> redis::Cmd {
        use std::io::Write as _;
        /// Digits of a member, or nearly.
        const MEMBER: usize = 32;
        let shards =
            order.chunk_by(|a, b| touches[*a].user.shard(self.shards) == touches[*b].user.shard(self.shards));
        let mut command = redis::Cmd::with_capacity(
            order.len() + 2 * self.shards as usize + 3,
            order.len() * MEMBER + self.shards as usize * 2 * MEMBER + 100,
        );
        command.arg("EVALSHA").arg(self.scripts.touch.get_hash()).arg(shards.clone().count());
        for shard in shards.clone() {
            command.arg(&self.keys[touches[shard[0]].user.shard(self.shards) as usize].common[DEADLINES]);
        }
        for shard in shards {
            command.arg(shard.len());
        }
        let mut member = Vec::with_capacity(MEMBER);
        for place in order {
            let touch = &touches[*place];
            member.clear();
            // Writing to a Vec does not fail.
            let _ = write!(member, "{}:{}", touch.user, touch.session);
            command.arg(member.as_slice());
        }
        command
    }

    pub(super) async fn lookup_shard(&self, shard: u32, users: &[UserId]) -> Answer<Lookup> {
        let keys = self.keys(shard)?;
        loop {
            let mut call = self.script(&self.scripts.lookup, keys);
            call.arg(OVERDUE_COUNTED);
            for user in users {
                call.arg(user.0);
            }
            let answer: Vec<Value> = self.invoke(&call).await?;
            let [first, all] = answer.as_slice() else { return Err(unknown(answer)) };
            let Some(counts) = counts(first)? else {
                self.make_countable(shard).await?;
                continue;
            };
            let (known, hidden) = known_of(users, array(all)?)?;
            return Ok(Lookup { known, hidden, counts });
        }
    }

    pub(super) async fn snapshot_shard(&self, shard: u32, users: &[UserId]) -> Answer<Snapshot> {
        let keys = self.keys(shard)?;
        let mut all = Snapshot::default();
        for some in users.chunks(LOOKUP_BATCH) {
            let mut call = self.script(&self.scripts.snapshot, keys);
            call.key(&keys.trimmed).arg(self.shards);
            for user in some {
                call.arg(user.0);
            }
            let answer: Vec<Value> = self.invoke(&call).await?;
            let [epoch, newest, all_known] = answer.as_slice() else { return Err(unknown(answer)) };
            if all.places.is_empty() {
                all.places.push((shard, Place { epoch: text(epoch)?, id: id(newest)? }));
            }
            let (known, hidden) = known_of(some, array(all_known)?)?;
            all.known.extend(known);
            all.hidden.extend(hidden);
        }
        Ok(all)
    }

    pub(super) async fn delta_of_shard(&self, shard: u32) -> Answer<Delta> {
        let keys = self.keys(shard)?;
        let mut delta = Delta::default();
        let mut from = "0".to_owned();
        loop {
            let mut call = self.script(&self.scripts.delta, keys);
            call.arg(OVERDUE_COUNTED).arg(&from);
            let answer: Vec<Value> = self.invoke(&call).await?;
            let [first, next, users, all] = answer.as_slice() else { return Err(unknown(answer)) };
            let Some(counts) = counts(first)? else {
                self.make_countable(shard).await?;
                continue;
            };
            delta.counts = counts;
            let ids = array(users)?.iter().map(|user| integer(user).map(UserId)).collect::<Answer<Vec<_>>>()?;
            let (known, _) = known_of(&ids, array(all)?)?;
            delta.users.extend(ids.into_iter().zip(known));
            from = text(next)?;
            if from == "0" {
                return Ok(delta);
            }
        }
    }

    /// Takes or renews the lease on some work for a shard. Answers whether `holder` has it.
    ///
    /// # Errors
    /// [`EngineError::Unavailable`].
    pub async fn lease(&self, work: Work, shard: u32, holder: &str, ttl: Duration) -> Answer<bool> {
        let name = match work {
            Work::Project => "projector",
            Work::Expire => "expirer",
        };
        let key = format!("{}:{name}", self.keys(shard)?.tag);
        let script = Script::new(include_str!("../lua/lease.lua"));
        let mut call = script.key(key);
        call.arg(holder).arg(millis(ttl));
        let held: i64 = self.invoke(&call).await?;
        Ok(held == 1)
    }

    /// Says so where Redis may throw keys away when its memory is full: who is online would be wrong then.
    pub(super) async fn warn_of_eviction(&self) {
        let policy = self.within(|mut connection| async move {
            redis::cmd("CONFIG").arg("GET").arg("maxmemory-policy").query_async::<Vec<String>>(&mut connection).await
        });
        // A managed Redis may not tell.
        if let Ok(answer) = policy.await
            && let Some(policy) = answer.get(1).filter(|policy| *policy != "noeviction")
        {
            log::warn!("Redis evicts keys when its memory is full (maxmemory-policy {policy}): set it to noeviction");
        }
    }

    /// Whether Redis answers.
    ///
    /// # Errors
    /// [`EngineError::Unavailable`].
    pub async fn ping(&self) -> Answer<()> {
        self.within(|mut connection| async move { redis::cmd("PING").query_async::<()>(&mut connection).await }).await
    }

    /// How many sessions are held: live, or not swept yet. A command a shard that costs the same however many there are.
    ///
    /// # Errors
    /// [`EngineError::Unavailable`].
    pub async fn held(&self) -> Answer<u64> {
        let counts = (0..self.shards).map(|shard| async move {
            let mut count = redis::cmd("HLEN");
            count.arg(&self.keys(shard)?.common[DEADLINES]);
            let count = &count;
            self.within(|mut connection| async move { count.query_async::<u64>(&mut connection).await }).await
        });
        Ok(futures_util::future::try_join_all(counts).await?.into_iter().sum())
    }
}
