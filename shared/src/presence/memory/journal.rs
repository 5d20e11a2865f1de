//! The memory engine's journal in SQLite: what a restart of the stand-alone program begins with.
//!
//! One thread writes. It gathers what changed in all shards into one transaction, whenever an operation waits for it
//! and at least every [`WRITE_BEHIND`]. Tables: `engine_users` and `engine_sessions` (who is held, with deadlines),
//! `engine_transitions` (the stream), `engine_state` (the epoch, how far the stream was trimmed).

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Weak};
use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Integer, Nullable, Text};
use diesel::sqlite::SqliteConnection;
use tokio::sync::watch;

use super::operations::Inner;
use super::shard::{Dirt, HeldUser, Kept, Unwritten};
use crate::db::sqlite_connection;
use crate::ids::{SessionId, UserId};
use crate::presence::EngineError;
use crate::presence::rule::HeldSession;
use crate::presence::transition::{Entry, Epoch, TransitionId};
use crate::timestamp::{Deadline, Timestamp, millis};

/// A deadline that a heartbeat moved is in the journal at most so much later.
pub const WRITE_BEHIND: Duration = Duration::from_millis(500);
/// How long an operation waits for the journal.
const WRITTEN_WITHIN: Duration = Duration::from_secs(5);

/// A journal that is open but not yet followed.
pub struct Journal {
    connection: SqliteConnection,
}

/// What the engine's operations hold: asks for a write and waits for it.
#[derive(Clone)]
pub(super) struct JournalHandle {
    ask: Sender<u64>,
    asked: Arc<std::sync::atomic::AtomicU64>,
    written: watch::Receiver<u64>,
    failing: Arc<AtomicBool>,
}

/// The writing half.
pub(super) struct Writer {
    connection: SqliteConnection,
    asks: Receiver<u64>,
    written: watch::Sender<u64>,
    failing: Arc<AtomicBool>,
}

fn unavailable(error: impl std::fmt::Display) -> EngineError {
    EngineError::Unavailable(format!("the journal: {error}"))
}

#[derive(QueryableByName)]
struct StateRow {
    #[diesel(sql_type = Integer)]
    shard: i32,
    #[diesel(sql_type = Integer)]
    shards: i32,
    #[diesel(sql_type = Text)]
    epoch: String,
    #[diesel(sql_type = BigInt)]
    born_ms: i64,
    #[diesel(sql_type = BigInt)]
    trimmed_ms: i64,
    #[diesel(sql_type = BigInt)]
    trimmed_seq: i64,
}

#[derive(QueryableByName)]
struct SessionRow {
    #[diesel(sql_type = BigInt)]
    user_id: i64,
    #[diesel(sql_type = BigInt)]
    session_id: i64,
    #[diesel(sql_type = BigInt)]
    timeout_ms: i64,
    #[diesel(sql_type = BigInt)]
    deadline_ms: i64,
    #[diesel(sql_type = Bool)]
    leaving: bool,
    #[diesel(sql_type = Bool)]
    idle: bool,
    #[diesel(sql_type = Text)]
    reason: String,
    #[diesel(sql_type = BigInt)]
    gone_ms: i64,
    #[diesel(sql_type = Nullable<Text>)]
    profile: Option<String>,
}

#[derive(QueryableByName)]
struct EntryRow {
    #[diesel(sql_type = Integer)]
    shard: i32,
    #[diesel(sql_type = BigInt)]
    id_ms: i64,
    #[diesel(sql_type = BigInt)]
    id_seq: i64,
    #[diesel(sql_type = Text)]
    entry: String,
}

impl Journal {
    /// Opens the journal in a database whose migrations have been run.
    ///
    /// # Errors
    /// [`EngineError::Unavailable`] where the file can't be opened.
    pub fn open(path: &Path) -> Result<Self, EngineError> {
        Ok(Self { connection: sqlite_connection(path).map_err(unavailable)? })
    }

    /// Reads what was kept, making the state of shards that have none.
    pub(super) fn load(&mut self, shards: u32, fresh: &Epoch) -> Result<Vec<(Epoch, Kept)>, EngineError> {
        let connection = &mut self.connection;
        connection.immediate_transaction(|connection| load(connection, shards, fresh)).map_err(|error| match error {
            LoadError::Engine(error) => error,
            LoadError::Database(error) => unavailable(error),
        })
    }

    pub(super) fn into_parts(self) -> (JournalHandle, Writer) {
        let (ask, asks) = channel();
        let (written_tx, written) = watch::channel(0);
        let failing = Arc::new(AtomicBool::new(false));
        let handle = JournalHandle { ask, asked: Arc::default(), written, failing: Arc::clone(&failing) };
        (handle, Writer { connection: self.connection, asks, written: written_tx, failing })
    }
}

/// What loading meets.
enum LoadError {
    Engine(EngineError),
    Database(diesel::result::Error),
}

impl From<diesel::result::Error> for LoadError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Database(error)
    }
}

fn load(connection: &mut SqliteConnection, shards: u32, fresh: &Epoch) -> Result<Vec<(Epoch, Kept)>, LoadError> {
    let count = i32::try_from(shards).unwrap_or(i32::MAX);
    for shard in 0..count {
        diesel::sql_query(
            "INSERT INTO engine_state (shard, shards, epoch, born_ms) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        )
        .bind::<Integer, _>(shard)
        .bind::<Integer, _>(count)
        .bind::<Text, _>(&fresh.id)
        .bind::<BigInt, _>(fresh.born.0)
        .execute(connection)?;
    }
    let states: Vec<StateRow> = diesel::sql_query("SELECT * FROM engine_state ORDER BY shard").load(connection)?;
    if let Some(other) = states.iter().find(|state| state.shards != count) {
        let stored = other.shards.unsigned_abs();
        return Err(LoadError::Engine(EngineError::OtherShardCount { stored, configured: shards }));
    }
    let mut all: Vec<(Epoch, Kept)> = states
        .into_iter()
        .filter(|state| state.shard < count)
        .map(|state| {
            let trimmed = TransitionId { ms: state.trimmed_ms.unsigned_abs(), seq: state.trimmed_seq.unsigned_abs() };
            let epoch = Epoch { id: state.epoch, born: Timestamp(state.born_ms) };
            (epoch, Kept { trimmed, ..Kept::default() })
        })
        .collect();
    let sessions: Vec<SessionRow> = diesel::sql_query(
        "SELECT s.user_id, s.session_id, s.timeout_ms, s.deadline_ms, s.leaving, s.idle, u.reason, u.gone_ms, u.profile \
         FROM engine_sessions s JOIN engine_users u ON u.user_id = s.user_id ORDER BY s.user_id, s.session_id",
    )
    .load(connection)?;
    for row in sessions {
        let user = UserId(row.user_id);
        let session = HeldSession {
            session: SessionId(row.session_id),
            timeout: Duration::from_millis(row.timeout_ms.unsigned_abs()),
            deadline: Deadline(Timestamp(row.deadline_ms)),
            leaving: row.leaving,
            idle: row.idle,
        };
        let reason = row.reason.parse().map_err(|error| LoadError::Engine(unavailable(error)))?;
        let Some((_, kept)) = all.get_mut(user.shard(shards) as usize) else { continue };
        match kept.users.last_mut() {
            Some((last, held)) if *last == user => held.sessions.push(session),
            _ => {
                let profile = row.profile.map(|text| serde_json::from_str(&text)).transpose();
                let profile = profile.map_err(|error| LoadError::Engine(unavailable(error)))?;
                let gone = Timestamp(row.gone_ms).nonzero();
                let held = HeldUser { reason, gone, profile, sessions: vec![session] };
                kept.users.push((user, held));
            }
        }
    }
    let entries: Vec<EntryRow> =
        diesel::sql_query("SELECT shard, id_ms, id_seq, entry FROM engine_transitions ORDER BY shard, id_ms, id_seq")
            .load(connection)?;
    for row in entries {
        let id = TransitionId { ms: row.id_ms.unsigned_abs(), seq: row.id_seq.unsigned_abs() };
        let event = serde_json::from_str(&row.entry).map_err(|error| LoadError::Engine(unavailable(error)))?;
        if let Some((_, kept)) = all.get_mut(row.shard.unsigned_abs() as usize) {
            kept.entries.push(Entry { id, event });
        }
    }
    Ok(all)
}

impl JournalHandle {
    /// Waits until everything that has changed so far is in the journal.
    pub(super) async fn written(&self) -> Result<(), EngineError> {
        let mine = self.asked.fetch_add(1, Ordering::AcqRel) + 1;
        self.ask.send(mine).map_err(|_| unavailable("its thread has ended"))?;
        let mut written = self.written.clone();
        let waited = tokio::time::timeout(WRITTEN_WITHIN, written.wait_for(|done| *done >= mine)).await;
        match waited {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(unavailable("its thread has ended")),
            Err(_) => Err(unavailable(format!("not written within {WRITTEN_WITHIN:?}"))),
        }
    }

    /// Whether the last attempt to write failed.
    pub(super) fn is_failing(&self) -> bool {
        self.failing.load(Ordering::Acquire)
    }
}

impl Writer {
    /// Follows an engine on a thread of its own, until the engine is dropped.
    pub(super) fn follow(mut self, engine: Weak<Inner>) -> std::io::Result<()> {
        let run = move || {
            let mut asked = 0;
            loop {
                let mut ended = false;
                match self.asks.recv_timeout(WRITE_BEHIND) {
                    Ok(ask) => asked = asked.max(ask),
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => ended = true,
                }
                // One write answers all who wait by now.
                asked = self.asks.try_iter().fold(asked, u64::max);
                let Some(engine) = engine.upgrade() else { return };
                self.write(&engine, asked);
                if ended {
                    return;
                }
            }
        };
        std::thread::Builder::new().name("presence-journal".to_owned()).spawn(run).map(drop)
    }

    fn write(&mut self, engine: &Inner, asked: u64) {
        let unwritten: Vec<Unwritten> = engine.shards().map(|mut shard| shard.take_unwritten()).collect();
        if unwritten.iter().any(|part| !part.is_empty()) {
            // What was taken out of the shards is written or nobody is told that it was: try until it is.
            let mut pause = Duration::from_millis(20);
            while let Err(error) = self.connection.immediate_transaction(|c| write(c, &unwritten)) {
                log::error!("the presence journal could not be written and is tried again: {error}");
                self.failing.store(true, Ordering::Release);
                std::thread::sleep(pause);
                pause = (pause * 2).min(Duration::from_secs(2));
            }
            self.failing.store(false, Ordering::Release);
            for ((mut shard, part), place) in engine.shards().zip(&unwritten).zip(0..) {
                shard.written(part.newest);
                drop(shard);
                engine.tell(place);
            }
        }
        self.written.send_replace(asked);
    }
}

fn json(value: &impl serde::Serialize) -> QueryResult<String> {
    serde_json::to_string(value).map_err(|error| diesel::result::Error::SerializationError(Box::new(error)))
}

fn write(connection: &mut SqliteConnection, unwritten: &[Unwritten]) -> QueryResult<()> {
    for (part, shard) in unwritten.iter().zip(0_i32..) {
        for entry in &part.entries {
            let text = json(&entry.event)?;
            diesel::sql_query(
                "INSERT OR REPLACE INTO engine_transitions (shard, id_ms, id_seq, entry) VALUES ($1, $2, $3, $4)",
            )
            .bind::<Integer, _>(shard)
            .bind::<BigInt, _>(entry.id.ms.cast_signed())
            .bind::<BigInt, _>(entry.id.seq.cast_signed())
            .bind::<Text, _>(text)
            .execute(connection)?;
        }
        for (user, dirt, held) in &part.users {
            write_user(connection, *user, *dirt, held.as_ref())?;
        }
        if let Some(trimmed) = part.trimmed {
            let (ms, seq) = (trimmed.ms.cast_signed(), trimmed.seq.cast_signed());
            diesel::sql_query(
                "DELETE FROM engine_transitions WHERE shard = $1 AND (id_ms < $2 OR (id_ms = $2 AND id_seq <= $3))",
            )
            .bind::<Integer, _>(shard)
            .bind::<BigInt, _>(ms)
            .bind::<BigInt, _>(seq)
            .execute(connection)?;
            diesel::sql_query("UPDATE engine_state SET trimmed_ms = $1, trimmed_seq = $2 WHERE shard = $3")
                .bind::<BigInt, _>(ms)
                .bind::<BigInt, _>(seq)
                .bind::<Integer, _>(shard)
                .execute(connection)?;
        }
    }
    Ok(())
}

fn write_user(
    connection: &mut SqliteConnection,
    user: UserId,
    dirt: Dirt,
    held: Option<&HeldUser>,
) -> QueryResult<()> {
    if dirt == Dirt::Sessions {
        diesel::sql_query("DELETE FROM engine_sessions WHERE user_id = $1")
            .bind::<BigInt, _>(user.0)
            .execute(connection)?;
        match held {
            Some(held) => diesel::sql_query(
                "INSERT OR REPLACE INTO engine_users (user_id, reason, gone_ms, profile) VALUES ($1, $2, $3, $4)",
            )
            .bind::<BigInt, _>(user.0)
            .bind::<Text, _>(held.reason.as_str())
            .bind::<BigInt, _>(held.gone.map_or(0, |gone| gone.0))
            .bind::<Nullable<Text>, _>(held.profile.as_deref().map(json).transpose()?)
            .execute(connection)?,
            None => diesel::sql_query("DELETE FROM engine_users WHERE user_id = $1")
                .bind::<BigInt, _>(user.0)
                .execute(connection)?,
        };
    }
    for session in held.map(|held| held.sessions.as_slice()).unwrap_or_default() {
        diesel::sql_query(
            "INSERT OR REPLACE INTO engine_sessions (user_id, session_id, timeout_ms, deadline_ms, leaving, idle) \
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind::<BigInt, _>(user.0)
        .bind::<BigInt, _>(session.session.0)
        .bind::<BigInt, _>(millis(session.timeout))
        .bind::<BigInt, _>(session.deadline.0.0)
        .bind::<Bool, _>(session.leaving)
        .bind::<Bool, _>(session.idle)
        .execute(connection)?;
    }
    Ok(())
}
