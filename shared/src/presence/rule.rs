//! The one rule of presence, as pure functions with the time passed in.
//!
//! An account that is not active is offline. Otherwise its user is online while at least one session's deadline
//! lies ahead. Last seen is the last sign of life, never the moment of going offline.

use std::time::Duration;

use serde::Serialize;

use crate::account::Standing;
use crate::ids::SessionId;
use crate::presence::Reason;
use crate::presence::availability::{Availability, Choice, Shown};
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

/// What is shown of a user who has chosen `choice`, while somebody has touched one of its live devices lately, or not.
#[must_use]
pub fn shown(choice: &Shown, awake: bool) -> Shown {
    match choice.availability {
        Availability::Available if !awake => Shown { availability: Availability::Away, words: choice.words.clone() },
        _ => choice.clone(),
    }
}

/// What an engine holds of a user, as [`survey`] looks at it.
#[derive(Clone, Copy, Debug)]
pub struct Holding<'a> {
    /// Its sessions.
    pub sessions: &'a [HeldSession],
    /// The newest sign of life of sessions that left since the user came online.
    pub gone: Option<Timestamp>,
    /// What began it.
    pub reason: Reason,
    /// What it has chosen to show.
    pub choice: &'a Choice,
}

/// What a user's sessions and its choice come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Survey {
    /// There is no session, or the user has been invisible for as long as there was one that counted: nothing that
    /// anybody else would know of.
    Nothing,
    /// For everybody.
    Known(Known),
    /// [`Known::Online`], but invisible.
    Hidden(Known),
}

/// What of a user's sessions is live at `now`, what has fallen silent, and who may know.
#[must_use]
pub fn survey(holding: Holding<'_>, now: Timestamp) -> Survey {
    let Holding { sessions, gone, choice, .. } = holding;
    let Some(last_seen) = sessions.iter().map(HeldSession::last_seen).chain(gone).max() else {
        return Survey::Nothing;
    };
    let Some(farthest) = sessions.iter().map(|s| s.deadline).max() else { return Survey::Nothing };
    let invisible = choice.shown.availability == Availability::Invisible;
    let ended = choice.until.filter(|until| *until <= now);
    // A choice that ended while a session was live made its user come online then.
    let hidden = invisible && !ended.is_some_and(|until| farthest.is_ahead(until));
    if !farthest.is_ahead(now) {
        // A clock that was set back would have some go offline before they were last seen.
        let offline = Known::Offline { at: farthest.0.max(last_seen), last_seen, reason: Reason::Timeout };
        return if hidden { Survey::Nothing } else { Survey::Known(offline) };
    }
    let awake = sessions.iter().any(|s| s.deadline.is_ahead(now) && !s.idle);
    let reason = if invisible && ended.is_some() { Reason::Login } else { holding.reason };
    let online = Known::Online { until: farthest, last_seen, reason, shown: shown(&choice.at(now), awake) };
    if hidden { Survey::Hidden(online) } else { Survey::Known(online) }
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

    fn look(sessions: &[HeldSession], choice: &Choice, now: i64) -> Survey {
        survey(Holding { sessions, gone: None, reason: Reason::Heartbeat, choice }, Timestamp(now))
    }

    fn offline(at: i64, last_seen: i64) -> Known {
        Known::Offline { at: Timestamp(at), last_seen: Timestamp(last_seen), reason: Reason::Timeout }
    }

    fn online(until: Deadline, last_seen: i64, reason: Reason) -> Known {
        Known::Online { until, last_seen: Timestamp(last_seen), reason, shown: Shown::default() }
    }

    #[test]
    fn a_deadline_that_is_reached_has_passed() {
        let sessions = [session(1, 1_000)];
        assert!(matches!(look(&sessions, &Choice::default(), 999), Survey::Known(Known::Online { .. })));
        assert_eq!(look(&sessions, &Choice::default(), 1_000), Survey::Known(offline(1_000, 900)));
    }

    #[test]
    fn the_last_device_decides() {
        let sessions = [session(1, 1_000), session(2, 1_050)];
        let (gone, choice) = (Some(Timestamp(970)), &Choice::default());
        let holding = Holding { sessions: &sessions, gone, reason: Reason::Heartbeat, choice };
        let until = Deadline(Timestamp(1_050));
        let expected = Survey::Known(online(until, 970, Reason::Heartbeat));
        assert_eq!(survey(holding, Timestamp(1_020)), expected);
    }

    #[test]
    fn a_user_is_away_when_all_its_live_devices_are_idle() {
        let idle = |id, deadline| HeldSession { idle: true, ..session(id, deadline) };
        let sessions = [idle(1, 1_050), session(2, 1_000)];
        let availability = |choice: Availability, now| {
            let choice = Choice { shown: Shown { availability: choice, words: None }, until: None };
            match look(&sessions, &choice, now) {
                Survey::Known(Known::Online { shown, .. }) => shown.availability,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(availability(Availability::Available, 999), Availability::Available);
        assert_eq!(availability(Availability::Available, 1_000), Availability::Away);
        assert_eq!(availability(Availability::Dnd, 1_000), Availability::Dnd);
    }

    #[test]
    fn an_end_and_a_deadline_are_taken_in_the_order_of_their_times() {
        let sessions = [session(1, 1_000)];
        let until = |until| Choice {
            shown: Shown { availability: Availability::Invisible, words: None },
            until: Some(Timestamp(until)),
        };
        let visible = Survey::Known(online(Deadline(Timestamp(1_000)), 900, Reason::Login));
        assert!(matches!(look(&sessions, &until(999), 998), Survey::Hidden(Known::Online { .. })));
        assert_eq!(look(&sessions, &until(999), 999), visible);
        assert_eq!(look(&sessions, &until(999), 1_000), Survey::Known(offline(1_000, 900)));
        for never_shown in [1_000, 1_001] {
            assert!(matches!(look(&sessions, &until(never_shown), 999), Survey::Hidden(_)));
            assert_eq!(look(&sessions, &until(never_shown), 1_000), Survey::Nothing);
            assert_eq!(look(&sessions, &until(never_shown), 2_000), Survey::Nothing);
        }
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
