//! One shard's state, and what may happen to it. The twin of the scripts in `presence/lua`.
//!
//! - here: what is held, and the stream.
//! - `passing`: what time does to a user, and who is told.
//! - `changing`: the operations that change a user.
//! - `reading`: what readers are answered.
//! - `journaling`: the stream's end, and what the journal is handed and gives back.
//! - `users`: all users, packed, and when they fall due.
//! - `moved`: deadlines that heartbeats moved, for the journal.

mod changing;
mod journaling;
mod moved;
mod passing;
mod reading;
mod users;

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::time::Duration;

pub use self::moved::Moved;
use self::users::Users;
use super::remembered::Memory;
use crate::ids::{SessionId, UserId};
use crate::presence::Reason;
use crate::presence::availability::{Availability, Choice, Privacy, Profile, Shown, Visibility};
use crate::presence::engine::Counts;
use crate::presence::rule::{HeldSession, shown};
use crate::presence::transition::{Entry, Epoch, Event, Transition, TransitionId};
use crate::timestamp::Timestamp;

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

/// One shard.
#[derive(Debug)]
pub struct Shard {
    users: Users,
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
    journaled: bool,
    /// For the journal: entries that it has not written, and users of whom more than deadlines has changed.
    fresh: Vec<Entry>,
    dirty: HashSet<UserId>,
    trimmed_anew: bool,
    /// Whether `fresh` or `dirty` hold anything.
    changed: bool,
    /// Whether the journal is writing such changes at this moment.
    writing: bool,
}

/// What the journal has to write: see [`Shard::take_unwritten`].
#[derive(Debug, Default)]
pub struct Unwritten {
    /// With what is here written, the journal is complete up to this entry.
    pub newest: TransitionId,
    /// New transitions.
    pub entries: Vec<Entry>,
    /// Users of whom more than deadlines has changed; `None` for one that holds no session any more.
    pub users: Vec<(UserId, Option<HeldUser>)>,
    /// Deadlines that heartbeats moved, as they are now.
    pub moved: Moved,
    /// Transitions up to this one were forgotten.
    pub trimmed: Option<TransitionId>,
}

impl Unwritten {
    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.users.is_empty() && self.moved.is_empty() && self.trimmed.is_none()
    }
}

impl Shard {
    /// A shard of this epoch, whose transitions up to `trimmed` are gone, with nothing in it.
    #[must_use]
    pub fn new(epoch: Epoch, trimmed: TransitionId) -> Self {
        Self {
            users: Users::new(),
            choices: BTreeSet::new(),
            counted: Counts::default(),
            ended_users: Memory::new(),
            ended_sessions: Memory::new(),
            timeouts: Memory::new(),
            profiles: Memory::new(),
            unprojected: HashMap::new(),
            newest: trimmed,
            durable: trimmed,
            log: VecDeque::new(),
            trimmed,
            epoch,
            journaled: true,
            fresh: Vec::new(),
            dirty: HashSet::new(),
            trimmed_anew: false,
            changed: false,
            writing: false,
        }
    }

    /// Takes a user's value, to change it and put it back: what the shard has beside it follows it. Whoever changes it
    /// says so with `soil`.
    fn take(&mut self, user: UserId) -> Option<HeldUser> {
        let held = self.users.take(user)?;
        self.counted -= held.counted();
        if let Some(until) = held.profile().choice.until {
            self.choices.remove(&(until, user));
        }
        Some(held)
    }

    /// Puts a user's value back, unless no session is left.
    fn put_back(&mut self, user: UserId, held: HeldUser) {
        if !held.sessions.is_empty() {
            self.count_in(user, &held);
            self.users.put(user, held);
        }
    }

    fn count_in(&mut self, user: UserId, held: &HeldUser) {
        self.counted += held.counted();
        if let Some(until) = held.profile().choice.until {
            self.choices.insert((until, user));
        }
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
        if self.journaled {
            self.fresh.push(entry.clone());
            self.changed = true;
        }
        self.log.push_back(entry);
    }

    /// A user's sessions came or went, or the like.
    fn soil(&mut self, user: UserId) {
        if self.journaled {
            self.dirty.insert(user);
            self.changed = true;
        }
    }
}
