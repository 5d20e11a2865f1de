//! Who looks: loaded for each call, as of then. Nothing of it is kept.

use super::{Outcome, Service};
use crate::account::Role;
use crate::db::AnyConnection;
use crate::ids::UserId;
use crate::models::privacy::Relations;
use crate::privacy::{AdminSight, Viewer};
use crate::refusal::{Code, Failure};

/// Who is going to look: what it takes to load the [`Viewer`] together with what is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Asker {
    /// The user.
    pub user: UserId,
    /// What it may do.
    pub role: Role,
    policy: AdminSight,
}

impl Asker {
    /// Whether it sees others who are invisible, where it sees whether they are online.
    pub(super) fn sees_behind_invisible(&self) -> bool {
        self.role == Role::Admin && self.policy.invisible
    }

    /// The viewer, as of now. One statement.
    ///
    /// # Errors
    /// `session_ended` where the account is gone, and its sessions with it.
    pub fn load(&self, connection: &mut AnyConnection) -> Result<Viewer, Failure> {
        let Relations { privacy, contacts, blocked } =
            Relations::load(connection, self.user)?.ok_or(Code::SessionEnded)?;
        let (id, admin, policy) = (self.user, self.role == Role::Admin, self.policy);
        Ok(Viewer { id, admin, privacy, contacts, blocked, policy })
    }
}

impl Service {
    /// Who is going to look.
    #[must_use]
    pub fn asker(&self, user: UserId, role: Role) -> Asker {
        Asker { user, role, policy: self.inner.presence.admin_sight }
    }

    /// Who looks: its own privacy, its contacts, and whom it has blocked or is blocked by, as of now.
    ///
    /// # Errors
    /// `session_ended` where the account is gone.
    pub async fn viewer(&self, asker: Asker) -> Outcome<Viewer> {
        self.db.run(move |c| asker.load(c)).await
    }
}
