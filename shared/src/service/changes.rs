//! What has changed since a cursor.

use std::collections::{HashMap, HashSet};

use super::sight::SeenUser;
use super::viewer::Asker;
use super::{Outcome, Service};
use crate::account::Standing;
use crate::db::AnyConnection;
use crate::ids::UserId;
use crate::models::directory::{Listed, by_ids};
use crate::presence::availability::{Availability, Privacy, Shown, Visibility};
use crate::presence::cursor::{Cursor, Place};
use crate::presence::rule::{OnlineStatus, Presence};
use crate::presence::transition::{Entry, Event, Stretch, Transition, TransitionId};
use crate::presence::{PresenceEngine, Reason};
use crate::privacy::{AdminSight, SeenPresence, Viewer};
use crate::refusal::{Code, Failure, Refusal};
use crate::timestamp::Timestamp;

/// Transitions of one answer at most.
const MOST: usize = 1_000;

/// A change, as a viewer sees it.
#[derive(Clone, Debug)]
pub struct Change {
    /// Its place among the transitions of its shard.
    pub id: TransitionId,
    /// When it happened.
    pub at: Timestamp,
    /// Whether it is told because the two have become something else to each other.
    pub by_relation: bool,
    presence: SeenPresence,
}

impl Change {
    /// What the user's presence is from then on, as it is seen.
    #[must_use]
    pub fn seen(&self) -> &SeenPresence {
        &self.presence
    }
}

/// What has changed.
#[derive(Clone, Debug)]
pub struct Changes {
    /// In the order in which they happened.
    pub changes: Vec<Change>,
    /// Where to go on.
    pub next_cursor: String,
    /// Whether there was more than one answer holds.
    pub more: bool,
}

impl Service {
    /// What has changed since a cursor, as the asker sees it; without one nothing, and the cursor of now. Whoever fell
    /// silent before this call is among it, whether or not a sweep has run.
    ///
    /// # Errors
    /// `invalid_cursor`; `cursor_expired` where transitions after it may be gone, or where the asker has changed its own
    /// privacy since: it may see everybody otherwise now.
    pub async fn changes(&self, asker: Asker, since: Option<&str>) -> Outcome<Changes> {
        let since = since.map(|text| {
            Cursor::decode(text)
                .map_err(|problem| Refusal::new(Code::InvalidCursor, format!("since {problem}")).about("since"))
        });
        let since = since.transpose()?;
        let shards = self.engine.shards();
        if since.as_ref().is_some_and(|cursor| cursor.places.len() != shards as usize) {
            return Err(Code::CursorExpired.into());
        }
        let stretches = (0..shards).map(|shard| self.stretch(shard, since.as_ref()));
        let stretches = futures_util::future::try_join_all(stretches).await?;
        let Some(since) = since else {
            let places = stretches.into_iter().map(|s| Place { epoch: s.epoch.id, id: s.newest }).collect();
            return Ok(Changes { changes: Vec::new(), next_cursor: Cursor { places }.encode(), more: false });
        };
        let mut entries: Vec<(TransitionId, usize, Event)> = stretches
            .iter()
            .enumerate()
            .flat_map(|(shard, stretch)| {
                stretch.entries.iter().map(move |entry| (entry.id, shard, entry.event.clone()))
            })
            .collect();
        entries.sort_unstable_by_key(|(id, shard, _)| (*id, *shard));
        let more = entries.len() > MOST || stretches.iter().any(|stretch| stretch.entries.len() == MOST);
        entries.truncate(MOST);
        let mut places = since.places;
        for (id, shard, _) in &entries {
            places[*shard].id = *id;
        }
        let changes = self.as_seen(asker, entries.into_iter().map(|(id, _, event)| Entry { id, event }).collect());
        let changes = changes.await?;
        Ok(Changes { changes, next_cursor: Cursor { places }.encode(), more })
    }

    async fn stretch(&self, shard: u32, since: Option<&Cursor>) -> Outcome<Stretch> {
        const SWEPT_AT_A_TIME: usize = 500;
        while self.engine.expire(shard, SWEPT_AT_A_TIME).await?.taken >= SWEPT_AT_A_TIME {}
        let place = since.and_then(|cursor| cursor.places.get(shard as usize));
        let Some(place) = place else { return Ok(self.engine.transitions(shard, TransitionId::START, 1).await?) };
        let stretch = self.engine.transitions(shard, place.id, MOST).await?;
        if place.epoch != stretch.epoch.id || place.id < stretch.trimmed {
            return Err(Code::CursorExpired.into());
        }
        Ok(stretch)
    }

    /// Entries as changes for the asker. A change of what it may see of a user, or is to it, is told as that user's
    /// presence of now. The entries are read before the accounts, and the accounts before the engine is asked: nothing of
    /// now is older than the entry that it is told for.
    async fn as_seen(&self, asker: Asker, entries: Vec<Entry>) -> Outcome<Vec<Change>> {
        let ids: HashSet<UserId> = entries.iter().filter_map(|entry| subject(asker.user, &entry.event)).collect();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let asked: Vec<UserId> = ids.into_iter().collect();
        let read = move |c: &mut AnyConnection| Ok::<_, Failure>((asker.load(c)?, by_ids(c, &asked)?));
        let (viewer, listed) = self.db.run(read).await?;
        let needs_now = |id: UserId| {
            let told_of_now = |entry: &Entry| {
                !matches!(entry.event, Event::Transition(_) | Event::Shown(_))
                    && subject(viewer.id, &entry.event) == Some(id)
            };
            viewer.sees_behind_invisible(id) || entries.iter().any(told_of_now)
        };
        let of_now: Vec<Listed> = listed.iter().filter(|user| needs_now(user.id)).cloned().collect();
        let now = if of_now.is_empty() { Vec::new() } else { self.see(&viewer, of_now).await? };
        let sight = Sighted {
            now: now.into_iter().map(|user| (user.listed.id, user)).collect(),
            listed: listed.into_iter().map(|user| (user.id, user)).collect(),
            viewer,
        };
        let mut changes = Vec::new();
        for entry in &entries {
            changes.extend(sight.change(entry)?);
        }
        Ok(changes)
    }
}

/// Of whom an entry tells a viewer.
fn subject(viewer: UserId, event: &Event) -> Option<UserId> {
    match event {
        Event::Transition(t) | Event::Shown(t) => Some(t.user),
        Event::Privacy { user, .. } => Some(*user),
        Event::Relation { user, other } if *user == viewer => Some(*other),
        Event::Relation { user, other } if *other == viewer => Some(*user),
        Event::Relation { .. } | Event::SessionLeft { .. } => None,
    }
}

/// A viewer, and whom the entries are about.
struct Sighted {
    viewer: Viewer,
    listed: HashMap<UserId, Listed>,
    /// Those of whom the presence of now may be told.
    now: HashMap<UserId, SeenUser>,
}

impl Sighted {
    /// What an entry tells the viewer, if anything.
    fn change(&self, entry: &Entry) -> Result<Option<Change>, Code> {
        let id = entry.id;
        match &entry.event {
            Event::Transition(t) | Event::Shown(t) => Ok(self.transition(id, t)),
            Event::Privacy { user, before, after } => {
                let viewer = &self.viewer;
                if *user != viewer.id {
                    let differs = viewer.sight(*user, *before) != viewer.sight(*user, *after);
                    return Ok(self.of_now(id, *user).filter(|_| differs));
                }
                let AdminSight { online, last_seen, .. } = viewer.overrules();
                if before != after && !(online && last_seen) {
                    return Err(Code::CursorExpired);
                }
                Ok(None)
            }
            event @ Event::Relation { user: by, .. } => {
                let other = subject(self.viewer.id, event);
                let told = other.filter(|other| *by == self.viewer.id || self.may_notice(*other));
                let change = told.and_then(|other| self.of_now(id, other));
                Ok(change.map(|change| Change { by_relation: true, ..change }))
            }
            Event::SessionLeft { .. } => Ok(None),
        }
    }

    /// Whether what another did to the viewer may have changed what the viewer sees of it: nobody is told of a block by
    /// somebody whom it never saw.
    fn may_notice(&self, other: UserId) -> bool {
        let privacy = self.listed.get(&other).map(|user| user.privacy).unwrap_or_default();
        if self.viewer.blocked.contains(&other) {
            let nobody = Visibility::Nobody;
            return self.viewer.privacy.online != nobody && privacy.online != nobody;
        }
        self.viewer.sight(other, privacy).online
    }

    fn of_now(&self, id: TransitionId, user: UserId) -> Option<Change> {
        let presence = self.now.get(&user)?.seen().clone();
        Some(Change { id, at: Timestamp(id.ms.cast_signed()), by_relation: false, presence })
    }

    /// A transition as a presence, with what the account's standing is now: a barred user is not shown online, not even in
    /// the past. It has to be the viewer's to see both by what held then and by what holds now.
    fn transition(&self, id: TransitionId, t: &Transition) -> Option<Change> {
        let at = t.at;
        let account = self.listed.get(&t.user);
        // Whoever is invisible now is what it is now, for those who may know; its going offline was for all the others.
        let invisible = |user: &&SeenUser| user.presence().shown.availability == Availability::Invisible;
        if let Some(user) = self.now.get(&t.user).filter(invisible) {
            return Some(Change { id, at, by_relation: false, presence: user.seen().clone() });
        }
        // That an account is gone is no secret: its last transition is told, its earlier ones as offline.
        let standing = account.map_or(Standing::ACTIVE, |user| user.standing);
        let mut presence = t.presence();
        if account.is_none() || standing.bar().is_some() {
            presence = Presence { online_status: OnlineStatus::Offline, shown: Shown::default(), ..presence };
        }
        let now = account.map_or(t.privacy, |user| user.privacy);
        let privacy =
            Privacy { online: now.online.max(t.privacy.online), last_seen: now.last_seen.max(t.privacy.last_seen) };
        let told = self.viewer.sight(t.user, privacy).online || (account.is_none() && t.reason == Reason::Deleted);
        let presence = || SeenPresence::of(&self.viewer, t.user, privacy, standing, presence);
        told.then(|| Change { id, at, by_relation: false, presence: presence() })
    }
}
