//! Online intervals, as the projector wrote them.

use diesel::prelude::*;

use crate::account::{Standing, Status};
use crate::db::schema::{account_counts, presence_history as history, sessions};
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
    /// That session's device, as long as its row is there.
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

type Row = (i64, i64, Option<i64>, String, Option<String>, Option<i64>, Option<String>);

impl IntervalQuery {
    /// Reads the intervals.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn load(&self, connection: &mut AnyConnection) -> Result<Vec<Interval>, DbError> {
        let (before, before_id) = self.before.map_or((i64::MAX, i64::MAX), |(at, id)| (at.0, id));
        let older =
            history::started_at_ms.lt(before).or(history::started_at_ms.eq(before).and(history::id.lt(before_id)));
        let rows: Vec<Row> = history::table
            .left_join(sessions::table.on(sessions::id.nullable().eq(history::session_id)))
            .filter(history::user_id.eq(self.user.0))
            .filter(history::started_at_ms.lt(self.to.0))
            .filter(history::ended_at_ms.is_null().or(history::ended_at_ms.ge(self.from.0)))
            .filter(older)
            .order((history::started_at_ms.desc(), history::id.desc()))
            .limit(self.limit)
            .select((
                history::id,
                history::started_at_ms,
                history::ended_at_ms,
                history::start_reason,
                history::end_reason,
                history::session_id,
                sessions::device.nullable(),
            ))
            .load(connection)?;
        rows.into_iter().map(interval).collect()
    }
}

fn interval((id, started, ended, start_reason, end_reason, session, device): Row) -> Result<Interval, DbError> {
    let reason = |text: &str| text.parse::<Reason>().map_err(DbError::Content);
    let end_reason = end_reason.as_deref().map(reason).transpose()?.unwrap_or(Reason::Timeout);
    Ok(Interval {
        id,
        started_at: Timestamp(started),
        ended: ended.map(|at| (Timestamp(at), end_reason)),
        start_reason: reason(&start_reason)?,
        session: session.map(SessionId),
        device,
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
