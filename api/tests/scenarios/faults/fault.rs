//! What goes wrong, and how it is brought about.

use std::time::Duration;

use super::proxy::Way;
use crate::client::{Client, Session};
use crate::harness::System;
use crate::harness::process::Process;
use crate::time::eventually;

/// What goes wrong.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// SIGKILL of an API replica, the first or the second, and another start.
    Api(usize),
    /// SIGKILL of a worker, and another start.
    Worker(usize),
    /// SIGTERM of an API replica, its end, and another start.
    ReplaceApi(usize),
    /// SIGTERM of a worker, its end, and another start.
    ReplaceWorker(usize),
    /// The database gets what a newer version of the programs would add to it, before any of them runs.
    Expand,
    /// The database gets the schema of this version, and the programs that start from now on are of it.
    Upgrade,
    /// The programs that start from now on are of the older version again.
    GoBack,
    /// SIGKILL of Redis, which keeps an append-only file, and another start.
    Redis,
    /// The same, and Redis takes a while to load what it kept: it answers `LOADING` meanwhile.
    RedisLoads,
    /// Redis is there and has lost everything.
    RedisEmptied,
    /// Redis refuses to write, for want of memory.
    RedisFull(Duration),
    /// Redis wants another password, and has ended all connections.
    RedisPassword(Duration),
    /// Redis is a read-only replica, as after a fail-over that a client has not heard of.
    RedisReplica(Duration),
    /// The way to Redis is so for a while.
    ToRedis(Way, Duration),
    /// The way to PostgreSQL is so for a while.
    ToDatabase(Way, Duration),
    /// PostgreSQL ends all connections of the programs.
    DatabaseConnections,
    /// The same, and it takes no new ones for a while.
    DatabaseShut(Duration),
    /// Every table of presence is locked for a while, as by somebody's maintenance.
    DatabaseLocked(Duration),
    /// A process of PostgreSQL is killed: it ends all connections and recovers from its log. Only alone on a server.
    DatabaseCrash,
    /// The disk of PostgreSQL's tables is full for a while. Only where the tables are on a small disk.
    DatabaseFull(Duration),
}

impl Fault {
    /// What must stand in a log by it.
    pub fn word(self) -> Option<&'static str> {
        match self {
            Self::RedisLoads => Some("BusyLoading"),
            Self::RedisPassword(_) => Some("NOAUTH"),
            Self::RedisReplica(_) => Some("ReadOnly"),
            Self::RedisFull(_) => Some("OOM"),
            Self::DatabaseShut(_) => Some("not currently accepting connections"),
            Self::DatabaseLocked(_) => Some("lock timeout"),
            Self::DatabaseFull(_) => Some("No space left"),
            _ => None,
        }
    }
}

/// The system, and what tests of faults need beside it.
pub struct Under {
    pub system: System,
    pub second: (Client, Process),
}

/// How long a program may take to end when it is asked to.
const ENDS_WITHIN: Duration = Duration::from_secs(25);

impl Under {
    pub async fn cause(&mut self, fault: Fault) {
        match fault {
            Fault::Api(0) => {
                self.system.api.kill();
                self.system.start_api_again().await;
            }
            Fault::Api(_) => {
                self.second.1.kill();
                self.start_second_again().await;
            }
            Fault::Worker(place) => {
                self.system.workers[place].kill();
                self.system.start_worker_again(place).await;
            }
            Fault::ReplaceApi(0) => {
                end(&mut self.system.api).await;
                self.system.start_api_again().await;
            }
            Fault::ReplaceApi(_) => {
                end(&mut self.second.1).await;
                self.start_second_again().await;
            }
            Fault::ReplaceWorker(place) => {
                end(&mut self.system.workers[place]).await;
                self.system.start_worker_again(place).await;
            }
            Fault::Expand => self.system.database.expand(),
            Fault::Upgrade => self.system.upgrade(),
            Fault::GoBack => self.system.go_back(),
            Fault::Redis | Fault::RedisLoads => {
                let slowly = matches!(fault, Fault::RedisLoads);
                if slowly {
                    let ballast = "for i = 1, 20000 do redis.call('SET', 'ballast' .. i, 'x') end";
                    self.redis(&["EVAL", ballast, "0"]);
                }
                let server = self.system.redis.as_mut().unwrap().server();
                server.kill();
                tokio::time::sleep(Duration::from_millis(300)).await;
                server.start_again(slowly).await;
            }
            Fault::RedisEmptied => self.redis(&["FLUSHALL"]),
            Fault::RedisFull(long) => {
                self.redis(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
                self.redis(&["CONFIG", "SET", "maxmemory", "1mb"]);
                tokio::time::sleep(long).await;
                self.redis(&["CONFIG", "SET", "maxmemory", "0"]);
            }
            Fault::RedisPassword(long) => {
                // One that stays, to take it back.
                let mut ours = self.system.redis.as_ref().unwrap().connect();
                let mut ask = |words: &[&str]| {
                    redis::cmd(words[0]).arg(&words[1..]).query::<redis::Value>(ours.as_mut()).unwrap();
                };
                ask(&["CONFIG", "SET", "requirepass", "another one"]);
                ask(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
                ask(&["CLIENT", "KILL", "TYPE", "pubsub"]);
                tokio::time::sleep(long).await;
                ask(&["CONFIG", "SET", "requirepass", ""]);
            }
            Fault::RedisReplica(long) => {
                // Of a master that is nowhere: what it holds stays, and is not to be changed.
                self.redis(&["REPLICAOF", "127.0.0.1", "1"]);
                tokio::time::sleep(long).await;
                self.redis(&["REPLICAOF", "NO", "ONE"]);
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
            Fault::DatabaseShut(long) => {
                self.system.database.takes_connections(false);
                self.system.database.end_connections();
                tokio::time::sleep(long).await;
                self.system.database.takes_connections(true);
            }
            Fault::DatabaseLocked(long) => {
                let lock = self.system.database.lock();
                tokio::time::sleep(long).await;
                drop(lock);
            }
            Fault::DatabaseCrash => self.system.database.crash(),
            Fault::DatabaseFull(long) => {
                self.system.database.fill();
                tokio::time::sleep(long).await;
                self.system.database.make_room();
            }
        }
    }

    async fn start_second_again(&mut self) {
        let (client, process) = self.system.another_api().await;
        self.second.0.moves_to(&client.base());
        self.second.1 = process;
    }

    fn redis(&self, words: &[&str]) {
        let mut connection = self.system.redis.as_ref().unwrap().connect();
        redis::cmd(words[0]).arg(&words[1..]).query::<redis::Value>(connection.as_mut()).unwrap();
    }

    /// What all programs have said so far.
    pub fn said(&self) -> String {
        let processes = [&self.system.api, &self.second.1].into_iter().chain(&self.system.workers);
        processes.map(Process::said).collect()
    }
}

async fn end(process: &mut Process) {
    process.ask_to_end();
    let status = process.ended(ENDS_WITHIN).await;
    assert_eq!(status.code(), Some(0), "{}", process.report());
}

/// Everybody is answered by every replica, and all of it is true again.
pub async fn is_itself_again(reader: &Session, users: &[i64]) {
    let mut calm = 0;
    eventually(Duration::from_secs(30), async || {
        let ids = serde_json::json!({ "ids": users[..users.len().min(100)] });
        let answer = reader.try_send(reqwest::Method::POST, "/api/users/presence/", Some(ids)).await;
        calm = if answer.is_ok_and(|answer| answer.status == 200) { calm + 1 } else { 0 };
        if calm == 5 { Ok(()) } else { Err("it does not recover".to_owned()) }
    })
    .await;
}
