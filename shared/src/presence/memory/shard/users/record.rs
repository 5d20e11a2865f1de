//! One user, packed: most have one session, and nothing else to be said of them.

use std::time::Duration;

use super::super::{HeldUser, PLAIN, counted};
use super::slab::NONE;
use crate::ids::{SessionId, UserId};
use crate::presence::Reason;
use crate::presence::availability::Profile;
use crate::presence::engine::Counts;
use crate::presence::rule::{HeldSession, Holding, shown};
use crate::timestamp::{Deadline, Timestamp, millis};

/// A place of the slab is a user's, not a vacant one.
pub(super) const HELD: u8 = 1;
/// The one session's device is idle.
const IDLE: u8 = 2;
/// The one session is leaving.
const LEAVING: u8 = 4;
/// Some of the sessions are among those of which the deadlines are kept in order.
pub(super) const SOON: u8 = 8;
/// A heartbeat has moved a deadline since the journal was told of it.
pub(super) const MOVED: u8 = 16;

/// A user, in 48 bytes.
#[derive(Debug)]
pub(in super::super) struct Record {
    pub(super) user: UserId,
    /// The one session, its deadline and its timeout, where `more` does not have the sessions.
    session: SessionId,
    deadline: Deadline,
    more: Option<Box<More>>,
    timeout_ms: u32,
    /// The neighbours in the wheel's list: see there. Of a vacant place `next` is the next vacant one.
    pub(super) previous: u32,
    pub(super) next: u32,
    reason: Reason,
    pub(super) marks: u8,
}

/// What few have.
#[derive(Debug)]
struct More {
    gone: Option<Timestamp>,
    profile: Option<Box<Profile>>,
    /// All sessions, where there are several, or one whose timeout is too long for the record; else none.
    sessions: Vec<HeldSession>,
}

impl Record {
    pub(super) fn vacant(next: u32) -> Self {
        Self {
            user: UserId(0),
            session: SessionId(0),
            deadline: Deadline(Timestamp(0)),
            more: None,
            timeout_ms: 0,
            previous: NONE,
            next,
            reason: Reason::Login,
            marks: 0,
        }
    }

    pub(super) fn pack(user: UserId, held: HeldUser) -> Self {
        let HeldUser { reason, gone, profile, sessions } = held;
        let mut record = Self { user, reason, marks: HELD, ..Self::vacant(NONE) };
        let one = match sessions.as_slice() {
            [one] => u32::try_from(millis(one.timeout)).ok().map(|timeout_ms| (*one, timeout_ms)),
            _ => None,
        };
        if let Some((one, timeout_ms)) = one {
            let mark = |is: bool, mark: u8| if is { mark } else { 0 };
            record.marks |= mark(one.idle, IDLE) | mark(one.leaving, LEAVING);
            record.session = one.session;
            record.deadline = one.deadline;
            record.timeout_ms = timeout_ms;
        }
        if one.is_none() || gone.is_some() || profile.is_some() {
            let sessions = if one.is_none() { sessions } else { Vec::new() };
            record.more = Some(Box::new(More { gone, profile, sessions }));
        }
        record
    }

    pub(super) fn unpack(self) -> HeldUser {
        let one = self.one();
        let reason = self.reason;
        match self.more {
            None => HeldUser { reason, gone: None, profile: None, sessions: vec![one] },
            Some(more) => {
                let More { gone, profile, sessions } = *more;
                let sessions = if sessions.is_empty() { vec![one] } else { sessions };
                HeldUser { reason, gone, profile, sessions }
            }
        }
    }

    /// A copy of what is held, unpacked.
    pub(in super::super) fn held(&self) -> HeldUser {
        let profile = self.more.as_ref().and_then(|more| more.profile.clone());
        HeldUser { reason: self.reason, gone: self.gone(), profile, sessions: self.sessions(<[_]>::to_vec) }
    }

    fn one(&self) -> HeldSession {
        HeldSession {
            session: self.session,
            timeout: Duration::from_millis(u64::from(self.timeout_ms)),
            deadline: self.deadline,
            leaving: self.marks & LEAVING != 0,
            idle: self.marks & IDLE != 0,
        }
    }

    /// Looks at the sessions.
    pub(in super::super) fn sessions<T>(&self, look: impl FnOnce(&[HeldSession]) -> T) -> T {
        match &self.more {
            Some(more) if !more.sessions.is_empty() => look(&more.sessions),
            _ => look(&[self.one()]),
        }
    }

    fn gone(&self) -> Option<Timestamp> {
        self.more.as_ref().and_then(|more| more.gone)
    }

    /// What it shows, and to whom.
    pub(in super::super) fn profile(&self) -> &Profile {
        self.more.as_ref().and_then(|more| more.profile.as_deref()).unwrap_or(&PLAIN)
    }

    /// Looks at what is held.
    pub(in super::super) fn holding<T>(&self, look: impl FnOnce(Holding<'_>) -> T) -> T {
        let (gone, reason, choice) = (self.gone(), self.reason, &self.profile().choice);
        self.sessions(|sessions| look(Holding { sessions, gone, reason, choice }))
    }

    /// What it counts for, as long as nothing of it is overdue.
    pub(in super::super) fn counted(&self) -> Counts {
        let awake = self.sessions(|all| all.iter().any(|session| !session.idle));
        counted(&shown(&self.profile().choice.shown, awake), self.profile().privacy)
    }

    /// The earliest deadline.
    pub(super) fn earliest(&self) -> Deadline {
        self.sessions(|all| all.iter().map(|session| session.deadline).min()).unwrap_or(self.deadline)
    }

    /// Gives a session a later deadline. Answers whether it is held and had an earlier one.
    pub(super) fn postpone(&mut self, session: SessionId, to: Deadline) -> bool {
        let held = match &mut self.more {
            Some(more) if !more.sessions.is_empty() => {
                more.sessions.iter_mut().find(|held| held.session == session).map(|held| &mut held.deadline)
            }
            _ => Some(&mut self.deadline).filter(|_| self.session == session),
        };
        match held {
            Some(deadline) if *deadline < to => {
                *deadline = to;
                true
            }
            _ => false,
        }
    }

    /// One of the sessions.
    pub(in super::super) fn session(&self, session: SessionId) -> Option<HeldSession> {
        self.sessions(|all| all.iter().find(|held| held.session == session).copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_small() {
        assert_eq!(size_of::<Record>(), 48);
    }
}
