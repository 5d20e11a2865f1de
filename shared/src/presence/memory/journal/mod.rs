//! The memory engine's journal in SQLite: what a restart of the stand-alone program begins with.
//!
//! One thread writes. It gathers what changed in all shards into one transaction, whenever an operation waits for it
//! and at least every [`WRITE_BEHIND`]. Tables: `engine_users` and `engine_sessions` (who is held, with deadlines as of
//! when the row was written), `engine_moved` (deadlines that heartbeats moved since), `engine_transitions` (the stream),
//! `engine_state` (the epoch, how far the stream was trimmed).
//!
//! `engine_moved` is a log: a write appends one row, with all deadlines that moved since the last. A session's row says
//! after which row of the log it was written, so that what a heartbeat said before a change does not undo the change.
//! Where the log outweighs the sessions it is **folded**: all deadlines are told again at its end, a part with each
//! write, and then what was there before is deleted.
//!
//! - here: the thread, and what operations ask of it.
//! - `load`, `write`: the reading and the writing.
//! - `tables`: the columns.

mod load;
mod tables;
#[cfg(test)]
mod tests;
mod write;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Weak};
use std::time::Duration;

use diesel::sqlite::SqliteConnection;
use tokio::sync::watch;

use self::load::load;
use self::write::{Batch, write};
use super::operations::Inner;
use super::shard::{Moved, Shard, Unwritten};
use crate::db::sqlite_connection;
use crate::presence::EngineError;
use crate::presence::transition::Epoch;

/// A deadline that a heartbeat moved is in the journal at most so much later.
pub const WRITE_BEHIND: Duration = Duration::from_millis(500);
/// How long an operation waits for the journal.
const WRITTEN_WITHIN: Duration = Duration::from_secs(5);

/// So many moved deadlines are taken out of a shard under one hold of its lock.
const AT_A_TIME: usize = 4_096;

/// When the log of moved deadlines is folded, and how fast.
#[derive(Clone, Copy, Debug)]
struct Folding {
    /// Where the log has more than so many deadlines for each user, and this many bytes.
    sets: usize,
    least: usize,
    /// So many places are told again under one hold of a lock, and four times as many with one write.
    part: u32,
}

const FOLDING: Folding = Folding { sets: 2, least: 64 * 1_024, part: 8_192 };

/// How much of the log of moved deadlines there is.
#[derive(Clone, Copy, Debug)]
struct Length {
    /// Its newest row, or of those that there were.
    seq: i64,
    /// All its rows.
    bytes: usize,
}

/// A fold that is under way.
#[derive(Clone, Copy, Debug)]
struct Fold {
    /// The log as it was at the begin: what is deleted in the end.
    told: Length,
    /// Where it goes on.
    shard: usize,
    from: u32,
}

/// A journal that is open but not yet followed.
pub struct Journal {
    connection: SqliteConnection,
    /// For what is read at the start beside the users; without it they are read one after the other.
    beside: Option<SqliteConnection>,
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
    length: Length,
    fold: Option<Fold>,
    folding: Folding,
    asks: Receiver<u64>,
    written: watch::Sender<u64>,
    failing: Arc<AtomicBool>,
}

fn unavailable(error: impl std::fmt::Display) -> EngineError {
    EngineError::Unavailable(format!("the journal: {error}"))
}

impl Journal {
    /// Opens the journal in a database whose migrations have been run.
    ///
    /// # Errors
    /// [`EngineError::Unavailable`] where the file can't be opened.
    pub fn open(path: &Path) -> Result<Self, EngineError> {
        let open = || sqlite_connection(path).map_err(unavailable);
        Ok(Self { connection: open()?, beside: Some(open()?) })
    }

    /// Reads what was kept, making the state of shards that have none; and begins to write.
    pub(super) fn begin(
        mut self,
        shards: u32,
        fresh: &Epoch,
    ) -> Result<(Vec<Shard>, JournalHandle, Writer), EngineError> {
        let (shards, length) =
            self.connection.immediate_transaction(|connection| load(connection, self.beside, shards, fresh))?;
        let (ask, asks) = channel();
        let (written_tx, written) = watch::channel(0);
        let failing = Arc::new(AtomicBool::new(false));
        let handle = JournalHandle { ask, asked: Arc::default(), written, failing: Arc::clone(&failing) };
        let connection = self.connection;
        Ok((
            shards,
            handle,
            Writer { connection, length, fold: None, folding: FOLDING, asks, written: written_tx, failing },
        ))
    }
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
        let (batch, fold) = self.gather(engine);
        if !batch.is_empty() {
            // What was taken out of the shards is written or nobody is told that it was: try until it is.
            let mut pause = Duration::from_millis(20);
            while let Err(error) = self.connection.immediate_transaction(|c| write(c, &batch)) {
                log::error!("the presence journal could not be written and is tried again: {error}");
                self.failing.store(true, Ordering::Release);
                std::thread::sleep(pause);
                pause = (pause * 2).min(Duration::from_secs(2));
            }
            self.failing.store(false, Ordering::Release);
            for ((mut shard, part), place) in engine.shards().zip(&batch.shards).zip(0..) {
                shard.written(part.newest);
                drop(shard);
                engine.tell(place);
            }
        }
        self.follow_length(engine, &batch, fold);
        self.written.send_replace(asked);
    }

    /// Takes what the shards have to be written, and goes on with a fold.
    fn gather(&self, engine: &Inner) -> (Batch, Option<Fold>) {
        let mut moved = Moved::default();
        let fold = self.fold.and_then(|fold| fold.go_on(engine, self.folding.part, &mut moved));
        for place in 0.. {
            // Each under a lock of its own.
            let more = || engine.shard(place).map(|mut shard| shard.take_moved(AT_A_TIME, &mut moved));
            match std::iter::repeat_with(more).find(|more| *more != Some(true)) {
                Some(Some(_)) => {}
                _ => break,
            }
        }
        let mut shards: Vec<Unwritten> = engine.shards().map(|mut shard| shard.take_unwritten()).collect();
        for part in &mut shards {
            moved.append(&mut part.moved);
        }
        let seq = self.length.seq + i64::from(!moved.is_empty());
        let told_again = self.fold.filter(|_| fold.is_none()).map(|fold| fold.told.seq);
        (Batch { shards, moved, seq, told_again }, fold)
    }

    /// Keeps up how long the log is, after a batch was written, and begins to fold it where it is too long.
    fn follow_length(&mut self, engine: &Inner, batch: &Batch, fold: Option<Fold>) {
        self.length = Length { seq: batch.seq, bytes: self.length.bytes + batch.moved.bytes().len() };
        if let Some(done) = self.fold.filter(|_| fold.is_none()) {
            self.length.bytes -= done.told.bytes;
        }
        self.fold = fold;
        if self.fold.is_none() {
            let users: usize = engine.shards().map(|shard| shard.held_users()).sum();
            if self.length.bytes > self.folding.sets * users * Moved::LENGTH + self.folding.least {
                self.fold = Some(Fold { told: self.length, shard: 0, from: 0 });
            }
        }
    }
}

impl Fold {
    /// Tells the next part of the deadlines again. Answers where to go on.
    fn go_on(self, engine: &Inner, part: u32, moved: &mut Moved) -> Option<Self> {
        let mut fold = self;
        for _ in 0..4 {
            let shard = engine.shard(fold.shard)?;
            fold = match shard.deadlines(fold.from, part, moved) {
                Some(from) => Self { from, ..fold },
                None => Self { shard: fold.shard + 1, from: 0, ..fold },
            };
        }
        Some(fold)
    }
}
