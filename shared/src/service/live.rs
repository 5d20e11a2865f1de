//! What sockets ask for.

use super::sight::seen;
use super::{Claimed, Outcome, Service};
use crate::ids::UserId;
use crate::models::directory::stored;
use crate::models::walk::accounts_after;
use crate::presence::PresenceEngine;
use crate::presence::cursor::Place;
use crate::privacy::{SeenPresence, Viewer};
use crate::signals::Signal;

/// Users as they are at one place of the transitions.
#[derive(Clone, Debug, Default)]
pub struct Watched {
    /// The users, those that there are, in the order asked for.
    pub presences: Vec<SeenPresence>,
    /// Of each shard that was asked: what is seen has all transitions up to here, and none after.
    pub places: Vec<(u32, Place)>,
}

/// Users of one look at most: what the engine answers in one call a shard.
pub const WATCHED_AT_A_TIME: usize = 1_000;

impl Service {
    /// How some users are, for a viewer, and of which place in the transitions that is true. At most
    /// [`WATCHED_AT_A_TIME`] of them.
    ///
    /// # Errors
    /// Where the engine or the database is away.
    pub async fn watch(&self, viewer: &Viewer, users: &[UserId]) -> Outcome<Watched> {
        let asked = users.to_vec();
        // The row first: whatever changes it afterwards makes a transition that is told.
        let rows = self.db.run(move |c| stored(c, &asked)).await?;
        let snapshot = self.engine.snapshot(users).await?;
        let mut rows: std::collections::HashMap<UserId, _> =
            rows.into_iter().map(|row| (row.subject.id, row)).collect();
        let seen = users.iter().zip(snapshot.known).filter_map(|(user, known)| {
            let row = rows.remove(user)?;
            Some(seen(viewer, &row, known, &snapshot.hidden))
        });
        Ok(Watched { presences: seen.collect(), places: snapshot.places })
    }

    /// The next users after an id, in the order of ids, at most [`WATCHED_AT_A_TIME`].
    ///
    /// # Errors
    /// Where the database is away.
    pub async fn users_after(&self, after: UserId) -> Outcome<Vec<UserId>> {
        Ok(self.db.run(move |c| accounts_after(c, after, WATCHED_AT_A_TIME as i64)).await?)
    }

    /// Whether a session may still be alive, as its row says. No sign of life.
    ///
    /// # Errors
    /// `account_…`, `session_ended`.
    pub async fn still_in(&self, claimed: Claimed) -> Outcome<()> {
        let row = self.inner.rows.read(claimed.session).await?;
        self.may_be_alive(row.filter(|(session, _)| session.user() == claimed.user)).map(drop)
    }

    /// Tells another user's sockets that a user types something for it; whoever looks offline does not type.
    ///
    /// # Errors
    /// Where the engine is away.
    pub async fn typing(&self, viewer: &Viewer, to: UserId) -> Outcome<()> {
        // Asks the one shard; a lookup would count in all of them.
        let hidden = self.engine.snapshot(&[viewer.id]).await?.hidden;
        if viewer.blocked.contains(&to) || hidden.contains_key(&viewer.id) {
            return Ok(());
        }
        let signal = Signal::Typing { from: viewer.id, to, privacy: viewer.privacy };
        Ok(self.signals.send(signal).await?)
    }
}
