//! Writing the journal: one transaction at a time.

use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use super::tables::{engine_moved, engine_sessions, engine_state, engine_transitions, engine_users};
use crate::ids::UserId;
use crate::presence::memory::shard::{HeldUser, Moved, Unwritten};
use crate::timestamp::millis;

/// What one transaction writes.
pub(super) struct Batch {
    /// What changed, of each shard.
    pub(super) shards: Vec<Unwritten>,
    /// Deadlines, told no later than what is in `shards`.
    pub(super) moved: Moved,
    /// The place of `moved` in the log, or of what was last, where there is none.
    pub(super) seq: i64,
    /// What is in the log up to this is told again in it since.
    pub(super) told_again: Option<i64>,
}

impl Batch {
    pub(super) fn is_empty(&self) -> bool {
        self.shards.iter().all(Unwritten::is_empty) && self.moved.is_empty() && self.told_again.is_none()
    }
}

fn json(value: &impl serde::Serialize) -> QueryResult<String> {
    serde_json::to_string(value).map_err(|error| diesel::result::Error::SerializationError(Box::new(error)))
}

pub(super) fn write(connection: &mut SqliteConnection, batch: &Batch) -> QueryResult<()> {
    for (part, shard) in batch.shards.iter().zip(0_i32..) {
        write_stream(connection, shard, part)?;
        for (user, held) in &part.users {
            write_user(connection, *user, held.as_ref(), batch.seq)?;
        }
    }
    use engine_moved as m;
    if !batch.moved.is_empty() {
        let row = (m::seq.eq(batch.seq), m::deadlines.eq(batch.moved.bytes()));
        diesel::replace_into(m::table).values(row).execute(connection)?;
    }
    if let Some(up_to) = batch.told_again {
        diesel::delete(m::table.filter(m::seq.le(up_to))).execute(connection)?;
    }
    Ok(())
}

fn write_stream(connection: &mut SqliteConnection, shard: i32, part: &Unwritten) -> QueryResult<()> {
    use engine_state as s;
    use engine_transitions as t;
    for entry in &part.entries {
        let (ms, seq) = (entry.id.ms.cast_signed(), entry.id.seq.cast_signed());
        let row = (t::shard.eq(shard), t::id_ms.eq(ms), t::id_seq.eq(seq), t::entry.eq(json(&entry.event)?));
        diesel::replace_into(t::table).values(row).execute(connection)?;
    }
    if let Some(trimmed) = part.trimmed {
        let (ms, seq) = (trimmed.ms.cast_signed(), trimmed.seq.cast_signed());
        let gone = t::id_ms.lt(ms).or(t::id_ms.eq(ms).and(t::id_seq.le(seq)));
        diesel::delete(t::table.filter(t::shard.eq(shard).and(gone))).execute(connection)?;
        let state = diesel::update(s::table.filter(s::shard.eq(shard)));
        state.set((s::trimmed_ms.eq(ms), s::trimmed_seq.eq(seq))).execute(connection)?;
    }
    Ok(())
}

fn write_user(connection: &mut SqliteConnection, user: UserId, held: Option<&HeldUser>, seq: i64) -> QueryResult<()> {
    use engine_sessions as s;
    use engine_users as u;
    diesel::delete(s::table.filter(s::user_id.eq(user.0))).execute(connection)?;
    let Some(held) = held else {
        diesel::delete(u::table.filter(u::user_id.eq(user.0))).execute(connection)?;
        return Ok(());
    };
    let row = (
        u::user_id.eq(user.0),
        u::reason.eq(held.reason.as_str()),
        u::gone_ms.eq(held.gone.map_or(0, |gone| gone.0)),
        u::profile.eq(held.profile.as_deref().map(json).transpose()?),
    );
    diesel::replace_into(u::table).values(row).execute(connection)?;
    for session in &held.sessions {
        let row = (
            s::user_id.eq(user.0),
            s::session_id.eq(session.session.0),
            s::timeout_ms.eq(millis(session.timeout)),
            s::deadline_ms.eq(session.deadline.0.0),
            s::leaving.eq(session.leaving),
            s::idle.eq(session.idle),
            s::after_seq.eq(seq),
        );
        diesel::insert_into(s::table).values(row).execute(connection)?;
    }
    Ok(())
}
