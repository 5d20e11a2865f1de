//! Random lives beside a journal that is written when the test says so, and killed at any time: what is loaded is what
//! was there when it was written last.

use std::collections::BTreeMap;

use diesel::RunQueryDsl as _;
use proptest::prelude::*;

use super::*;
use crate::db::{AnyConnection, migrations};
use crate::ids::{SessionId, UserId};
use crate::presence::availability::{Privacy, Profile, Visibility};
use crate::presence::clock::{Clock, ManualClock};
use crate::presence::engine::{Connect, Touch};
use crate::presence::memory::MemoryEngine;
use crate::presence::memory::shard::HeldUser;
use crate::presence::{PresenceEngine as _, Reason};
use crate::timestamp::Timestamp;

const SHARDS: u32 = 2;
/// Folds as soon as there is anything to fold, a few users at a time.
const EAGER: Folding = Folding { sets: 0, least: 0, part: 1 };

#[derive(Clone, Debug)]
enum Step {
    Connect { user: i64, session: i64, timeout: u64, private: bool },
    Touch { user: i64, session: i64 },
    Idle { user: i64, session: i64 },
    Leave { user: i64, session: i64 },
    Retime { user: i64, timeout: u64 },
    Disconnect { user: i64, session: i64 },
    Sweep,
    Pass(u64),
    Write,
    Kill,
}

fn step() -> impl Strategy<Value = Step> {
    let who = || (1..6_i64, 0..3_i64).prop_map(|(user, session)| (user, user * 10 + session));
    let timeout = || prop::sample::select(vec![5_000_u64, 30_000, 120_000]);
    let passed = prop::sample::select(vec![1_u64, 400, 10_000, 61_000, 120_000]);
    prop_oneof![
        4 => (who(), timeout(), any::<bool>())
            .prop_map(|((user, session), timeout, private)| Step::Connect { user, session, timeout, private }),
        8 => who().prop_map(|(user, session)| Step::Touch { user, session }),
        1 => who().prop_map(|(user, session)| Step::Idle { user, session }),
        2 => who().prop_map(|(user, session)| Step::Leave { user, session }),
        1 => (1..6_i64, timeout()).prop_map(|(user, timeout)| Step::Retime { user, timeout }),
        1 => who().prop_map(|(user, session)| Step::Disconnect { user, session }),
        1 => Just(Step::Sweep),
        6 => passed.prop_map(Step::Pass),
        6 => Just(Step::Write),
        2 => Just(Step::Kill),
    ]
}

/// An engine whose operations do not wait for the journal, and the journal.
struct World {
    engine: MemoryEngine,
    writer: Writer,
    clock: ManualClock,
    folds: usize,
}

impl World {
    fn begin(connection: SqliteConnection, folding: Folding, clock: &ManualClock) -> Self {
        let fresh = Epoch { id: "2:0".to_owned(), born: Timestamp(0) };
        let (shards, _, mut writer) = Journal { connection, beside: None }.begin(SHARDS, &fresh).unwrap();
        writer.folding = folding;
        let engine = MemoryEngine::of(shards, Clock::Manual(clock.clone()), None);
        Self { engine, writer, clock: clock.clone(), folds: 0 }
    }

    fn write(&mut self) {
        let told = |fold: Option<Fold>| fold.map(|fold| fold.told.seq);
        let before = told(self.writer.fold);
        self.writer.write(&self.engine.inner, 0);
        self.folds += usize::from(before.is_some() && before != told(self.writer.fold));
    }

    /// Everything that is held.
    fn state(&self) -> BTreeMap<UserId, HeldUser> {
        let mut all = BTreeMap::new();
        for shard in self.engine.inner.shards() {
            for user in shard.users() {
                let mut held = shard.held(user).unwrap();
                held.sessions.sort_unstable_by_key(|session| session.session);
                all.insert(user, held);
            }
        }
        all
    }

    async fn play(&mut self, step: &Step) {
        let (e, id) = (&self.engine, |user: i64, session: i64| (UserId(user), SessionId(session)));
        match *step {
            Step::Connect { user, session, timeout, private } => {
                let (user, session) = id(user, session);
                let privacy = Privacy { online: Visibility::Nobody, last_seen: Visibility::Nobody };
                let profile = if private { Profile { privacy, ..Profile::default() } } else { Profile::default() };
                let (read_at, timeout) = (e.now(user).await.unwrap(), Duration::from_millis(timeout));
                e.connect(Connect { user, session, timeout, profile, reason: Reason::Heartbeat, read_at })
                    .await
                    .unwrap();
            }
            Step::Touch { user, session } => {
                let (user, session) = id(user, session);
                let touch = Touch { user, session };
                e.touch(user.shard(SHARDS), &[touch]).await.unwrap();
            }
            Step::Idle { user, session } => {
                let (user, session) = id(user, session);
                e.idle(user, session, true).await.unwrap();
            }
            Step::Leave { user, session } => {
                let (user, session) = id(user, session);
                e.leave(user, session, Duration::from_secs(10)).await.unwrap();
            }
            Step::Retime { user, timeout } => {
                e.retime(UserId(user), Duration::from_millis(timeout)).await.unwrap();
            }
            Step::Disconnect { user, session } => {
                let (user, session) = id(user, session);
                e.disconnect(user, session, Reason::Logout).await.unwrap();
            }
            Step::Sweep => {
                for shard in 0..SHARDS {
                    e.expire(shard, 3).await.unwrap();
                }
            }
            Step::Pass(by) => {
                let now = e.now(UserId(1)).await.unwrap();
                self.clock.set(now.plus(Duration::from_millis(by)));
            }
            Step::Write | Step::Kill => {}
        }
    }
}

/// An empty journal.
fn memory() -> SqliteConnection {
    let mut connection = AnyConnection::Sqlite(sqlite_connection(Path::new(":memory:")).unwrap());
    migrations::run(&mut connection).unwrap();
    match connection {
        AnyConnection::Sqlite(connection) => connection,
        AnyConnection::Postgresql(_) => unreachable!("it was SQLite"),
    }
}

/// Lives on an empty journal. Answers it, empty again, and how often it was folded.
fn live(connection: SqliteConnection, folding: Folding, steps: &[Step]) -> (SqliteConnection, usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let clock = ManualClock::at(Timestamp(1_700_000_000_123));
    let mut world = World::begin(connection, folding, &clock);
    let (mut written, mut folds) = (world.state(), 0);
    for step in steps {
        runtime.block_on(world.play(step));
        if matches!(step, Step::Write) {
            world.write();
            written = world.state();
        }
        if matches!(step, Step::Kill) {
            folds += world.folds;
            world = World::begin(world.writer.connection, folding, &clock);
            assert_eq!(world.state(), written);
        }
    }
    let (mut connection, folds) = (world.writer.connection, folds + world.folds);
    for table in ["engine_state", "engine_users", "engine_sessions", "engine_moved", "engine_transitions"] {
        diesel::sql_query(format!("DELETE FROM {table}")).execute(&mut connection).unwrap();
    }
    (connection, folds)
}

#[test]
fn what_is_loaded_is_what_was_there_when_it_was_written_last() {
    let config = ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() };
    let (folds, kept) = (std::cell::Cell::new(0), std::cell::RefCell::new(None));
    let played =
        proptest::test_runner::TestRunner::new(config).run(&prop::collection::vec(step(), 1..120), |steps| {
            let connection = kept.take().unwrap_or_else(memory);
            let (connection, more) = live(connection, EAGER, &steps);
            kept.replace(Some(connection));
            folds.set(folds.get() + more);
            Ok(())
        });
    if let Err(error) = played {
        panic!("{error}");
    }
    assert!(folds.get() > 100, "{} folds are too few to have been tried", folds.get());
}

#[test]
fn a_heartbeat_before_a_change_does_not_undo_it() {
    let connect = Step::Connect { user: 1, session: 10, timeout: 120_000, private: false };
    let touch = Step::Touch { user: 1, session: 10 };
    for change in [
        Step::Leave { user: 1, session: 10 },
        Step::Retime { user: 1, timeout: 5_000 },
        Step::Disconnect { user: 1, session: 10 },
    ] {
        let (connect, touch) = (connect.clone(), touch.clone());
        let steps = [connect, Step::Write, Step::Pass(1), touch, Step::Write, change, Step::Write, Step::Kill];
        // What the heartbeat said is still in the log.
        live(memory(), FOLDING, &steps);
    }
}

#[test]
fn the_log_is_folded_and_does_not_grow() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let clock = ManualClock::at(Timestamp(1_700_000_000_123));
    let folding = Folding { sets: 2, least: 0, part: 16 };
    let mut world = World::begin(memory(), folding, &clock);
    for user in 1..=100 {
        runtime.block_on(world.play(&Step::Connect { user, session: user, timeout: 120_000, private: false }));
    }
    let mut longest = 0;
    for _ in 0..100 {
        runtime.block_on(world.play(&Step::Pass(1)));
        for user in 1..=100 {
            runtime.block_on(world.play(&Step::Touch { user, session: user }));
        }
        world.write();
        longest = longest.max(world.writer.length.bytes);
    }
    assert!(world.folds > 5, "{} folds", world.folds);
    assert!(longest <= 8 * 100 * Moved::LENGTH, "{longest} bytes");
    let (written, length) = (world.state(), world.writer.length);
    let again = World::begin(world.writer.connection, folding, &clock);
    assert_eq!(again.state(), written);
    assert_eq!((again.writer.length.seq, again.writer.length.bytes), (length.seq, length.bytes));
}
