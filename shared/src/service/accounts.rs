//! Making, changing and deleting accounts.

use std::time::Duration;

use super::barring::{Change, Guard, StandingChange};
use super::webhooks::tell_account;
use super::{Outcome, Service};
use crate::account::{Email, Password, Role, Standing, Status, Username};
use crate::db::{AnyConnection, write_transaction};
use crate::ids::{SessionId, UserId};
use crate::limits;
use crate::models::account::WriteError;
use crate::models::{Account, AccountChanges, Actor, AuditEntry, NewAccount, Session};
use crate::presence::{PresenceEngine, Reason};
use crate::refusal::{Code, Failure, Refusal};
use crate::settings::{FirstAdmin, Registration};
use crate::timestamp::Timestamp;
use crate::webhooks::EventType;

/// What a new account is made of, as a client sends it.
#[derive(Clone, Debug)]
pub struct CreateAccount {
    /// The name.
    pub username: String,
    /// The address.
    pub email: String,
    /// The password.
    pub password: String,
}

/// What an admin changes of an account, as a client sends it.
#[derive(Clone, Debug, Default)]
pub struct AccountEdit {
    /// The name.
    pub username: Option<String>,
    /// The address.
    pub email: Option<String>,
    /// The password: all sessions end with it.
    pub password: Option<String>,
    /// What it may do: all sessions end with it, since their tokens say the old role.
    pub role: Option<Role>,
    /// Whether it may be online.
    pub status: Option<Status>,
    /// Whether it may be online.
    pub is_active: Option<bool>,
    /// The user's own timeout; `Some(None)` goes back to the operator's.
    pub inactivity_timeout: Option<Option<Duration>>,
    /// Why, for the audit log.
    pub reason: Option<String>,
}

impl From<WriteError> for Failure {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::UsernameTaken => Refusal::plain(Code::UsernameTaken).about("username").into(),
            WriteError::EmailTaken => Refusal::plain(Code::EmailTaken).about("email").into(),
            WriteError::Database(error) => error.into(),
        }
    }
}

pub(super) fn username(text: &str) -> Result<Username, Refusal> {
    Username::parse(text).map_err(|problem| Refusal::field("username", &problem))
}

pub(super) fn email(text: &str) -> Result<Email, Refusal> {
    Email::parse(text).map_err(|problem| Refusal::field("email", &problem))
}

pub(super) fn password(text: String, field: &str, username: &str) -> Result<Password, Refusal> {
    Password::choose(text, username)
        .map_err(|problem| Refusal::new(Code::WeakPassword, format!("{field} {problem}")).about(field))
}

impl Service {
    /// Registers an account for whoever asks.
    ///
    /// # Errors
    /// `registration_closed`, `invalid_field`, `weak_password`, `username_taken`, `email_taken`.
    pub async fn register(&self, create: CreateAccount, address: &str) -> Outcome<Account> {
        let status = match self.inner.accounts.registration {
            Registration::Open => Status::Active,
            Registration::Approval => Status::Pending,
            Registration::Closed => return Err(Code::RegistrationClosed.into()),
        };
        self.limits.take(&limits::REGISTER, address).await?;
        let standing = Standing { status, is_active: true };
        let new = self.prepare(create, Role::User, standing).await?;
        let write = move |connection: &mut AnyConnection| {
            write_transaction(connection, |c| {
                let account = Account::insert_within(c, &new)?;
                let told = tell_account(c, &account, &[EventType::AccountCreated])?;
                Ok::<_, Failure>((account, told))
            })
        };
        let (account, told) = self.db.run(write).await?;
        self.deliver(told);
        Ok(account)
    }

    /// Makes an account for an admin.
    ///
    /// # Errors
    /// As [`Self::register`].
    pub async fn create_account(
        &self,
        actor: Actor,
        create: CreateAccount,
        role: Role,
        status: Status,
    ) -> Outcome<Account> {
        let new = self.prepare(create, role, Standing { status, is_active: true }).await?;
        let (account, told) = self
            .db
            .run(move |connection| {
                write_transaction(connection, |c| {
                    let account = Account::insert_within(c, &new)?;
                    let details = Some(serde_json::json!({ "role": role, "status": status }).to_string());
                    let target = (account.id, account.username.as_str());
                    AuditEntry { actor: &actor, action: "create", target, reason: None, details }.write(c)?;
                    let told = tell_account(c, &account, &[EventType::AccountCreated])?;
                    Ok::<_, Failure>((account, told))
                })
            })
            .await?;
        self.deliver(told);
        Ok(account)
    }

    async fn prepare(&self, create: CreateAccount, role: Role, standing: Standing) -> Outcome<NewAccount> {
        let username = username(&create.username)?;
        let email = email(&create.email)?;
        let password = password(create.password, "password", username.as_str())?;
        // A taken name is found before the work of hashing, and again when it is written.
        let key = username.key().to_owned();
        let taken = self.db.run(move |c| Account::find_for_login(c, &key)).await?;
        if taken.is_some() {
            return Err(WriteError::UsernameTaken.into());
        }
        let password_hash = self.inner.hasher.hash(password).await?;
        Ok(NewAccount { username, email, password_hash, role, standing })
    }

    /// Makes an admin of this name; or, where `promote` allows it, makes the account of this name an admin with this
    /// password, whose sessions all end: they were somebody's who had the password before.
    ///
    /// # Errors
    /// `username_taken` where there is such an account and it must not be promoted, `email_taken`, and where the
    /// database is away.
    pub async fn make_admin(&self, admin: FirstAdmin, promote: bool) -> Outcome<Account> {
        let password_hash = self.inner.hasher.hash(admin.password.clone()).await?;
        let (account, told) = self
            .db
            .run(move |connection| {
                write_transaction(connection, |c| {
                    let actor = Actor::operator();
                    let existing = Account::find_for_login(c, admin.username.key())?;
                    let (account, events) = match existing {
                        Some(_) if !promote => return Err(WriteError::UsernameTaken.into()),
                        Some(account) => {
                            let now = Timestamp::now();
                            Session::end_all(c, account.id, SessionId::ALL, Reason::EndedByAdmin, now)?;
                            let own = crate::settings::default_email(&admin.username);
                            let changes = AccountChanges {
                                email: Some(admin.email).filter(|email| own.as_ref() != Some(email)),
                                password_hash: Some(password_hash),
                                role: Some(Role::Admin),
                                standing: Some(Standing::ACTIVE),
                                ..AccountChanges::default()
                            };
                            let events = EventType::of_standing(account.standing, Standing::ACTIVE);
                            (Account::change(c, account.id, &changes)?.ok_or(Code::UserNotFound)?, events)
                        }
                        None => {
                            let (username, email) = (admin.username, admin.email);
                            let (role, standing) = (Role::Admin, Standing::ACTIVE);
                            let new = NewAccount { username, email, password_hash, role, standing };
                            (Account::insert_within(c, &new)?, vec![EventType::AccountCreated])
                        }
                    };
                    let target = (account.id, account.username.as_str());
                    let action = "create_admin";
                    AuditEntry { actor: &actor, action, target, reason: None, details: None }.write(c)?;
                    let told = tell_account(c, &account, &events)?;
                    Ok::<_, Failure>((account, told))
                })
            })
            .await?;
        self.deliver(told);
        Ok(account)
    }

    /// Changes an account for an admin, all of it or nothing.
    ///
    /// # Errors
    /// `user_not_found`, `invalid_field`, `weak_password`, `username_taken`, `email_taken`, `not_yourself`,
    /// `last_admin`.
    pub async fn edit_account(&self, actor: Actor, target: UserId, edit: AccountEdit) -> Outcome<Account> {
        let before = self.account(target).await?;
        let mut fields = AccountChanges {
            username: edit.username.as_deref().map(username).transpose()?,
            email: edit.email.as_deref().map(email).transpose()?,
            role: edit.role.filter(|role| *role != before.role),
            inactivity_timeout: edit.inactivity_timeout,
            ..AccountChanges::default()
        };
        if let Some(Some(timeout)) = edit.inactivity_timeout {
            self.check_timeout(timeout)?;
        }
        if let Some(text) = edit.password {
            let name = fields.username.as_ref().map_or(before.username.as_str(), Username::as_str);
            let password = password(text, "password", name)?;
            fields.password_hash = Some(self.inner.hasher.hash(password).await?);
        }
        let named = edit.status.is_some() || edit.is_active.is_some();
        let standing = named.then_some(StandingChange::To { status: edit.status, is_active: edit.is_active });
        let change = Change { action: "change", fields, standing, reason: edit.reason };
        let account = self.change_account(actor, target, change).await?;
        if edit.inactivity_timeout.is_some() {
            self.engine.retime(target, self.timeout_of(&account)).await?;
        }
        Ok(account)
    }

    /// Deletes an account: it is offline, and its tokens are dead, when this answers.
    ///
    /// # Errors
    /// `user_not_found`, `not_yourself`, `last_admin`; `engine_unavailable`, and nothing has changed then.
    pub async fn delete_account(&self, actor: Actor, target: UserId, reason: Option<String>) -> Outcome<()> {
        super::barring::check_reason(reason.as_deref())?;
        self.check_may_take_away(&actor, target).await?;
        self.remove_account(actor, target, reason, true).await
    }

    /// Deletes an account, by an admin or, where `guarded` is false, by its owner.
    pub(super) async fn remove_account(
        &self,
        actor: Actor,
        target: UserId,
        reason: Option<String>,
        guarded: bool,
    ) -> Outcome<()> {
        if !guarded {
            // Refused before anybody is told that the user went offline.
            let actor = actor.clone();
            let check = move |c: &mut AnyConnection| {
                write_transaction(c, |c| {
                    Ok::<_, Failure>(Guard::take_for(c, &actor, false)?.leaves_an_admin(target)?)
                })
            };
            self.db.run(check).await?;
        }
        self.engine.evict(target, SessionId::ALL, Reason::Deleted).await?;
        let deleted = self
            .db
            .run(move |connection| {
                write_transaction(connection, |c| {
                    let guard = Guard::take_for(c, &actor, guarded)?;
                    let account = Account::lock(c, target)?.ok_or(Code::UserNotFound)?;
                    if guarded {
                        guard.allows_taking_away(target)?;
                    } else {
                        guard.leaves_an_admin(target)?;
                    }
                    let target_name = (target, account.username.as_str());
                    let reason = reason.as_deref();
                    AuditEntry { actor: &actor, action: "delete", target: target_name, reason, details: None }
                        .write(c)?;
                    Account::delete(c, target)?;
                    Ok::<_, Failure>(tell_account(c, &account, &[EventType::AccountDeleted])?)
                })
            })
            .await;
        self.undo_eviction_unless(target, &deleted).await;
        self.deliver(deleted?);
        self.engine.evict(target, SessionId::ALL, Reason::Deleted).await?;
        Ok(())
    }

    /// An account.
    ///
    /// # Errors
    /// `user_not_found`.
    pub async fn account(&self, id: UserId) -> Outcome<Account> {
        let found = self.db.run(move |c| Account::find(c, id)).await?;
        found.ok_or_else(|| Code::UserNotFound.into())
    }

    /// Holds a user's own timeout to the operator's bounds.
    pub(super) fn check_timeout(&self, timeout: Duration) -> Result<(), Refusal> {
        let bounds = &self.inner.presence;
        if timeout < bounds.timeout_min || timeout > bounds.timeout_max {
            let (min, max) = (bounds.timeout_min.as_secs_f64(), bounds.timeout_max.as_secs_f64());
            let problem = format!("must be from {min} to {max}");
            return Err(Refusal::field("inactivity_timeout_seconds", &problem));
        }
        Ok(())
    }

    /// Keeps a session that is live, and no other, of its user.
    pub(super) async fn end_other_sessions(&self, user: UserId, keep: SessionId, reason: Reason) -> Outcome<()> {
        let now = Timestamp::now();
        let others = self.db.run(move |c| Session::of_user(c, user, now)).await?;
        for other in others.iter().filter(|other| other.id() != keep) {
            self.end_session(user, other.id(), reason).await?;
        }
        Ok(())
    }
}
