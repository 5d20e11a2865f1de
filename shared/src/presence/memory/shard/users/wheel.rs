//! What falls due, without a heartbeat having to say so.
//!
//! Each user is in the list of one bucket of time, at or before the earliest of its deadlines. A heartbeat moves the
//! deadline and leaves the user where it is: a bucket is a lower bound. Whoever wants to know what is overdue first
//! turns the wheel to its own time: the users of the buckets that have come are filed anew by what their deadlines are
//! by then. Most are farther off. Sessions whose deadlines come within this very bucket of time, or are overdue, stand
//! in order in a set of their own, and only these have a heartbeat move something.
//!
//! The lists run through the records, doubly linked. So whoever leaves leaves nothing behind.

use std::collections::{BTreeMap, BTreeSet};

#[cfg(test)]
use super::record::HELD;
use super::record::SOON;
use super::slab::{NONE, Slab};
use crate::ids::{SessionId, UserId};
use crate::timestamp::{Deadline, Timestamp};

/// A bucket is so many milliseconds wide, as a power of two.
const WIDTH: u32 = 7;
/// Marks in a record's `previous` that the rest of it is a bucket's place, and the record the first of its list.
const FIRST: u32 = 1 << 31;

/// See the module's docs.
#[derive(Debug)]
pub(super) struct Wheel {
    /// Places in `heads`, by the bucket's number.
    buckets: BTreeMap<i64, u32>,
    heads: Vec<Head>,
    vacant: Vec<u32>,
    /// Sessions with deadlines before this are in `soon`.
    horizon: Deadline,
    soon: BTreeSet<(Deadline, UserId, SessionId)>,
    #[cfg(test)]
    pub(super) filed: usize,
}

#[derive(Debug)]
struct Head {
    bucket: i64,
    first: u32,
}

fn bucket_of(deadline: Deadline) -> i64 {
    deadline.0.0 >> WIDTH
}

impl Wheel {
    pub(super) fn new() -> Self {
        Self {
            buckets: BTreeMap::new(),
            heads: Vec::new(),
            vacant: Vec::new(),
            horizon: Deadline(Timestamp(i64::MIN)),
            soon: BTreeSet::new(),
            #[cfg(test)]
            filed: 0,
        }
    }

    /// Files a user, who is not in a list.
    pub(super) fn file(&mut self, slab: &mut Slab, place: u32) {
        #[cfg(test)]
        {
            self.filed += 1;
        }
        let (mut soon, mut later) = (false, None::<Deadline>);
        let (user, horizon) = (slab[place].user, self.horizon);
        slab[place].sessions(|all| {
            for session in all {
                if session.deadline < horizon {
                    soon = true;
                    self.soon.insert((session.deadline, user, session.session));
                } else {
                    later = Some(later.map_or(session.deadline, |later| later.min(session.deadline)));
                }
            }
        });
        slab[place].marks = (slab[place].marks & !SOON) | if soon { SOON } else { 0 };
        if let Some(later) = later {
            self.link(slab, place, bucket_of(later));
        }
    }

    /// Takes out what [`Wheel::file`] put in.
    pub(super) fn unfile(&mut self, slab: &mut Slab, place: u32) {
        self.unlink(slab, place);
        if slab[place].marks & SOON != 0 {
            slab[place].marks &= !SOON;
            let user = slab[place].user;
            slab[place].sessions(|all| {
                for session in all {
                    self.soon.remove(&(session.deadline, user, session.session));
                }
            });
        }
    }

    fn link(&mut self, slab: &mut Slab, place: u32, bucket: i64) {
        let Self { buckets, heads, vacant, .. } = self;
        let head = *buckets.entry(bucket).or_insert_with(|| {
            let head = Head { bucket, first: NONE };
            match vacant.pop() {
                Some(at) => {
                    heads[at as usize] = head;
                    at
                }
                None => {
                    heads.push(head);
                    // No more than there are users.
                    u32::try_from(heads.len() - 1).unwrap_or(NONE)
                }
            }
        });
        let next = std::mem::replace(&mut heads[head as usize].first, place);
        slab[place].previous = FIRST | head;
        slab[place].next = next;
        if next != NONE {
            slab[next].previous = place;
        }
    }

    fn unlink(&mut self, slab: &mut Slab, place: u32) {
        let next = std::mem::replace(&mut slab[place].next, NONE);
        let previous = std::mem::replace(&mut slab[place].previous, NONE);
        if previous == NONE {
            return;
        }
        if next != NONE {
            slab[next].previous = previous;
        }
        if previous & FIRST == 0 {
            slab[previous].next = next;
            return;
        }
        let head = &mut self.heads[(previous & !FIRST) as usize];
        head.first = next;
        if next == NONE {
            self.buckets.remove(&head.bucket);
            self.vacant.push(previous & !FIRST);
        }
    }

    /// Turns the wheel, so that all that is overdue at `now` is in order. Answers the users that are to be filed anew
    /// because the clock was set back.
    pub(super) fn turn(&mut self, slab: &mut Slab, now: Timestamp) -> BTreeSet<UserId> {
        let horizon = Deadline(Timestamp(((now.0 >> WIDTH) + 1) << WIDTH));
        if horizon == self.horizon {
            return BTreeSet::new();
        }
        if horizon < self.horizon {
            let behind = (horizon, UserId(i64::MIN), SessionId(i64::MIN));
            self.horizon = horizon;
            return self.soon.split_off(&behind).into_iter().map(|(_, user, _)| user).collect();
        }
        self.horizon = horizon;
        while let Some(come) = self.buckets.first_entry().filter(|first| *first.key() < bucket_of(horizon)) {
            let head = come.remove();
            let mut place = std::mem::replace(&mut self.heads[head as usize].first, NONE);
            self.vacant.push(head);
            while place != NONE {
                let next = std::mem::replace(&mut slab[place].next, NONE);
                slab[place].previous = NONE;
                self.file(slab, place);
                place = next;
            }
        }
        BTreeSet::new()
    }

    /// Files one of them.
    pub(super) fn file_again(&mut self, slab: &mut Slab, place: u32) {
        self.unlink(slab, place);
        self.file(slab, place);
    }

    /// Each session past its deadline, the longest overdue first. Of a wheel that was turned to `now`.
    pub(super) fn overdue(&self, now: Timestamp) -> impl Iterator<Item = UserId> {
        self.soon.iter().take_while(move |(deadline, ..)| !deadline.is_ahead(now)).map(|(_, user, _)| *user)
    }

    /// The earliest deadline of all. Whom heartbeats have moved out of the first bucket is filed anew, until somebody
    /// is found that they have not.
    pub(super) fn earliest(&mut self, slab: &mut Slab) -> Option<Deadline> {
        if let Some((deadline, ..)) = self.soon.first() {
            return Some(*deadline);
        }
        loop {
            let (bucket, head) = self.buckets.first_key_value().map(|(bucket, head)| (*bucket, *head))?;
            let (mut earliest, mut place) = (None::<Deadline>, self.heads[head as usize].first);
            while place != NONE {
                let (next, deadline) = (slab[place].next, slab[place].earliest());
                if bucket_of(deadline) == bucket {
                    earliest = Some(earliest.map_or(deadline, |earliest| earliest.min(deadline)));
                } else {
                    self.file_again(slab, place);
                }
                place = next;
            }
            if earliest.is_some() {
                return earliest;
            }
        }
    }

    /// What it has allocated; of trees at most, whose nodes may be half empty.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        let trees = self.buckets.len() * 2 * size_of::<(i64, u32)>() + self.soon.len() * 2 * 24;
        trees + self.heads.capacity() * size_of::<Head>() + self.vacant.capacity() * size_of::<u32>()
    }

    /// Holds it to what the module's docs say.
    #[cfg(test)]
    pub(super) fn check(&self, slab: &Slab) {
        let (mut listed, mut in_order) = (0, 0);
        for (bucket, head) in &self.buckets {
            let head_of = &self.heads[*head as usize];
            assert_eq!(head_of.bucket, *bucket);
            let (mut previous, mut place) = (FIRST | head, head_of.first);
            assert_ne!(place, NONE, "an empty bucket");
            while place != NONE {
                assert!(slab[place].marks & HELD != 0 && slab[place].previous == previous);
                (previous, place, listed) = (place, slab[place].next, listed + 1);
            }
        }
        let mut linked = 0;
        for record in slab.iter() {
            let (mut soon, mut later) = (0, None);
            record.sessions(|all| {
                for session in all {
                    let is_soon = self.soon.contains(&(session.deadline, record.user, session.session));
                    assert_eq!(is_soon, session.deadline < self.horizon, "{record:?}");
                    soon += usize::from(is_soon);
                    later = later.into_iter().chain((!is_soon).then_some(session.deadline)).min();
                }
            });
            in_order += soon;
            assert_eq!(record.marks & SOON != 0, soon > 0);
            assert_eq!(record.previous != NONE, later.is_some(), "whoever has one that is farther off is in a list");
            linked += usize::from(record.previous != NONE);
            if record.previous & FIRST != 0 && record.previous != NONE {
                let bucket = self.heads[(record.previous & !FIRST) as usize].bucket;
                assert!(later.is_some_and(|later| bucket <= bucket_of(later)), "a bucket is a lower bound");
            }
        }
        assert_eq!((listed, in_order), (linked, self.soon.len()), "nobody who is gone is left in it");
        assert_eq!(self.heads.len(), self.buckets.len() + self.vacant.len());
    }
}
