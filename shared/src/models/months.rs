//! History's months: on PostgreSQL each is a partition of `presence_history`. On SQLite there are none, and old rows are
//! deleted alone.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::result::DatabaseErrorKind;
use diesel::sql_types::{BigInt, Bool, Text};

use crate::db::schema::presence_history;
use crate::db::{AnyConnection, DbError, LIMITS_OF_TIME};
use crate::timestamp::Timestamp;

/// Whether an interval was to be written for whose month there is no partition.
#[must_use]
pub fn lacks_partition(error: &DbError) -> bool {
    let DbError::Query(diesel::result::Error::DatabaseError(DatabaseErrorKind::CheckViolation, information)) = error
    else {
        return false;
    };
    information.message().starts_with("no partition of relation")
}

/// Makes the partitions of the months from one moment to another that are missing. Nothing to do on SQLite.
///
/// # Errors
/// [`DbError`].
pub fn make_partitions(connection: &mut AnyConnection, from: Timestamp, to: Timestamp) -> Result<(), DbError> {
    /// Shorter than any month.
    const STEP: std::time::Duration = std::time::Duration::from_secs(27 * 86_400);
    let AnyConnection::Postgresql(pg) = connection else { return Ok(()) };
    let mut at = from;
    loop {
        diesel::sql_query("SELECT presence_history_partition($1)").bind::<BigInt, _>(at.0.min(to.0)).execute(pg)?;
        if at >= to {
            return Ok(());
        }
        at = at.plus(STEP);
    }
}

/// Drops the months of which every interval ended before `before`. Nothing to do on SQLite. Neither readers nor writers
/// wait for it: PostgreSQL's DETACH CONCURRENTLY waits for them. Answers how many were dropped.
///
/// # Errors
/// [`DbError`]; what was begun is ended by the next call.
pub fn drop_months(connection: &mut AnyConnection, before: Timestamp) -> Result<usize, DbError> {
    let AnyConnection::Postgresql(pg) = connection else { return Ok(0) };
    let first_kept = utc_month(before);
    let all: Vec<Month> = diesel::sql_query(
        "SELECT c.relname::text AS name, i.inhrelid IS NOT NULL AS attached, COALESCE(i.inhdetachpending, FALSE) AS detaching \
         FROM pg_class c LEFT JOIN pg_inherits i ON i.inhrelid = c.oid \
         WHERE c.relkind = 'r' AND c.relnamespace = current_schema::regnamespace \
             AND c.relname ~ '^presence_history_[0-9]{4}_[0-9]{2}$' ORDER BY 1",
    )
    .load(pg)?;
    let mut dropped = 0;
    // The names order as the months do.
    for month in all.into_iter().filter(|month| month.name < first_kept) {
        // No other limit of time than the lock's: it waits for transactions that have begun before, and holds nobody up.
        pg.batch_execute("SET statement_timeout = 0")?;
        let gone = month.drop(pg);
        pg.batch_execute(LIMITS_OF_TIME)?;
        gone?;
        dropped += 1;
    }
    Ok(dropped)
}

/// The name of the partition in which a moment is.
fn utc_month(at: Timestamp) -> String {
    let day = chrono::DateTime::from_timestamp_millis(at.0).unwrap_or_default();
    format!("presence_history_{}", day.format("%Y_%m"))
}

/// A partition. A crash may have left it detached, or half-way.
#[derive(QueryableByName)]
struct Month {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Bool)]
    attached: bool,
    #[diesel(sql_type = Bool)]
    detaching: bool,
}

impl Month {
    fn drop(&self, pg: &mut PgConnection) -> QueryResult<()> {
        let how = if self.detaching { "FINALIZE" } else { "CONCURRENTLY" };
        if self.attached {
            pg.batch_execute(&format!("ALTER TABLE presence_history DETACH PARTITION {} {how}", self.name))?;
        }
        pg.batch_execute(&format!("DROP TABLE {}", self.name))
    }
}

/// Deletes the first `limit` intervals that ended from `after` on and before `before`, and those that ended in the same
/// millisecond as the last of them. Answers from when on to go on; `None` where none is left.
///
/// # Errors
/// [`DbError`].
pub fn delete_old(
    connection: &mut AnyConnection,
    after: Timestamp,
    before: Timestamp,
    limit: i64,
) -> Result<Option<Timestamp>, DbError> {
    use presence_history::ended_at_ms;
    // In two statements: with the bound at hand PostgreSQL goes by the index, past what was deleted just now.
    let last: Option<i64> = presence_history::table
        .filter(ended_at_ms.ge(after.0))
        .filter(ended_at_ms.lt(before.0))
        .order(ended_at_ms)
        .offset(limit - 1)
        .select(ended_at_ms)
        .first(connection)
        .optional()?;
    let until = last.map_or(before.0, |last| last + 1);
    let some = presence_history::table.filter(ended_at_ms.ge(after.0)).filter(ended_at_ms.lt(until));
    diesel::delete(some).execute(connection)?;
    Ok(last.map(|_| Timestamp(until)))
}
