//! The memory engine's journal: what a restart goes on with.

use std::path::Path;

use diesel::{Connection as _, RunQueryDsl as _, SqliteConnection};
use lastseen_shared::ids::{SessionId, UserId};
use lastseen_shared::presence::availability::{Availability, Choice, Privacy, Profile, Visibility};
use lastseen_shared::presence::clock::{Clock, ManualClock};
use lastseen_shared::presence::engine::{Connect, Counts, EngineError, Restatement};
use lastseen_shared::presence::memory::MemoryEngine;
use lastseen_shared::presence::memory::shard::Shard;
use lastseen_shared::presence::rule::Known;
use lastseen_shared::presence::transition::{Entry, Epoch, Transition};
use lastseen_shared::presence::{Engine, PresenceEngine as _, Reason, TransitionId};
use lastseen_shared::timestamp::Timestamp;

use crate::harness::{
    Folder, Harness, SHARDS, TIMEOUT, came, choice, look, ms, offline, open_journal, secs, touch, went,
};

/// A moment that is no multiple of anything.
const START: Timestamp = Timestamp(1_700_000_000_123);

/// An engine on the folder's journal at the moment so long after the start.
async fn open(folder: &Folder, since_start: std::time::Duration) -> Harness {
    let mut harness = Harness::on_journal(&folder.journal(), START.plus(since_start)).await;
    harness.start = START;
    harness
}

async fn flush(h: &Harness) {
    let Engine::Memory(engine) = &h.engine else { panic!("only memory has a journal") };
    engine.flush().await.unwrap();
    engine.check().unwrap();
}

/// Everything that readers and followers can see.
async fn seen(h: &Harness, users: std::ops::Range<i64>) -> (Vec<Known>, u64, Vec<Vec<Entry>>, Vec<Epoch>) {
    let users: Vec<UserId> = users.map(UserId).collect();
    let lookup = h.engine.lookup(&users).await.unwrap();
    let (mut entries, mut epochs) = (Vec::new(), Vec::new());
    for shard in 0..SHARDS {
        let stretch = h.engine.transitions(shard, TransitionId::START, 1_000).await.unwrap();
        entries.push(stretch.entries);
        epochs.push(stretch.epoch);
    }
    (lookup.known, lookup.counts.online, entries, epochs)
}

/// Makes users of every kind, up to ten seconds after the start.
async fn lead_a_life(h: &Harness) {
    for user in 1..=5 {
        h.login(user, user * 10).await;
    }
    h.at(secs(4));
    h.login(1, 11).await;
    h.login(1, 12).await;
    h.logout(2, 20).await;
    h.at(secs(5));
    h.touch(1, 11).await;
    h.touch(3, 30).await;
    h.at(secs(6));
    h.logout(1, 11).await;
    h.engine.evict(UserId(4), SessionId::ALL, Reason::Banned).await.unwrap();
    h.engine.retime(UserId(5), secs(1)).await.unwrap();
    h.login(6, 60).await;
    h.engine.retime(UserId(6), secs(600)).await.unwrap();
    h.at(secs(10));
}

#[tokio::test]
async fn everything_is_as_before_after_a_clean_stop() {
    let folder = Folder::new();
    let first = open(&folder, secs(0)).await;
    lead_a_life(&first).await;
    flush(&first).await;
    let before = seen(&first, 1..9).await;
    assert_eq!(before.1, 3);
    drop(first);
    let second = open(&folder, secs(10)).await;
    assert_eq!(seen(&second, 1..9).await, before);
    let held = second.engine.sessions(UserId(1)).await.unwrap();
    assert_eq!(held.iter().map(|s| s.session.0).collect::<Vec<_>>(), [10, 12]);
    // A device that left is remembered too, and life goes on where it was.
    second.at(secs(4) + TIMEOUT);
    assert_eq!(
        second.known(1).await,
        offline(second.moment(secs(4) + TIMEOUT), START.plus(secs(5)), Reason::Timeout)
    );
    second.sweep().await;
    let entries = second.entries(1).await;
    assert!(entries.windows(2).all(|pair| pair[0].id < pair[1].id));
    assert_eq!(entries[..before.2[1].len()], before.2[1]);
}

#[tokio::test]
async fn an_answer_that_was_given_is_in_the_journal() {
    let folder = Folder::new();
    let first = open(&folder, secs(0)).await;
    let users = 1..9;
    macro_rules! survives {
        ($operation:expr) => {
            let _ = $operation.await;
            // As a process that starts after this one was killed here would see it.
            let now = first.engine.now(UserId(1)).await.unwrap();
            let second = Harness::on_journal(&folder.journal(), now).await;
            assert_eq!(seen(&second, users.clone()).await, seen(&first, users.clone()).await, stringify!($operation));
        };
    }
    survives!(first.login(1, 10));
    survives!(first.login(1, 11));
    survives!(first.login(2, 20));
    survives!(first.login(3, 30));
    first.at(secs(1));
    survives!(first.logout(1, 10));
    survives!(first.engine.retime(UserId(2), secs(20)));
    survives!(first.engine.evict(UserId(3), SessionId::ALL, Reason::Deleted));
    first.at(secs(21));
    survives!(first.engine.expire(0, 10));
}

#[tokio::test]
async fn what_users_show_survives_a_crash_and_invisible_ones_stay_invisible() {
    let folder = Folder::new();
    let first = open(&folder, secs(0)).await;
    let truth = async |h: &Harness| {
        let users: Vec<UserId> = (1..5).map(UserId).collect();
        let (lookup, scans) = (h.engine.lookup(&users).await.unwrap(), [h.engine.scan(0, 0), h.engine.scan(1, 0)]);
        let mut users = Vec::new();
        for scan in scans {
            users.extend(scan.await.unwrap().users);
        }
        let entries = [h.entries(1).await, h.entries(2).await];
        (lookup.known, lookup.hidden, lookup.counts, users, entries)
    };
    macro_rules! survives {
        ($operation:expr) => {
            let _ = $operation.await;
            // As a process that starts after this one was killed here would see it.
            let now = first.engine.now(UserId(1)).await.unwrap();
            let second = Harness::on_journal(&folder.journal(), now).await;
            assert_eq!(truth(&second).await, truth(&first).await, stringify!($operation));
        };
    }
    let contacts = Privacy { online: Visibility::Contacts, last_seen: Visibility::Nobody };
    let shown = look(Availability::Dnd, Some("in a meeting"));
    let mut dnd = choice(Availability::Dnd, Some(START.plus(secs(60))));
    dnd = Profile { privacy: contacts, choice: Choice { shown, ..dnd.choice } };
    let invisible = choice(Availability::Invisible, None);
    let for_a_while = choice(Availability::Invisible, Some(START.plus(secs(60))));
    survives!(first.login_as(1, 10, &invisible));
    survives!(first.login(1, 11));
    survives!(first.login(2, 20));
    survives!(first.idle(2, 20, true));
    survives!(first.present(2, &Profile::default(), &dnd));
    survives!(first.login(3, 30));
    survives!(first.present(3, &Profile::default(), &invisible));
    survives!(first.login_as(4, 40, &for_a_while));
    survives!(first.engine.relate(UserId(1), UserId(2)));
    survives!(first.logout(1, 10));
    first.at(secs(61));
    survives!(first.engine.snapshot(&[UserId(4)]));
    survives!(first.engine.expire(0, 10));
    survives!(first.present(3, &invisible, &Profile::default()));
    assert_eq!(first.counts().await, Counts { online: 3, limited: 1, away: 1, dnd: 0 });
}

#[tokio::test]
async fn a_choice_that_ended_while_it_was_stopped_ended_at_its_time() {
    let folder = Folder::new();
    let first = open(&folder, secs(0)).await;
    first.login_as(1, 10, &choice(Availability::Invisible, Some(START.plus(secs(60))))).await;
    first.login_as(3, 30, &choice(Availability::Invisible, Some(START.plus(TIMEOUT)))).await;
    drop(first);
    let second = open(&folder, secs(5_000)).await;
    let known = offline(START.plus(TIMEOUT), START, Reason::Timeout);
    assert_eq!((second.known(1).await, second.known(3).await), (known, Known::Settled));
    second.sweep().await;
    let shown =
        Transition { last_seen: START, session_seen: START, ..came(1, 10, START.plus(secs(60)), Reason::Login) };
    assert_eq!(second.transitions(1).await, [shown, went(1, 10, START.plus(TIMEOUT), START, Reason::Timeout)]);
    assert_eq!(second.transitions(3).await, []);
}

#[tokio::test]
async fn a_journal_of_before_there_were_profiles_is_read() {
    let folder = Folder::new();
    let first = open(&folder, secs(0)).await;
    first.login(1, 10).await;
    flush(&first).await;
    drop(first);
    let mut connection = SqliteConnection::establish(folder.journal().to_str().unwrap()).unwrap();
    // The first engine's thread may still be closing its own.
    diesel::sql_query("PRAGMA busy_timeout = 5000").execute(&mut connection).unwrap();
    let stored: Vec<Stored> =
        diesel::sql_query("SELECT u.profile, t.entry FROM engine_users u, engine_transitions t")
            .load(&mut connection)
            .unwrap();
    // As it always was.
    let at = START.to_string();
    let entry = format!(
        "{{\"transition\":{{\"user\":1,\"online\":true,\"at\":\"{at}\",\"last_seen\":\"{at}\",\"reason\":\"login\",\
         \"session\":10,\"session_seen\":\"{at}\"}}}}"
    );
    assert_eq!(stored.iter().map(|s| (&s.profile, &s.entry)).collect::<Vec<_>>(), [(&None, &entry)]);
    let second = open(&folder, secs(0)).await;
    assert_eq!(second.transitions(1).await, [came(1, 10, START, Reason::Login)]);
}

#[tokio::test]
async fn a_journal_of_before_there_was_a_log_of_heartbeats_is_read() {
    use lastseen_shared::db::{Address, Db};
    let folder = Folder::new();
    let first = open(&folder, secs(0)).await;
    lead_a_life(&first).await;
    flush(&first).await;
    drop(first);
    // As the program before this one left it: its last write put each deadline into its session's row.
    let mut connection = SqliteConnection::establish(folder.journal().to_str().unwrap()).unwrap();
    diesel::sql_query("PRAGMA busy_timeout = 5000").execute(&mut connection).unwrap();
    let moved = START.plus(secs(5)).plus(TIMEOUT).0;
    for statement in [
        &format!("UPDATE engine_sessions SET deadline_ms = {moved} WHERE session_id = 30"),
        include_str!("../../../migrations/sqlite/0005_moved_deadlines/down.sql"),
        "DELETE FROM __diesel_schema_migrations WHERE version = '0005'",
    ] {
        diesel::connection::SimpleConnection::batch_execute(&mut connection, statement).unwrap();
    }
    drop(connection);
    assert_eq!(Db::new(Address::Sqlite(folder.journal()), 1).unwrap().pending_migrations().await.unwrap(), 1);
    let second = open(&folder, secs(10)).await;
    assert_eq!(second.online().await, 3);
    let sessions = second.engine.sessions(UserId(3)).await.unwrap();
    assert_eq!(sessions[0].deadline.0.0, moved);
    // And it goes on as any.
    second.touch(3, 30).await.unwrap();
    flush(&second).await;
    let third = open(&folder, secs(10)).await;
    assert_eq!(third.engine.sessions(UserId(3)).await.unwrap()[0].deadline, third.deadline(secs(10) + TIMEOUT));
}

#[derive(diesel::QueryableByName)]
struct Stored {
    #[diesel(sql_type = diesel::sql_types::Nullable<diesel::sql_types::Text>)]
    profile: Option<String>,
    #[diesel(sql_type = diesel::sql_types::Text)]
    entry: String,
}

#[tokio::test]
async fn a_restatement_that_was_answered_is_in_the_journal() {
    let folder = Folder::new();
    let first = open(&folder, secs(0)).await;
    first.login(1, 10).await;
    first.engine.projected(1, first.entries(1).await[0].id, &[]).await.unwrap();
    let offline = Restatement { at: START, last_seen: START, reason: Reason::Timeout };
    assert!(first.engine.restate(UserId(1), false, offline).await.unwrap());
    let second = open(&folder, secs(0)).await;
    assert_eq!(second.entries(1).await, first.entries(1).await);
    assert_eq!(second.entries(1).await.len(), 2);
}

#[tokio::test]
async fn heartbeats_are_written_behind() {
    let folder = Folder::new();
    let first = open(&folder, secs(0)).await;
    first.login(1, 10).await;
    first.login(2, 20).await;
    first.at(secs(50));
    let moved = first.touch(1, 10).await;
    // Nobody asks for it: it is written within a second.
    let asked = std::time::Instant::now();
    loop {
        let second = open(&folder, secs(50)).await;
        let deadline = second.engine.sessions(UserId(1)).await.unwrap()[0].deadline;
        if Some(deadline) == moved {
            break;
        }
        assert_eq!(deadline, first.deadline(TIMEOUT), "either the older one or the newer");
        assert!(asked.elapsed() < secs(5), "the heartbeat is not in the journal");
        tokio::time::sleep(ms(50)).await;
    }
}

#[tokio::test]
async fn those_who_fell_silent_while_it_was_stopped_went_offline_at_their_deadlines() {
    let folder = Folder::new();
    let first = open(&folder, secs(0)).await;
    first.login(1, 10).await;
    drop(first);
    let second = open(&folder, secs(5_000)).await;
    assert_eq!(second.known(1).await, offline(START.plus(TIMEOUT), START, Reason::Timeout));
    assert_eq!(second.online().await, 0);
    second.sweep().await;
    let expected = [came(1, 10, START, Reason::Login), went(1, 10, START.plus(TIMEOUT), START, Reason::Timeout)];
    assert_eq!(second.transitions(1).await, expected);
}

#[tokio::test]
async fn what_was_trimmed_stays_trimmed_and_ids_are_not_used_again() {
    let folder = Folder::new();
    let first = open(&folder, secs(0)).await;
    for round in 0..3 {
        first.at(secs(round));
        first.login(1, 10).await;
        first.login(1, 11 + i64::try_from(round).unwrap()).await;
        first.engine.evict(UserId(1), SessionId(9), Reason::Logout).await.unwrap();
    }
    first.logout(1, 13).await;
    let newest = first.entries(1).await.last().unwrap().id;
    first.at(secs(3_600));
    assert!(first.engine.trim(1, newest, secs(60)).await.unwrap() > 0);
    flush(&first).await;
    drop(first);
    // Even where the clock stands before all of it.
    let second = open(&folder, secs(0)).await;
    let stretch = second.engine.transitions(1, TransitionId::START, 10).await.unwrap();
    assert_eq!((stretch.entries.as_slice(), stretch.trimmed, stretch.newest), (&[][..], newest, newest));
    second.login(3, 30).await;
    assert!(second.entries(1).await[0].id > newest);
}

#[tokio::test]
async fn another_number_of_shards_is_refused() {
    let folder = Folder::new();
    drop(open(&folder, secs(0)).await);
    for configured in [1, 3, 64] {
        let engine = other(&folder.journal(), configured).await;
        let expected = EngineError::OtherShardCount { stored: SHARDS, configured };
        assert_eq!(engine.err().map(|error| error.to_string()), Some(expected.to_string()));
    }
    other(&folder.journal(), SHARDS).await.unwrap();
}

async fn other(path: &Path, shards: u32) -> Result<MemoryEngine, EngineError> {
    MemoryEngine::journaled(shards, Clock::Manual(ManualClock::at(START)), open_journal(path).await)
}

#[tokio::test]
async fn a_new_journal_is_a_new_epoch_and_the_same_one_is_not() {
    let (folder, elsewhere) = (Folder::new(), Folder::new());
    let epoch = open(&folder, secs(0)).await.engine.epoch(0).await.unwrap().0;
    assert_eq!(open(&folder, secs(9)).await.engine.epoch(0).await.unwrap().0, epoch);
    assert_ne!(open(&elsewhere, secs(9)).await.engine.epoch(0).await.unwrap().0, epoch);
}

#[tokio::test]
async fn nobody_is_shown_an_entry_that_a_crash_could_take_back() {
    let folder = Folder::new();
    let first = open(&folder, secs(0)).await;
    let read = first.fresh(1, 10, Reason::Login).await;
    let mut login = std::pin::pin!(first.engine.connect(read));
    // The operation is carried out and waits for the journal, which may or may not have it by now.
    let done = futures_util::poll!(login.as_mut()).is_ready();
    let shown = first.entries(1).await;
    if !shown.is_empty() {
        let second = open(&folder, secs(0)).await;
        assert_eq!(second.entries(1).await, shown);
    }
    if !done {
        login.await.unwrap();
    }
    assert_eq!(first.entries(1).await.len(), 1);
}

#[test]
fn a_change_waits_for_the_journal_until_it_is_written() {
    let mut shard = Shard::new(Epoch { id: "1:0".to_owned(), born: START }, TransitionId::START);
    let (user, session) = (UserId(1), SessionId(10));
    let connect = Connect {
        user,
        session,
        timeout: TIMEOUT,
        profile: Profile::default(),
        reason: Reason::Login,
        read_at: START,
    };
    shard.connect(&connect, START);
    assert!(shard.is_changed());
    let unwritten = shard.take_unwritten();
    assert!(shard.is_changed(), "taken is not yet written");
    assert_eq!(shard.entries(TransitionId::START, 10), []);
    shard.written(unwritten.newest);
    assert!(!shard.is_changed());
    assert_eq!(shard.entries(TransitionId::START, 10).len(), 1);
    shard.touch(&touch(1, 10), START.plus(secs(1)));
    assert!(!shard.is_changed(), "deadlines are written behind");
    assert_eq!(shard.take_unwritten().moved.len(), 1);
    assert!(!shard.is_changed());
}
