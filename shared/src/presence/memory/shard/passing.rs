//! What time does to a user, and who is told.

use super::{HeldUser, Shard};
use crate::ids::UserId;
use crate::presence::Reason;
use crate::presence::availability::{Availability, Choice, Profile, Shown};
use crate::presence::rule::{HeldSession, shown};
use crate::presence::transition::{Event, Transition};
use crate::timestamp::Timestamp;

/// What is to be taken from a user.
struct Passing {
    leaving: Vec<HeldSession>,
    /// When they leave, where that is not at their deadlines.
    at: Option<Timestamp>,
    reason: Reason,
    /// The end of its choice, if that has come.
    ends: Option<Timestamp>,
}

/// A transition of a user's as of now, in which no session has a part.
fn told(user: UserId, held: &HeldUser, shown: Shown, at: Timestamp, last_seen: Timestamp) -> Transition {
    Transition {
        user,
        online: true,
        at,
        last_seen,
        reason: held.reason,
        session: None,
        session_seen: last_seen,
        shown,
        privacy: held.profile().privacy,
    }
}

impl Shard {
    /// Tells what has come, at the moment `at`, of a user of whom `before` was shown and `after` is: nothing, where that
    /// is the same, or where nobody saw it before and nobody does after.
    pub(super) fn tell(
        &mut self,
        user: UserId,
        held: &mut HeldUser,
        before: &Shown,
        after: Shown,
        at: Timestamp,
        now: Timestamp,
    ) {
        let newest = held.newest().unwrap_or(at);
        let invisible = |shown: &Shown| shown.availability == Availability::Invisible;
        match (invisible(before), invisible(&after)) {
            (true, true) => {}
            (false, true) => {
                // Nobody goes offline before the last sign of life: a clock that was set back would have it so.
                let went = told(user, held, Shown::default(), at.max(newest), newest);
                let went = Transition { online: false, reason: Reason::Logout, ..went };
                self.append(Event::Transition(went), now);
            }
            (true, false) => {
                held.reason = Reason::Login;
                // Heartbeats may have come after a moment that is noticed only now.
                // As a log-in of the session that was seen last: nobody is to tell the one from the other.
                let last = held.sessions.iter().max_by_key(|session| (session.last_seen(), session.session));
                let (session, seen) = last.map(|last| (last.session, last.last_seen().min(at))).unzip();
                let came = told(user, held, after, at, newest.min(at));
                let session_seen = seen.unwrap_or(came.session_seen);
                self.append(Event::Transition(Transition { session, session_seen, ..came }), now);
            }
            (false, false) if *before != after => {
                self.append(Event::Shown(told(user, held, after, at, newest.min(at))), now);
            }
            (false, false) => {}
        }
    }

    /// Takes sessions out, in the order in which they stop counting, each at its deadline, or all at `at`; and at `ends`,
    /// where there is one, the choice. Whoever has none left goes offline, but never before the last sign of life: a clock
    /// that was set back or a timeout that was shortened would have it so. Of an invisible user, sessions leave and nothing
    /// else is told. Answers whether the user went offline.
    fn pass(&mut self, user: UserId, passing: Passing, now: Timestamp) -> bool {
        let Some(mut held) = self.take(user) else { return false };
        let Passing { mut leaving, at, reason, mut ends } = passing;
        leaving.sort_unstable_by_key(|session| (session.deadline, session.session));
        let mut awake = held.sessions.iter().filter(|session| !session.idle).count();
        held.gone = leaving.iter().map(HeldSession::last_seen).chain(held.gone).max();
        // Both are sorted by then, so this is no search for each.
        held.sessions.retain(|session| {
            leaving.binary_search_by_key(&(session.deadline, session.session), |s| (s.deadline, s.session)).is_err()
        });
        let moment_of = |session: &HeldSession| at.unwrap_or(session.deadline.0);
        let mut leaving = leaving.into_iter().peekable();
        let mut offline = false;
        while let Some(moment) = leaving.peek().map(moment_of).into_iter().chain(ends).min() {
            let before = shown(&held.profile().choice.shown, awake > 0);
            while let Some(session) = leaving.next_if(|session| moment_of(session) == moment) {
                awake -= usize::from(!session.idle);
                let last = leaving.peek().is_none() && held.sessions.is_empty();
                let session_seen = session.last_seen();
                if last && !held.is_hidden() {
                    offline = true;
                    let last_seen = held.gone.unwrap_or(now);
                    let went = told(user, &held, Shown::default(), moment.max(last_seen), last_seen);
                    let session = Some(session.session);
                    let went = Transition { online: false, reason, session, session_seen, ..went };
                    self.append(Event::Transition(went), now);
                } else {
                    let session = session.session;
                    self.append(Event::SessionLeft { user, session, last_seen: session_seen }, now);
                }
            }
            if leaving.peek().is_none() && held.sessions.is_empty() {
                // Whatever ends from now on ends for nobody.
                break;
            }
            if ends == Some(moment) {
                ends = None;
                let privacy = held.profile().privacy;
                held.adopt(&Profile { choice: Choice::default(), privacy }, now);
            }
            let after = shown(&held.profile().choice.shown, awake > 0);
            // At this moment those were there that leave later.
            let staying = held.sessions.len();
            if before.availability == Availability::Invisible {
                held.sessions.extend(leaving.clone());
            }
            self.tell(user, &mut held, &before, after, moment, now);
            held.sessions.truncate(staying);
        }
        self.put_back(user, held);
        self.soil(user);
        offline
    }

    /// Takes out the sessions for which `leaves` is true, at `at`. Answers whether the user went offline by it.
    pub(super) fn take_out(
        &mut self,
        user: UserId,
        leaves: impl Fn(&HeldSession) -> bool,
        at: Timestamp,
        reason: Reason,
    ) -> bool {
        let Some(held) = self.users.get(user) else { return false };
        let leaving: Vec<HeldSession> = held.sessions(|all| all.iter().copied().filter(leaves).collect());
        !leaving.is_empty() && self.pass(user, Passing { leaving, at: Some(at), reason, ends: None }, at)
    }

    /// Takes out what has passed its deadline, and a choice that has ended, in the order of their times.
    pub fn settle(&mut self, user: UserId, now: Timestamp) {
        let Some(held) = self.users.get(user) else { return };
        let has_passed = |session: &HeldSession| !session.deadline.is_ahead(now);
        let leaving: Vec<HeldSession> = held.sessions(|all| all.iter().copied().filter(has_passed).collect());
        let ends = held.profile().choice.until.filter(|until| *until <= now);
        if !leaving.is_empty() || ends.is_some() {
            self.pass(user, Passing { leaving, at: None, reason: Reason::Timeout, ends }, now);
        }
    }
}
