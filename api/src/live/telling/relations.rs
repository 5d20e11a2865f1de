//! When what two users are to each other changes.

use std::collections::HashSet;

use lastseen_shared::ids::UserId;
use lastseen_shared::presence::PresenceEngine;
use lastseen_shared::privacy::Viewer;
use lastseen_shared::refusal::Failure;
use lastseen_shared::service::WATCHED_AT_A_TIME;
use lastseen_shared::timestamp::Timestamp;

use super::Teller;
use crate::live::frames::{End, ToClient};
use crate::live::hub::News;
use crate::shapes::PresenceShape;

impl Teller<'_> {
    /// What the viewer and another are to each other has changed, by the viewer's doing or by the other's.
    pub(super) async fn relation(&mut self, other: UserId, by_viewer: bool, news: &News) -> Result<(), End> {
        let before = match self.relations_anew(Some(other), &news.cursor).await? {
            Some(before) => before,
            None => return Ok(()),
        };
        let was_or_is_blocked = before.blocked.contains(&other) || self.viewer.blocked.contains(&other);
        let contact_as_before = before.contacts.contains(&other) == self.viewer.contacts.contains(&other);
        // Whoever was blocked by a stranger, or asked by somebody blocked, is not to notice.
        let unnoticed = !by_viewer && was_or_is_blocked && contact_as_before;
        if unnoticed { Ok(()) } else { self.send(&ToClient::Contacts).await }
    }

    /// The place from which on the socket is told, once all is told that waits for it.
    #[must_use]
    pub fn cursor(&self) -> String {
        self.hub.cursor()
    }

    /// Loads who looks, and tells of all who look different by that: of whoever has become something else to the viewer
    /// since the last time, and of `other`. Answers who looked before; `None` where it failed, and all is to be looked at
    /// again.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn relations_anew(&mut self, other: Option<UserId>, cursor: &str) -> Result<Option<Viewer>, End> {
        let before = self.viewer.clone();
        if let Err(failure) = self.load_viewer().await {
            return self.fail(failure).await.map(|()| None);
        }
        // Several may have changed by now, and each of their entries comes later, or has come.
        let now = &self.viewer;
        let mut changed: HashSet<UserId> = before.contacts.symmetric_difference(&now.contacts).copied().collect();
        changed.extend(before.blocked.symmetric_difference(&now.blocked));
        changed.extend(other);
        let mut begun = HashSet::new();
        for user in &changed {
            let begins = self.watching.contacts && self.viewer.contacts.contains(user);
            if begins && !self.watching.has_contact(*user) {
                self.watching.add(*user, true);
                begun.insert(*user);
            }
        }
        self.hub.watch(self.socket, begun.iter().copied());
        let looks: Vec<UserId> = changed.iter().copied().filter(|user| self.watching.concerns(*user)).collect();
        for part in looks.chunks(WATCHED_AT_A_TIME) {
            if !self.tell_differences(&before, part, &begun, cursor).await? {
                return Ok(None);
            }
        }
        let over = changed.into_iter().filter(|user| !self.viewer.contacts.contains(user));
        let over: Vec<UserId> = over.filter(|user| self.watching.remove(*user, true)).collect();
        self.hub.unwatch(self.socket, over);
        Ok(Some(before))
    }

    /// Tells of those of some users who look different to the viewer from what they did to who looked before, and of all
    /// who are new. Answers whether that could be done.
    async fn tell_differences(
        &mut self,
        before: &Viewer,
        users: &[UserId],
        new: &HashSet<UserId>,
        cursor: &str,
    ) -> Result<bool, End> {
        let looked = async {
            let then = self.service.watch(before, users).await?;
            Ok::<_, Failure>((then, self.service.watch(&self.viewer, users).await?))
        };
        let (then, now) = match looked.await {
            Ok(looked) => looked,
            Err(failure) => return self.fail(failure).await.map(|()| false),
        };
        self.watching.told(users, self.service.engine.shards(), &now.places);
        for seen in now.presences {
            if new.contains(&seen.user()) || !then.presences.contains(&seen) {
                let presence = PresenceShape::of(&seen);
                self.send(&ToClient::Transition { cursor, at: Timestamp::now(), presence }).await?;
            }
        }
        Ok(true)
    }
}
