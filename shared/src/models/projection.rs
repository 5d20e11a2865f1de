//! What the database holds of presence, and how the projector makes it follow the transitions.

use std::collections::{HashMap, HashSet};

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Nullable, Text};

use super::intervals;
use super::listening::tell_presence;
use super::months::{lacks_partition, make_partitions};
use super::notification::{Notification, Telling, notify};
use super::sql::{Keep, Statement, Value};
use super::statistics::earlier;
use crate::db::schema::{presence, projector_offsets, sessions};
use crate::db::{AnyConnection, DbError, write_transaction};
use crate::ids::{SessionId, UserId, WebhookId};
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

    /// Moves the offset, if it is still `from`, and notes from when on history changes with it.
    fn advance(
        connection: &mut AnyConnection,
        shard: u32,
        from: Option<&Self>,
        to: &Self,
        changed_from: Option<Timestamp>,
    ) -> Result<bool, diesel::result::Error> {
        let shard = shard.cast_signed();
        let new = (
            projector_offsets::epoch.eq(&to.epoch),
            projector_offsets::id_ms.eq(to.id.ms.cast_signed()),
            projector_offsets::id_seq.eq(to.id.seq.cast_signed()),
            changed_from.map(|at| projector_offsets::changed_from_ms.eq(earlier(at))),
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
                    .values((
                        projector_offsets::shard.eq(shard),
                        projector_offsets::epoch.eq(&to.epoch),
                        projector_offsets::id_ms.eq(to.id.ms.cast_signed()),
                        projector_offsets::id_seq.eq(to.id.seq.cast_signed()),
                        projector_offsets::changed_from_ms.eq(changed_from.map(|at| at.0)),
                    ))
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
    let transitions = || {
        entries.iter().filter_map(|entry| match &entry.event {
            Event::Transition(transition) => Some(transition),
            _ => None,
        })
    };
    let changed_from = transitions().map(|t| t.at).min();
    let batch = |connection: &mut AnyConnection| {
        if !Offset::advance(connection, shard.shard, from, to, changed_from)? {
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
        // Whoever was deleted meanwhile has no presence to be written; whose is written is kept from being deleted.
        let there = write_presence(connection, &by_user)?;
        by_user.retain(|user, _| there.contains(user));
        let webhooks = tell_presence(connection, entries, telling.policy, Timestamp::now())?;
        let arrived = intervals::write(connection, shard.shard, &by_user)?;
        write_sessions(connection, &seen)?;
        let notifications = notify(connection, &arrived, telling, Timestamp::now())?;
        Ok(Applied::Yes(Written { notifications, webhooks }))
    };
    match write_transaction(connection, batch) {
        Err(error) if lacks_partition(&error) => {
            // Nobody has been making them ahead. An interval ends when it began, at the earliest: by now, that is.
            let (now, latest) = (Timestamp::now(), transitions().map(|t| t.at).max());
            let to = latest.map_or(now, |latest| latest.max(now));
            make_partitions(connection, changed_from.unwrap_or(now), to)?;
            write_transaction(connection, batch)
        }
        done => done,
    }
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

#[derive(QueryableByName)]
struct Present {
    #[diesel(sql_type = BigInt)]
    user_id: i64,
}

/// Answers who has a presence. Their rows are locked by it, and an account is deleted after its presence.
fn write_presence(
    connection: &mut AnyConnection,
    by_user: &HashMap<UserId, Vec<Transition>>,
) -> Result<HashSet<UserId>, DbError> {
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
            let written: Vec<Present> = diesel::sql_query(
                "UPDATE presence p SET online = n.online, last_seen_ms = GREATEST(p.last_seen_ms, n.seen), reason = n.reason \
                 FROM unnest($1, $2, $3, $4) AS n(id, online, seen, reason) WHERE p.user_id = n.id RETURNING p.user_id",
            )
            .bind::<Array<BigInt>, _>(ids)
            .bind::<Array<Bool>, _>(online)
            .bind::<Array<BigInt>, _>(seen)
            .bind::<Array<Text>, _>(reasons)
            .kept()
            .load(pg)?;
            Ok(written.into_iter().map(|row| UserId(row.user_id)).collect())
        }
        AnyConnection::Sqlite(sqlite) => {
            let mut there = HashSet::new();
            for (user, t) in last {
                let written = diesel::sql_query(
                    "UPDATE presence SET online = ?, last_seen_ms = max(last_seen_ms, ?), reason = ? WHERE user_id = ?",
                )
                .bind::<Bool, _>(t.online)
                .bind::<BigInt, _>(t.last_seen.0)
                .bind::<Text, _>(t.reason.as_str())
                .bind::<BigInt, _>(user)
                .execute(sqlite)?;
                there.extend((written > 0).then_some(UserId(user)));
            }
            Ok(there)
        }
    }
}

/// The rows are locked in the order of their ids, as they are where a user's sessions are ended.
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
            .kept()
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
            "SELECT h.user_id, p.last_seen_ms, a.inactivity_timeout_ms FROM presence_open h \
             JOIN presence p ON p.user_id = h.user_id JOIN accounts a ON a.id = h.user_id \
             WHERE h.user_id > {after} AND h.user_id % {shards} = {shard} \
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
