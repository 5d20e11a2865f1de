//! What users do with their own accounts.

use std::time::Duration;

use super::accounts::{email, password};
use super::profile::{AvailabilityChange, PrivacyChange, check_away_after, write_profile};
use super::{Outcome, Service};
use crate::account::Password;
use crate::db::{AnyConnection, write_transaction};
use crate::ids::{SessionId, UserId};
use crate::limits;
use crate::models::directory::by_ids;
use crate::models::{Account, AccountChanges, Actor};
use crate::presence::{PresenceEngine, Reason};
use crate::privacy::{SeenPresence, Viewer};
use crate::refusal::{Code, Failure, Refusal};
use crate::timestamp::Timestamp;

/// What users change of their own accounts.
#[derive(Clone, Debug, Default)]
pub struct MyChanges {
    /// The address.
    pub email: Option<String>,
    /// The own inactivity timeout; `Some(None)` goes back to the operator's.
    pub inactivity_timeout: Option<Option<Duration>>,
    /// What one shows.
    pub availability: AvailabilityChange,
    /// Who may see it.
    pub privacy: PrivacyChange,
    /// For how long nobody must have touched a device for it to be away; `Some(None)` goes back to the operator's.
    pub away_after: Option<Option<Duration>>,
}

/// A user's own account, as it sees itself.
pub struct Me {
    /// The account.
    pub account: Account,
    /// Its presence.
    pub presence: SeenPresence,
}

impl Service {
    /// One's own account and presence.
    ///
    /// # Errors
    /// `user_not_found`.
    pub async fn me(&self, user: UserId) -> Outcome<Me> {
        let read = move |c: &mut AnyConnection| Ok::<_, Failure>((Account::find(c, user)?, by_ids(c, &[user])?));
        let (account, listed) = self.db.run(read).await?;
        let seen = self.see(&Viewer::oneself(user), listed).await?.pop();
        let (account, seen) = account.zip(seen).ok_or(Code::UserNotFound)?;
        Ok(Me { account, presence: seen.seen().clone() })
    }

    /// Changes one's own account. What hides something hides it everywhere when this answers.
    ///
    /// # Errors
    /// `invalid_field`, `email_taken`.
    pub async fn change_me(&self, user: UserId, changes: MyChanges) -> Outcome<Account> {
        if let Some(Some(timeout)) = changes.inactivity_timeout {
            self.check_timeout(timeout)?;
        }
        check_away_after(changes.away_after)?;
        let now = Timestamp::now();
        let (availability, privacy) = (changes.availability.check(now)?, changes.privacy);
        let rest = AccountChanges {
            email: changes.email.as_deref().map(email).transpose()?,
            inactivity_timeout: changes.inactivity_timeout,
            away_after: changes.away_after,
            ..AccountChanges::default()
        };
        let retimed = changes.inactivity_timeout.is_some();
        let presented = !availability.is_empty() || !privacy.is_empty();
        let write = move |c: &mut AnyConnection| write_profile(c, user, availability, privacy, rest, now);
        let (before, account) = self.db.run(write).await?;
        if retimed {
            // The row first: a slow connect that reads it afterwards has the new one, and the engine remembers the
            // new one for those that read it before.
            self.engine.retime(user, self.timeout_of(&account)).await?;
        }
        if presented { self.present(user, before, account).await } else { Ok(account) }
    }

    /// Changes one's own password. All other sessions end.
    ///
    /// # Errors
    /// `invalid_credentials` where the old one is wrong, `weak_password`.
    pub async fn change_password(&self, user: UserId, session: SessionId, old: Password, new: String) -> Outcome<()> {
        let account = self.account(user).await?;
        let new = password(new, "new", &account.username)?;
        let tries = format!("password of {user}");
        self.limits.check(&limits::LOG_IN, &tries).await?;
        if !self.inner.hasher.verify(old, Some(account.password_hash)).await? {
            self.limits.failed(&limits::LOG_IN, &tries).await;
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
}
