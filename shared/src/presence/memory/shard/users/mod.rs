//! All users that a shard holds, and when they fall due: some 60 bytes each.
//!
//! - `record`: one user, packed.
//! - `slab`: where the records stand.
//! - `wheel`: what falls due.

mod record;
mod slab;
#[cfg(test)]
mod tests;
mod wheel;

use hashbrown::HashTable;

use self::record::{HELD, MOVED, Record, SOON};
use self::slab::Slab;
use self::wheel::Wheel;
use super::{HeldUser, Moved};
use crate::ids::{SessionId, UserId};
use crate::presence::engine::Touch;
use crate::timestamp::{Deadline, Timestamp};

/// See the module's docs.
#[derive(Debug)]
pub(super) struct Users {
    /// Sessions of all of them.
    sessions: usize,
    /// Places in the slab, by user.
    places: HashTable<u32>,
    slab: Slab,
    wheel: Wheel,
    /// The places of users of whom a heartbeat has moved a deadline since the journal was told of it; perhaps among
    /// others. `None` where there is no journal.
    moved: Option<Vec<u32>>,
}

/// Ids are numbers that the database counted up: nobody chooses them so that they meet.
fn hash(user: UserId) -> u64 {
    let product = u128::from(user.0.cast_unsigned()) * 0x9E37_79B9_7F4A_7C15;
    (product >> 64) as u64 ^ product as u64
}

impl Users {
    pub(super) fn new() -> Self {
        Self {
            sessions: 0,
            places: HashTable::new(),
            slab: Slab::new(),
            wheel: Wheel::new(),
            moved: Some(Vec::new()),
        }
    }

    /// There is no journal: nothing is gathered for it.
    pub(super) fn without_journal(&mut self) {
        self.moved = None;
    }

    fn place(&self, user: UserId) -> Option<u32> {
        self.places.find(hash(user), |place| self.slab[*place].user == user).copied()
    }

    pub(super) fn get(&self, user: UserId) -> Option<&Record> {
        self.place(user).map(|place| &self.slab[place])
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// How many sessions they hold.
    pub(super) fn sessions(&self) -> usize {
        self.sessions
    }

    /// All of them.
    pub(super) fn ids(&self) -> impl Iterator<Item = UserId> {
        self.slab.iter().map(|record| record.user)
    }

    /// A heartbeat: a look for the user, and a write of its deadline.
    pub(super) fn touch(&mut self, touch: &Touch, now: Timestamp) -> Option<Deadline> {
        let place = self.place(touch.user)?;
        let session = self.slab[place].session(touch.session).filter(|s| !s.leaving && s.deadline.is_ahead(now))?;
        let deadline = Deadline(now.plus(session.timeout)).max(session.deadline);
        if deadline != session.deadline {
            self.postpone(place, touch.session, deadline);
            if let Some(moved) = self.moved.as_mut().filter(|_| self.slab[place].marks & MOVED == 0) {
                self.slab[place].marks |= MOVED;
                moved.push(place);
            }
        }
        Some(deadline)
    }

    fn postpone(&mut self, place: u32, session: SessionId, to: Deadline) {
        let in_order = self.slab[place].marks & SOON != 0;
        if in_order {
            self.wheel.unfile(&mut self.slab, place);
        }
        self.slab[place].postpone(session, to);
        if in_order {
            self.wheel.file(&mut self.slab, place);
        }
    }

    /// Takes a user's value, to change it and put it back. That a heartbeat moved it is forgotten: whoever takes it tells
    /// the journal of all of it.
    pub(super) fn take(&mut self, user: UserId) -> Option<HeldUser> {
        let found = self.places.find_entry(hash(user), |place| self.slab[*place].user == user).ok()?;
        let (place, _) = found.remove();
        self.wheel.unfile(&mut self.slab, place);
        let held = self.slab.remove(place).unpack();
        self.sessions -= held.sessions.len();
        Some(held)
    }

    /// Puts a value in, of a user who is not there.
    pub(super) fn put(&mut self, user: UserId, held: HeldUser) {
        let place = self.put_unfiled(user, held);
        self.wheel.file(&mut self.slab, place);
    }

    fn put_unfiled(&mut self, user: UserId, held: HeldUser) -> u32 {
        self.sessions += held.sessions.len();
        let place = self.slab.insert(Record::pack(user, held));
        let slab = &self.slab;
        self.places.insert_unique(hash(user), place, |place| hash(slab[*place].user));
        place
    }

    /// Turns the wheel to `now`, before it is asked what is overdue.
    pub(super) fn turn(&mut self, now: Timestamp) {
        for user in self.wheel.turn(&mut self.slab, now) {
            if let Some(place) = self.place(user) {
                self.wheel.file_again(&mut self.slab, place);
            }
        }
    }

    /// The user of each session past its deadline, the longest overdue first. Of a wheel that was turned to `now`.
    pub(super) fn overdue(&self, now: Timestamp) -> impl Iterator<Item = UserId> {
        self.wheel.overdue(now)
    }

    /// The earliest deadline of all.
    pub(super) fn earliest(&mut self) -> Option<Deadline> {
        self.wheel.earliest(&mut self.slab)
    }

    /// Makes room for so many.
    pub(super) fn reserve(&mut self, users: usize) {
        let slab = &self.slab;
        self.places.reserve(users, |place| hash(slab[*place].user));
    }

    /// Puts in what the journal has of a user. All are to be filed by [`Users::restored`] in the end.
    pub(super) fn restore(&mut self, user: UserId, held: HeldUser) {
        self.put_unfiled(user, held);
    }

    /// What the journal has of a heartbeat that came after a session was written.
    pub(super) fn restore_moved(&mut self, user: UserId, session: SessionId, to: Deadline) {
        if let Some(place) = self.place(user) {
            self.slab[place].postpone(session, to);
        }
    }

    /// Everything that the journal has is there.
    pub(super) fn restored(&mut self) {
        for place in 0..self.slab.end() {
            if self.slab[place].marks & HELD != 0 {
                self.wheel.file(&mut self.slab, place);
            }
        }
    }

    /// Hands over at most `most` users' deadlines of those that heartbeats have moved. Answers whether there are more.
    pub(super) fn take_moved(&mut self, most: usize, to: &mut Moved) -> bool {
        let Some(places) = &mut self.moved else { return false };
        for place in places.split_off(places.len().saturating_sub(most)) {
            let record = &mut self.slab[place];
            // Whoever came to stand at the place since is marked by heartbeats of its own.
            if record.marks & MOVED != 0 {
                record.marks &= !MOVED;
                to.all_of(record.user, record);
            }
        }
        !places.is_empty()
    }

    /// Tells the deadlines of at most `most` places from a place on. Answers where to go on.
    pub(super) fn deadlines(&self, from: u32, most: u32, to: &mut Moved) -> Option<u32> {
        let end = self.slab.end();
        let until = from.saturating_add(most).min(end);
        for place in from..until {
            let record = &self.slab[place];
            if record.marks & HELD != 0 {
                to.all_of(record.user, record);
            }
        }
        (until < end).then_some(until)
    }
}

impl Moved {
    fn all_of(&mut self, user: UserId, record: &Record) {
        record.sessions(|all| all.iter().for_each(|session| self.push(user, session.session, session.deadline)));
    }
}
