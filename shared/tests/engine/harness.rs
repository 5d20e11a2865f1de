//! Each engine with a clock that the test moves, and shorthands for the calls that the tests make most.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lastseen_shared::db::{Address, Db};
use lastseen_shared::ids::{SessionId, UserId};
use lastseen_shared::presence::availability::{Availability, Choice, Privacy, Profile, Shown, Words};
use lastseen_shared::presence::clock::{Clock, ManualClock};
use lastseen_shared::presence::engine::{Connect, Connected, Counts, Touch};
use lastseen_shared::presence::memory::MemoryEngine;
use lastseen_shared::presence::memory::journal::Journal;
use lastseen_shared::presence::redis::{RedisClock, RedisEngine};
use lastseen_shared::presence::rule::Known;
use lastseen_shared::presence::transition::{Entry, Event, Transition};
use lastseen_shared::presence::{Engine, PresenceEngine as _, Reason, TransitionId};
use lastseen_shared::redis_client::{Redis, RedisSettings};
use lastseen_shared::timestamp::{Deadline, Timestamp};

/// What most tests use as the inactivity timeout.
pub const TIMEOUT: Duration = Duration::from_secs(120);
/// How many shards a harness has.
pub const SHARDS: u32 = 2;

pub const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

pub const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Instantiates each test for every engine: `memory::name`, `journaled::name`, `redis::name`, and that on a Cluster,
/// `cluster::name`.
macro_rules! contract {
    ($($(#[doc = $doc:literal])* async fn $name:ident($harness:ident: &Harness) $body:block)+) => {
        $($(#[doc = $doc])* async fn $name($harness: &Harness) $body)+

        mod memory {
            $(#[tokio::test] async fn $name() { super::$name(&$crate::harness::Harness::memory()).await; })+
        }
        mod journaled {
            $(#[tokio::test] async fn $name() { super::$name(&$crate::harness::Harness::journaled().await).await; })+
        }
        mod redis {
            $(#[tokio::test] async fn $name() { super::$name(&$crate::harness::Harness::redis()).await; })+
        }
        mod cluster {
            $(#[tokio::test] async fn $name() { super::$name(&$crate::harness::Harness::cluster()).await; })+
        }
    };
}

/// An engine under test.
pub struct Harness {
    pub engine: Engine,
    /// The moment at which its clock stood first.
    pub start: Timestamp,
    time: Time,
    /// Removed with the harness.
    folder: Option<Folder>,
}

enum Time {
    Manual(ManualClock),
    Redis(RedisTime),
}

/// A clock in keys of a Redis, and what else stands under its prefix.
struct RedisTime {
    connection: Mutex<Box<dyn redis::ConnectionLike + Send>>,
    url: String,
    prefix: String,
}

impl Drop for RedisTime {
    fn drop(&mut self) {
        let Ok(connection) = self.connection.get_mut() else { return };
        if self.url.contains(',') {
            // A Cluster scans a node at a time; it ends with the run.
            return;
        }
        let mut from = 0_u64;
        loop {
            let mut scan = redis::cmd("SCAN");
            scan.arg(from).arg("MATCH").arg(format!("{}*", self.prefix)).arg("COUNT").arg(1_000);
            // A server that the test stopped has nothing left to remove.
            let Ok((next, keys)) = scan.query::<(u64, Vec<String>)>(connection.as_mut()) else { return };
            if !keys.is_empty() {
                let _ = redis::cmd("DEL").arg(keys).query::<()>(connection.as_mut());
            }
            if next == 0 {
                return;
            }
            from = next;
        }
    }
}

/// A folder that is gone after the test.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Self {
        let path = std::env::temp_dir().join(unique());
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn journal(&self) -> PathBuf {
        self.0.join("lastseen.db")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A name that no other test has, in this run or in one beside it.
pub fn unique() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    format!("lastseen-test-{}-{}-{nanos}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Now, in whole seconds: Redis makes transition ids of its own clock, so ours stands close to it.
fn start() -> Timestamp {
    Timestamp(Timestamp::now().0 / 1_000 * 1_000)
}

/// A server that all tests share.
fn shared(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| panic!("{variable} is not set: run `make test`, which starts it"))
}

fn connect(url: &str) -> Box<dyn redis::ConnectionLike + Send> {
    match url.contains(',') {
        true => Box::new(redis::cluster::ClusterClient::new(url.split(',')).unwrap().get_connection().unwrap()),
        false => Box::new(redis::Client::open(url).unwrap().get_connection().unwrap()),
    }
}

/// Opens the journal at `path`, its tables made.
pub async fn open_journal(path: &Path) -> Journal {
    Db::new(Address::Sqlite(path.to_owned()), 1).unwrap().migrate().await.unwrap();
    Journal::open(path).unwrap()
}

impl Harness {
    pub fn memory() -> Self {
        let start = start();
        let clock = ManualClock::at(start);
        let engine = MemoryEngine::volatile(SHARDS, Clock::Manual(clock.clone()));
        Self { engine: Engine::Memory(engine), start, time: Time::Manual(clock), folder: None }
    }

    pub async fn journaled() -> Self {
        let folder = Folder::new();
        let mut harness = Self::on_journal(&folder.journal(), start()).await;
        harness.folder = Some(folder);
        harness
    }

    /// An engine on the journal at `path`, at the time `now`.
    pub async fn on_journal(path: &Path, now: Timestamp) -> Self {
        let clock = ManualClock::at(now);
        let journal = open_journal(path).await;
        let engine = MemoryEngine::journaled(SHARDS, Clock::Manual(clock.clone()), journal).unwrap();
        Self { engine: Engine::Memory(engine), start: now, time: Time::Manual(clock), folder: None }
    }

    pub fn redis() -> Self {
        Self::on_redis(&shared("TEST_REDIS_URL"))
    }

    pub fn cluster() -> Self {
        Self::on_redis(&shared("TEST_REDIS_CLUSTER_URL"))
    }

    /// An engine on the Redis at `url`, under a prefix of its own.
    pub fn on_redis(url: &str) -> Self {
        let (start, prefix) = (start(), format!("{}:", unique()));
        let connection = Mutex::new(connect(url));
        let engine = redis_engine(url, &prefix, SHARDS);
        let time = Time::Redis(RedisTime { connection, url: url.to_owned(), prefix });
        let harness = Self { engine: Engine::Redis(engine), start, time, folder: None };
        harness.set(start);
        harness
    }

    /// Stops the engine and starts another one on its journal. Answers whether it has one.
    pub async fn restart(&mut self) -> bool {
        let (Engine::Memory(engine), Some(folder)) = (&self.engine, &self.folder) else { return false };
        engine.flush().await.unwrap();
        let Time::Manual(clock) = &self.time else { return false };
        let journal = open_journal(&folder.journal()).await;
        let engine = MemoryEngine::journaled(SHARDS, Clock::Manual(clock.clone()), journal).unwrap();
        self.engine = Engine::Memory(engine);
        true
    }

    /// Another engine on the same data, with a number of shards of its own. Only on Redis.
    pub fn beside(&self, shards: u32) -> RedisEngine {
        let Time::Redis(time) = &self.time else { panic!("only Redis is shared") };
        redis_engine(&time.url, &time.prefix, shards)
    }

    /// A key under the harness's prefix. Only on Redis.
    pub fn key(&self, name: &str) -> String {
        let Time::Redis(time) = &self.time else { panic!("only Redis has keys") };
        format!("{}{name}", time.prefix)
    }

    /// Runs a command on the harness's own connection. Only on Redis.
    pub fn command<T: redis::FromRedisValue>(&self, words: &[&str]) -> redis::RedisResult<T> {
        let Time::Redis(time) = &self.time else { panic!("only Redis knows commands") };
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        command.query(time.connection.lock().unwrap().as_mut())
    }

    /// Connects the harness itself anew after the server was restarted. Only on Redis.
    pub fn reconnect(&self) {
        let Time::Redis(time) = &self.time else { panic!("only Redis has a connection") };
        *time.connection.lock().unwrap() = connect(&time.url);
    }

    /// Moves the clock to `to`, forwards or back.
    pub fn set(&self, to: Timestamp) {
        match &self.time {
            Time::Manual(clock) => clock.set(to),
            Time::Redis(_) => {
                for shard in 0..SHARDS {
                    let clock = self.key(&format!("{{p:{shard}}}:clock"));
                    self.command::<()>(&["SET", &clock, &to.0.to_string()]).unwrap();
                }
            }
        }
    }

    /// Moves the clock to so long after the start.
    pub fn at(&self, since_start: Duration) -> Timestamp {
        let to = self.start.plus(since_start);
        self.set(to);
        to
    }

    /// The moment so long after the start.
    pub fn moment(&self, since_start: Duration) -> Timestamp {
        self.start.plus(since_start)
    }

    /// The deadline so long after the start.
    pub fn deadline(&self, since_start: Duration) -> Deadline {
        Deadline(self.moment(since_start))
    }

    /// A session of which the row is read now.
    pub async fn fresh(&self, user: i64, session: i64, reason: Reason) -> Connect {
        let (user, session) = (UserId(user), SessionId(session));
        let read_at = self.engine.now(user).await.unwrap();
        Connect { user, session, timeout: TIMEOUT, profile: Profile::default(), reason, read_at }
    }

    pub async fn login(&self, user: i64, session: i64) -> Connected {
        self.engine.connect(self.fresh(user, session, Reason::Login).await).await.unwrap()
    }

    /// Sends a heartbeat that goes no further than `touch`.
    pub async fn touch(&self, user: i64, session: i64) -> Option<Deadline> {
        self.touch_all(&[touch(user, session)]).await[0]
    }

    /// Sends a batch of heartbeats of one shard.
    pub async fn touch_all(&self, batch: &[Touch]) -> Vec<Option<Deadline>> {
        let shard = batch[0].user.shard(SHARDS);
        self.engine.touch(shard, batch).await.unwrap().deadlines
    }

    pub async fn logout(&self, user: i64, session: i64) -> bool {
        let ended = self.engine.disconnect(UserId(user), SessionId(session), Reason::Logout).await.unwrap();
        ended.went_offline
    }

    /// Logs in with what the account's row says of the profile.
    pub async fn login_as(&self, user: i64, session: i64, profile: &Profile) -> Connected {
        let connect = Connect { profile: profile.clone(), ..self.fresh(user, session, Reason::Login).await };
        self.engine.connect(connect).await.unwrap()
    }

    /// Changes a user's profile.
    pub async fn present(&self, user: i64, before: &Profile, after: &Profile) {
        self.engine.present(UserId(user), before, after).await.unwrap();
    }

    /// Whether the session is live, of which it is said whether its device is idle.
    pub async fn idle(&self, user: i64, session: i64, idle: bool) -> bool {
        self.engine.idle(UserId(user), SessionId(session), idle).await.unwrap()
    }

    /// The truth about an invisible user.
    pub async fn hidden(&self, user: i64) -> Option<Known> {
        self.engine.lookup(&[UserId(user)]).await.unwrap().hidden.remove(&UserId(user))
    }

    pub async fn counts(&self) -> Counts {
        let counts = self.engine.lookup(&[]).await.unwrap().counts;
        assert_eq!(self.engine.delta().await.unwrap().counts, counts);
        counts
    }

    pub async fn known(&self, user: i64) -> Known {
        self.engine.lookup(&[UserId(user)]).await.unwrap().known.remove(0)
    }

    pub async fn online(&self) -> u64 {
        self.engine.lookup(&[]).await.unwrap().counts.online
    }

    /// A user's shard's entries.
    pub async fn entries(&self, user: i64) -> Vec<Entry> {
        let shard = UserId(user).shard(SHARDS);
        self.engine.transitions(shard, TransitionId::START, 100_000).await.unwrap().entries
    }

    /// What happened to one user.
    pub async fn events(&self, user: i64) -> Vec<Event> {
        let of = |event: &Event| match event {
            Event::Transition(transition) | Event::Shown(transition) => transition.user,
            Event::Privacy { user, .. } | Event::Relation { user, .. } | Event::SessionLeft { user, .. } => *user,
        };
        self.entries(user).await.into_iter().map(|e| e.event).filter(|e| of(e) == UserId(user)).collect()
    }

    /// One user's changes of presence.
    pub async fn transitions(&self, user: i64) -> Vec<Transition> {
        let transition = |event| match event {
            Event::Transition(transition) => Some(transition),
            _ => None,
        };
        self.events(user).await.into_iter().filter_map(transition).collect()
    }

    /// Settles everything that is overdue.
    pub async fn sweep(&self) {
        for shard in 0..SHARDS {
            while self.engine.expire(shard, 1_000).await.unwrap().taken >= 1_000 {}
        }
    }
}

fn redis_engine(url: &str, prefix: &str, shards: u32) -> RedisEngine {
    let redis = Redis::new(&RedisSettings { url: url.to_owned(), key_prefix: prefix.to_owned() }).unwrap();
    RedisEngine::new(redis, shards, RedisClock::Key)
}

/// A heartbeat whose token knows the usual timeout.
pub fn touch(user: i64, session: i64) -> Touch {
    Touch { user: UserId(user), session: SessionId(session) }
}

/// An online transition of a session's.
pub fn came(user: i64, session: i64, at: Timestamp, reason: Reason) -> Transition {
    let session = Some(SessionId(session));
    let (shown, privacy) = (Shown::default(), Privacy::default());
    Transition {
        user: UserId(user),
        online: true,
        at,
        last_seen: at,
        reason,
        session,
        session_seen: at,
        shown,
        privacy,
    }
}

/// An offline transition by a session's end.
pub fn went(user: i64, session: i64, at: Timestamp, last_seen: Timestamp, reason: Reason) -> Transition {
    let (user, session) = (UserId(user), Some(SessionId(session)));
    let (shown, privacy) = (Shown::default(), Privacy::default());
    Transition { user, online: false, at, last_seen, reason, session, session_seen: last_seen, shown, privacy }
}

/// What is shown of somebody so available, with these words.
pub fn look(availability: Availability, text: Option<&str>) -> Shown {
    Shown { availability, words: Words::of(text.map(str::to_owned), None) }
}

/// A choice without words, for everybody's eyes.
pub fn choice(availability: Availability, until: Option<Timestamp>) -> Profile {
    Profile { choice: Choice { shown: look(availability, None), until }, ..Profile::default() }
}

/// An online user shows something else, without a session's doing.
pub fn shows(user: i64, at: Timestamp, last_seen: Timestamp, reason: Reason, shown: Shown) -> Event {
    let came = Transition { last_seen, session_seen: last_seen, session: None, ..came(user, 0, at, reason) };
    Event::Shown(Transition { shown, ..came })
}

/// A session left beside others, or unseen.
pub fn left(user: i64, session: i64, last_seen: Timestamp) -> Event {
    Event::SessionLeft { user: UserId(user), session: SessionId(session), last_seen }
}

/// What is known of a user who is online and shows nothing else.
pub fn online(until: Deadline, last_seen: Timestamp, reason: Reason) -> Known {
    Known::Online { until, last_seen, reason, shown: Shown::default() }
}

/// What is known of a user who went offline.
pub fn offline(at: Timestamp, last_seen: Timestamp, reason: Reason) -> Known {
    Known::Offline { at, last_seen, reason }
}

/// The deadline of a session that must have become live.
pub fn live(connected: Connected) -> Deadline {
    match connected {
        Connected::Live { deadline, .. } => deadline,
        refused => panic!("the session is not live: {refused:?}"),
    }
}
