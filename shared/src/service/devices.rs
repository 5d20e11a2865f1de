//! A user's devices: its sessions that have not ended.

use super::viewer::Asker;
use super::{Outcome, Service};
use crate::db::AnyConnection;
use crate::ids::{SessionId, UserId};
use crate::models::Session;
use crate::models::directory::by_ids;
use crate::presence::rule::{Presence, presence};
use crate::presence::{PresenceEngine, Reason};
use crate::privacy::Sight;
use crate::refusal::{Code, Failure};
use crate::timestamp::Timestamp;

/// One of a user's devices, as a viewer sees it.
#[derive(Clone, Debug)]
pub struct Device {
    /// The session.
    pub id: SessionId,
    /// The device's name.
    pub device: Option<String>,
    /// When it logged in.
    pub created_at: Timestamp,
    /// Its last sign of life; `None` where the viewer may not see it.
    pub last_seen: Option<Timestamp>,
    /// Whether it keeps the user online.
    pub online: bool,
}

impl Device {
    /// What of it lies at or before the user's presence as the viewer knows it: those that logged in since are not there.
    fn seen(self, sight: Sight, known: &Presence) -> Option<Self> {
        if !known.is_online() && known.last_seen.is_none_or(|last| last < self.created_at) {
            return None;
        }
        let last_seen = self.last_seen.min(known.last_seen).filter(|_| sight.last_seen);
        Some(Self { online: self.online && known.is_online() && sight.online, last_seen, ..self })
    }
}

impl Service {
    /// A user's devices, the newest first. Of a user who has logged out, none but to itself and to those who see behind
    /// being invisible.
    ///
    /// # Errors
    /// `user_not_found`.
    pub async fn devices(&self, asker: Asker, user: UserId) -> Outcome<Vec<Device>> {
        let read = move |c: &mut AnyConnection| {
            let viewer = asker.load(c)?;
            let listed = by_ids(c, &[user])?.pop().ok_or(Code::UserNotFound)?;
            Ok::<_, Failure>((viewer, listed, Session::of_user(c, user, Timestamp::now())?))
        };
        let (viewer, listed, rows) = self.db.run(read).await?;
        let held = self.engine.sessions(user).await?;
        let now = self.engine.now(user).await?;
        let device = |row: Session| {
            let held = held.iter().find(|held| held.session == row.id());
            Device {
                id: row.id(),
                created_at: row.created_at(),
                last_seen: Some(held.map_or(row.last_seen(), |held| held.last_seen().max(row.last_seen()))),
                online: held.is_some_and(|held| held.deadline.is_ahead(now)),
                device: row.device,
            }
        };
        let devices = rows.into_iter().map(device);
        if viewer.id == user {
            return Ok(devices.collect());
        }
        let mut lookup = self.engine.lookup(&[user]).await?;
        let sees_behind = viewer.sees_behind_invisible(user);
        let behind = lookup.hidden.remove(&user).filter(|_| sees_behind);
        let Some(known) = behind.or_else(|| lookup.known.pop()) else { return Ok(Vec::new()) };
        let (known, sight) = (presence(listed.standing, known, listed.projected), viewer.sight(user, listed.privacy));
        // Whoever became invisible has logged out, for all the others. They are told of no device then, after a real
        // log-out neither: what a device that is left over does meanwhile would tell the one from the other.
        if !sees_behind && !known.is_online() && known.reason == Some(Reason::Logout) {
            return Ok(Vec::new());
        }
        Ok(devices.filter_map(|device| device.seen(sight, &known)).collect())
    }

    /// Ends one of a user's sessions.
    ///
    /// # Errors
    /// `session_not_found`; `engine_unavailable`, and nothing has changed then.
    pub async fn end_device(&self, user: UserId, session: SessionId, reason: Reason) -> Outcome<()> {
        let found = self.db.run(move |c| Session::find(c, session)).await?;
        let live = found.filter(|(row, _)| row.user() == user && !row.is_over(Timestamp::now()));
        live.ok_or(Code::SessionNotFound)?;
        self.end_session(user, session, reason).await
    }
}
