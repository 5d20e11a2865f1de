//! One shard's state, and what may happen to it. The twin of the scripts in `presence/lua`.
//!
//! - here: what is held, the stream, and what the journal is handed.
//! - `passing`: what time does to a user, and who is told.
//! - `changing`: the operations that change a user.
//! - `reading`: what readers are answered.

mod changing;
mod passing;
mod reading;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use super::remembered::Memory;
use crate::ids::{SessionId, UserId};
use crate::presence::Reason;
use crate::presence::availability::{Availability, Choice, Privacy, Profile, Shown, Visibility};
use crate::presence::engine::Counts;
use crate::presence::rule::{HeldSession, Holding, shown};
use crate::presence::transition::{Entry, Epoch, Event, Transition, TransitionId};
use crate::timestamp::{Deadline, Timestamp};

/// A user with unsettled sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldUser {
    /// What began the online interval.
    pub reason: Reason,
    /// The newest sign of life of sessions that left since.
    pub gone: Option<Timestamp>,
    /// What it shows, and to whom; `None` for a plain profile, which most have.
    pub profile: Option<Box<Profile>>,
    /// Never empty.
    pub sessions: Vec<HeldSession>,
}

/// The profile of a user who has chosen nothing.
static PLAIN: Profile = Profile {
    choice: Choice { shown: Shown { availability: Availability::Available, words: None }, until: None },
    privacy: Privacy { online: Visibility::Everyone, last_seen: Visibility::Everyone },
};

impl HeldUser {
    /// What it shows, and to whom.
    #[must_use]
    pub fn profile(&self) -> &Profile {
        self.profile.as_deref().unwrap_or(&PLAIN)
    }

    /// Gives it a profile, but for a choice that has ended by `now`.
    fn adopt(&mut self, profile: &Profile, now: Timestamp) {
        self.profile = Some(profile.at(now)).filter(|profile| !profile.is_plain()).map(Box::new);
    }

    fn any_awake(&self) -> bool {
        self.sessions.iter().any(|session| !session.idle)
    }

    /// What is shown of it while all its sessions count.
    fn shown(&self) -> Shown {
        shown(&self.profile().choice.shown, self.any_awake())
    }

    fn is_hidden(&self) -> bool {
        self.profile().choice.shown.availability == Availability::Invisible
    }

    /// The newest sign of life.
    fn newest(&self) -> Option<Timestamp> {
        self.sessions.iter().map(HeldSession::last_seen).chain(self.gone).max()
    }

    fn holding(&self) -> Holding<'_> {
        let Self { ref sessions, gone, reason, .. } = *self;
        Holding { sessions, gone, reason, choice: &self.profile().choice }
    }

    /// What it counts for, as long as nothing of it is overdue.
    fn counted(&self) -> Counts {
        counted(&self.shown(), self.profile().privacy)
    }
}

/// What a user with live sessions counts for.
fn counted(shown: &Shown, privacy: Privacy) -> Counts {
    let when = |is: bool| u64::from(is);
    if shown.availability == Availability::Invisible {
        return Counts::default();
    }
    Counts {
        online: 1,
        limited: when(privacy.online != Visibility::Everyone),
        away: when(shown.availability == Availability::Away),
        dnd: when(shown.availability == Availability::Dnd),
    }
}

/// How much of a user the journal has still to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dirt {
    /// Deadlines moved.
    Deadlines,
    /// Sessions came or went, or the profile or a mark changed.
    Sessions,
}

/// One shard.
#[derive(Debug)]
pub struct Shard {
    users: HashMap<UserId, HeldUser>,
    /// All sessions by deadline: what the sweep reads from the low end.
    due: BTreeSet<(Deadline, UserId, SessionId)>,
    /// All choices that end, by that.
    choices: BTreeSet<(Timestamp, UserId)>,
    /// What all users count for, as long as nothing is overdue.
    counted: Counts,
    ended_users: Memory<UserId, SessionId>,
    ended_sessions: Memory<SessionId, ()>,
    timeouts: Memory<UserId, Duration>,
    profiles: Memory<UserId, Profile>,
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
            choices: BTreeSet::new(),
            counted: Counts::default(),
            ended_users: Memory::new(),
            ended_sessions: Memory::new(),
            timeouts: Memory::new(),
            profiles: Memory::new(),
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
            shard.put_back(user, held);
        }
        shard
    }

    /// Takes a user's value, to change it and put it back: what the shard has beside it follows it. The sessions' places
    /// in `due` are the caller's to keep.
    fn take(&mut self, user: UserId) -> Option<HeldUser> {
        let held = self.users.remove(&user)?;
        self.counted -= held.counted();
        if let Some(until) = held.profile().choice.until {
            self.choices.remove(&(until, user));
        }
        Some(held)
    }

    /// Puts a user's value back, unless no session is left.
    fn put_back(&mut self, user: UserId, held: HeldUser) {
        if held.sessions.is_empty() {
            return;
        }
        self.counted += held.counted();
        if let Some(until) = held.profile().choice.until {
            self.choices.insert((until, user));
        }
        self.users.insert(user, held);
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

    /// A user's sessions came or went, or the like.
    fn soil(&mut self, user: UserId) {
        self.dirty.insert(user, Dirt::Sessions);
        self.changed = true;
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
