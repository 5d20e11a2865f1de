//! What readers are answered. Nothing of it changes; only the wheel may turn.

use std::collections::HashSet;

use super::{HeldUser, Shard, counted};
use crate::ids::UserId;
use crate::presence::engine::Counts;
use crate::presence::rule::{HeldSession, Known, Survey, survey};
use crate::presence::transition::{Entry, Epoch, TransitionId};
use crate::timestamp::Timestamp;

impl Shard {
    /// The user of each choice past its end, the longest overdue first.
    pub(super) fn overdue_choices(&self, now: Timestamp) -> impl Iterator<Item = UserId> + '_ {
        self.choices.iter().take_while(move |(until, _)| *until <= now).map(|(_, user)| *user)
    }

    fn overdue(&mut self, now: Timestamp) -> HashSet<UserId> {
        self.users.turn(now);
        self.users.overdue(now).chain(self.overdue_choices(now)).collect()
    }

    /// What is known of a user; and the truth about one who is invisible and has a live session.
    #[must_use]
    pub fn known(&self, user: UserId, now: Timestamp) -> (Known, Option<Known>) {
        let truth = match self.users.get(user).map(|held| held.holding(|holding| survey(holding, now))) {
            Some(Survey::Known(known)) => return (known, None),
            Some(Survey::Hidden(truth)) => Some(truth),
            Some(Survey::Nothing) | None => None,
        };
        let known = match self.unprojected.get(&user) {
            Some((_, t)) if !t.online => Known::Offline { at: t.at, last_seen: t.last_seen, reason: t.reason },
            _ => Known::Settled,
        };
        (known, truth)
    }

    /// How many users are online.
    #[must_use]
    pub fn counts(&mut self, now: Timestamp) -> Counts {
        let overdue = self.overdue(now);
        let mut counts = self.counted;
        for held in overdue.into_iter().filter_map(|user| self.users.get(user)) {
            counts -= held.counted();
            if let Survey::Known(Known::Online { shown, .. }) = held.holding(|holding| survey(holding, now)) {
                counts += counted(&shown, held.profile().privacy);
            }
        }
        counts
    }

    /// See [`crate::presence::PresenceEngine::delta`].
    #[must_use]
    pub fn delta(&mut self, now: Timestamp) -> Vec<(UserId, Known)> {
        let overdue = self.overdue(now);
        let known = |user: UserId| (user, self.known(user, now).0);
        let overdue = overdue.into_iter().filter(|user| !self.unprojected.contains_key(user)).map(known);
        // Of an invisible one it holds what the database says.
        let overdue = overdue.filter(|(_, known)| *known != Known::Settled);
        self.unprojected.keys().copied().map(known).chain(overdue).collect()
    }

    /// A user's sessions.
    #[must_use]
    pub fn sessions(&self, user: UserId) -> Vec<HeldSession> {
        self.users.get(user).map(|held| held.sessions(<[_]>::to_vec)).unwrap_or_default()
    }

    /// What is held of a user.
    #[must_use]
    pub fn held(&self, user: UserId) -> Option<HeldUser> {
        self.users.get(user).map(|record| record.held())
    }

    /// All users that are held.
    pub fn users(&self) -> impl Iterator<Item = UserId> {
        self.users.ids()
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

    /// The newest entry's id, whether or not it may be shown yet.
    #[must_use]
    pub fn newest(&self) -> TransitionId {
        self.newest.max(self.trimmed)
    }

    /// This shard's epoch.
    #[must_use]
    pub fn epoch(&self) -> &Epoch {
        &self.epoch
    }
}
