//! Online intervals, as the projector writes them: a user's open one in `presence_open`, those that are over in
//! `presence_history`.

use std::collections::{HashMap, HashSet};

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Nullable, Text};

use super::notification::Arrival;
use super::open_counts::{Opened, Platforms, add, count};
use super::sql::Keep;
use crate::db::schema::presence_open;
use crate::db::{AnyConnection, DbError};
use crate::ids::{SessionId, UserId};
use crate::presence::Reason;
use crate::presence::availability::Privacy;
use crate::presence::transition::Transition;
use crate::timestamp::Timestamp;

/// What a batch means for one user's history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct HistoryChange {
    /// When and why the interval that was open before the batch ended.
    close: Option<(Timestamp, Reason)>,
    /// New intervals; the last may be open.
    insert: Vec<Interval>,
}

#[derive(QueryableByName)]
struct Opening {
    #[diesel(sql_type = BigInt)]
    user_id: i64,
    #[diesel(sql_type = Text)]
    platform: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Interval {
    started_at: Timestamp,
    start_reason: Reason,
    ended: Option<(Timestamp, Reason)>,
    session: Option<SessionId>,
    /// Who might see that it began.
    privacy: Privacy,
}

/// What one user's transitions, in order, mean for its history. An online while an interval is open changes nothing,
/// and so does an offline while none is: a transition may be stated again after a loss.
fn fold_history(mut open: bool, transitions: &[Transition]) -> HistoryChange {
    let mut change = HistoryChange::default();
    for t in transitions {
        match (t.online, open) {
            (true, false) => {
                let (started_at, start_reason, session) = (t.at, t.reason, t.session);
                let privacy = t.privacy;
                change.insert.push(Interval { started_at, start_reason, ended: None, session, privacy });
            }
            (false, true) => match change.insert.last_mut() {
                Some(last) => last.ended = Some((t.at.max(last.started_at), t.reason)),
                None => change.close = Some((t.at, t.reason)),
            },
            (true, true) | (false, false) => {}
        }
        open = t.online;
    }
    change
}

/// Writes what one shard's transitions, in their order, mean for history. Answers who came online, and when last:
/// whoever was online all along, and is only stated to be so, did not.
///
/// # Errors
/// [`DbError`].
pub fn write(
    connection: &mut AnyConnection,
    shard: u32,
    by_user: &HashMap<UserId, Vec<Transition>>,
) -> Result<HashMap<UserId, Arrival>, DbError> {
    if by_user.is_empty() {
        return Ok(HashMap::new());
    }
    let open = open_among(connection, by_user)?;
    let (mut closed, mut new, mut arrived) = (Vec::new(), Vec::new(), HashMap::new());
    for (user, transitions) in by_user {
        let open = match transitions.as_slice() {
            // Taken for a change. Where it is none, nothing is closed, and what is open stays.
            [only] => !only.online,
            _ => open.contains(&user.0),
        };
        let change = fold_history(open, transitions);
        closed.extend(change.close.map(|(at, reason)| (*user, at, reason)));
        let last = change.insert.last();
        arrived.extend(last.map(|interval| (*user, Arrival { at: interval.started_at, privacy: interval.privacy })));
        new.extend(change.insert.into_iter().map(|interval| (*user, interval)));
    }
    let mut opened = Opened::new();
    let stayed = match connection {
        AnyConnection::Postgresql(pg) => {
            close(pg, &closed, &mut opened)?;
            insert(pg, &new, &mut opened)?
        }
        AnyConnection::Sqlite(sqlite) => {
            for (user, at, reason) in &closed {
                close_one(sqlite, *user, *at, *reason, &mut opened)?;
            }
            let mut stayed = Vec::new();
            for (user, interval) in &new {
                let is_new = open_one(sqlite, *user, interval, &mut opened)?;
                stayed.extend((!is_new).then_some(*user));
                if let Some((at, reason)) = interval.ended {
                    close_one(sqlite, *user, at, reason, &mut opened)?;
                }
            }
            stayed
        }
    };
    for user in stayed {
        arrived.remove(&user);
    }
    count(connection, shard.cast_signed(), &opened)?;
    Ok(arrived)
}

/// Which of those with several transitions have an open interval.
fn open_among(
    connection: &mut AnyConnection,
    by_user: &HashMap<UserId, Vec<Transition>>,
) -> Result<HashSet<i64>, DbError> {
    let several: Vec<i64> = by_user.iter().filter(|(_, all)| all.len() > 1).map(|(user, _)| user.0).collect();
    if several.is_empty() {
        return Ok(HashSet::new());
    }
    let open = presence_open::table.filter(presence_open::user_id.eq_any(several)).select(presence_open::user_id);
    Ok(open.load(connection)?.into_iter().collect())
}

fn close(pg: &mut PgConnection, closed: &[(UserId, Timestamp, Reason)], opened: &mut Opened) -> QueryResult<()> {
    if closed.is_empty() {
        return Ok(());
    }
    let rows = diesel::sql_query(
        "WITH gone AS ( \
             DELETE FROM presence_open o USING unnest($1, $2, $3) AS n(user_id, at, reason) \
             WHERE o.user_id = n.user_id \
             RETURNING o.*, GREATEST(o.started_at_ms, n.at) AS ended_at_ms, n.reason AS end_reason \
         ), moved AS ( \
             INSERT INTO presence_history (id, user_id, started_at_ms, ended_at_ms, start_reason, end_reason, \
                 session_id, device, platform) \
             SELECT id, user_id, started_at_ms, ended_at_ms, start_reason, end_reason, session_id, device, platform \
             FROM gone RETURNING platform \
         ) SELECT platform, count(*) AS n FROM moved GROUP BY platform",
    )
    .bind::<Array<BigInt>, _>(closed.iter().map(|(user, ..)| user.0).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(closed.iter().map(|(_, at, _)| at.0).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(closed.iter().map(|(.., reason)| reason.as_str()).collect::<Vec<_>>())
    .kept()
    .load(pg)?;
    add(opened, rows, -1);
    Ok(())
}

/// Those that are over already go straight to history. Answers whose interval is open already, and stays so.
fn insert(pg: &mut PgConnection, new: &[(UserId, Interval)], opened: &mut Opened) -> QueryResult<Vec<UserId>> {
    let mut stayed = Vec::new();
    let (over, open): (Vec<_>, Vec<_>) = new.iter().partition(|(_, interval)| interval.ended.is_some());
    for (table, some) in [("presence_history", over), ("presence_open", open)] {
        if some.is_empty() {
            continue;
        }
        let ends = some.iter().filter_map(|(_, interval)| interval.ended);
        let (ends, end_reasons): (Vec<i64>, Vec<&str>) = ends.map(|(at, reason)| (at.0, reason.as_str())).unzip();
        let (columns, values, already) = match ends.is_empty() {
            true => ("", "", " ON CONFLICT (user_id) DO NOTHING"),
            false => (", ended_at_ms, end_reason", ", n.ended, n.end_reason", ""),
        };
        // Those of open ones are empty, and then no column of them is read.
        let rows: Vec<Opening> = diesel::sql_query(format!(
            "INSERT INTO {table} (user_id, started_at_ms, start_reason, session_id, device, platform{columns}) \
             SELECT n.user_id, n.started, n.start_reason, n.session, s.device, COALESCE(s.platform, 'other'){values} \
             FROM unnest($1, $2, $3, $4, $5, $6) AS n(user_id, started, start_reason, session, ended, end_reason) \
             LEFT JOIN sessions s ON s.id = n.session{already} RETURNING user_id, platform"
        ))
        .bind::<Array<BigInt>, _>(some.iter().map(|(user, _)| user.0).collect::<Vec<_>>())
        .bind::<Array<BigInt>, _>(some.iter().map(|(_, interval)| interval.started_at.0).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(some.iter().map(|(_, one)| one.start_reason.as_str()).collect::<Vec<_>>())
        .bind::<Array<Nullable<BigInt>>, _>(
            some.iter().map(|(_, one)| one.session.map(|session| session.0)).collect::<Vec<_>>(),
        )
        .bind::<Array<BigInt>, _>(&ends)
        .bind::<Array<Text>, _>(&end_reasons)
        .kept()
        .load(pg)?;
        if ends.is_empty() {
            let is_new: HashSet<i64> = rows.iter().map(|row| row.user_id).collect();
            stayed.extend(some.iter().map(|(user, _)| *user).filter(|user| !is_new.contains(&user.0)));
            for row in rows {
                *opened.entry(row.platform).or_default() += 1;
            }
        }
    }
    Ok(stayed)
}

/// Answers whether it is new: one that is open already stays.
fn open_one(
    sqlite: &mut SqliteConnection,
    user: UserId,
    interval: &Interval,
    opened: &mut Opened,
) -> QueryResult<bool> {
    let rows: Vec<Platforms> = diesel::sql_query(
        "INSERT INTO presence_open (user_id, started_at_ms, start_reason, session_id, device, platform) \
         VALUES (?1, ?2, ?3, ?4, (SELECT device FROM sessions WHERE id = ?4), \
             COALESCE((SELECT platform FROM sessions WHERE id = ?4), 'other')) \
         ON CONFLICT (user_id) DO NOTHING RETURNING platform, 1 AS n",
    )
    .bind::<BigInt, _>(user.0)
    .bind::<BigInt, _>(interval.started_at.0)
    .bind::<Text, _>(interval.start_reason.as_str())
    .bind::<Nullable<BigInt>, _>(interval.session.map(|session| session.0))
    .load(sqlite)?;
    let is_new = !rows.is_empty();
    add(opened, rows, 1);
    Ok(is_new)
}

fn close_one(
    sqlite: &mut SqliteConnection,
    user: UserId,
    at: Timestamp,
    reason: Reason,
    opened: &mut Opened,
) -> QueryResult<()> {
    diesel::sql_query(
        "INSERT INTO presence_history (id, user_id, started_at_ms, ended_at_ms, start_reason, end_reason, session_id, \
             device, platform) \
         SELECT id, user_id, started_at_ms, max(started_at_ms, ?2), start_reason, ?3, session_id, device, platform \
         FROM presence_open WHERE user_id = ?1",
    )
    .bind::<BigInt, _>(user.0)
    .bind::<BigInt, _>(at.0)
    .bind::<Text, _>(reason.as_str())
    .execute(sqlite)?;
    let rows = diesel::sql_query("DELETE FROM presence_open WHERE user_id = ?1 RETURNING platform, 1 AS n")
        .bind::<BigInt, _>(user.0)
        .load(sqlite)?;
    add(opened, rows, -1);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::presence::availability::{Privacy, Shown};

    fn t(online: bool, at: i64) -> Transition {
        let reason = if online { Reason::Login } else { Reason::Timeout };
        let at = Timestamp(at);
        let (shown, privacy) = (Shown::default(), Privacy::default());
        Transition {
            user: UserId(1),
            online,
            at,
            last_seen: at,
            reason,
            session: None,
            session_seen: at,
            shown,
            privacy,
        }
    }

    #[test]
    fn history_never_doubles_and_never_overlaps() {
        let ended = |started: i64, at: i64| Interval {
            started_at: Timestamp(started),
            start_reason: Reason::Login,
            ended: Some((Timestamp(at), Reason::Timeout)),
            session: None,
            privacy: Privacy::default(),
        };
        let open = |started: i64| Interval { ended: None, ..ended(started, 0) };
        let rows: [(bool, &[Transition], HistoryChange); 6] = [
            (false, &[t(true, 1)], HistoryChange { close: None, insert: vec![open(1)] }),
            (true, &[t(true, 1)], HistoryChange::default()),
            (false, &[t(false, 1)], HistoryChange::default()),
            (true, &[t(false, 1)], HistoryChange { close: Some((Timestamp(1), Reason::Timeout)), insert: vec![] }),
            (
                true,
                &[t(false, 2), t(true, 3), t(true, 4), t(false, 5), t(false, 6), t(true, 7)],
                HistoryChange { close: Some((Timestamp(2), Reason::Timeout)), insert: vec![ended(3, 5), open(7)] },
            ),
            // A clock that was set back makes an interval of no length, not one that ends before it begins.
            (false, &[t(true, 9), t(false, 5)], HistoryChange { close: None, insert: vec![ended(9, 9)] }),
        ];
        for (open, transitions, expected) in rows {
            assert_eq!(fold_history(open, transitions), expected, "{open} {transitions:?}");
        }
    }
}
