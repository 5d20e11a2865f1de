//! What the database holds of presence, and how the projector makes it follow the transitions.

use std::collections::{HashMap, HashSet};

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Nullable, Text};

use super::listening::tell_presence;
use super::notification::{Arrival, Notification, Telling, notify};
use super::sql::{Statement, Value};
use crate::db::schema::{accounts, presence, presence_history, projector_offsets, sessions};
use crate::db::{AnyConnection, DbError, write_transaction};
use crate::ids::{SessionId, UserId, WebhookId};
use crate::presence::Reason;
use crate::presence::availability::Privacy;
use crate::presence::transition::{Entry, Event, Transition, TransitionId};
use crate::timestamp::Timestamp;

/// How far the database has followed one shard's transitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offset {
    /// In which epoch.
    pub epoch: String,
    /// Up to and with which entry.
    pub id: TransitionId,
}

/// A shard, of how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShardOf {
    /// Which.
    pub shard: u32,
    /// Of how many.
    pub shards: u32,
}

/// What became of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Applied {
    /// It is in the database, and so is this.
    Yes(Written),
    /// Another projector was faster: read the offset again.
    Overtaken,
}

/// What was written beside the presence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Who was told that a contact came online.
    pub notifications: Vec<Notification>,
    /// Which webhooks have something to be sent.
    pub webhooks: Vec<WebhookId>,
}

/// What a batch means for one user's history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct HistoryChange {
    /// When and why the interval that was open before the batch ended.
    close: Option<(Timestamp, Reason)>,
    /// New intervals; the last may be open.
    insert: Vec<Interval>,
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

impl Offset {
    /// A shard's offset; `None` before the first batch.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn load(connection: &mut AnyConnection, shard: u32) -> Result<Option<Self>, DbError> {
        let row: Option<(String, i64, i64)> = projector_offsets::table
            .find(shard.cast_signed())
            .select((projector_offsets::epoch, projector_offsets::id_ms, projector_offsets::id_seq))
            .first(connection)
            .optional()?;
        Ok(row.map(|(epoch, ms, seq)| Self {
            epoch,
            id: TransitionId { ms: ms.cast_unsigned(), seq: seq.cast_unsigned() },
        }))
    }

    /// Moves the offset, if it is still `from`.
    fn advance(
        connection: &mut AnyConnection,
        shard: u32,
        from: Option<&Self>,
        to: &Self,
    ) -> Result<bool, diesel::result::Error> {
        let shard = shard.cast_signed();
        let new = (
            projector_offsets::epoch.eq(&to.epoch),
            projector_offsets::id_ms.eq(to.id.ms.cast_signed()),
            projector_offsets::id_seq.eq(to.id.seq.cast_signed()),
        );
        let changed = match from {
            Some(from) => diesel::update(
                projector_offsets::table
                    .find(shard)
                    .filter(projector_offsets::epoch.eq(&from.epoch))
                    .filter(projector_offsets::id_ms.eq(from.id.ms.cast_signed()))
                    .filter(projector_offsets::id_seq.eq(from.id.seq.cast_signed())),
            )
            .set(new)
            .execute(connection)?,
            None => crate::db::on_either!(connection, c => {
                diesel::insert_into(projector_offsets::table)
                    .values((projector_offsets::shard.eq(shard), new))
                    .on_conflict_do_nothing()
                    .execute(c)?
            }),
        };
        Ok(changed == 1)
    }
}

/// Writes a batch of one shard's entries, and the offset, in one transaction: exactly once in effect, since whoever
/// comes second finds another offset and writes nothing.
///
/// # Errors
/// [`DbError`]; nothing is written then.
pub fn apply(
    connection: &mut AnyConnection,
    shard: ShardOf,
    from: Option<&Offset>,
    to: &Offset,
    entries: &[Entry],
    telling: Telling,
) -> Result<Applied, DbError> {
    write_transaction(connection, |connection| {
        if !Offset::advance(connection, shard.shard, from, to)? {
            return Ok(Applied::Overtaken);
        }
        if from.is_some_and(|from| from.epoch != to.epoch) {
            forget_who_was_online(connection, shard)?;
        }
        let mut by_user: HashMap<UserId, Vec<Transition>> = HashMap::new();
        let mut seen: HashMap<SessionId, Timestamp> = HashMap::new();
        for entry in entries {
            match &entry.event {
                Event::Transition(t) => {
                    by_user.entry(t.user).or_default().push(t.clone());
                    if let (false, Some(session)) = (t.online, t.session) {
                        note(&mut seen, session, t.session_seen);
                    }
                }
                Event::SessionLeft { session, last_seen, .. } => {
                    note(&mut seen, *session, *last_seen);
                }
                // What is shown, and to whom, is in the account's row and the contacts': written before it was told.
                Event::Shown(_) | Event::Privacy { .. } | Event::Relation { .. } => {}
            }
        }
        // Whoever was deleted meanwhile has no presence to be written; whoever is there is kept from being deleted.
        let there = lock_existing(connection, by_user.keys().map(|user| user.0).collect())?;
        by_user.retain(|user, _| there.contains(&user.0));
        let webhooks = tell_presence(connection, entries, telling.policy, Timestamp::now())?;
        write_presence(connection, &by_user)?;
        let arrived = write_history(connection, &by_user)?;
        write_sessions(connection, &seen)?;
        let notifications = notify(connection, &arrived, telling, Timestamp::now())?;
        Ok(Applied::Yes(Written { notifications, webhooks }))
    })
}

/// The engine lost its data: it knows of nobody, and so the database says of nobody that it is online. Who was, comes
/// back by a heartbeat; its interval stays open for that, until the reconciliation closes it.
fn forget_who_was_online(connection: &mut AnyConnection, ShardOf { shard, shards }: ShardOf) -> Result<(), DbError> {
    let mut statement = Statement::on(connection);
    statement.push(&format!(
        "UPDATE presence SET online = FALSE, reason = 'timeout' WHERE online AND user_id % {shards} = {shard}"
    ));
    statement.execute(connection)?;
    Ok(())
}

fn note(seen: &mut HashMap<SessionId, Timestamp>, session: SessionId, at: Timestamp) {
    seen.entry(session).and_modify(|newest| *newest = (*newest).max(at)).or_insert(at);
}

fn lock_existing(connection: &mut AnyConnection, ids: Vec<i64>) -> Result<HashSet<i64>, DbError> {
    let existing = accounts::table.filter(accounts::id.eq_any(ids)).order(accounts::id).select(accounts::id);
    let found: Vec<i64> = match connection {
        AnyConnection::Postgresql(pg) => existing.for_key_share().load(pg)?,
        AnyConnection::Sqlite(sqlite) => existing.load(sqlite)?,
    };
    Ok(found.into_iter().collect())
}

fn write_presence(connection: &mut AnyConnection, by_user: &HashMap<UserId, Vec<Transition>>) -> Result<(), DbError> {
    let last = by_user.iter().filter_map(|(user, all)| Some((user.0, all.last()?)));
    match connection {
        AnyConnection::Postgresql(pg) => {
            let (mut ids, mut online, mut seen, mut reasons) = (vec![], vec![], vec![], vec![]);
            for (user, t) in last {
                ids.push(user);
                online.push(t.online);
                seen.push(t.last_seen.0);
                reasons.push(t.reason.as_str());
            }
            diesel::sql_query(
                "UPDATE presence p SET online = n.online, last_seen_ms = GREATEST(p.last_seen_ms, n.seen), reason = n.reason \
                 FROM unnest($1, $2, $3, $4) AS n(id, online, seen, reason) WHERE p.user_id = n.id",
            )
            .bind::<Array<BigInt>, _>(ids)
            .bind::<Array<Bool>, _>(online)
            .bind::<Array<BigInt>, _>(seen)
            .bind::<Array<Text>, _>(reasons)
            .execute(pg)?;
        }
        AnyConnection::Sqlite(sqlite) => {
            for (user, t) in last {
                diesel::sql_query(
                    "UPDATE presence SET online = ?, last_seen_ms = max(last_seen_ms, ?), reason = ? WHERE user_id = ?",
                )
                .bind::<Bool, _>(t.online)
                .bind::<BigInt, _>(t.last_seen.0)
                .bind::<Text, _>(t.reason.as_str())
                .bind::<BigInt, _>(user)
                .execute(sqlite)?;
            }
        }
    }
    Ok(())
}

/// Answers who came online, and when last: whoever was online all along, and is only stated to be so, did not.
fn write_history(
    connection: &mut AnyConnection,
    by_user: &HashMap<UserId, Vec<Transition>>,
) -> Result<HashMap<UserId, Arrival>, DbError> {
    let ids: Vec<i64> = by_user.keys().map(|user| user.0).collect();
    let open: HashMap<i64, i64> = presence_history::table
        .filter(presence_history::user_id.eq_any(ids))
        .filter(presence_history::ended_at_ms.is_null())
        .select((presence_history::user_id, presence_history::id))
        .load::<(i64, i64)>(connection)?
        .into_iter()
        .collect();
    let (mut closed, mut new, mut arrived) = (Vec::new(), Vec::<NewInterval>::new(), HashMap::new());
    for (user, transitions) in by_user {
        let interval = open.get(&user.0).copied();
        let change = fold_history(interval.is_some(), transitions);
        if let (Some(id), Some((at, reason))) = (interval, change.close) {
            closed.push((id, at, reason));
        }
        let last = change.insert.last();
        arrived.extend(last.map(|interval| (*user, Arrival { at: interval.started_at, privacy: interval.privacy })));
        new.extend(change.insert.into_iter().map(|interval| NewInterval {
            user_id: user.0,
            started_at_ms: interval.started_at.0,
            ended_at_ms: interval.ended.map(|(at, _)| at.0),
            start_reason: interval.start_reason.as_str(),
            end_reason: interval.ended.map(|(_, reason)| reason.as_str()),
            session_id: interval.session.map(|session| session.0),
        }));
    }
    close(connection, &closed)?;
    match connection {
        AnyConnection::Postgresql(pg) => {
            // Far below PostgreSQL's 65,535 values a statement.
            for some in new.chunks(1_000) {
                diesel::insert_into(presence_history::table).values(some).execute(pg)?;
            }
        }
        AnyConnection::Sqlite(sqlite) => {
            for interval in &new {
                diesel::insert_into(presence_history::table).values(interval).execute(sqlite)?;
            }
        }
    }
    Ok(arrived)
}

#[derive(Insertable)]
#[diesel(table_name = presence_history)]
struct NewInterval {
    user_id: i64,
    started_at_ms: i64,
    ended_at_ms: Option<i64>,
    start_reason: &'static str,
    end_reason: Option<&'static str>,
    session_id: Option<i64>,
}

/// Closes intervals: on PostgreSQL in one statement, since each costs a round trip.
fn close(connection: &mut AnyConnection, closed: &[(i64, Timestamp, Reason)]) -> Result<(), DbError> {
    match connection {
        AnyConnection::Postgresql(pg) => {
            let ids: Vec<i64> = closed.iter().map(|(id, ..)| *id).collect();
            let ends: Vec<i64> = closed.iter().map(|(_, at, _)| at.0).collect();
            let reasons: Vec<&str> = closed.iter().map(|(.., reason)| reason.as_str()).collect();
            diesel::sql_query(
                "UPDATE presence_history h SET ended_at_ms = GREATEST(h.started_at_ms, n.at), end_reason = n.reason \
                 FROM unnest($1, $2, $3) AS n(id, at, reason) WHERE h.id = n.id",
            )
            .bind::<Array<BigInt>, _>(ids)
            .bind::<Array<BigInt>, _>(ends)
            .bind::<Array<Text>, _>(reasons)
            .execute(pg)?;
        }
        AnyConnection::Sqlite(sqlite) => {
            for (id, at, reason) in closed {
                diesel::sql_query(
                    "UPDATE presence_history SET ended_at_ms = max(started_at_ms, ?), end_reason = ? WHERE id = ?",
                )
                .bind::<BigInt, _>(at.0)
                .bind::<Text, _>(reason.as_str())
                .bind::<BigInt, _>(*id)
                .execute(sqlite)?;
            }
        }
    }
    Ok(())
}

/// As [`close`]. The rows are locked in the order of their ids, as they are where a user's sessions are ended.
fn write_sessions(connection: &mut AnyConnection, seen: &HashMap<SessionId, Timestamp>) -> Result<(), DbError> {
    match connection {
        AnyConnection::Postgresql(pg) => {
            let (ids, seen): (Vec<i64>, Vec<i64>) = seen.iter().map(|(session, at)| (session.0, at.0)).unzip();
            diesel::sql_query(
                "UPDATE sessions s SET last_seen_ms = n.seen FROM ( \
                     SELECT o.id, m.seen FROM sessions o JOIN unnest($1, $2) AS m(id, seen) ON o.id = m.id \
                     WHERE o.last_seen_ms < m.seen ORDER BY o.id FOR NO KEY UPDATE OF o \
                 ) n WHERE s.id = n.id",
            )
            .bind::<Array<BigInt>, _>(ids)
            .bind::<Array<BigInt>, _>(seen)
            .execute(pg)?;
        }
        AnyConnection::Sqlite(sqlite) => {
            for (session, at) in seen {
                let older = sessions::table.find(session.0).filter(sessions::last_seen_ms.lt(at.0));
                diesel::update(older).set(sessions::last_seen_ms.eq(at.0)).execute(sqlite)?;
            }
        }
    }
    Ok(())
}

/// A user with an online interval that is still open.
#[derive(QueryableByName, Clone, Copy, Debug)]
pub struct OpenInterval {
    #[diesel(sql_type = BigInt)]
    user_id: i64,
    #[diesel(sql_type = BigInt)]
    last_seen_ms: i64,
    #[diesel(sql_type = Nullable<BigInt>)]
    inactivity_timeout_ms: Option<i64>,
}

impl OpenInterval {
    /// Whose.
    #[must_use]
    pub fn user(&self) -> UserId {
        UserId(self.user_id)
    }

    /// The last sign of life that the database knows of.
    #[must_use]
    pub fn last_seen(&self) -> Timestamp {
        Timestamp(self.last_seen_ms)
    }

    /// The user's own timeout.
    #[must_use]
    pub fn own_timeout(&self) -> Option<std::time::Duration> {
        self.inactivity_timeout_ms.map(|ms| std::time::Duration::from_millis(ms.unsigned_abs()))
    }

    /// The next open intervals of a shard, in the order of their users' ids.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn page(
        connection: &mut AnyConnection,
        ShardOf { shard, shards }: ShardOf,
        after: UserId,
        limit: i64,
    ) -> Result<Vec<Self>, DbError> {
        let mut statement = Statement::on(connection);
        let (after, limit) = (statement.value(Value::Int(after.0)), statement.value(Value::Int(limit)));
        statement.push(&format!(
            "SELECT h.user_id, p.last_seen_ms, a.inactivity_timeout_ms FROM presence_history h \
             JOIN presence p ON p.user_id = h.user_id JOIN accounts a ON a.id = h.user_id \
             WHERE h.ended_at_ms IS NULL AND h.user_id > {after} AND h.user_id % {shards} = {shard} \
             ORDER BY h.user_id LIMIT {limit}"
        ));
        Ok(statement.load(connection)?)
    }
}

/// Which of these users the database says to be offline.
///
/// # Errors
/// [`DbError`].
pub fn offline_among(connection: &mut AnyConnection, users: &[UserId]) -> Result<Vec<UserId>, DbError> {
    let ids: Vec<i64> = users.iter().map(|user| user.0).collect();
    let offline: Vec<i64> = presence::table
        .filter(presence::user_id.eq_any(ids))
        .filter(presence::online.eq(false))
        .select(presence::user_id)
        .load(connection)?;
    Ok(offline.into_iter().map(UserId).collect())
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
