//! What the scripts answer, as our types.

use std::collections::HashMap;
use std::time::Duration;

use redis::{Value, from_redis_value_ref};

use super::profiles::{availability, privacy, words};
use crate::ids::{SessionId, UserId};
use crate::presence::availability::{Privacy, Shown};
use crate::presence::engine::Counts;
use crate::presence::rule::{HeldSession, Known};
use crate::presence::transition::{Entry, Epoch, Event, Stretch, Transition, TransitionId};
use crate::presence::{EngineError, Reason};
use crate::timestamp::{Deadline, Timestamp};

pub(super) type Answer<T> = Result<T, EngineError>;

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

/// `{ online, limited, away, dnd }`, or `None` for `{ -1 }`: too much is overdue.
pub(super) fn counts(value: &Value) -> Answer<Option<Counts>> {
    let numbers = array(value)?.iter().map(integer).collect::<Answer<Vec<_>>>()?;
    // Never below nothing, also where part of the data was lost.
    let [online, limited, away, dnd] = match numbers[..] {
        [-1] => return Ok(None),
        [online, limited, away, dnd] => [online, limited, away, dnd].map(|n| n.max(0).unsigned_abs()),
        _ => return Err(unknown(value)),
    };
    Ok(Some(Counts { online, limited, away, dnd }))
}

/// What is known of each of these users, as `known_of` in `reading.lua` answers it, and the truth about those who are
/// invisible.
pub(super) fn known_of(users: &[UserId], answers: &[Value]) -> Answer<(Vec<Known>, HashMap<UserId, Known>)> {
    if answers.len() != users.len() {
        return Err(unknown(answers));
    }
    let (mut all, mut hidden) = (Vec::with_capacity(users.len()), HashMap::new());
    for (user, answer) in users.iter().zip(answers) {
        all.push(match answer {
            Value::Int(0) => Known::Settled,
            Value::BulkString(bytes) => plain(bytes).ok_or_else(|| unknown(answer))?,
            _ => match array(answer)? {
                [kind, public, truth] if integer(kind)? == 9 => {
                    hidden.insert(*user, known(truth)?);
                    known(public)?
                }
                _ => known(answer)?,
            },
        });
    }
    Ok((all, hidden))
}

/// `reason|gone@deadline:timeout`: a user who shows nothing in particular, of whom one session is live.
fn plain(bytes: &[u8]) -> Option<Known> {
    let (value, held) = std::str::from_utf8(bytes).ok()?.split_once('@')?;
    let (why, gone) = value.split_once('|')?;
    let (deadline, timeout) = held.split_once(':')?;
    let reason = match why {
        "l" => Reason::Login,
        "h" => Reason::Heartbeat,
        _ => return None,
    };
    let until: i64 = deadline.parse().ok()?;
    // A session that is leaving has an l behind its timeout.
    let timeout: i64 = timeout.trim_end_matches('l').parse().ok()?;
    let gone = if gone.is_empty() { 0 } else { gone.parse().ok()? };
    let last_seen = Timestamp(until.saturating_sub(timeout).max(gone).max(0));
    Some(Known::Online { until: Deadline(Timestamp(until)), last_seen, reason, shown: Shown::default() })
}

/// `{ 0 }`, `{ 1, until, last_seen, reason, availability, words }` or `{ 2, at, last_seen, reason }`.
fn known(value: &Value) -> Answer<Known> {
    match array(value)? {
        [_] => Ok(Known::Settled),
        [_, until, last_seen, why, shown, said] => Ok(Known::Online {
            until: Deadline(Timestamp(integer(until)?)),
            last_seen: Timestamp(integer(last_seen)?),
            reason: reason(&text(why)?)?,
            shown: Shown { availability: availability(&text(shown)?)?, words: words(&text(said)?)? },
        }),
        [_, at, last_seen, why] => Ok(Known::Offline {
            at: Timestamp(integer(at)?),
            last_seen: Timestamp(integer(last_seen)?),
            reason: reason(&text(why)?)?,
        }),
        other => Err(unknown(other)),
    }
}

/// `{ session, timeout, deadline, idle, … }`.
pub(super) fn held_sessions(value: &Value) -> Answer<Vec<HeldSession>> {
    let numbers = array(value)?.iter().map(integer).collect::<Answer<Vec<_>>>()?;
    Ok(numbers
        .chunks_exact(4)
        .map(|part| HeldSession {
            session: SessionId(part[0]),
            timeout: Duration::from_millis(part[1].unsigned_abs()),
            deadline: Deadline(Timestamp(part[2])),
            // The scripts keep that to themselves.
            leaving: false,
            idle: part[3] == 1,
        })
        .collect())
}

/// `shards:born_us`.
pub(super) fn epoch(value: &Value) -> Answer<Epoch> {
    let id = text(value)?;
    let born = id.split_once(':').and_then(|(_, born)| born.parse::<i64>().ok()).ok_or_else(|| unknown(&id))?;
    Ok(Epoch { born: Timestamp(born / 1_000), id })
}

/// For how many shards an epoch's data are laid out.
pub(super) fn shards_of(epoch: &Epoch) -> Option<u32> {
    epoch.id.split_once(':')?.0.parse().ok()
}

/// The epoch, `trimmed`, the newest entry, entries; or `None` where there is no epoch yet.
pub(super) fn stretch(value: &Value) -> Answer<Option<Stretch>> {
    let [epoch_value, trimmed, newest, entries] = array(value)? else { return Err(unknown(value)) };
    if *epoch_value == Value::Nil {
        return Ok(None);
    }
    let trimmed = if *trimmed == Value::Nil { TransitionId::START } else { id(trimmed)? };
    let newest = match array(newest)? {
        [] => trimmed,
        [newest, ..] => id(array(newest)?.first().ok_or_else(|| unknown(newest))?)?,
    };
    let entries = match entries {
        // What Redis answers to a count of 0.
        Value::Nil => Vec::new(),
        entries => array(entries)?.iter().map(entry).collect::<Answer<_>>()?,
    };
    Ok(Some(Stretch { epoch: epoch(epoch_value)?, trimmed, newest, entries }))
}

pub(super) fn id(value: &Value) -> Answer<TransitionId> {
    text(value)?.parse().map_err(EngineError::Protocol)
}

fn entry(value: &Value) -> Answer<Entry> {
    let [entry_id, fields] = array(value)? else { return Err(unknown(value)) };
    let (mut user, mut online, mut at, mut last_seen, mut own) = (0, None, 0, 0, None);
    let (mut why, mut session) = (None, None);
    let (mut shown, mut stays, mut seen_by) = (Shown::default(), false, Privacy::default());
    let (mut before, mut other) = (None, None);
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
            "v" => shown.availability = availability(&text(field)?)?,
            "w" => shown.words = words(&text(field)?)?,
            "p" => seen_by = privacy(&text(field)?)?,
            "c" => stays = true,
            "q" => before = Some(privacy(&text(field)?)?),
            "t" => other = Some(UserId(integer(field)?)),
            // A newer writer may say more.
            _ => {}
        }
    }
    let (user, last_seen) = (UserId(user), Timestamp(last_seen));
    let event = match (online, why, session) {
        _ if let Some(before) = before => Event::Privacy { user, before, after: seen_by },
        _ if let Some(other) = other => Event::Relation { user, other },
        (Some(online), Some(reason), session) => {
            let (at, privacy) = (Timestamp(at), seen_by);
            let session_seen = own.unwrap_or(last_seen);
            let told = Transition { user, online, at, last_seen, reason, session, session_seen, shown, privacy };
            if stays { Event::Shown(told) } else { Event::Transition(told) }
        }
        (None, _, Some(session)) => Event::SessionLeft { user, session, last_seen },
        _ => return Err(unknown(value)),
    };
    Ok(Entry { id: id(entry_id)?, event })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_user_is_read_from_its_value() {
        let read = |text: &str| match plain(text.as_bytes()) {
            Some(Known::Online { until, last_seen, reason, shown }) if shown == Shown::default() => {
                Some((until.0.0, last_seen.0, reason))
            }
            Some(other) => panic!("{other:?}"),
            None => None,
        };
        assert_eq!(read("l|@0000000005000:1000"), Some((5_000, 4_000, Reason::Login)));
        let gone = read("h|4500@0000000005000:1000");
        assert_eq!(gone, Some((5_000, 4_500, Reason::Heartbeat)), "a session that left was later");
        assert_eq!(read("l|@0000000005000:9000"), Some((5_000, 0, Reason::Login)), "never before there was time");
        assert_eq!(read("l|@0000000005000:1000l"), Some((5_000, 4_000, Reason::Login)), "a session that is leaving");
        for bad in ["", "l|", "x|@5000:1000", "l|@5000", "l|@x:1000", "l|x@5000:1000", "l@5:1"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
