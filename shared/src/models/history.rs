//! Online intervals, as the projector wrote them.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};

use super::sql::{Statement, Value};
use crate::account::{Standing, Status};
use crate::db::schema::account_counts;
use crate::db::{AnyConnection, DbError};
use crate::ids::{SessionId, UserId};
use crate::presence::Reason;
use crate::timestamp::Timestamp;

/// One online interval.
#[derive(Clone, Debug)]
pub struct Interval {
    /// Its row, which orders intervals that began at the same moment.
    pub id: i64,
    /// When it began.
    pub started_at: Timestamp,
    /// When and why it ended; `None` while it lasts.
    pub ended: Option<(Timestamp, Reason)>,
    /// What began it.
    pub start_reason: Reason,
    /// The session that began it.
    pub session: Option<SessionId>,
    /// That session's device.
    pub device: Option<String>,
}

/// Which intervals: those that touch the time from `from` to `to`, the newest first.
#[derive(Clone, Copy, Debug)]
pub struct IntervalQuery {
    /// Whose.
    pub user: UserId,
    /// Not those that ended before.
    pub from: Timestamp,
    /// Not those that began at or after this.
    pub to: Timestamp,
    /// Only those older than this one: its beginning and its row.
    pub before: Option<(Timestamp, i64)>,
    /// At most so many.
    pub limit: i64,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = BigInt)]
    started_at_ms: i64,
    #[diesel(sql_type = Nullable<BigInt>)]
    ended_at_ms: Option<i64>,
    #[diesel(sql_type = Text)]
    start_reason: String,
    #[diesel(sql_type = Nullable<Text>)]
    end_reason: Option<String>,
    #[diesel(sql_type = Nullable<BigInt>)]
    session_id: Option<i64>,
    #[diesel(sql_type = Nullable<Text>)]
    device: Option<String>,
}

impl IntervalQuery {
    /// Reads the intervals.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn load(&self, connection: &mut AnyConnection) -> Result<Vec<Interval>, DbError> {
        let (before, before_id) = self.before.map_or((i64::MAX, i64::MAX), |(at, id)| (at.0, id));
        let mut statement = Statement::on(connection);
        let [user, from, to, before, before_id, limit] =
            [self.user.0, self.from.0, self.to.0, before, before_id, self.limit]
                .map(|number| statement.value(Value::Int(number)));
        let place = format!(
            "user_id = {user} AND started_at_ms < {to} AND started_at_ms <= {before} \
             AND (started_at_ms < {before} OR id < {before_id})"
        );
        let order = format!("ORDER BY started_at_ms DESC, id DESC LIMIT {limit}");
        // The bound of the ends lets PostgreSQL leave out the months before.
        statement.push(&format!(
            "SELECT * FROM ( \
                 SELECT id, started_at_ms, CAST(NULL AS BIGINT) AS ended_at_ms, start_reason, NULL AS end_reason, \
                     session_id, device FROM presence_open WHERE {place} \
                 UNION ALL SELECT * FROM ( \
                     SELECT id, started_at_ms, ended_at_ms, start_reason, end_reason, session_id, device \
                     FROM presence_history WHERE {place} AND ended_at_ms >= {from} {order} \
                 ) AS over \
             ) AS both_kinds {order}"
        ));
        statement.load::<Row>(connection)?.into_iter().map(interval).collect()
    }
}

fn interval(row: Row) -> Result<Interval, DbError> {
    let reason = |text: &str| text.parse::<Reason>().map_err(DbError::Content);
    let end_reason = row.end_reason.as_deref().map(reason).transpose()?.unwrap_or(Reason::Timeout);
    Ok(Interval {
        id: row.id,
        started_at: Timestamp(row.started_at_ms),
        ended: row.ended_at_ms.map(|at| (Timestamp(at), end_reason)),
        start_reason: reason(&row.start_reason)?,
        session: row.session_id.map(SessionId),
        device: row.device,
    })
}

/// How many accounts there are of each standing.
///
/// # Errors
/// [`DbError`].
pub fn accounts_by_standing(connection: &mut AnyConnection) -> Result<Vec<(Standing, u64)>, DbError> {
    let rows: Vec<(String, bool, i64)> = account_counts::table
        .select((account_counts::status, account_counts::is_active, account_counts::n))
        .load(connection)?;
    rows.into_iter()
        .map(|(status, is_active, n)| {
            let status: Status = status.parse().map_err(DbError::Content)?;
            Ok((Standing { status, is_active }, u64::try_from(n).unwrap_or(0)))
        })
        .collect()
}
