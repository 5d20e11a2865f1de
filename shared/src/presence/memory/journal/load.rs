//! Reading the journal.

use std::collections::HashMap;
use std::time::Duration;

use diesel::connection::DefaultLoadingMode;
use diesel::dsl::{min, not};
use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use super::tables::{engine_moved, engine_sessions, engine_state, engine_transitions, engine_users};
use super::{Length, unavailable};
use crate::ids::{SessionId, UserId};
use crate::presence::memory::shard::{HeldUser, Moved, Shard};
use crate::presence::rule::HeldSession;
use crate::presence::transition::{Entry, Epoch, TransitionId};
use crate::presence::{EngineError, Reason};
use crate::timestamp::{Deadline, Timestamp};

/// What loading meets.
pub(super) enum LoadError {
    Engine(EngineError),
    Database(diesel::result::Error),
}

impl From<diesel::result::Error> for LoadError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Database(error)
    }
}

impl From<LoadError> for EngineError {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Engine(error) => error,
            LoadError::Database(error) => unavailable(error),
        }
    }
}

/// Not what the journal writes.
fn foreign(error: impl std::fmt::Display) -> LoadError {
    LoadError::Engine(unavailable(error))
}

/// Reads what was kept, making the state of shards that have none. Where there is another connection, `beside` reads the
/// transitions meanwhile: they take about as long as the users, and nobody writes before both are done.
pub(super) fn load(
    connection: &mut SqliteConnection,
    beside: Option<SqliteConnection>,
    shards: u32,
    fresh: &Epoch,
) -> Result<(Vec<Shard>, Length), LoadError> {
    let mut all = states(connection, shards, fresh)?;
    let (logs, length) = match beside {
        Some(mut beside) => std::thread::scope(|scope| {
            let logs = scope.spawn(move || entries(&mut beside, shards));
            let length = users(connection, shards, &mut all);
            let logs = logs.join().unwrap_or_else(|_| Err(foreign("the transitions could not be read")));
            (logs, length)
        }),
        None => (entries(connection, shards), users(connection, shards, &mut all)),
    };
    let logs = logs?;
    for (shard, log) in all.iter_mut().zip(logs) {
        shard.restore_log(log);
        shard.restored();
    }
    Ok((all, length?))
}

fn states(connection: &mut SqliteConnection, shards: u32, fresh: &Epoch) -> Result<Vec<Shard>, LoadError> {
    use engine_state as s;
    let count = i32::try_from(shards).unwrap_or(i32::MAX);
    for shard in 0..count {
        let new = (s::shard.eq(shard), s::shards.eq(count), s::epoch.eq(&fresh.id), s::born_ms.eq(fresh.born.0));
        diesel::insert_or_ignore_into(s::table).values(new).execute(connection)?;
    }
    let columns = (s::shards, s::epoch, s::born_ms, s::trimmed_ms, s::trimmed_seq);
    let rows: Vec<(i32, String, i64, i64, i64)> = s::table.select(columns).order(s::shard).load(connection)?;
    if let Some((other, ..)) = rows.iter().find(|(stored, ..)| *stored != count) {
        let stored = other.unsigned_abs();
        return Err(LoadError::Engine(EngineError::OtherShardCount { stored, configured: shards }));
    }
    let state = |(_, id, born, ms, seq): (i32, String, i64, i64, i64)| {
        let trimmed = TransitionId { ms: ms.unsigned_abs(), seq: seq.unsigned_abs() };
        Shard::new(Epoch { id, born: Timestamp(born) }, trimmed)
    };
    Ok(rows.into_iter().take(shards as usize).map(state).collect())
}

/// Each shard's transitions, oldest first.
fn entries(connection: &mut SqliteConnection, shards: u32) -> Result<Vec<Vec<Entry>>, LoadError> {
    use engine_transitions as t;
    let mut all = vec![Vec::new(); shards as usize];
    let rows = t::table.order((t::shard, t::id_ms, t::id_seq)).select((t::shard, t::id_ms, t::id_seq, t::entry));
    for row in rows.load_iter::<(i32, i64, i64, String), DefaultLoadingMode>(connection)? {
        let (shard, ms, seq, text) = row?;
        let id = TransitionId { ms: ms.unsigned_abs(), seq: seq.unsigned_abs() };
        let event = serde_json::from_str(&text).map_err(foreign)?;
        if let Some(log) = all.get_mut(shard.unsigned_abs() as usize) {
            log.push(Entry { id, event });
        }
    }
    Ok(all)
}

/// A user without its sessions.
type Rest = (Reason, Option<Timestamp>, Option<Box<crate::presence::availability::Profile>>);

/// The users of whom there is more to say than that they have logged in: few, so that the others need no second look.
fn rests(connection: &mut SqliteConnection) -> Result<HashMap<UserId, Rest>, LoadError> {
    use engine_users as u;
    let usual = u::reason.eq(Reason::Login.as_str()).and(u::gone_ms.eq(0)).and(u::profile.is_null());
    let rows = u::table.filter(not(usual)).select((u::user_id, u::reason, u::gone_ms, u::profile));
    let mut all = HashMap::new();
    for row in rows.load_iter::<(i64, String, i64, Option<String>), DefaultLoadingMode>(connection)? {
        let (user, reason, gone, profile) = row?;
        let reason = reason.parse().map_err(foreign)?;
        let profile = profile.map(|text| serde_json::from_str(&text)).transpose().map_err(foreign)?;
        all.insert(UserId(user), (reason, Timestamp(gone).nonzero(), profile));
    }
    Ok(all)
}

/// The rows first, and then, in their order, what heartbeats have moved since the rows were written.
fn users(connection: &mut SqliteConnection, shards: u32, all: &mut [Shard]) -> Result<Length, LoadError> {
    use engine_moved as m;
    use engine_sessions as s;
    let first: Option<i64> = m::table.select(min(m::seq)).first(connection)?;
    let mut rests = rests(connection)?;
    let rows: i64 = s::table.count().get_result(connection)?;
    let share = usize::try_from(rows).unwrap_or(0) / all.len().max(1);
    all.iter_mut().for_each(|shard| shard.reserve(share));
    // Of those that are not older than all that was moved.
    let mut written: HashMap<SessionId, i64> = HashMap::new();
    let mut newest = 0;
    let mut put = |user: UserId, sessions: Vec<HeldSession>| {
        let (reason, gone, profile) = rests.remove(&user).unwrap_or((Reason::Login, None, None));
        if let Some(shard) = all.get_mut(user.shard(shards) as usize) {
            shard.restore(user, HeldUser { reason, gone, profile, sessions });
        }
    };
    let mut last: Option<(UserId, Vec<HeldSession>)> = None;
    let columns = (s::user_id, s::session_id, s::timeout_ms, s::deadline_ms, s::leaving, s::idle, s::after_seq);
    let rows = s::table.select(columns).order((s::user_id, s::session_id));
    for row in rows.load_iter::<(i64, i64, i64, i64, bool, bool, i64), DefaultLoadingMode>(connection)? {
        let (user, session, timeout, deadline, leaving, idle, after) = row?;
        let (user, session) = (UserId(user), SessionId(session));
        let timeout = Duration::from_millis(timeout.unsigned_abs());
        newest = newest.max(after);
        if first.is_some_and(|first| after >= first) {
            written.insert(session, after);
        }
        let session = HeldSession { session, timeout, deadline: Deadline(Timestamp(deadline)), leaving, idle };
        match &mut last {
            Some((same, sessions)) if *same == user => sessions.push(session),
            _ => {
                if let Some((user, sessions)) = last.replace((user, vec![session])) {
                    put(user, sessions);
                }
            }
        }
    }
    if let Some((user, sessions)) = last {
        put(user, sessions);
    }
    let mut length = Length { seq: newest, bytes: 0 };
    let chunks = m::table.select((m::seq, m::deadlines)).order(m::seq);
    for chunk in chunks.load_iter::<(i64, Vec<u8>), DefaultLoadingMode>(connection)? {
        let (seq, bytes) = chunk?;
        length = Length { seq: length.seq.max(seq), bytes: length.bytes + bytes.len() };
        for (user, session, deadline) in Moved::read(&bytes) {
            if written.get(&session).is_none_or(|after| *after < seq)
                && let Some(shard) = all.get_mut(user.shard(shards) as usize)
            {
                shard.restore_moved(user, session, deadline);
            }
        }
    }
    Ok(length)
}
