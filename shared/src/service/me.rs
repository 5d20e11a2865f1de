//! What users do with their own accounts and devices.

use std::time::Duration;

use super::accounts::{email, password};
use super::{Outcome, Service};
use crate::account::Password;
use crate::db::write_transaction;
use crate::ids::{SessionId, UserId};
use crate::models::{Account, AccountChanges, Actor, Session};
use crate::presence::{PresenceEngine, Reason};
use crate::refusal::{Code, Failure, Refusal};
use crate::timestamp::Timestamp;

/// What users change of their own accounts.
#[derive(Clone, Debug, Default)]
pub struct MyChanges {
    /// The address.
    pub email: Option<String>,
    /// The own inactivity timeout; `Some(None)` goes back to the operator's.
    pub inactivity_timeout: Option<Option<Duration>>,
}

/// One of a user's devices.
#[derive(Clone, Debug)]
pub struct Device {
    /// The session.
    pub id: SessionId,
    /// The device's name.
    pub device: Option<String>,
    /// When it logged in.
    pub created_at: Timestamp,
    /// Its last sign of life.
    pub last_seen: Timestamp,
    /// Whether it keeps the user online.
    pub online: bool,
}

impl Service {
    /// Changes one's own account.
    ///
    /// # Errors
    /// `invalid_field`, `email_taken`.
    pub async fn change_me(&self, user: UserId, changes: MyChanges) -> Outcome<Account> {
        if let Some(Some(timeout)) = changes.inactivity_timeout {
            self.check_timeout(timeout)?;
        }
        let changes = AccountChanges {
            email: changes.email.as_deref().map(email).transpose()?,
            inactivity_timeout: changes.inactivity_timeout,
            ..AccountChanges::default()
        };
        let retimed = changes.inactivity_timeout.is_some();
        let account = self
            .db
            .run(move |connection| {
                write_transaction(connection, |c| {
                    let changed = Account::change(c, user, &changes)?;
                    changed.ok_or_else(|| Failure::from(Code::UserNotFound))
                })
            })
            .await?;
        if retimed {
            // The row first: a slow connect that reads it afterwards has the new one, and the engine remembers the
            // new one for those that read it before.
            self.engine.retime(user, self.timeout_of(&account)).await?;
        }
        Ok(account)
    }

    /// Changes one's own password. All other sessions end.
    ///
    /// # Errors
    /// `invalid_credentials` where the old one is wrong, `weak_password`.
    pub async fn change_password(&self, user: UserId, session: SessionId, old: Password, new: String) -> Outcome<()> {
        let account = self.account(user).await?;
        let new = password(new, "new", &account.username)?;
        let tries = format!("password of {user}");
        self.inner.failures.check(&tries)?;
        if !self.inner.hasher.verify(old, Some(account.password_hash)).await? {
            self.inner.failures.count(&tries);
            return Err(Refusal::new(Code::InvalidCredentials, "old is not the password").about("old").into());
        }
        let password_hash = Some(self.inner.hasher.hash(new).await?);
        let changes = AccountChanges { password_hash, ..AccountChanges::default() };
        self.db
            .run(move |connection| write_transaction(connection, |c| Account::change(c, user, &changes)))
            .await?
            .ok_or(Code::UserNotFound)?;
        self.end_other_sessions(user, session, Reason::Logout).await
    }

    /// Deletes one's own account.
    ///
    /// # Errors
    /// `last_admin`.
    pub async fn delete_me(&self, user: UserId) -> Outcome<()> {
        let account = self.account(user).await?;
        let actor = Actor { id: Some(user), name: account.username };
        self.remove_account(actor, user, None, false).await
    }

    /// A user's devices, the newest first.
    ///
    /// # Errors
    /// `user_not_found`.
    pub async fn devices(&self, user: UserId) -> Outcome<Vec<Device>> {
        self.account(user).await?;
        let held = self.engine.sessions(user).await?;
        let now = self.engine.now(user).await?;
        let rows = self.db.run(move |c| Session::of_user(c, user, Timestamp::now())).await?;
        let device = |row: Session| {
            let held = held.iter().find(|held| held.session == row.id());
            Device {
                id: row.id(),
                created_at: row.created_at(),
                last_seen: held.map_or(row.last_seen(), |held| held.last_seen().max(row.last_seen())),
                online: held.is_some_and(|held| held.deadline.is_ahead(now)),
                device: row.device,
            }
        };
        Ok(rows.into_iter().map(device).collect())
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
