//! What the scripts answer, as our types.

use std::time::Duration;

use redis::{Value, from_redis_value_ref};

use crate::ids::{SessionId, UserId};
use crate::presence::availability::{Privacy, Shown};
use crate::presence::rule::{HeldSession, Known};
use crate::presence::transition::{Entry, Epoch, Event, Stretch, Transition, TransitionId};
use crate::presence::{EngineError, Reason};
use crate::timestamp::{Deadline, Timestamp};

type Answer<T> = Result<T, EngineError>;

pub(super) fn unknown(what: impl std::fmt::Debug) -> EngineError {
    EngineError::Protocol(format!("{what:?}"))
}

pub(super) fn array(value: &Value) -> Answer<&[Value]> {
    match value {
        Value::Array(items) => Ok(items),
        other => Err(unknown(other)),
    }
}

pub(super) fn integer(value: &Value) -> Answer<i64> {
    from_redis_value_ref(value).map_err(|_| unknown(value))
}

pub(super) fn text(value: &Value) -> Answer<String> {
    from_redis_value_ref(value).map_err(|_| unknown(value))
}

fn reason(value: &str) -> Answer<Reason> {
    value.parse().map_err(EngineError::Protocol)
}

/// `{ 0 }`, `{ 1, until, last_seen, reason }` or `{ 2, at, last_seen, reason }`.
pub(super) fn known(value: &Value) -> Answer<Known> {
    match array(value)? {
        [_] => Ok(Known::Settled),
        [kind, at, last_seen, why] => {
            let at = Timestamp(integer(at)?);
            let last_seen = Timestamp(integer(last_seen)?);
            let reason = reason(&text(why)?)?;
            Ok(match integer(kind)? {
                1 => Known::Online { until: Deadline(at), last_seen, reason, shown: Shown::default() },
                _ => Known::Offline { at, last_seen, reason },
            })
        }
        other => Err(unknown(other)),
    }
}

/// `{ session, timeout, deadline, … }`.
pub(super) fn held_sessions(value: &Value) -> Answer<Vec<HeldSession>> {
    let numbers = array(value)?.iter().map(integer).collect::<Answer<Vec<_>>>()?;
    Ok(numbers
        .chunks_exact(3)
        .map(|part| HeldSession {
            session: SessionId(part[0]),
            timeout: Duration::from_millis(part[1].unsigned_abs()),
            deadline: Deadline(Timestamp(part[2])),
            // The scripts keep that to themselves.
            leaving: false,
            idle: false,
        })
        .collect())
}

/// `shards:born_us`.
pub(super) fn epoch(value: &Value) -> Answer<Epoch> {
    let id = text(value)?;
    let born = id.split_once(':').and_then(|(_, born)| born.parse::<i64>().ok()).ok_or_else(|| unknown(&id))?;
    Ok(Epoch { born: Timestamp(born / 1_000), id })
}

/// `{ epoch, trimmed, newest, entries }`.
pub(super) fn stretch(value: &Value) -> Answer<Stretch> {
    let [epoch_value, trimmed, newest, entries] = array(value)? else { return Err(unknown(value)) };
    let entries = array(entries)?.iter().map(entry).collect::<Answer<Vec<_>>>()?;
    Ok(Stretch { epoch: epoch(epoch_value)?, trimmed: id(trimmed)?, newest: id(newest)?, entries })
}

fn id(value: &Value) -> Answer<TransitionId> {
    text(value)?.parse().map_err(EngineError::Protocol)
}

fn entry(value: &Value) -> Answer<Entry> {
    let [entry_id, fields] = array(value)? else { return Err(unknown(value)) };
    let (mut user, mut online, mut at, mut last_seen, mut own) = (0, None, 0, 0, None);
    let (mut why, mut session) = (None, None);
    for pair in array(fields)?.chunks_exact(2) {
        let field = &pair[1];
        match text(&pair[0])?.as_str() {
            "u" => user = integer(field)?,
            "o" => online = Some(integer(field)? == 1),
            "a" => at = integer(field)?,
            "l" => last_seen = integer(field)?,
            "x" => own = Some(Timestamp(integer(field)?)),
            "r" => why = Some(reason(&text(field)?)?),
            "s" => session = text(field)?.parse().ok().map(SessionId),
            // A newer writer may say more.
            _ => {}
        }
    }
    let (user, last_seen) = (UserId(user), Timestamp(last_seen));
    let event = match (online, why, session) {
        (Some(online), Some(reason), session) => {
            let session_seen = own.unwrap_or(last_seen);
            Event::Transition(Transition {
                user,
                online,
                at: Timestamp(at),
                last_seen,
                reason,
                session,
                session_seen,
                shown: Shown::default(),
                privacy: Privacy::default(),
            })
        }
        (None, _, Some(session)) => Event::SessionLeft { user, session, last_seen },
        _ => return Err(unknown(value)),
    };
    Ok(Entry { id: id(entry_id)?, event })
}
