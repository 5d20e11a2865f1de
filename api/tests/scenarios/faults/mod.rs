//! Faults under load: programs are killed, Redis and the network fail, while users log in, send heartbeats and log out; and a
//! checker, which knows nothing of the service's code, holds every read and the history against what was acknowledged.
//!
//! The short form of each is among the tests; the long one, with more users and for longer, is `make test-faults`.

mod checker;
mod crowd;
pub mod proxy;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use checker::{Loss, Rules, assert_history, assert_told_once, follow, read_all_along};
use crowd::Crowd;
use proxy::Way;

use crate::client::{Client, Session};
use crate::harness::process::Process;
use crate::harness::{Form, Setup, System};
use crate::time::{eventually, now};

/// What goes wrong.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// SIGKILL of an API replica, the first or the second, and another start.
    Api(usize),
    /// SIGKILL of a worker, and another start.
    Worker(usize),
    /// SIGKILL of Redis, which keeps an append-only file, and another start.
    Redis,
    /// Redis is there and has lost everything.
    RedisEmptied,
    /// Redis refuses to write, for want of memory.
    RedisFull(Duration),
    /// The way to Redis is so for a while.
    ToRedis(Way, Duration),
    /// The way to PostgreSQL is so for a while.
    ToDatabase(Way, Duration),
    /// PostgreSQL ends all connections of the programs.
    DatabaseConnections,
    /// A process of PostgreSQL is killed: it ends all connections and recovers from its log. Only alone on a server.
    DatabaseCrash,
}

/// How much of it.
struct Size {
    users: usize,
    interval: Duration,
    timeout: Duration,
    /// How often all faults happen.
    rounds: usize,
    /// What is between two faults.
    pause: Duration,
}

const SHORT: Size = Size {
    users: 60,
    interval: Duration::from_millis(400),
    timeout: Duration::from_millis(2_500),
    rounds: 1,
    pause: Duration::from_millis(1_200),
};
const LONG: Size = Size {
    users: 5_000,
    interval: Duration::from_secs(5),
    timeout: Duration::from_secs(20),
    rounds: 2,
    pause: Duration::from_secs(8),
};

/// The system, and what tests of faults need beside it.
struct Under {
    system: System,
    second: (Client, Process),
}

impl Under {
    async fn cause(&mut self, fault: Fault) {
        match fault {
            Fault::Api(0) => {
                self.system.api.kill();
                self.system.start_api_again().await;
            }
            Fault::Api(_) => {
                self.second.1.kill();
                let (client, process) = self.system.another_api().await;
                self.second.0.moves_to(&client.base());
                self.second.1 = process;
            }
            Fault::Worker(place) => {
                self.system.workers[place].kill();
                self.system.start_worker_again(place).await;
            }
            Fault::Redis => {
                let server = self.system.redis.as_mut().unwrap().server();
                server.kill();
                tokio::time::sleep(Duration::from_millis(300)).await;
                server.start_again().await;
            }
            Fault::RedisEmptied => self.redis(&["FLUSHALL"]),
            Fault::RedisFull(long) => {
                self.redis(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
                self.redis(&["CONFIG", "SET", "maxmemory", "1mb"]);
                tokio::time::sleep(long).await;
                self.redis(&["CONFIG", "SET", "maxmemory", "0"]);
            }
            Fault::ToRedis(way, long) => {
                let ways = self.system.ways.as_ref().unwrap();
                ways.redis.is(way);
                tokio::time::sleep(long).await;
                ways.redis.is(Way::Clear);
            }
            Fault::ToDatabase(way, long) => {
                let ways = self.system.ways.as_ref().unwrap();
                ways.database.is(way);
                tokio::time::sleep(long).await;
                ways.database.is(Way::Clear);
            }
            Fault::DatabaseConnections => self.system.database.end_connections(),
            Fault::DatabaseCrash => self.system.database.crash(),
        }
    }

    fn redis(&self, words: &[&str]) {
        let mut connection = self.system.redis.as_ref().unwrap().connect();
        redis::cmd(words[0]).arg(&words[1..]).query::<redis::Value>(connection.as_mut()).unwrap();
    }
}

/// Everybody is answered by every replica, and all of it is true again.
async fn is_itself_again(reader: &Session, users: &[i64]) {
    let begun = Instant::now();
    let mut calm = 0;
    while calm < 5 {
        let ids = serde_json::json!({ "ids": users[..users.len().min(100)] });
        let answer = reader.try_send(reqwest::Method::POST, "/api/users/presence/", Some(ids)).await;
        calm = if answer.is_ok_and(|answer| answer.status == 200) { calm + 1 } else { 0 };
        assert!(begun.elapsed() < Duration::from_secs(30), "it does not recover");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn endure(size: &Size, faults: &[Fault]) {
    let timeout = format!("{}ms", size.timeout.as_millis());
    let interval = format!("{}ms", size.interval.as_millis());
    let setup = Setup::new(Form::Distributed).with_own_redis().that_keeps().with_ways();
    let setup =
        setup.with(("LASTSEEN_INACTIVITY_TIMEOUT", &timeout)).with(("LASTSEEN_HEARTBEAT_INTERVAL", &interval));
    let system = setup.with(("LASTSEEN_ACCESS_TTL", "1h")).start().await;
    let second = system.another_api().await;
    let users = system.database.seed(size.users);
    let mut under = Under { system, second };
    let replicas = [under.system.client.clone(), under.second.0.clone()];
    let admin = under.system.admin().await;
    let readers: Vec<Session> =
        replicas.iter().map(|client| Session { client: client.clone(), ..admin.clone() }).collect();

    let rules = Arc::new(Mutex::new(Rules { timeout: size.timeout.as_millis() as i64, losses: Vec::new() }));
    let stop = Arc::new(AtomicBool::new(false));
    let crowd = Arc::new(Crowd::start(&users, &replicas, size.interval));
    let (reads, reading) = read_all_along(&crowd, readers.clone(), &users, Arc::clone(&rules), Arc::clone(&stop));
    let follower_stop = Arc::new(AtomicBool::new(false));
    let following = follow(readers[0].clone(), Arc::clone(&follower_stop));
    tokio::time::sleep(size.interval * 2).await;
    let mut caused = 0;
    for round in 0..size.rounds {
        for fault in faults {
            tokio::time::sleep(size.pause).await;
            // As long as it lasts, what was lost before it is known is excused: the reader must not be faster.
            if matches!(fault, Fault::RedisEmptied) {
                rules.lock().unwrap().losses.push(Loss { from: now(), to: now() + 1_000 });
            }
            eprintln!("round {round}: {fault:?}");
            under.cause(*fault).await;
            caused += 1;
            is_itself_again(&readers[0], &users).await;
            is_itself_again(&readers[1], &users).await;
        }
    }
    tokio::time::sleep(size.interval * 3).await;
    stop.store(true, Ordering::Relaxed);
    reading.await.unwrap();
    let crowd = Arc::try_unwrap(crowd).unwrap_or_else(|_| panic!("somebody still reads"));
    let deeds = crowd.end().await;
    let wrong = std::mem::take(&mut *reads.wrong.lock().unwrap());
    assert!(wrong.is_empty(), "{} answers were wrong, the first: {}", wrong.len(), wrong[0]);
    let judged = reads.judged.load(Ordering::Relaxed);
    assert!(judged > 500, "only {judged} answers were judged");

    // Everybody falls silent, and the database is told.
    let database = &under.system.database;
    eventually(size.timeout + Duration::from_secs(40), async || match database.count("presence WHERE online") {
        // The admin's reads are signs of life.
        0 | 1 => Ok(()),
        left => Err(format!("{left} are online in the database")),
    })
    .await;
    follower_stop.store(true, Ordering::Relaxed);
    let told = assert_told_once(&following.await.unwrap());
    for user in users.iter().take(50) {
        let seen: crate::client::Presence = readers[0].presences(&[*user]).await.remove(0);
        let row = database.user(*user).unwrap();
        assert_eq!(seen.online_status, row.online_status, "{user}");
        assert_eq!(seen.last_seen.map(|at| at.to_string()), row.last_seen, "{user}");
    }
    let rules = rules.lock().unwrap().clone();
    let (log_ins, log_outs) = assert_history(&deeds, &database.intervals(), &rules);
    let all: usize = deeds.values().map(Vec::len).sum();
    let refused = deeds.values().flatten().filter(|deed| !deed.done).count();
    eprintln!(
        "{caused} faults, {all} deeds, {refused} of them not acknowledged, {judged} answers judged, {told} transitions told, \
         {log_ins} log-ins and {log_outs} log-outs found in the history"
    );
    assert!(log_ins > size.users / 2, "only {log_ins} log-ins could be looked for");
}

fn kills() -> Vec<Fault> {
    vec![
        Fault::Api(0),
        Fault::Worker(0),
        Fault::Api(1),
        Fault::Worker(1),
        Fault::Redis,
        Fault::Worker(0),
        Fault::Api(0),
    ]
}

fn failing_redis(silence: Duration) -> Vec<Fault> {
    vec![
        Fault::Redis,
        Fault::ToRedis(Way::Slow(Duration::from_millis(250)), silence),
        Fault::ToRedis(Way::Cut, Duration::from_millis(1_500)),
        Fault::ToRedis(Way::Silent, silence),
        Fault::RedisFull(Duration::from_millis(1_500)),
        Fault::RedisEmptied,
    ]
}

fn failing_database(silence: Duration) -> Vec<Fault> {
    vec![
        Fault::DatabaseConnections,
        Fault::ToDatabase(Way::Slow(Duration::from_millis(250)), silence),
        Fault::ToDatabase(Way::Cut, Duration::from_millis(1_500)),
        Fault::ToDatabase(Way::Silent, silence),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn programs_and_redis_are_killed() {
    Box::pin(endure(&SHORT, &kills())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_fails() {
    Box::pin(endure(&SHORT, &failing_redis(Duration::from_secs(3)))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_database_fails() {
    Box::pin(endure(&SHORT, &failing_database(Duration::from_secs(3)))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "in make test-faults"]
async fn programs_and_redis_are_killed_with_thousands_of_users() {
    Box::pin(endure(&LONG, &kills())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "in make test-faults"]
async fn redis_fails_with_thousands_of_users() {
    Box::pin(endure(&LONG, &failing_redis(Duration::from_secs(10)))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "in make test-faults"]
async fn the_database_fails_with_thousands_of_users() {
    let mut faults = failing_database(Duration::from_secs(10));
    faults.push(Fault::DatabaseCrash);
    Box::pin(endure(&LONG, &faults)).await;
}
