//! Looking: how users are at one place of the transitions, or what has changed since an earlier one.

use std::collections::HashSet;

use lastseen_shared::ids::UserId;
use lastseen_shared::presence::PresenceEngine;
use lastseen_shared::presence::cursor::{Cursor, Place};
use lastseen_shared::refusal::Failure;
use lastseen_shared::service::WATCHED_AT_A_TIME;

use super::{Answer, Replayed, Teller, Walk};
use crate::live::frames::{End, ToClient};
use crate::shapes::PresenceShape;

impl Teller<'_> {
    /// Tells how users are.
    pub(super) async fn snapshot(&mut self, users: &[UserId], cursor: &str) -> Result<(), End> {
        let mut parts = users.chunks(WATCHED_AT_A_TIME).peekable();
        if parts.peek().is_none() {
            return self.send(&ToClient::Snapshot { cursor, presences: Vec::new(), more: false }).await;
        }
        while let Some(part) = parts.next() {
            let watched = match self.service.watch(&self.viewer, part).await {
                Ok(watched) => watched,
                Err(failure) => return self.fail(failure).await,
            };
            self.watching.told(part, self.service.engine.shards(), &watched.places);
            let presences = watched.presences.iter().map(PresenceShape::of).collect();
            self.send(&ToClient::Snapshot { cursor, presences, more: parts.peek().is_some() }).await?;
        }
        Ok(())
    }

    pub(super) fn begin_walk(&mut self, cursor: String) {
        self.watching.watch_everybody(true);
        self.walk = Some(Walk { cursor, after: UserId(0) });
    }

    /// Whether everybody is being told of.
    #[must_use]
    pub fn is_walking(&self) -> bool {
        self.walk.is_some()
    }

    /// Tells how the next of everybody are: a part at a time, so that what comes for the others is told in between.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn walk_on(&mut self) -> Result<(), End> {
        let Some(walk) = self.walk.take() else { return Ok(()) };
        let looked = async {
            let part = self.service.users_after(walk.after).await?;
            let watched = self.service.watch(&self.viewer, &part).await?;
            Ok::<_, Failure>((part, watched))
        };
        let (part, watched) = match looked.await {
            Ok(looked) => looked,
            Err(failure) => return self.fail(failure).await,
        };
        let last = part.last().copied().unwrap_or(walk.after);
        self.watching.told_part(last, &watched.places);
        let more = part.len() == WATCHED_AT_A_TIME;
        let presences = watched.presences.iter().map(PresenceShape::of).collect();
        self.send(&ToClient::Snapshot { cursor: &walk.cursor, presences, more }).await?;
        if more {
            self.walk = Some(Walk { after: last, ..walk });
        } else {
            self.watching.told_everybody();
        }
        Ok(())
    }

    /// Tells what has changed since a cursor.
    pub(super) async fn replay(&mut self, since: &str, answer: &Answer) -> Result<Replayed, End> {
        let (users, all) = (&answer.users, answer.all);
        let wanted: HashSet<UserId> = users.iter().copied().collect();
        let shards = self.service.engine.shards();
        let mut at = since.to_owned();
        let end = loop {
            let changes = match self.service.changes(self.asker, Some(&at)).await {
                Ok(changes) => changes,
                Err(Failure::Refused(refusal)) if End::of(&refusal).is_none() => {
                    self.refuse(&refusal).await?;
                    return Ok(Replayed::Not);
                }
                Err(failure) => return self.fail(failure).await.map(|()| Replayed::Told(None)),
            };
            // Whoever answers it has read it.
            let mut places = Cursor::decode(&at).map_err(|_| End::Internal)?.places;
            for change in &changes.changes {
                let user = change.seen().user();
                if let Some(place) = places.get_mut(user.shard(shards) as usize) {
                    place.id = place.id.max(change.id);
                }
                // Whoever was a contact until then is not among those of now.
                if all || wanted.contains(&user) || (answer.contacts && change.by_relation) {
                    let cursor = Cursor { places: places.clone() }.encode();
                    let presence = PresenceShape::of(change.seen());
                    self.send(&ToClient::Transition { cursor: &cursor, at: change.at, presence }).await?;
                }
            }
            at = changes.next_cursor;
            // What came since waits in the mailbox: the socket was registered before this was read.
            if !changes.more {
                break Cursor::decode(&at).map_err(|_| End::Internal)?.places;
            }
        };
        let places: Vec<(u32, Place)> = (0..shards).zip(end.iter().cloned()).collect();
        self.watching.told(users, shards, &places);
        if all {
            self.watching.watch_everybody(true);
            self.watching.told_part(UserId(i64::MAX), &places);
            self.watching.told_everybody();
        }
        Ok(Replayed::Told(Some(end)))
    }

    /// Loads who looks, and tells how everything that is watched is.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn look_again(&mut self) -> Result<(), End> {
        self.again = None;
        if let Err(failure) = self.load_viewer().await {
            return self.fail(failure).await;
        }
        if self.watching.contacts {
            let added: Vec<UserId> = self.viewer.contacts.iter().copied().collect();
            let contacts = &self.viewer.contacts;
            let over = self.watching.watched_contacts().into_iter().filter(|user| !contacts.contains(user));
            let over: Vec<UserId> = over.filter(|user| self.watching.remove(*user, true)).collect();
            self.hub.unwatch(self.socket, over);
            for user in &added {
                self.watching.add(*user, true);
            }
            self.hub.watch(self.socket, added);
        }
        let users = self.watching.users();
        let cursor = self.hub.cursor();
        if !users.is_empty() {
            self.snapshot(&users, &cursor).await?;
        }
        if self.watching.has_everybody() {
            self.begin_walk(cursor);
        }
        self.send(&ToClient::Contacts).await
    }
}
