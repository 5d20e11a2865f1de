//! What one socket watches, and from which place on: whatever a snapshot or a replay has told is not told again.

use std::collections::HashMap;

use lastseen_shared::ids::UserId;
use lastseen_shared::presence::cursor::Place;
use lastseen_shared::presence::transition::TransitionId;

/// Users that one socket may watch by name.
pub const MOST_WATCHED: usize = 10_000;

/// Why a user is watched, and what was told of it.
#[derive(Clone, Copy, Debug, Default)]
struct Watch {
    named: bool,
    contact: bool,
    /// Entries up to this one have been told; `None` while the first look is still to come.
    told: Option<TransitionId>,
}

/// The part of a walk through everybody that was told at one moment.
#[derive(Clone, Debug)]
struct Part {
    /// The last user of it.
    up_to: UserId,
    told: Vec<(u32, TransitionId)>,
}

/// A socket's watching of everybody.
#[derive(Clone, Debug, Default)]
struct Everybody {
    /// In the order of their users.
    parts: Vec<Part>,
    /// Whether all were told of.
    whole: bool,
}

/// What a socket watches.
#[derive(Debug, Default)]
pub struct Watching {
    users: HashMap<UserId, Watch>,
    everybody: Option<Everybody>,
    /// Whether contacts are watched, those to come too.
    pub contacts: bool,
}

impl Watching {
    /// Whether so many more users may be watched by name.
    #[must_use]
    pub fn has_room(&self, more: usize) -> bool {
        self.users.len() + more <= MOST_WATCHED
    }

    /// Watches a user by its name, or as a contact.
    pub fn add(&mut self, user: UserId, as_contact: bool) {
        let watch = self.users.entry(user).or_default();
        if as_contact { watch.contact = true } else { watch.named = true }
    }

    /// Undoes [`Self::add`]. Answers whether the user is not watched any more.
    pub fn remove(&mut self, user: UserId, as_contact: bool) -> bool {
        let Some(watch) = self.users.get_mut(&user) else { return false };
        if as_contact {
            watch.contact = false;
        } else {
            watch.named = false;
        }
        let gone = !watch.named && !watch.contact;
        if gone {
            self.users.remove(&user);
        }
        gone
    }

    /// Whether a user is watched as a contact.
    #[must_use]
    pub fn has_contact(&self, user: UserId) -> bool {
        self.users.get(&user).is_some_and(|watch| watch.contact)
    }

    /// Whether a user is watched in any way.
    #[must_use]
    pub fn concerns(&self, user: UserId) -> bool {
        self.has(user) || self.has_everybody()
    }

    /// Whether a user is watched, everybody aside.
    #[must_use]
    pub fn has(&self, user: UserId) -> bool {
        self.users.contains_key(&user)
    }

    /// The users who are watched, everybody aside.
    #[must_use]
    pub fn users(&self) -> Vec<UserId> {
        self.users.keys().copied().collect()
    }

    /// The users who are watched as contacts.
    #[must_use]
    pub fn watched_contacts(&self) -> Vec<UserId> {
        self.users.iter().filter(|(_, watch)| watch.contact).map(|(user, _)| *user).collect()
    }

    /// Whether everybody is watched.
    #[must_use]
    pub fn has_everybody(&self) -> bool {
        self.everybody.is_some()
    }

    /// Begins to watch everybody, of whom nothing was told yet; or stops.
    pub fn watch_everybody(&mut self, all: bool) {
        self.everybody = all.then(Everybody::default);
    }

    /// The next part of everybody was told, at these places.
    pub fn told_part(&mut self, up_to: UserId, places: &[(u32, Place)]) {
        if let Some(everybody) = &mut self.everybody {
            let told = places.iter().map(|(shard, place)| (*shard, place.id)).collect();
            everybody.parts.push(Part { up_to, told });
        }
    }

    /// Everybody was told of.
    pub fn told_everybody(&mut self) {
        if let Some(everybody) = &mut self.everybody {
            everybody.whole = true;
        }
    }

    /// These users were told of at these places.
    pub fn told(&mut self, users: &[UserId], shards: u32, places: &[(u32, Place)]) {
        for user in users {
            let shard = user.shard(shards);
            let place = places.iter().find(|(of, _)| *of == shard);
            if let (Some(watch), Some((_, place))) = (self.users.get_mut(user), place) {
                watch.told = watch.told.max(Some(place.id));
            }
        }
    }

    /// Whether an entry of a shard about a user is to be told.
    #[must_use]
    pub fn wants(&self, user: UserId, shard: u32, id: TransitionId) -> bool {
        // What either has told was told; and nothing is told before the first look.
        let named = self.users.get(&user).map(|watch| watch.told.is_some_and(|told| id > told));
        let all = self.everybody.as_ref().and_then(|everybody| everybody.wants(user, shard, id));
        match (named, all) {
            (None, None) => false,
            (named, all) => named.unwrap_or(true) && all.unwrap_or(true),
        }
    }
}

impl Everybody {
    /// `None` for a user whose part is still to come.
    fn wants(&self, user: UserId, shard: u32, id: TransitionId) -> Option<bool> {
        let place = self.parts.partition_point(|part| part.up_to < user);
        match self.parts.get(place) {
            Some(part) => Some(part.told.iter().find(|(of, _)| *of == shard).is_none_or(|(_, told)| id > *told)),
            // Whoever came after the walk.
            None => self.whole.then_some(true),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(ms: u64) -> TransitionId {
        TransitionId { ms, seq: 0 }
    }

    fn places(ms: u64) -> Vec<(u32, Place)> {
        vec![(0, Place { epoch: "1:1".into(), id: id(ms) })]
    }

    #[test]
    fn what_a_snapshot_has_told_is_not_told_again() {
        let mut watching = Watching::default();
        assert!(!watching.wants(UserId(1), 0, id(5)));
        watching.add(UserId(1), false);
        assert!(!watching.wants(UserId(1), 0, id(5)));
        watching.told(&[UserId(1)], 1, &places(5));
        assert!(!watching.wants(UserId(1), 0, id(5)));
        assert!(watching.wants(UserId(1), 0, id(6)));
        // An older look does not take back what a newer one has told.
        watching.told(&[UserId(1)], 1, &places(4));
        assert!(!watching.wants(UserId(1), 0, id(5)));
    }

    #[test]
    fn a_contact_who_is_also_named_stays_watched() {
        let mut watching = Watching::default();
        watching.add(UserId(1), false);
        watching.add(UserId(1), true);
        assert!(!watching.remove(UserId(1), true));
        assert!(watching.remove(UserId(1), false));
        assert!(!watching.has(UserId(1)));
    }

    #[test]
    fn everybody_is_told_of_in_parts() {
        let mut watching = Watching::default();
        watching.watch_everybody(true);
        watching.told_part(UserId(10), &places(5));
        assert!(!watching.wants(UserId(7), 0, id(5)));
        assert!(watching.wants(UserId(7), 0, id(6)));
        // The part of this one is still to come, and will tell it.
        assert!(!watching.wants(UserId(11), 0, id(6)));
        watching.told_part(UserId(20), &places(8));
        watching.told_everybody();
        assert!(!watching.wants(UserId(11), 0, id(8)));
        assert!(watching.wants(UserId(11), 0, id(9)));
        assert!(watching.wants(UserId(21), 0, id(1)));
    }

    #[test]
    fn what_one_subscription_told_the_other_does_not_tell() {
        let mut watching = Watching::default();
        watching.watch_everybody(true);
        watching.told_part(UserId(10), &places(5));
        watching.told_everybody();
        watching.add(UserId(7), false);
        watching.told(&[UserId(7)], 1, &places(9));
        assert!(!watching.wants(UserId(7), 0, id(8)));
        assert!(watching.wants(UserId(7), 0, id(10)));
    }
}
