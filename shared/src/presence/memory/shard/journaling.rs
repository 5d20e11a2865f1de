//! The stream's end, and what the journal is handed and gives back.

use std::time::Duration;

use super::{HeldUser, Moved, Shard, Unwritten};
use crate::ids::{SessionId, UserId};
use crate::presence::transition::{Entry, Event, TransitionId};
use crate::timestamp::{Deadline, Timestamp};

/// Whether a collection has far more room than it needs.
fn roomy(capacity: usize, length: usize) -> bool {
    capacity > 4_096 && length < capacity / 4
}

impl Shard {
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
        // After a rush the room of a rush is not kept.
        if roomy(self.unprojected.capacity(), self.unprojected.len()) {
            self.unprojected.shrink_to_fit();
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
        if roomy(self.log.capacity(), self.log.len()) {
            self.log.shrink_to_fit();
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

    /// Says that there is no journal: everything is shown at once, and nothing is gathered for it.
    pub fn without_journal(&mut self) {
        self.durable = TransitionId { ms: u64::MAX, seq: u64::MAX };
        self.journaled = false;
        self.users.without_journal();
    }

    /// Hands over what the journal has not written yet.
    pub fn take_unwritten(&mut self) -> Unwritten {
        let dirty = std::mem::take(&mut self.dirty);
        self.writing = std::mem::take(&mut self.changed);
        let mut moved = Moved::default();
        self.users.take_moved(usize::MAX, &mut moved);
        let held = |user| (user, self.users.get(user).map(|record| record.held()));
        Unwritten {
            newest: self.newest,
            entries: std::mem::take(&mut self.fresh),
            users: dirty.into_iter().map(held).collect(),
            moved,
            trimmed: std::mem::take(&mut self.trimmed_anew).then_some(self.trimmed),
        }
    }

    /// Hands over moved deadlines alone, of at most `most` users, so that [`Shard::take_unwritten`] has few of them left
    /// and the shard is not held for long. Answers whether there are more.
    pub fn take_moved(&mut self, most: usize, to: &mut Moved) -> bool {
        self.users.take_moved(most, to)
    }

    /// Tells the deadlines of a part of the users, from a place on (0 first), at most `most` places. Answers where to go
    /// on. Whoever goes on to the end has been told of everybody who was there all the time.
    #[must_use]
    pub fn deadlines(&self, from: u32, most: u32, to: &mut Moved) -> Option<u32> {
        self.users.deadlines(from, most, to)
    }

    /// How many users are held.
    #[must_use]
    pub fn held_users(&self) -> usize {
        self.users.len()
    }

    /// How many sessions are held.
    #[must_use]
    pub fn held_sessions(&self) -> usize {
        self.users.sessions()
    }

    /// Makes room for so many users.
    pub fn reserve(&mut self, users: usize) {
        self.users.reserve(users);
    }

    /// Puts in what the journal has of a user; then what it has of heartbeats after that; then [`Shard::restored`].
    pub fn restore(&mut self, user: UserId, held: HeldUser) {
        self.count_in(user, &held);
        self.users.restore(user, held);
    }

    /// Gives a session the deadline that a heartbeat moved it to, where that is later.
    pub fn restore_moved(&mut self, user: UserId, session: SessionId, to: Deadline) {
        self.users.restore_moved(user, session, to);
    }

    /// Goes on from these transitions, all that the journal has, oldest first.
    pub fn restore_log(&mut self, entries: Vec<Entry>) {
        if let Some(newest) = entries.last() {
            (self.newest, self.durable) = (newest.id, newest.id);
        }
        for entry in &entries {
            // The projector forgets at its start what the database already has.
            if let Event::Transition(transition) = &entry.event {
                self.unprojected.insert(transition.user, (entry.id, transition.clone()));
            }
        }
        self.log = entries.into();
    }

    /// Everything that the journal has is there.
    pub fn restored(&mut self) {
        self.users.restored();
    }
}
