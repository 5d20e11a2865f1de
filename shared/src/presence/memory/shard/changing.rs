//! The operations that change a user.

use std::time::Duration;

use super::{HeldUser, Shard};
use crate::ids::{SessionId, UserId};
use crate::presence::Reason;
use crate::presence::availability::{Profile, Shown};
use crate::presence::engine::{Connect, Connected, Expired, ROW_FRESHNESS, Restatement, Touch};
use crate::presence::rule::HeldSession;
use crate::presence::transition::{Event, Transition};
use crate::timestamp::{Deadline, Timestamp};

impl Shard {
    /// See [`crate::presence::PresenceEngine::touch`].
    pub fn touch(&mut self, touch: &Touch, now: Timestamp) -> Option<Deadline> {
        self.users.touch(touch, now)
    }

    /// See [`crate::presence::PresenceEngine::connect`].
    pub fn connect(&mut self, connect: &Connect, now: Timestamp) -> Connected {
        let &Connect { user, session, reason, read_at, .. } = connect;
        let ended = self.ended_users.get(user, now).is_some_and(|up_to| session <= up_to);
        if ended || self.ended_sessions.get(session, now).is_some() {
            return Connected::Ended;
        }
        if read_at.plus(ROW_FRESHNESS) < now {
            return Connected::Stale;
        }
        let timeout = self.timeouts.get(user, now).unwrap_or(connect.timeout);
        self.settle(user, now);
        let known = self.take(user);
        let before = known.as_ref().map(HeldUser::shown);
        let mut held = known.unwrap_or_else(|| {
            let mut fresh = HeldUser { reason, gone: None, profile: None, sessions: Vec::with_capacity(1) };
            fresh.adopt(self.profiles.get(user, now).as_ref().unwrap_or(&connect.profile), now);
            fresh
        });
        let (mut deadline, mut idle) = (Deadline(now.plus(timeout)), false);
        if let Some(place) = held.sessions.iter().position(|s| s.session == session) {
            let before = held.sessions.remove(place);
            deadline = deadline.max(Deadline(before.last_seen().plus(timeout)));
            idle = before.idle;
        }
        held.sessions.push(HeldSession { session, timeout, deadline, leaving: false, idle });
        let after = held.shown();
        match before {
            Some(before) => self.tell(user, &mut held, &before, after, now, now),
            None if held.is_hidden() => {}
            None => {
                let session = Some(session);
                let (shown, privacy) = (after, held.profile().privacy);
                let came = Transition {
                    user,
                    online: true,
                    at: now,
                    last_seen: now,
                    reason,
                    session,
                    session_seen: now,
                    shown,
                    privacy,
                };
                self.append(Event::Transition(came), now);
            }
        }
        self.put_back(user, held);
        self.soil(user);
        Connected::Live { now, deadline }
    }

    /// See [`crate::presence::PresenceEngine::disconnect`].
    pub fn disconnect(&mut self, user: UserId, session: SessionId, reason: Reason, now: Timestamp) -> bool {
        self.ended_sessions.set(session, (), now);
        self.settle(user, now);
        self.take_out(user, |s| s.session == session, now, reason)
    }

    /// See [`crate::presence::PresenceEngine::evict`].
    pub fn evict(&mut self, user: UserId, up_to: SessionId, reason: Reason, now: Timestamp) -> bool {
        let farthest = self.ended_users.get(user, now).map_or(up_to, |before| before.max(up_to));
        self.ended_users.set(user, farthest, now);
        self.settle(user, now);
        self.take_out(user, |s| s.session <= up_to, now, reason)
    }

    /// See [`crate::presence::PresenceEngine::admit`].
    pub fn admit(&mut self, user: UserId, after: SessionId, now: Timestamp) {
        self.ended_users.set(user, after, now);
    }

    /// See [`crate::presence::PresenceEngine::retime`].
    pub fn retime(&mut self, user: UserId, timeout: Duration, now: Timestamp) {
        self.timeouts.set(user, timeout, now);
        self.settle(user, now);
        if let Some(mut held) = self.take(user) {
            // A session that is leaving keeps its grace: its next sign of life brings the new timeout.
            for session in held.sessions.iter_mut().filter(|session| !session.leaving) {
                session.deadline = Deadline(session.last_seen().plus(timeout));
                session.timeout = timeout;
            }
            self.put_back(user, held);
            self.soil(user);
        }
        // A shorter timeout may have ended some of them already.
        self.settle(user, now);
    }

    /// See [`crate::presence::PresenceEngine::leave`].
    pub fn leave(&mut self, user: UserId, id: SessionId, grace: Duration, now: Timestamp) -> Option<Deadline> {
        self.settle(user, now);
        let before = self.users.get(user)?.session(id)?;
        if before.leaving || before.timeout <= grace {
            return Some(before.deadline);
        }
        let deadline = Deadline(now.plus(grace));
        let mut held = self.take(user)?;
        for session in held.sessions.iter_mut().filter(|session| session.session == id) {
            *session = HeldSession { timeout: grace, deadline, leaving: true, ..before };
        }
        self.put_back(user, held);
        self.soil(user);
        Some(deadline)
    }

    /// See [`crate::presence::PresenceEngine::present`].
    pub fn present(&mut self, user: UserId, before: &Profile, after: &Profile, now: Timestamp) {
        self.profiles.set(user, after.clone(), now);
        self.settle(user, now);
        // First, so that whatever comes after it is for those who may see it from now on.
        // What is held counts, where it differs: a call that is repeated after it failed finds the difference still. Else
        // what the caller knows: a log-in may have brought the new one already, and told nobody whom that took it from.
        let held = self.take(user);
        let differing = held.as_ref().map(|held| held.profile().privacy).filter(|held| *held != after.privacy);
        let privacy = differing.unwrap_or(before.privacy);
        if privacy != after.privacy {
            self.append(Event::Privacy { user, before: privacy, after: after.privacy }, now);
        }
        if let Some(mut held) = held {
            let before = held.shown();
            held.adopt(after, now);
            let after = held.shown();
            self.tell(user, &mut held, &before, after, now, now);
            self.put_back(user, held);
            self.soil(user);
        }
    }

    /// See [`crate::presence::PresenceEngine::idle`].
    pub fn idle(&mut self, user: UserId, id: SessionId, idle: bool, now: Timestamp) -> bool {
        self.settle(user, now);
        let Some(session) = self.users.get(user).and_then(|held| held.session(id)) else { return false };
        if session.idle != idle
            && let Some(mut held) = self.take(user)
        {
            let before = held.shown();
            for session in held.sessions.iter_mut().filter(|session| session.session == id) {
                session.idle = idle;
            }
            let after = held.shown();
            self.tell(user, &mut held, &before, after, now, now);
            self.put_back(user, held);
            self.soil(user);
        }
        true
    }

    /// See [`crate::presence::PresenceEngine::relate`].
    pub fn relate(&mut self, user: UserId, other: UserId, now: Timestamp) {
        self.append(Event::Relation { user, other }, now);
    }

    /// See [`crate::presence::PresenceEngine::expire`].
    pub fn expire(&mut self, most: usize, now: Timestamp) -> Expired {
        self.users.turn(now);
        let mut overdue: Vec<UserId> = self.users.overdue(now).take(most).collect();
        overdue.extend(self.overdue_choices(now).take(most - overdue.len()));
        for user in &overdue {
            self.settle(*user, now);
        }
        let session = self.users.earliest().map(|deadline| deadline.0);
        let choice = self.choices.first().map(|(until, _)| *until);
        let due = session.into_iter().chain(choice).min();
        let next = due.map(|due| Duration::from_millis(due.0.saturating_sub(now.0).max(0).unsigned_abs()));
        Expired { taken: overdue.len(), next }
    }

    /// See [`crate::presence::PresenceEngine::restate`].
    pub fn restate(&mut self, user: UserId, projected_online: bool, offline: Restatement, now: Timestamp) -> bool {
        self.settle(user, now);
        let held = self.held(user);
        let held = held.as_ref();
        // An invisible user is offline.
        let online = held.filter(|held| !held.is_hidden());
        if self.unprojected.contains_key(&user) || online.is_some() == projected_online {
            return false;
        }
        let privacy = held.map(|held| held.profile().privacy).unwrap_or_default();
        let transition = match online.and_then(|held| Some((held, held.sessions.first()?))) {
            Some((held, first)) => {
                let seen = held.newest().unwrap_or(now);
                let (reason, session, shown) = (held.reason, Some(first.session), held.shown());
                Transition {
                    user,
                    online: true,
                    at: now,
                    last_seen: seen,
                    reason,
                    session,
                    session_seen: seen,
                    shown,
                    privacy,
                }
            }
            None => {
                let Restatement { at, last_seen, reason } = offline;
                let (session_seen, shown) = (last_seen, Shown::default());
                Transition { user, online: false, at, last_seen, reason, session: None, session_seen, shown, privacy }
            }
        };
        self.append(Event::Transition(transition), now);
        true
    }
}
