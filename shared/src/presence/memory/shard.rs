//! One shard's state, and what may happen to it. The twin of the scripts in `presence/lua`.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use super::remembered::Memory;
use crate::ids::{SessionId, UserId};
use crate::presence::Reason;
use crate::presence::availability::{Privacy, Shown};
use crate::presence::engine::{Connect, Connected, ROW_FRESHNESS, Restatement, Touch};
use crate::presence::rule::{HeldSession, Known, survey};
use crate::presence::transition::{Entry, Epoch, Event, Transition, TransitionId};
use crate::timestamp::{Deadline, Timestamp};

/// A user with unsettled sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldUser {
    /// What began the online interval.
    pub reason: Reason,
    /// The newest sign of life of sessions that left since.
    pub gone: Option<Timestamp>,
    /// Never empty.
    pub sessions: Vec<HeldSession>,
}

/// How much of a user the journal has still to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dirt {
    /// Deadlines moved.
    Deadlines,
    /// Sessions came or went.
    Sessions,
}

/// One shard.
#[derive(Debug)]
pub struct Shard {
    users: HashMap<UserId, HeldUser>,
    /// All sessions by deadline: what the sweep reads from the low end.
    due: BTreeSet<(Deadline, UserId, SessionId)>,
    ended_users: Memory<UserId, SessionId>,
    ended_sessions: Memory<SessionId, ()>,
    timeouts: Memory<UserId, Duration>,
    unprojected: HashMap<UserId, (TransitionId, Transition)>,
    log: VecDeque<Entry>,
    newest: TransitionId,
    /// Entries up to this one are in the journal: nobody is shown one that a crash could take back.
    durable: TransitionId,
    trimmed: TransitionId,
    epoch: Epoch,
    /// For the journal: entries and users that it has not written.
    fresh: Vec<Entry>,
    dirty: HashMap<UserId, Dirt>,
    trimmed_anew: bool,
    /// Whether `fresh` or `dirty` hold more than moved deadlines.
    changed: bool,
    /// Whether the journal is writing such changes at this moment.
    writing: bool,
}

/// What a shard begins with after a restart.
#[derive(Debug, Default)]
pub struct Kept {
    /// Users with their sessions.
    pub users: Vec<(UserId, HeldUser)>,
    /// Transitions, oldest first.
    pub entries: Vec<Entry>,
    /// Transitions up to this one are gone.
    pub trimmed: TransitionId,
}

/// What the journal has to write: see [`Shard::take_unwritten`].
#[derive(Debug, Default)]
pub struct Unwritten {
    /// With what is here written, the journal is complete up to this entry.
    pub newest: TransitionId,
    /// New transitions.
    pub entries: Vec<Entry>,
    /// Changed users; `None` for one that holds no session any more.
    pub users: Vec<(UserId, Dirt, Option<HeldUser>)>,
    /// Transitions up to this one were forgotten.
    pub trimmed: Option<TransitionId>,
}

impl Unwritten {
    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.users.is_empty() && self.trimmed.is_none()
    }
}

impl Shard {
    /// A shard of this epoch with what was kept of it.
    #[must_use]
    pub fn new(epoch: Epoch, kept: Kept) -> Self {
        let mut shard = Self {
            users: HashMap::with_capacity(kept.users.len()),
            due: BTreeSet::new(),
            ended_users: Memory::new(),
            ended_sessions: Memory::new(),
            timeouts: Memory::new(),
            unprojected: HashMap::new(),
            newest: kept.entries.last().map_or(kept.trimmed, |entry| entry.id),
            durable: kept.entries.last().map_or(kept.trimmed, |entry| entry.id),
            log: VecDeque::new(),
            trimmed: kept.trimmed,
            epoch,
            fresh: Vec::new(),
            dirty: HashMap::new(),
            trimmed_anew: false,
            changed: false,
            writing: false,
        };
        for entry in kept.entries {
            // The projector forgets at its start what the database already has.
            if let Event::Transition(transition) = &entry.event {
                shard.unprojected.insert(transition.user, (entry.id, transition.clone()));
            }
            shard.log.push_back(entry);
        }
        for (user, held) in kept.users {
            shard.due.extend(held.sessions.iter().map(|s| (s.deadline, user, s.session)));
            shard.users.insert(user, held);
        }
        shard
    }

    fn append(&mut self, event: Event, now: Timestamp) {
        let ms = now.0.unsigned_abs();
        // Growing even where the clock is set back.
        self.newest = if ms > self.newest.ms {
            TransitionId { ms, seq: 0 }
        } else {
            TransitionId { ms: self.newest.ms, seq: self.newest.seq + 1 }
        };
        let entry = Entry { id: self.newest, event };
        if let Event::Transition(transition) = &entry.event {
            self.unprojected.insert(transition.user, (entry.id, transition.clone()));
        }
        self.log.push_back(entry.clone());
        self.fresh.push(entry);
        self.changed = true;
    }

    /// Takes out the sessions for which `leaves` is true. Whoever has none left goes offline: `at`, or, where that is
    /// `None`, at the last of their deadlines, but never before the last sign of life: a clock that was set back or a
    /// timeout that was shortened would have it so.
    fn take_out(
        &mut self,
        user: UserId,
        leaves: impl Fn(&HeldSession) -> bool,
        at: Option<Timestamp>,
        reason: Reason,
        now: Timestamp,
    ) -> bool {
        let Some(held) = self.users.get_mut(&user) else { return false };
        let (gone, left): (Vec<_>, Vec<_>) = held.sessions.iter().copied().partition(&leaves);
        let Some(last) = gone.iter().copied().max_by_key(|s| (s.deadline, s.session)) else { return false };
        held.gone = gone.iter().map(HeldSession::last_seen).chain(held.gone).max();
        let last_seen = held.gone.unwrap_or(now);
        held.sessions = left;
        let offline = held.sessions.is_empty();
        if offline {
            self.users.remove(&user);
        }
        self.soil(user);
        for session in gone {
            self.due.remove(&(session.deadline, user, session.session));
            if !(offline && session.session == last.session) {
                let last_seen = session.last_seen();
                self.append(Event::SessionLeft { user, session: session.session, last_seen }, now);
            }
        }
        if offline {
            let at = at.unwrap_or(last.deadline.0).max(last_seen);
            let session = Some(last.session);
            let session_seen = last.last_seen();
            let transition = Transition {
                user,
                online: false,
                at,
                last_seen,
                reason,
                session,
                session_seen,
                shown: Shown::default(),
                privacy: Privacy::default(),
            };
            self.append(Event::Transition(transition), now);
        }
        offline
    }

    /// A user's sessions came or went.
    fn soil(&mut self, user: UserId) {
        self.dirty.insert(user, Dirt::Sessions);
        self.changed = true;
    }

    fn settle(&mut self, user: UserId, now: Timestamp) {
        self.take_out(user, |s| !s.deadline.is_ahead(now), None, Reason::Timeout, now);
    }

    /// See [`crate::presence::PresenceEngine::touch`].
    pub fn touch(&mut self, touch: &Touch, now: Timestamp) -> Option<Deadline> {
        let session = self
            .users
            .get_mut(&touch.user)?
            .sessions
            .iter_mut()
            .find(|s| s.session == touch.session && !s.leaving && s.deadline.is_ahead(now))?;
        let deadline = Deadline(now.plus(session.timeout)).max(session.deadline);
        if deadline != session.deadline {
            self.due.remove(&(session.deadline, touch.user, touch.session));
            self.due.insert((deadline, touch.user, touch.session));
            session.deadline = deadline;
            self.dirty.entry(touch.user).or_insert(Dirt::Deadlines);
        }
        Some(deadline)
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
        let mut deadline = Deadline(now.plus(timeout));
        let fresh = || HeldUser { reason, gone: None, sessions: Vec::with_capacity(1) };
        let held = self.users.entry(user).or_insert_with(fresh);
        let began = held.sessions.is_empty();
        if let Some(place) = held.sessions.iter().position(|s| s.session == session) {
            let before = held.sessions.remove(place);
            self.due.remove(&(before.deadline, user, session));
            deadline = deadline.max(Deadline(before.last_seen().plus(timeout)));
        }
        held.sessions.push(HeldSession { session, timeout, deadline, leaving: false, idle: false });
        if began {
            let session = Some(session);
            let session_seen = now;
            let transition = Transition {
                user,
                online: true,
                at: now,
                last_seen: now,
                reason,
                session,
                session_seen,
                shown: Shown::default(),
                privacy: Privacy::default(),
            };
            self.append(Event::Transition(transition), now);
        }
        self.due.insert((deadline, user, session));
        self.soil(user);
        Connected::Live { now, deadline }
    }

    /// See [`crate::presence::PresenceEngine::disconnect`].
    pub fn disconnect(&mut self, user: UserId, session: SessionId, reason: Reason, now: Timestamp) -> bool {
        self.ended_sessions.set(session, (), now);
        self.settle(user, now);
        self.take_out(user, |s| s.session == session, Some(now), reason, now)
    }

    /// See [`crate::presence::PresenceEngine::evict`].
    pub fn evict(&mut self, user: UserId, up_to: SessionId, reason: Reason, now: Timestamp) -> bool {
        let farthest = self.ended_users.get(user, now).map_or(up_to, |before| before.max(up_to));
        self.ended_users.set(user, farthest, now);
        self.settle(user, now);
        self.take_out(user, |s| s.session <= up_to, Some(now), reason, now)
    }

    /// See [`crate::presence::PresenceEngine::admit`].
    pub fn admit(&mut self, user: UserId, after: SessionId, now: Timestamp) {
        self.ended_users.set(user, after, now);
    }

    /// See [`crate::presence::PresenceEngine::retime`].
    pub fn retime(&mut self, user: UserId, timeout: Duration, now: Timestamp) {
        self.timeouts.set(user, timeout, now);
        self.settle(user, now);
        if let Some(held) = self.users.get_mut(&user) {
            // A session that is leaving keeps its grace: its next sign of life brings the new timeout.
            for session in held.sessions.iter_mut().filter(|session| !session.leaving) {
                self.due.remove(&(session.deadline, user, session.session));
                session.deadline = Deadline(session.last_seen().plus(timeout));
                session.timeout = timeout;
                self.due.insert((session.deadline, user, session.session));
            }
            self.soil(user);
        }
        // A shorter timeout may have ended some of them already.
        self.settle(user, now);
    }

    /// See [`crate::presence::PresenceEngine::leave`].
    pub fn leave(&mut self, user: UserId, id: SessionId, grace: Duration, now: Timestamp) -> Option<Deadline> {
        self.settle(user, now);
        let session = self.users.get_mut(&user)?.sessions.iter_mut().find(|session| session.session == id)?;
        let before = *session;
        if session.leaving || session.timeout <= grace {
            return Some(session.deadline);
        }
        let deadline = Deadline(now.plus(grace));
        *session = HeldSession { timeout: grace, deadline, leaving: true, ..before };
        self.due.remove(&(before.deadline, user, id));
        self.due.insert((deadline, user, id));
        self.soil(user);
        Some(deadline)
    }

    /// See [`crate::presence::PresenceEngine::expire`].
    pub fn expire(&mut self, most: usize, now: Timestamp) -> usize {
        let overdue: Vec<UserId> = self.overdue(now).take(most).collect();
        for user in &overdue {
            self.settle(*user, now);
        }
        overdue.len()
    }

    /// The user of each session past its deadline, the longest overdue first.
    fn overdue(&self, now: Timestamp) -> impl Iterator<Item = UserId> + '_ {
        self.due.iter().take_while(move |(deadline, ..)| !deadline.is_ahead(now)).map(|(_, user, _)| *user)
    }

    /// What is known of a user.
    #[must_use]
    pub fn known(&self, user: UserId, now: Timestamp) -> Known {
        let held = self.users.get(&user).and_then(|held| survey(&held.sessions, held.gone, held.reason, now));
        held.unwrap_or_else(|| match self.unprojected.get(&user) {
            Some((_, t)) if !t.online => Known::Offline { at: t.at, last_seen: t.last_seen, reason: t.reason },
            _ => Known::Settled,
        })
    }

    /// How many users are online.
    #[must_use]
    pub fn online(&self, now: Timestamp) -> u64 {
        let overdue: std::collections::HashSet<_> = self.overdue(now).collect();
        let offline = overdue.iter().filter(|user| !matches!(self.known(**user, now), Known::Online { .. })).count();
        (self.users.len() - offline) as u64
    }

    /// See [`crate::presence::PresenceEngine::delta`].
    #[must_use]
    pub fn delta(&self, now: Timestamp) -> Vec<(UserId, Known)> {
        let users: std::collections::HashSet<_> = self.unprojected.keys().copied().chain(self.overdue(now)).collect();
        users.into_iter().map(|user| (user, self.known(user, now))).collect()
    }

    /// A user's sessions.
    #[must_use]
    pub fn sessions(&self, user: UserId) -> Vec<HeldSession> {
        self.users.get(&user).map(|held| held.sessions.clone()).unwrap_or_default()
    }

    /// All users with their sessions.
    pub fn users(&self) -> impl Iterator<Item = (UserId, &HeldUser)> {
        self.users.iter().map(|(user, held)| (*user, held))
    }

    /// Entries after `after`.
    #[must_use]
    pub fn entries(&self, after: TransitionId, most: usize) -> Vec<Entry> {
        let from = self.log.partition_point(|entry| entry.id <= after);
        self.log.range(from..).take_while(|entry| entry.id <= self.durable).take(most).cloned().collect()
    }

    /// The newest entry's id that may be shown, and the newest that was forgotten.
    #[must_use]
    pub fn bounds(&self) -> (TransitionId, TransitionId) {
        (self.newest.min(self.durable).max(self.trimmed), self.trimmed)
    }

    /// This shard's epoch.
    #[must_use]
    pub fn epoch(&self) -> &Epoch {
        &self.epoch
    }

    /// See [`crate::presence::PresenceEngine::projected`].
    pub fn projected(&mut self, up_to: TransitionId, users: &[UserId]) {
        if users.is_empty() {
            self.unprojected.retain(|_, (id, _)| *id > up_to);
        }
        for user in users {
            if self.unprojected.get(user).is_some_and(|(id, _)| *id <= up_to) {
                self.unprojected.remove(user);
            }
        }
    }

    /// See [`crate::presence::PresenceEngine::trim`].
    pub fn trim(&mut self, projected: TransitionId, keep: Duration, now: Timestamp) -> u64 {
        let oldest = now.minus(keep).0.max(0).unsigned_abs();
        let mut forgotten = 0;
        while let Some(entry) = self.log.front()
            && entry.id.ms < oldest
            && entry.id <= projected
        {
            self.trimmed = entry.id;
            self.trimmed_anew = true;
            self.log.pop_front();
            forgotten += 1;
        }
        forgotten
    }

    /// See [`crate::presence::PresenceEngine::restate`].
    pub fn restate(&mut self, user: UserId, projected_online: bool, offline: Restatement, now: Timestamp) -> bool {
        self.settle(user, now);
        let held = self.users.get(&user);
        if self.unprojected.contains_key(&user) || held.is_some() == projected_online {
            return false;
        }
        let transition = match held.and_then(|held| Some((held, held.sessions.first()?))) {
            Some((held, first)) => {
                let seen = held.sessions.iter().map(HeldSession::last_seen).chain(held.gone).max().unwrap_or(now);
                let (reason, session) = (held.reason, Some(first.session));
                Transition {
                    user,
                    online: true,
                    at: now,
                    last_seen: seen,
                    reason,
                    session,
                    session_seen: seen,
                    shown: Shown::default(),
                    privacy: Privacy::default(),
                }
            }
            None => {
                let Restatement { at, last_seen, reason } = offline;
                let session_seen = last_seen;
                Transition {
                    user,
                    online: false,
                    at,
                    last_seen,
                    reason,
                    session: None,
                    session_seen,
                    shown: Shown::default(),
                    privacy: Privacy::default(),
                }
            }
        };
        self.append(Event::Transition(transition), now);
        true
    }

    /// Whether the journal lacks more than deadlines. An answer that rests on such a change waits for it too.
    #[must_use]
    pub fn is_changed(&self) -> bool {
        self.changed || self.writing
    }

    /// Says that the journal has what was handed over last, and is complete up to `up_to`.
    pub fn written(&mut self, up_to: TransitionId) {
        self.writing = false;
        self.durable = self.durable.max(up_to);
    }

    /// Says that there is no journal: everything is shown at once.
    pub fn without_journal(&mut self) {
        self.durable = TransitionId { ms: u64::MAX, seq: u64::MAX };
    }

    /// Hands over what the journal has not written yet.
    pub fn take_unwritten(&mut self) -> Unwritten {
        let dirty = std::mem::take(&mut self.dirty);
        self.writing = std::mem::take(&mut self.changed);
        Unwritten {
            newest: self.newest,
            entries: std::mem::take(&mut self.fresh),
            users: dirty.into_iter().map(|(user, dirt)| (user, dirt, self.users.get(&user).cloned())).collect(),
            trimmed: std::mem::take(&mut self.trimmed_anew).then_some(self.trimmed),
        }
    }
}
