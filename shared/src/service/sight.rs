//! Where accounts, presences and viewers come together: what leaves the system of anybody's presence is made here.

use std::collections::HashMap;

use super::viewer::Asker;
use super::{Outcome, Service};
use crate::db::AnyConnection;
use crate::ids::UserId;
use crate::models::directory::{Listed, StoredPresence, by_ids, stored};
use crate::models::privacy::Subject;
use crate::presence::rule::{Known, Presence, presence};
use crate::presence::{PresenceEngine, engine::Lookup};
use crate::privacy::{SeenPresence, Viewer};
use crate::refusal::{Code, Failure};

/// A user as a viewer sees it.
#[derive(Clone, Debug)]
pub struct SeenUser {
    /// The account.
    pub listed: Listed,
    presence: SeenPresence,
}

/// A user's presence as a viewer sees it, by what is stored and what is known of it. `hidden` has the truth about those who
/// are invisible, for those who may see it.
#[must_use]
pub(super) fn seen(
    viewer: &Viewer,
    stored: &StoredPresence,
    known: Known,
    hidden: &HashMap<UserId, Known>,
) -> SeenPresence {
    let Subject { id, standing, privacy } = stored.subject;
    let behind = hidden.get(&id).filter(|_| viewer.sees_behind_invisible(id));
    let presence = presence(standing, behind.cloned().unwrap_or(known), stored.projected);
    SeenPresence::of(viewer, id, privacy, standing, presence)
}

impl SeenUser {
    /// Applies the rule to what is known. `hidden` has the truth about those who are invisible, for those who may see it.
    #[must_use]
    pub fn of(viewer: &Viewer, listed: Listed, known: Known, hidden: &HashMap<UserId, Known>) -> Self {
        let presence = seen(viewer, &listed.stored(), known, hidden);
        Self { listed, presence }
    }

    /// Its presence, as it is seen.
    #[must_use]
    pub fn seen(&self) -> &SeenPresence {
        &self.presence
    }

    /// What is in it.
    #[must_use]
    pub fn presence(&self) -> &Presence {
        self.presence.presence()
    }
}

impl Service {
    /// Adds to each account what the viewer may see of its presence. The accounts and the viewer are read before: what
    /// the engine says is never older than what the database says of who may see it.
    ///
    /// # Errors
    /// Where the engine is away.
    pub async fn see(&self, viewer: &Viewer, listed: Vec<Listed>) -> Outcome<Vec<SeenUser>> {
        let ids: Vec<UserId> = listed.iter().map(|user| user.id).collect();
        let Lookup { known, hidden, .. } = self.engine.lookup(&ids).await?;
        let seen = listed.into_iter().zip(known).map(|(user, known)| SeenUser::of(viewer, user, known, &hidden));
        Ok(seen.collect())
    }

    /// Users by their ids, those that there are, in the order asked for, each once.
    ///
    /// # Errors
    /// Where the engine or the database is away.
    pub async fn users(&self, asker: Asker, ids: Vec<UserId>) -> Outcome<Vec<SeenUser>> {
        let asked = ids.clone();
        let read = move |c: &mut AnyConnection| Ok::<_, Failure>((asker.load(c)?, by_ids(c, &asked)?));
        let (viewer, listed) = self.db.run(read).await?;
        let seen = self.see(&viewer, listed).await?;
        let mut by_id: HashMap<UserId, SeenUser> = seen.into_iter().map(|user| (user.listed.id, user)).collect();
        Ok(ids.iter().filter_map(|id| by_id.remove(id)).collect())
    }

    /// The presence of users by their ids, of those that there are, in the order asked for, each once.
    ///
    /// # Errors
    /// Where the engine or the database is away.
    pub async fn presences(&self, asker: Asker, ids: Vec<UserId>) -> Outcome<Vec<SeenPresence>> {
        let asked = ids.clone();
        let read = move |c: &mut AnyConnection| Ok::<_, Failure>((asker.load(c)?, stored(c, &asked)?));
        let (viewer, rows) = self.db.run(read).await?;
        let there: Vec<UserId> = rows.iter().map(|row| row.subject.id).collect();
        let Lookup { known, hidden, .. } = self.engine.lookup(&there).await?;
        let seen = rows.iter().zip(known).map(|(row, known)| seen(&viewer, row, known, &hidden));
        let mut by_id: HashMap<UserId, SeenPresence> = seen.map(|seen| (seen.user(), seen)).collect();
        Ok(ids.iter().filter_map(|id| by_id.remove(id)).collect())
    }

    /// One user.
    ///
    /// # Errors
    /// `user_not_found`.
    pub async fn user(&self, asker: Asker, id: UserId) -> Outcome<SeenUser> {
        self.users(asker, vec![id]).await?.pop().ok_or_else(|| Code::UserNotFound.into())
    }
}
