//! kill -9 amid heartbeats, log-ins, leavings and folds of the journal, of a process that has nothing else to do.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use diesel::{Connection as _, RunQueryDsl as _, SqliteConnection};
use lastseen_shared::ids::{SessionId, UserId};
use lastseen_shared::presence::availability::Profile;
use lastseen_shared::presence::clock::Clock;
use lastseen_shared::presence::engine::{Connect, Connected, Touch};
use lastseen_shared::presence::memory::MemoryEngine;
use lastseen_shared::presence::{PresenceEngine as _, Reason};
use lastseen_shared::timestamp::Timestamp;

use crate::harness::{Folder, SHARDS, TIMEOUT, open_journal, touch};

/// Names the journal to the process that is to be killed.
const JOURNAL: &str = "LASTSEEN_TEST_JOURNAL";
const USERS: i64 = 4_000;
/// Of a deadline that was answered so much may be lost: what is written behind, and the time of writing it.
const LOST: i64 = 1_000;

async fn open(path: &Path) -> MemoryEngine {
    MemoryEngine::journaled(SHARDS, Clock::System, open_journal(path).await).unwrap()
}

async fn connect(engine: &MemoryEngine, number: i64) {
    let (user, session, read_at) = (UserId(number), SessionId(number), Timestamp::now());
    let (timeout, profile, reason) = (TIMEOUT, Profile::default(), Reason::Login);
    let connected = engine.connect(Connect { user, session, timeout, profile, reason, read_at }).await.unwrap();
    assert!(matches!(connected, Connected::Live { .. }), "{connected:?}");
}

/// Heartbeats of everybody, over and over; and beside them users who log in and leave. Tells what was answered.
#[tokio::test]
#[ignore = "is killed by the test that starts it"]
async fn busy() {
    let engine = open(&PathBuf::from(std::env::var_os(JOURNAL).unwrap())).await;
    let newcomers = engine.scan(0, 0).await.unwrap().users.len() + engine.scan(1, 0).await.unwrap().users.len();
    if newcomers == 0 {
        futures_util::future::join_all((1..=USERS).map(|number| connect(&engine, number))).await;
    }
    let mut newcomer = i64::try_from(newcomers).unwrap() + USERS;
    let mut out = std::io::stdout();
    loop {
        let begun = engine.now(UserId(1)).await.unwrap();
        for shard in 0..SHARDS {
            let mine: Vec<Touch> =
                (1..=USERS).map(|n| touch(n, n)).filter(|touch| touch.user.shard(SHARDS) == shard).collect();
            for batch in mine.chunks(100) {
                let touched = engine.touch(shard, batch).await.unwrap();
                assert!(touched.deadlines.iter().all(Option::is_some));
            }
        }
        writeln!(out, "BEAT {}", begun.0).unwrap();
        newcomer += 1;
        let (user, session) = (UserId(newcomer), SessionId(newcomer));
        connect(&engine, newcomer).await;
        tokio::time::sleep(Duration::from_millis(2)).await;
        assert!(engine.touch(user.shard(SHARDS), &[touch(newcomer, newcomer)]).await.unwrap().deadlines[0].is_some());
        let grace = Duration::from_secs(60);
        let left = engine.leave(user, session, grace).await.unwrap().unwrap();
        writeln!(out, "LEFT {newcomer} {}", left.0.0).unwrap();
    }
}

#[tokio::test]
async fn what_was_answered_survives_kill_9_amid_folds() {
    let folder = Folder::new();
    let mut left = HashMap::new();
    for lasts in [1_500, 2_300, 900] {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "killed::busy", "--ignored", "--nocapture"])
            .env(JOURNAL, folder.journal())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let told = BufReader::new(child.stdout.take().unwrap()).lines();
        let (mut beats, mut first) = (Vec::new(), None::<Instant>);
        // The pipe holds what was told before the kill, and is read to its end.
        let mut killed = None;
        for line in told {
            let Ok(line) = line else { break };
            match line.split_whitespace().collect::<Vec<_>>()[..] {
                ["BEAT", at] => beats.push(at.parse::<i64>().unwrap()),
                ["LEFT", user, at] => {
                    left.insert(user.parse::<i64>().unwrap(), at.parse::<i64>().unwrap());
                }
                _ => {}
            }
            if !beats.is_empty() {
                let since = *first.get_or_insert_with(Instant::now);
                if killed.is_none() && since.elapsed() > Duration::from_millis(lasts) {
                    killed = Some(Timestamp::now().0);
                    child.kill().unwrap();
                }
            }
        }
        child.wait().unwrap();
        let ended = Timestamp::now().0;
        let killed = killed.expect("it was to go on until it is killed");
        let certain = beats.iter().rev().find(|at| **at <= killed - LOST).copied();
        let timeout = i64::try_from(TIMEOUT.as_millis()).unwrap();
        let engine = open(&folder.journal()).await;
        for number in 1..=USERS {
            let held = engine.sessions(UserId(number)).await.unwrap();
            assert_eq!(held.len(), 1, "{number}");
            let seen = held[0].deadline.0.0 - timeout;
            assert!(seen <= ended, "{number}: {seen} is after the kill at {killed}");
            assert!(certain.is_none_or(|certain| seen >= certain), "{number}: {seen} is before {certain:?}");
        }
        for (user, deadline) in &left {
            let held = engine.sessions(UserId(*user)).await.unwrap();
            assert_eq!(held.iter().map(|held| held.deadline.0.0).collect::<Vec<_>>(), [*deadline], "{user}");
        }
    }
    assert!(!left.is_empty());
    let mut connection = SqliteConnection::establish(folder.journal().to_str().unwrap()).unwrap();
    diesel::sql_query("PRAGMA busy_timeout = 5000").execute(&mut connection).unwrap();
    let folded: Vec<Folded> =
        diesel::sql_query("SELECT min(seq) AS first, sum(length(deadlines)) AS bytes FROM engine_moved")
            .load(&mut connection)
            .unwrap();
    assert!(folded[0].first > 1 && folded[0].bytes < 2_000_000, "{folded:?}");
}

#[derive(Debug, diesel::QueryableByName)]
struct Folded {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    first: i64,
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    bytes: i64,
}
