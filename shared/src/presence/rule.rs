//! The one rule of presence, as pure functions with the time passed in.
//!
//! An account that is not active is offline. Otherwise its user is online while at least one session's deadline
//! lies ahead. Last seen is the last sign of life, never the moment of going offline.

use std::time::Duration;

use serde::Serialize;

use crate::account::Standing;
use crate::ids::SessionId;
use crate::presence::Reason;
use crate::presence::availability::Shown;
use crate::timestamp::{Deadline, Timestamp};

/// One session as an engine holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldSession {
    /// Which.
    pub session: SessionId,
    /// The user's inactivity timeout at the last sign of life.
    pub timeout: Duration,
    /// When it stops counting.
    pub deadline: Deadline,
    /// Whether it said that it is leaving: the timeout is a grace then, and its next sign of life takes the slow path,
    /// which gives it its own back.
    pub leaving: bool,
    /// Whether nobody has touched the device for long, as its client says.
    pub idle: bool,
}

impl HeldSession {
    /// The last sign of life.
    #[must_use]
    pub fn last_seen(&self) -> Timestamp {
        self.deadline.0.minus(self.timeout)
    }
}

/// What an engine knows of a user at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// At least one deadline lies ahead.
    Online {
        /// The farthest deadline.
        until: Deadline,
        /// The last sign of life of any session since the user came online.
        last_seen: Timestamp,
        /// What began it.
        reason: Reason,
        /// What is shown of it.
        shown: Shown,
    },
    /// Offline since so short a time that the database may not say so yet.
    Offline {
        /// The moment of going offline.
        at: Timestamp,
        /// The last sign of life.
        last_seen: Timestamp,
        /// What ended it.
        reason: Reason,
    },
    /// Offline for longer: what the database says of it holds.
    Settled,
}

/// What the database holds of a user's presence: the transitions' effect up to some moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Projected {
    /// The last sign of life as of the last transition; `None` for a user who was never seen.
    pub last_seen: Option<Timestamp>,
    /// The last transition's reason.
    pub reason: Option<Reason>,
}

/// Online or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OnlineStatus {
    /// At least one live session, and an active account.
    Online,
    /// Everything else.
    Offline,
}

/// What a reader sees of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presence {
    /// Online or not.
    pub online_status: OnlineStatus,
    /// The last sign of life; `None` for a user who was never seen.
    pub last_seen: Option<Timestamp>,
    /// When the user goes offline unless there is a sign of life before.
    pub online_until: Option<Deadline>,
    /// Why.
    pub reason: Option<Reason>,
    /// What is shown beside that; nothing where it is offline.
    pub shown: Shown,
}

impl Presence {
    /// Whether the user is online.
    #[must_use]
    pub fn is_online(&self) -> bool {
        self.online_status == OnlineStatus::Online
    }
}

/// What a reader sees, of what the account, the engine and the database say.
#[must_use]
pub fn presence(standing: Standing, known: Known, projected: Projected) -> Presence {
    let offline = |last_seen: Option<Timestamp>, reason: Option<Reason>| Presence {
        online_status: OnlineStatus::Offline,
        last_seen,
        online_until: None,
        shown: Shown::default(),
        reason: standing.bar().map(super::super::account::Bar::reason).or(reason),
    };
    match known {
        Known::Online { until, last_seen, reason, shown } if standing.bar().is_none() => Presence {
            online_status: OnlineStatus::Online,
            last_seen: Some(last_seen),
            online_until: Some(until),
            reason: Some(reason),
            shown,
        },
        // Sessions of a barred account are on their way out.
        Known::Online { last_seen, .. } => offline(Some(last_seen), None),
        Known::Offline { last_seen, reason, .. } => offline(last_seen.nonzero(), Some(reason)),
        Known::Settled => offline(projected.last_seen, projected.reason),
    }
}

/// What of a user's sessions is live at `now`, and what has fallen silent.
///
/// `gone` is the newest sign of life of sessions that left since the user came online. The answer is `None` for a
/// user with no session at all, who has nothing that could be settled.
#[must_use]
pub fn survey(sessions: &[HeldSession], gone: Option<Timestamp>, began: Reason, now: Timestamp) -> Option<Known> {
    let last_seen = sessions.iter().map(HeldSession::last_seen).chain(gone).max()?;
    let farthest = sessions.iter().map(|s| s.deadline).max()?;
    Some(if farthest.is_ahead(now) {
        Known::Online { until: farthest, last_seen, reason: began, shown: Shown::default() }
    } else {
        // A clock that was set back would have some go offline before they were last seen.
        Known::Offline { at: farthest.0.max(last_seen), last_seen, reason: Reason::Timeout }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::Status;

    const TIMEOUT: Duration = Duration::from_millis(100);

    fn session(id: i64, deadline: i64) -> HeldSession {
        HeldSession {
            session: SessionId(id),
            timeout: TIMEOUT,
            deadline: Deadline(Timestamp(deadline)),
            leaving: false,
            idle: false,
        }
    }

    fn online(until: Deadline, last_seen: i64, reason: Reason) -> Known {
        Known::Online { until, last_seen: Timestamp(last_seen), reason, shown: Shown::default() }
    }

    #[test]
    fn a_deadline_that_is_reached_has_passed() {
        let at = |now| survey(&[session(1, 1_000)], None, Reason::Login, Timestamp(now));
        assert!(matches!(at(999), Some(Known::Online { .. })));
        assert_eq!(
            at(1_000),
            Some(Known::Offline { at: Timestamp(1_000), last_seen: Timestamp(900), reason: Reason::Timeout })
        );
    }

    #[test]
    fn the_last_device_decides() {
        let sessions = [session(1, 1_000), session(2, 1_050)];
        let known = survey(&sessions, Some(Timestamp(970)), Reason::Heartbeat, Timestamp(1_020));
        let until = Deadline(Timestamp(1_050));
        assert_eq!(known, Some(online(until, 970, Reason::Heartbeat)));
    }

    #[test]
    fn a_barred_account_is_offline_whatever_the_engine_says() {
        let online = online(Deadline(Timestamp(1_000)), 900, Reason::Login);
        let offline = Known::Offline { at: Timestamp(950), last_seen: Timestamp(900), reason: Reason::Logout };
        let projected = Projected { last_seen: Some(Timestamp(5)), reason: Some(Reason::Timeout) };
        for status in [Status::Active, Status::Pending, Status::Suspended, Status::Banned] {
            for is_active in [true, false] {
                let standing = Standing { status, is_active };
                for known in [online.clone(), offline.clone(), Known::Settled] {
                    let seen = presence(standing, known.clone(), projected);
                    let expected = known == online && standing == Standing::ACTIVE;
                    assert_eq!(seen.is_online(), expected, "{standing:?} {known:?}");
                    assert_eq!(seen.online_until.is_some(), expected);
                    if let Some(bar) = standing.bar() {
                        assert_eq!(seen.reason, Some(bar.reason()));
                    }
                    let last = if known == Known::Settled { 5 } else { 900 };
                    assert_eq!(seen.last_seen, Some(Timestamp(last)));
                }
            }
        }
    }
}
