//! What the memory engine costs: bytes of a session, time of a heartbeat and of an expiry, what heartbeats write to the
//! journal, and how long it takes to be loaded. One line of JSON.
//!
//! Resident bytes are all that the process has taken in while it was filled, the allocator's slack among them.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use lastseen_shared::db::{Address, Db, sqlite_connection};
use lastseen_shared::ids::{SessionId, UserId};
use lastseen_shared::presence::availability::Profile;
use lastseen_shared::presence::clock::{Clock, ManualClock};
use lastseen_shared::presence::engine::{Connect, Connected, Touch};
use lastseen_shared::presence::memory::MemoryEngine;
use lastseen_shared::presence::memory::journal::Journal;
use lastseen_shared::presence::{PresenceEngine, Reason, TransitionId};
use lastseen_shared::timestamp::Timestamp;

use crate::Failed;

const TIMEOUT: Duration = Duration::from_secs(120);
/// Each session sends a heartbeat so often, so deadlines are spread over so long.
const INTERVAL: i64 = 30_000;
/// Heartbeats that go together, and expiries.
const BATCH: usize = 64;
const SWEEP: usize = 500;
/// Times all sessions send a heartbeat.
const ROUNDS: i64 = 3;

/// A number of `/proc/self/…`: by the line's name, or by its place where there is no name.
fn of_process(file: &str, name: &str, place: usize) -> Result<u64, Failed> {
    let text = std::fs::read_to_string(format!("/proc/self/{file}"))?;
    let line = text.lines().find(|line| line.starts_with(name)).ok_or("no such line")?;
    Ok(line.split_whitespace().nth(place).ok_or("no such number")?.parse()?)
}

fn resident() -> Result<u64, Failed> {
    Ok(of_process("status", "VmRSS:", 1)? * 1_024)
}

fn touch(number: i64) -> Touch {
    Touch { user: UserId(number), session: SessionId(number) }
}

/// The users in an order that no cache foresees: the same each time.
fn shuffled(count: i64) -> Vec<i64> {
    let mut all: Vec<i64> = (1..=count).collect();
    let mut random = 88_172_645_463_325_252_u64;
    for place in (1..all.len()).rev() {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        all.swap(place, (random % (place as u64 + 1)) as usize);
    }
    all
}

/// Forgets the stream, as a database that has followed it lets it be forgotten.
async fn forget_stream(engine: &MemoryEngine) -> Result<(), Failed> {
    let all = TransitionId { ms: u64::MAX, seq: u64::MAX };
    engine.projected(0, all, &[]).await?;
    engine.trim(0, all, Duration::ZERO).await?;
    Ok(())
}

/// All sessions send a heartbeat, spread over an interval. Answers the time that each took.
async fn beat(engine: &MemoryEngine, clock: &ManualClock, order: &[i64], batch: usize) -> Result<f64, Failed> {
    let begin = engine.now(UserId(1)).await?;
    let count = i64::try_from(order.len())?;
    let mut took = Duration::ZERO;
    for (number, users) in (0_i64..).zip(order.chunks(batch)) {
        clock.set(Timestamp(begin.0 + number * i64::try_from(batch)? * INTERVAL / count));
        let touches: Vec<Touch> = users.iter().map(|user| touch(*user)).collect();
        let began = Instant::now();
        let touched = engine.touch(0, &touches).await?;
        took += began.elapsed();
        if touched.deadlines.iter().any(Option::is_none) {
            return Err("a session is not live".into());
        }
    }
    clock.set(Timestamp(begin.0 + INTERVAL));
    Ok(took.as_nanos() as f64 / count as f64)
}

/// Measures with `count` sessions, and prints it.
pub async fn measure(count: i64) -> Result<(), Failed> {
    let order = shuffled(count);
    let clock = ManualClock::at(Timestamp::now());
    let (bytes, touch_ns, alone_ns, expire_ns, longest) = in_memory(&clock, &order).await?;
    let journal = in_journal(&order).await?;
    println!(
        "{{\"sessions\": {count}, \"resident_bytes_a_session\": {bytes:.1}, \"touch_ns\": {touch_ns:.0}, \
         \"touch_alone_ns\": {alone_ns:.0}, \"expire_ns\": {expire_ns:.0}, \"expire_longest_ms\": {longest:.1}, {journal}}}"
    );
    Ok(())
}

async fn in_memory(clock: &ManualClock, order: &[i64]) -> Result<(f64, f64, f64, f64, f64), Failed> {
    let count = i64::try_from(order.len())?;
    let engine = MemoryEngine::volatile(1, Clock::Manual(clock.clone()));
    let (before, begin) = (resident()?, engine.now(UserId(1)).await?);
    for number in 1..=count {
        let now = Timestamp(begin.0 + number * INTERVAL / count);
        clock.set(now);
        let (user, session, profile) = (UserId(number), SessionId(number), Profile::default());
        let connect = Connect { user, session, timeout: TIMEOUT, profile, reason: Reason::Login, read_at: now };
        if !matches!(engine.connect(connect).await?, Connected::Live { .. }) {
            return Err("a session is not live".into());
        }
        if number % 1_000 == 0 {
            forget_stream(&engine).await?;
        }
    }
    clock.set(Timestamp(begin.0 + INTERVAL + 1));
    forget_stream(&engine).await?;
    for _ in 0..ROUNDS {
        beat(&engine, clock, order, BATCH).await?;
    }
    let bytes = resident()?.saturating_sub(before) as f64 / count as f64;
    let (touch_ns, alone_ns) = (beat(&engine, clock, order, BATCH).await?, beat(&engine, clock, order, 1).await?);
    // Everybody falls silent, and is swept a second at a time.
    let (mut took, mut longest, mut gone) = (Duration::ZERO, Duration::ZERO, 0);
    while gone < count {
        clock.set(engine.now(UserId(1)).await?.plus(Duration::from_secs(1)));
        let mut taken = SWEEP;
        while taken == SWEEP {
            let began = Instant::now();
            taken = engine.expire(0, SWEEP).await?.taken;
            let lasted = began.elapsed();
            (took, longest) = (took + lasted, longest.max(lasted));
            gone += i64::try_from(taken)?;
            forget_stream(&engine).await?;
        }
    }
    Ok((bytes, touch_ns, alone_ns, took.as_nanos() as f64 / count as f64, longest.as_secs_f64() * 1_000.0))
}

/// A folder that is removed in the end.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

async fn in_journal(order: &[i64]) -> Result<String, Failed> {
    let count = i64::try_from(order.len())?;
    let folder = Folder(std::env::temp_dir().join(format!("lastseen-bench-{}", std::process::id())));
    let path = folder.0.join("lastseen.db");
    Db::new(Address::Sqlite(path.clone()), 1)?.migrate().await?;
    let clock = ManualClock::at(Timestamp::now());
    let open = || MemoryEngine::journaled(1, Clock::Manual(clock.clone()), Journal::open(&path)?);
    drop(open()?);
    // Rows as log-ins of a while ago left them.
    let deadline = Timestamp::now().plus(TIMEOUT).0;
    let numbers = format!(
        "(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {count}) SELECT n FROM s)"
    );
    sqlite_connection(&path)?.batch_execute(&format!(
        "BEGIN; INSERT INTO engine_users (user_id, reason, gone_ms) SELECT n, 'login', 0 FROM {numbers}; \
         INSERT INTO engine_sessions (user_id, session_id, timeout_ms, deadline_ms) \
         SELECT n, n, {}, {deadline} FROM {numbers}; COMMIT; PRAGMA wal_checkpoint(TRUNCATE)",
        TIMEOUT.as_millis()
    ))?;
    let engine = open()?;
    let before = of_process("io", "wchar:", 1)?;
    for _ in 0..ROUNDS {
        beat(&engine, &clock, order, BATCH).await?;
        // It waits for some seconds only.
        while engine.flush().await.is_err() {}
    }
    let written = of_process("io", "wchar:", 1)?.saturating_sub(before) as f64 / (ROUNDS * count) as f64;
    drop(engine);
    let mut loaded = Vec::new();
    for _ in 0..3 {
        // The thread of the one before may still be about to see that it is over.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let began = Instant::now();
        let engine = open()?;
        loaded.push(began.elapsed().as_secs_f64() * 1_000.0);
        if i64::try_from(engine.lookup(&[]).await?.counts.online)? != count {
            return Err("the journal lost somebody".into());
        }
    }
    loaded.sort_by(f64::total_cmp);
    Ok(format!("\"journal_bytes_a_heartbeat\": {written:.1}, \"load_ms\": {:.0}", loaded[1]))
}
