//! What has changed since a cursor.

use std::collections::HashMap;

use super::{Outcome, Service};
use crate::ids::UserId;
use crate::models::directory::by_ids;
use crate::presence::PresenceEngine;
use crate::presence::availability::Shown;
use crate::presence::cursor::{Cursor, Place};
use crate::presence::rule::{OnlineStatus, Presence};
use crate::presence::transition::{Event, Stretch, Transition, TransitionId};
use crate::refusal::{Code, Refusal};

/// Transitions of one answer at most.
const MOST: usize = 1_000;

/// What has changed.
#[derive(Clone, Debug)]
pub struct Changes {
    /// In the order in which they happened.
    pub transitions: Vec<(TransitionId, Transition, Presence)>,
    /// Where to go on.
    pub next_cursor: String,
}

impl Service {
    /// What has changed since a cursor; without one nothing, and the cursor of now. Whoever fell silent before this call
    /// is among it, whether or not a sweep has run.
    ///
    /// # Errors
    /// `invalid_cursor`; `cursor_expired` where transitions after it may be gone.
    pub async fn changes(&self, since: Option<&str>) -> Outcome<Changes> {
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
            return Ok(Changes { transitions: Vec::new(), next_cursor: Cursor { places }.encode() });
        };
        let mut entries: Vec<(TransitionId, usize, Event)> = stretches
            .iter()
            .enumerate()
            .flat_map(|(shard, stretch)| {
                stretch.entries.iter().map(move |entry| (entry.id, shard, entry.event.clone()))
            })
            .collect();
        entries.sort_unstable_by_key(|(id, shard, _)| (*id, *shard));
        entries.truncate(MOST);
        let mut places = since.places;
        for (id, shard, _) in &entries {
            places[*shard].id = *id;
        }
        let transitions = entries
            .into_iter()
            .filter_map(|(id, _, event)| match event {
                Event::Transition(transition) | Event::Shown(transition) => Some((id, transition)),
                Event::Privacy { .. } | Event::Relation { .. } | Event::SessionLeft { .. } => None,
            })
            .collect();
        let transitions = self.as_seen(transitions).await?;
        Ok(Changes { transitions, next_cursor: Cursor { places }.encode() })
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

    /// Each transition as a presence, with what the account's standing is now: a barred user is not shown online, not even
    /// in the past.
    async fn as_seen(
        &self,
        transitions: Vec<(TransitionId, Transition)>,
    ) -> Outcome<Vec<(TransitionId, Transition, Presence)>> {
        let mut ids: Vec<UserId> = transitions.iter().map(|(_, t)| t.user).collect();
        ids.sort_unstable();
        ids.dedup();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let accounts = self.db.run(move |c| by_ids(c, &ids)).await?;
        let standings: HashMap<UserId, _> = accounts.into_iter().map(|user| (user.id, user.standing)).collect();
        let seen = transitions.into_iter().map(|(id, t)| {
            let bar = standings.get(&t.user).map(|standing| standing.bar());
            // A deleted account's last transition is told, its earlier ones as offline.
            let online = t.online && bar == Some(None);
            let presence = Presence {
                online_status: if online { OnlineStatus::Online } else { OnlineStatus::Offline },
                last_seen: t.last_seen.nonzero(),
                online_until: None,
                shown: if online { t.shown.clone() } else { Shown::default() },
                reason: Some(match bar.flatten() {
                    Some(bar) => bar.reason(),
                    None => t.reason,
                }),
            };
            (id, t, presence)
        });
        Ok(seen.collect())
    }
}
