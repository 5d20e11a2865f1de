//! Redis as several servers: a master that Sentinels watch over, and a Cluster. Masters are killed, and slots moved, while
//! heartbeats and log-ins go on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use lastseen_shared::ids::{SessionId, UserId};
use lastseen_shared::presence::availability::{Privacy, Profile};
use lastseen_shared::presence::engine::{Connect, Connected, EngineError, Touch};
use lastseen_shared::presence::group::Pulse;
use lastseen_shared::presence::redis::{RedisClock, RedisEngine};
use lastseen_shared::presence::rule::Known;
use lastseen_shared::presence::{Engine, PresenceEngine as _, Reason, TransitionId};
use lastseen_shared::redis_client::{Redis, RedisSettings};
use lastseen_shared::signals::{Signal, Signals};

use crate::harness::{Harness, secs, unique};
use crate::private_redis::{PrivateRedis, free_port};

/// A call has 2.5 seconds; a machine that is busy elsewhere has some more.
const PATIENCE: Duration = Duration::from_secs(6);
/// How long servers take to agree on another master, on a busy machine.
const FAIL_OVER: Duration = Duration::from_secs(30);

fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < FAIL_OVER, "{what} did not come about");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Masters of a Cluster, each with a third of the slots, and a replica of the first.
struct Cluster {
    masters: Vec<PrivateRedis>,
    replica: PrivateRedis,
}

impl Cluster {
    fn start() -> Self {
        let node = || {
            let bus = free_port().to_string();
            let cluster = ["--cluster-enabled", "yes", "--cluster-node-timeout", "1000", "--cluster-port", &bus];
            PrivateRedis::start_with(&[&["--save", ""], &cluster[..]].concat())
        };
        let masters: Vec<PrivateRedis> = (0..3).map(|_| node()).collect();
        let replica = node();
        for (number, (server, slots)) in
            masters.iter().zip([(0, 5_460), (5_461, 10_922), (10_923, 16_383)]).enumerate()
        {
            let (from, to) = (slots.0.to_string(), slots.1.to_string());
            server.command::<()>(&["CLUSTER", "ADDSLOTSRANGE", &from, &to]).unwrap();
            server.command::<()>(&["CLUSTER", "SET-CONFIG-EPOCH", &(number + 1).to_string()]).unwrap();
        }
        for server in masters.iter().skip(1).chain([&replica]) {
            let (port, bus) = (masters[0].port().to_string(), masters[0].bus_port());
            server.command::<()>(&["CLUSTER", "MEET", "127.0.0.1", &port, &bus]).unwrap();
        }
        let cluster = Self { masters, replica };
        wait_for("a Cluster of four", || {
            cluster.nodes().all(|node| {
                let info: String = node.command(&["CLUSTER", "INFO"]).unwrap();
                info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:4")
            })
        });
        let master: String = cluster.masters[0].command(&["CLUSTER", "MYID"]).unwrap();
        cluster.replica.command::<()>(&["CLUSTER", "REPLICATE", &master]).unwrap();
        wait_for("a replica", || is_replica_in_step(&cluster.replica));
        cluster
    }

    fn nodes(&self) -> impl Iterator<Item = &PrivateRedis> {
        self.masters.iter().chain([&self.replica])
    }

    /// Named by all masters but the first, which is the one that is killed.
    fn url(&self) -> String {
        self.masters[1..].iter().map(PrivateRedis::url).collect::<Vec<_>>().join(",")
    }
}

fn is_replica_in_step(server: &PrivateRedis) -> bool {
    let info: String = server.command(&["INFO", "replication"]).unwrap();
    info.contains("role:slave") && info.contains("master_link_status:up")
}

fn engine(url: &str, prefix: &str, shards: u32) -> RedisEngine {
    let settings = RedisSettings { url: url.to_owned(), key_prefix: prefix.to_owned() };
    RedisEngine::new(Redis::new(&settings).unwrap(), shards, RedisClock::Server)
}

async fn log_in(engine: &RedisEngine, user: i64) -> Result<Connected, EngineError> {
    let (user, session) = (UserId(user), SessionId(user));
    let read_at = engine.now(user).await?;
    let (profile, timeout) = (Profile::default(), secs(120));
    engine.connect(Connect { user, session, timeout, profile, reason: Reason::Login, read_at }).await
}

/// Calls until there is an answer.
async fn persistently<T, C: Future<Output = Result<T, EngineError>>>(call: impl Fn() -> C) -> T {
    let begun = Instant::now();
    loop {
        let asked = Instant::now();
        match call().await {
            Ok(answer) => return answer,
            Err(error) => {
                assert!(matches!(error, EngineError::Unavailable(_)), "{error}");
                assert!(asked.elapsed() < PATIENCE, "{error} after {:?}", asked.elapsed());
                assert!(begun.elapsed() < FAIL_OVER, "still {error}");
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Heartbeats of users, one batch after the other, until it is told to stop.
struct Load {
    stop: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<()>,
    answered: Arc<AtomicU64>,
    refused: Arc<AtomicU64>,
}

impl Load {
    fn of(engine: &RedisEngine, users: std::ops::Range<i64>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (answered, refused) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let (engine, stopped) = (engine.clone(), Arc::clone(&stop));
        let (counted, not_counted) = (Arc::clone(&answered), Arc::clone(&refused));
        let task = tokio::spawn(async move {
            while !stopped.load(Ordering::Relaxed) {
                for shard in 0..engine.shards() {
                    let mine = users.clone().filter(|user| UserId(*user).shard(engine.shards()) == shard);
                    let batch: Vec<Touch> =
                        mine.map(|user| Touch { user: UserId(user), session: SessionId(user) }).collect();
                    let asked = Instant::now();
                    match engine.touch(shard, &batch).await {
                        Ok(touched) => {
                            // Nobody who sends heartbeats is ever told to be offline.
                            assert!(touched.deadlines.iter().all(Option::is_some), "shard {shard}: {touched:?}");
                            counted.fetch_add(batch.len() as u64, Ordering::Relaxed);
                        }
                        Err(error) => {
                            assert!(matches!(error, EngineError::Unavailable(_)), "{error}");
                            not_counted.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                    assert!(asked.elapsed() < PATIENCE, "{:?}", asked.elapsed());
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
        Self { stop, task, answered, refused }
    }

    /// Waits until so many more have been answered.
    async fn goes_on(&self) {
        let before = self.answered.load(Ordering::Relaxed);
        let begun = Instant::now();
        while self.answered.load(Ordering::Relaxed) < before + 2_000 {
            assert!(!self.task.is_finished() && begun.elapsed() < FAIL_OVER, "heartbeats do not go on");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Stops. Answers how many calls were refused.
    async fn end(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.unwrap();
        self.refused.load(Ordering::Relaxed)
    }
}

/// Everybody is online by one log-in, of which everybody was told once.
async fn assert_nothing_was_lost(engine: &RedisEngine, users: std::ops::Range<i64>) {
    let all: Vec<UserId> = users.map(UserId).collect();
    let lookup = persistently(|| engine.lookup(&all)).await;
    assert!(lookup.known.iter().all(|known| matches!(known, Known::Online { .. })), "{:?}", lookup.known);
    assert_eq!(lookup.counts.online, all.len() as u64);
    let mut told = 0;
    for shard in 0..engine.shards() {
        told += persistently(|| engine.transitions(shard, TransitionId::START, 10_000)).await.entries.len();
    }
    assert_eq!(told, all.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_master_of_a_cluster_is_followed_by_its_replica() {
    let mut cluster = Cluster::start();
    let engine = engine(&cluster.url(), "fleet:", 12);
    for user in 0..60 {
        persistently(|| log_in(&engine, user)).await;
    }
    let load = Load::of(&engine, 0..60);
    load.goes_on().await;
    // Redis acknowledges before its replicas have it: what is not there yet would be lost, and be missed for an interval.
    wait_for("a replica in step", || cluster.masters[0].command::<i64>(&["WAIT", "1", "1000"]).unwrap() == 1);
    cluster.masters[0].stop();
    // Heartbeats of one thread go out together, and each fails with its own server alone.
    let pulse = Pulse::new(Engine::Redis(engine.clone()));
    let beats = (0..60).map(|user| pulse.beat(Touch { user: UserId(user), session: SessionId(user) }));
    let beats = tokio::task::LocalSet::new().run_until(futures_util::future::join_all(beats)).await;
    let answered = beats.iter().filter(|beat| beat.as_ref().is_ok_and(|beat| beat.deadline.is_some())).count();
    assert!((1..60).contains(&answered), "{beats:?}");
    wait_for("another master", || {
        let info: String = cluster.replica.command(&["INFO", "replication"]).unwrap();
        info.contains("role:master")
    });
    load.goes_on().await;
    for user in 60..90 {
        persistently(|| log_in(&engine, user)).await;
    }
    let refused = load.end().await;
    assert!(refused > 0, "the master was missed by nobody");
    assert_nothing_was_lost(&engine, 0..90).await;
    for shard in 0..engine.shards() {
        engine.wait(shard, TransitionId::START, secs(1)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slots_move_to_another_master_under_load() {
    let cluster = Cluster::start();
    let engine = engine(&cluster.url(), "fleet:", 12);
    for user in 0..60 {
        persistently(|| log_in(&engine, user)).await;
    }
    let load = Load::of(&engine, 0..60);
    load.goes_on().await;
    let others = {
        let engine = engine.clone();
        tokio::spawn(async move {
            for user in 60..400 {
                persistently(|| log_in(&engine, user)).await;
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
    };
    let id = |server: &PrivateRedis| server.command::<String>(&["CLUSTER", "MYID"]).unwrap();
    let ids: Vec<String> = cluster.masters.iter().map(id).collect();
    let mut moved = 0;
    for shard in 0..engine.shards() {
        let key = format!("fleet:{{p:{shard}}}:deadlines");
        let slot = cluster.masters[0].command::<u16>(&["CLUSTER", "KEYSLOT", &key]).unwrap();
        let from = [5_460, 10_922, 16_383].iter().position(|last| slot <= *last).unwrap();
        let to = (from + 1) % 3;
        let (slot, port) = (slot.to_string(), cluster.masters[to].port().to_string());
        let (source, target) = (&cluster.masters[from], &cluster.masters[to]);
        target.command::<()>(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &ids[from]]).unwrap();
        source.command::<()>(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &ids[to]]).unwrap();
        let reader = engine.clone();
        let reading = tokio::spawn(async move { reader.transitions(shard, TransitionId::START, 10).await });
        loop {
            let keys: Vec<String> = source.command(&["CLUSTER", "GETKEYSINSLOT", &slot, "1"]).unwrap();
            let Some(key) = keys.first() else { break };
            source.command::<()>(&["MIGRATE", "127.0.0.1", &port, key, "0", "5000"]).unwrap();
            moved += 1;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        for server in [target, source].into_iter().chain(&cluster.masters) {
            server.command::<()>(&["CLUSTER", "SETSLOT", &slot, "NODE", &ids[to]]).unwrap();
        }
        assert!(!reading.await.unwrap().unwrap().entries.is_empty(), "who reads meanwhile waits");
        assert!(!engine.transitions(shard, TransitionId::START, 10).await.unwrap().entries.is_empty());
    }
    assert!(moved >= 12, "{moved} keys");
    others.await.unwrap();
    load.goes_on().await;
    let refused = load.end().await;
    assert_eq!(refused, 0, "heartbeats that were refused");
    assert_nothing_was_lost(&engine, 0..400).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_master_that_sentinels_name_is_followed() {
    let mut master = PrivateRedis::start();
    let port = master.port().to_string();
    let replica = PrivateRedis::start_with(&["--save", "", "--replicaof", "127.0.0.1", &port]);
    wait_for("a replica", || is_replica_in_step(&replica));
    let sentinels: Vec<PrivateRedis> = (0..3).map(|_| PrivateRedis::start_with(&["--sentinel"])).collect();
    for sentinel in &sentinels {
        sentinel.command::<()>(&["SENTINEL", "MONITOR", "main", "127.0.0.1", &port, "2"]).unwrap();
        for (name, value) in [("down-after-milliseconds", "500"), ("failover-timeout", "3000")] {
            sentinel.command::<()>(&["SENTINEL", "SET", "main", name, value]).unwrap();
        }
    }
    wait_for("Sentinels that know each other, and the replica", || {
        sentinels.iter().all(|sentinel| {
            let info: String = sentinel.command(&["INFO", "sentinel"]).unwrap();
            info.contains("status=ok") && info.contains("slaves=1") && info.contains("sentinels=3")
        })
    });
    let hosts: Vec<String> = sentinels.iter().map(|sentinel| format!("127.0.0.1:{}", sentinel.port())).collect();
    let url = format!("redis+sentinel://{}/main", hosts.join(","));
    let prefix = unique();
    let engine = engine(&url, &prefix, 2);
    for user in 0..30 {
        persistently(|| log_in(&engine, user)).await;
    }
    let redis = Redis::new(&RedisSettings { url, key_prefix: prefix }).unwrap();
    let signals = Signals::redis(redis);
    let mut heard = signals.follow();
    let load = Load::of(&engine, 0..30);
    load.goes_on().await;
    wait_for("a replica in step", || master.command::<i64>(&["WAIT", "1", "1000"]).unwrap() == 1);
    master.stop();
    // Sentinels close a server's connections when they make it a master: what asks may be cut off.
    let is_master = |info: String| info.contains("role:master");
    wait_for("another master", || replica.command(&["INFO", "replication"]).is_ok_and(is_master));
    load.goes_on().await;
    persistently(|| log_in(&engine, 30)).await;
    assert!(load.end().await > 0, "the master was missed by nobody");
    assert_nothing_was_lost(&engine, 0..31).await;
    persistently(|| engine.wait(1, TransitionId::START, secs(1))).await;
    // Signals are heard again too.
    let signal = Signal::Typing { from: UserId(1), to: UserId(2), privacy: Privacy::default() };
    let begun = Instant::now();
    loop {
        persistently(|| signals.send(signal.clone())).await;
        if tokio::time::timeout(Duration::from_millis(100), heard.recv()).await.is_ok() {
            break;
        }
        assert!(begun.elapsed() < FAIL_OVER, "no signal is heard");
    }
}

#[tokio::test]
async fn a_server_that_became_a_replica_is_no_master() {
    let server = PrivateRedis::start();
    let h = Harness::on_redis(&server.url());
    h.login(1, 11).await;
    server.command::<()>(&["REPLICAOF", "127.0.0.1", "1"]).unwrap();
    let refused = h.engine.touch(1, &[Touch { user: UserId(1), session: SessionId(11) }]).await;
    assert!(matches!(refused, Err(EngineError::Unavailable(_))), "{refused:?}");
    server.command::<()>(&["REPLICAOF", "NO", "ONE"]).unwrap();
    assert!(h.touch(1, 11).await.is_some(), "it is again");
}
