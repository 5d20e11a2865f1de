//! Statistics in the database: rollups of history, kept up step by step, and what is read of them.
//!
//! A rollup goes from where it was done to now, or from where the projector has changed history since (`Progress`),
//! whichever is earlier: a late projector, a stopped worker and a rebuild from the beginning are the same case.

mod active;
mod online;
mod read;
mod statuses;

use diesel::expression::SqlLiteral;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable};

pub use active::{ActiveDay, roll_active};
pub use online::{delete_old_minutes, roll_online};
pub use read::{PlatformSum, Range, Sessions};
pub use statuses::{Statuses, WORDS, sample};

use crate::db::schema::{presence_history, presence_open, projector_offsets, stats_progress};
use crate::db::{AnyConnection, DbError, write_transaction};
use crate::timestamp::Timestamp;

/// What is rolled up: online users and sessions.
const ONLINE: &str = "online";
/// What is rolled up: active users.
const ACTIVE: &str = "active";
/// PostgreSQL's advisory lock of whoever rolls.
const LOCK: i64 = 7_223_301_971;
/// Nothing is rolled up that lies further back, in milliseconds: a clock that was once far off is not worth years of rows.
const FURTHEST: i64 = 400 * 86_400_000;

/// How far a rollup has come, and from when on history has changed since.
#[derive(Clone, Copy, Debug)]
struct Progress {
    done: Option<Timestamp>,
    changed_from: Option<Timestamp>,
}

impl Progress {
    fn load(connection: &mut AnyConnection, rollup: &str) -> Result<Self, DbError> {
        let row =
            stats_progress::table.find(rollup).select((stats_progress::done_ms, stats_progress::changed_from_ms));
        let (done, changed_from): (Option<i64>, Option<i64>) = row.first(connection)?;
        Ok(Self { done: done.map(Timestamp), changed_from: changed_from.map(Timestamp) })
    }

    /// From when on there is something to be done; `None` where nobody has ever been online.
    fn from(self, now: Timestamp) -> Option<Timestamp> {
        let from = self.done.into_iter().chain(self.changed_from).min()?;
        Some(from.max(Timestamp(now.0 - FURTHEST)))
    }

    fn done(connection: &mut AnyConnection, rollup: &str, to: Timestamp) -> Result<(), DbError> {
        diesel::update(stats_progress::table.find(rollup))
            .set((stats_progress::done_ms.eq(to.0), stats_progress::changed_from_ms.eq(None::<i64>)))
            .execute(connection)?;
        Ok(())
    }
}

/// Has the rollups be made again from a moment on, at their next run.
///
/// # Errors
/// [`DbError`].
pub fn mark_changed(connection: &mut AnyConnection, from: Timestamp) -> Result<(), DbError> {
    let changed_from = stats_progress::changed_from_ms.eq(earlier(from));
    diesel::update(stats_progress::table).set(changed_from).execute(connection)?;
    Ok(())
}

/// The earlier of what a column `changed_from_ms` says, if anything, and this.
pub(super) fn earlier(at: Timestamp) -> SqlLiteral<Nullable<BigInt>> {
    // A number, so that nothing needs escaping.
    let at = at.0;
    diesel::dsl::sql(&format!("CASE WHEN changed_from_ms < {at} THEN changed_from_ms ELSE {at} END"))
}

/// Makes statistics again of history, from `from` on or of all that there is. Answers from when to when; `None` where
/// there is nothing.
///
/// # Errors
/// [`DbError`]; what was made before stays then.
pub fn rebuild(
    connection: &mut AnyConnection,
    from: Option<Timestamp>,
    now: Timestamp,
) -> Result<Option<(Timestamp, Timestamp)>, DbError> {
    let earliest = match from {
        Some(from) => Some(from),
        None => on_one_state(connection, earliest)?,
    };
    let Some(from) = earliest else { return Ok(None) };
    mark_changed(connection, from)?;
    roll_active(connection, now)?;
    roll_online(connection, now).map(Some)
}

/// When history begins.
fn earliest(connection: &mut AnyConnection) -> Result<Option<Timestamp>, DbError> {
    let over: Option<i64> =
        presence_history::table.select(diesel::dsl::min(presence_history::started_at_ms)).first(connection)?;
    let open: Option<i64> =
        presence_open::table.select(diesel::dsl::min(presence_open::started_at_ms)).first(connection)?;
    Ok(over.into_iter().chain(open).min().map(Timestamp))
}

/// Takes from the projectors from when on they have changed history. In a transaction of its own, so that they do not
/// wait for a roll; what they change from now on, they mark anew.
fn take_marks(connection: &mut AnyConnection) -> Result<(), DbError> {
    write_transaction(connection, |connection| {
        let marked = projector_offsets::table
            .filter(projector_offsets::changed_from_ms.is_not_null())
            .order(projector_offsets::shard)
            .select((projector_offsets::shard, projector_offsets::changed_from_ms.assume_not_null()));
        let marks: Vec<(i32, i64)> = match connection {
            AnyConnection::Postgresql(pg) => marked.for_update().load(pg)?,
            AnyConnection::Sqlite(sqlite) => marked.load(sqlite)?,
        };
        // Those that were read, and no other that has been set meanwhile.
        let read = projector_offsets::shard.eq_any(marks.iter().map(|(shard, _)| *shard).collect::<Vec<i32>>());
        diesel::update(projector_offsets::table.filter(read))
            .set(projector_offsets::changed_from_ms.eq(None::<i64>))
            .execute(connection)?;
        match marks.iter().map(|(_, from)| *from).min() {
            Some(from) => mark_changed(connection, Timestamp(from)),
            None => Ok(()),
        }
    })
}

/// Takes the projectors' marks and runs `work` on one state of the database, in one transaction that may take minutes. One
/// at a time: another waits, and then sees what this one did.
fn roll<T>(
    connection: &mut AnyConnection,
    work: impl FnOnce(&mut AnyConnection) -> Result<T, DbError>,
) -> Result<T, DbError> {
    if let AnyConnection::Postgresql(pg) = connection {
        // Before the transaction, whose view begins with its first statement.
        diesel::sql_query(format!("SELECT pg_advisory_lock({LOCK})")).execute(pg)?;
    }
    let done = take_marks(connection).and_then(|()| on_one_state(connection, work));
    if let AnyConnection::Postgresql(pg) = connection {
        diesel::sql_query(format!("SELECT pg_advisory_unlock({LOCK})")).execute(pg)?;
    }
    done
}

/// Runs `work` on one state of the database, however long it takes.
fn on_one_state<T>(
    connection: &mut AnyConnection,
    work: impl FnOnce(&mut AnyConnection) -> Result<T, DbError>,
) -> Result<T, DbError> {
    write_transaction(connection, |connection| {
        if let AnyConnection::Postgresql(pg) = connection {
            diesel::sql_query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ").execute(pg)?;
            diesel::sql_query("SET LOCAL statement_timeout = '5min'").execute(pg)?;
            diesel::sql_query("SET LOCAL idle_in_transaction_session_timeout = '5min'").execute(pg)?;
        }
        work(connection)
    })
}
