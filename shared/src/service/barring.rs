//! Suspending, banning, activating, deactivating, logging out: what an admin does to an account.
//!
//! Barring evicts in the engine, writes the row, and evicts again: the first makes the user offline before anything is
//! written, and refuses whatever read the old row; the second settles a race with another admin who admits at the same
//! moment. Activating admits, writes, admits again, likewise.

use super::webhooks::tell_account;
use super::{Outcome, Service};
use crate::account::{Role, Standing, Status, names};
use crate::db::{AnyConnection, DbError, write_transaction};
use crate::ids::{SessionId, UserId, WebhookId};
use crate::models::account::WriteError;
use crate::models::{Account, AccountChanges, Actor, AuditEntry, Session};
use crate::presence::{PresenceEngine, Reason};
use crate::refusal::{Code, Failure, Refusal};
use crate::timestamp::Timestamp;
use crate::webhooks::EventType;

/// The admins who can act, locked: what says that an admin is still one, and that one remains.
pub(super) struct Guard {
    acting: Vec<UserId>,
    actor: Option<UserId>,
}

impl Guard {
    /// Locks the acting admins, and refuses an actor who is none of them any more.
    pub(super) fn take(connection: &mut AnyConnection, actor: &Actor) -> Result<Self, Failure> {
        Self::take_for(connection, actor, true)
    }

    /// As [`Self::take`]; with `must_act` false for somebody who acts upon itself.
    pub(super) fn take_for(connection: &mut AnyConnection, actor: &Actor, must_act: bool) -> Result<Self, Failure> {
        let acting = Account::lock_acting_admins(connection)?;
        let guard = Self { acting, actor: actor.id };
        match actor.id {
            Some(id) if must_act && !guard.acting.contains(&id) => {
                Err(Refusal::new(Code::Forbidden, "you are not an active admin any more").into())
            }
            _ => Ok(guard),
        }
    }

    /// Refuses to take the actor itself, or the last admin, away.
    pub(super) fn allows_taking_away(&self, target: UserId) -> Result<(), Refusal> {
        if self.actor == Some(target) {
            return Err(Refusal::plain(Code::NotYourself));
        }
        self.leaves_an_admin(target)
    }

    /// Refuses to take the last admin away.
    pub(super) fn leaves_an_admin(&self, target: UserId) -> Result<(), Refusal> {
        if self.acting == [target] {
            return Err(Refusal::plain(Code::LastAdmin));
        }
        Ok(())
    }
}

/// The longest reason, in characters.
pub const LONGEST_REASON: usize = 500;

pub(super) fn check_reason(reason: Option<&str>) -> Result<(), Refusal> {
    let problem = reason.map_or(Ok(()), |reason| names::plain_text(reason, LONGEST_REASON));
    problem.map_err(|problem| Refusal::field("reason", &problem))
}

/// What is to become of an account's standing.
#[derive(Clone, Copy, Debug)]
pub enum StandingChange {
    /// Barred for a time.
    Suspend,
    /// Barred for good.
    Ban,
    /// Active, whatever it was.
    Activate,
    /// Not active, the status as it is.
    Deactivate,
    /// What is given; the rest as it is.
    To {
        /// The status.
        status: Option<Status>,
        /// The flag.
        is_active: Option<bool>,
    },
}

impl StandingChange {
    fn of(self, before: Standing) -> Standing {
        match self {
            Self::Suspend => Standing { status: Status::Suspended, ..before },
            Self::Ban => Standing { status: Status::Banned, ..before },
            Self::Activate => Standing::ACTIVE,
            Self::Deactivate => Standing { is_active: false, ..before },
            Self::To { status, is_active } => {
                Standing { status: status.unwrap_or(before.status), is_active: is_active.unwrap_or(before.is_active) }
            }
        }
    }
}

/// A change that an admin makes to an account, in one transaction.
#[derive(Clone, Debug)]
pub(super) struct Change {
    /// The word for the audit log.
    pub action: &'static str,
    /// Everything but the standing.
    pub fields: AccountChanges,
    /// The standing.
    pub standing: Option<StandingChange>,
    /// Why.
    pub reason: Option<String>,
}

impl Change {
    /// Whether sessions end although the account may go on: their tokens say the old role, or somebody had the old
    /// password.
    fn ends_sessions(&self) -> bool {
        self.fields.role.is_some() || self.fields.password_hash.is_some()
    }

    /// Whether an admin is one no longer by it.
    fn takes_away(&self, after: Standing) -> bool {
        after.bar().is_some() && self.standing.is_some() || self.fields.role == Some(Role::User)
    }

    /// Writes the change.
    fn write(self, actor: &Actor, target: UserId, c: &mut AnyConnection) -> Result<Written, Failure> {
        let guard = Guard::take(c, actor)?;
        // From here on a log-in waits: it will read the new row.
        let before = Account::lock(c, target)?.ok_or(Code::UserNotFound)?;
        // A new name keeps others from referring to the row.
        Account::lock_presence(c, target)?;
        let after = self.standing.map_or(before.standing, |change| change.of(before.standing));
        if self.takes_away(after) {
            guard.allows_taking_away(target)?;
        }
        let newest = Session::newest_of(c, target)?;
        let reason = match (self.standing, after.bar()) {
            (Some(_), Some(bar)) => Some(bar.reason()),
            _ => self.ends_sessions().then_some(Reason::EndedByAdmin),
        };
        let changes = AccountChanges { standing: self.standing.map(|_| after), ..self.fields };
        let account = Account::change(c, target, &changes)?.ok_or(Code::UserNotFound)?;
        // The presence, which a change of the standing writes to, and then the sessions: as the projector does.
        if let Some(reason) = reason {
            Session::end_all(c, target, newest, reason, Timestamp::now())?;
        }
        let details = details(&changes, before.standing);
        let (target, reason) = ((target, account.username.as_str()), self.reason.as_deref());
        AuditEntry { actor, action: self.action, target, reason, details: Some(details) }.write(c)?;
        let told = tell_account(c, &account, &EventType::of_standing(before.standing, account.standing))?;
        Ok(Written { was_barred: before.standing.bar().is_some(), account, newest, told })
    }
}

/// What became of a [`Change`].
struct Written {
    account: Account,
    /// Whether it was barred before.
    was_barred: bool,
    /// The newest of its sessions at that moment.
    newest: SessionId,
    /// The webhooks to be told.
    told: Vec<WebhookId>,
}

/// What changed, for the audit log: never a password.
fn details(changes: &AccountChanges, before: Standing) -> String {
    let mut told = serde_json::Map::new();
    let mut tell = |name: &str, value: Option<serde_json::Value>| {
        told.extend(value.map(|value| (name.to_owned(), value)));
    };
    tell("username", changes.username.as_ref().map(|name| name.as_str().into()));
    tell("email", changes.email.as_ref().map(|email| email.as_str().into()));
    tell("role", changes.role.map(|role| role.as_str().into()));
    tell("password", changes.password_hash.as_ref().map(|_| true.into()));
    tell("inactivity_timeout_seconds", changes.inactivity_timeout.map(|t| t.map(|t| t.as_secs_f64()).into()));
    let standing = |s: Standing| serde_json::json!({ "status": s.status, "is_active": s.is_active });
    tell("from", changes.standing.map(|_| standing(before)));
    tell("to", changes.standing.map(standing));
    serde_json::Value::Object(told).to_string()
}

impl Service {
    /// Changes whether an account may be online. Where it may not any more, the user is offline, its sessions are ended
    /// and its tokens dead when this answers.
    ///
    /// # Errors
    /// `user_not_found`, `not_yourself`, `last_admin`; `engine_unavailable`, and nothing has changed then.
    pub async fn set_standing(
        &self,
        actor: Actor,
        target: UserId,
        standing: StandingChange,
        action: &'static str,
        reason: Option<String>,
    ) -> Outcome<Account> {
        let fields = AccountChanges::default();
        self.change_account(actor, target, Change { action, fields, standing: Some(standing), reason }).await
    }

    pub(super) async fn change_account(&self, actor: Actor, target: UserId, change: Change) -> Outcome<Account> {
        check_reason(change.reason.as_deref())?;
        let before = self.account(target).await?;
        let expected = change.standing.map_or(before.standing, |standing| standing.of(before.standing));
        let (standing, ends_sessions) = (change.standing, change.ends_sessions());
        // What the transaction would refuse is refused before anybody goes offline for it.
        if change.takes_away(expected) {
            self.check_may_take_away(&actor, target).await?;
        }
        self.check_free(target, &change.fields).await?;
        let evicted = match (standing, expected.bar()) {
            (Some(_), Some(bar)) => Some((SessionId::ALL, bar.reason())),
            (Some(_), None) => {
                // Sessions that were ended stay ended: only later ones are let in. Of an account that was never barred they go on.
                if before.standing.bar().is_some() {
                    self.engine.admit(target, self.newest_session(target).await?).await?;
                }
                None
            }
            (None, _) if ends_sessions => Some((self.newest_session(target).await?, Reason::EndedByAdmin)),
            (None, _) => None,
        };
        if let Some((up_to, reason)) = evicted {
            self.engine.evict(target, up_to, reason).await?;
        }
        let write =
            move |connection: &mut AnyConnection| write_transaction(connection, |c| change.write(&actor, target, c));
        let written = self.db.run(write).await;
        if evicted.is_some() {
            self.undo_eviction_unless(target, &written).await;
        }
        let Written { account, was_barred, newest, told } = written?;
        self.deliver(told);
        match (standing, account.standing.bar()) {
            (Some(_), Some(bar)) => drop(self.engine.evict(target, SessionId::ALL, bar.reason()).await?),
            (Some(_), None) if was_barred => self.engine.admit(target, newest).await?,
            (_, None) | (None, _) => {}
        }
        if ends_sessions {
            // Once more, for a log-in that read the old row.
            self.engine.evict(target, newest, Reason::EndedByAdmin).await?;
        }
        Ok(account)
    }

    /// Whether the name and the address of a change are free, or the account's own.
    async fn check_free(&self, target: UserId, fields: &AccountChanges) -> Outcome<()> {
        let name = fields.username.as_ref().map(|name| name.key().to_owned());
        let email = fields.email.as_ref().map(|email| email.key().to_owned());
        if name.is_none() && email.is_none() {
            return Ok(());
        }
        let taken = move |c: &mut AnyConnection| {
            let mut other = |key: Option<String>| {
                let found = key.map(|key| Account::find_for_login(c, &key)).transpose()?.flatten();
                Ok::<_, DbError>(found.is_some_and(|account| account.id != target))
            };
            Ok::<_, DbError>((other(name)?, other(email)?))
        };
        match self.db.run(taken).await? {
            (true, _) => Err(WriteError::UsernameTaken.into()),
            (_, true) => Err(WriteError::EmailTaken.into()),
            _ => Ok(()),
        }
    }

    /// Refuses, before anything is changed, what the transaction would refuse.
    pub(super) async fn check_may_take_away(&self, actor: &Actor, target: UserId) -> Outcome<()> {
        if actor.id == Some(target) {
            return Err(Code::NotYourself.into());
        }
        let account = self.account(target).await?;
        if account.role == Role::Admin && account.standing.bar().is_none() {
            let actor = actor.clone();
            let check = move |c: &mut AnyConnection| {
                write_transaction(c, |c| Ok::<_, Failure>(Guard::take(c, &actor)?.allows_taking_away(target)?))
            };
            self.db.run(check).await?;
        }
        Ok(())
    }

    /// Where the row was not written after all, the sessions may come back by their next heartbeat. Not where another
    /// has barred the account meanwhile; and where that can't be read, the engine forgets the eviction by itself.
    pub(super) async fn undo_eviction_unless<T>(&self, target: UserId, written: &Outcome<T>) {
        if written.is_ok() {
            return;
        }
        let undone = match self.account(target).await {
            Ok(account) if account.standing.bar().is_none() => {
                self.engine.admit(target, SessionId(0)).await.map_err(Failure::from)
            }
            Ok(_) => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error) = undone {
            log::warn!("user {target} may come back a minute late: {error}");
        }
    }

    /// Logs a user out everywhere, for an admin.
    ///
    /// # Errors
    /// `user_not_found`; `engine_unavailable`, and nothing has changed then.
    pub async fn log_out_user(&self, actor: Actor, target: UserId, reason: Option<String>) -> Outcome<Account> {
        check_reason(reason.as_deref())?;
        let up_to = self.newest_session(target).await?;
        let ended = self.engine.evict(target, up_to, Reason::EndedByAdmin).await?;
        self.db
            .run(move |connection| {
                write_transaction(connection, |c| {
                    let account = Account::lock(c, target)?.ok_or(Code::UserNotFound)?;
                    Session::end_all(c, target, up_to, Reason::EndedByAdmin, ended.now)?;
                    let entry = AuditEntry {
                        actor: &actor,
                        action: "logout",
                        target: (target, &account.username),
                        reason: reason.as_deref(),
                        details: None,
                    };
                    entry.write(c)?;
                    Ok::<_, Failure>(account)
                })
            })
            .await
    }

    /// What was done to an account, the newest first; nothing for one that never was.
    ///
    /// # Errors
    /// Where the database is away.
    pub async fn audit_of(
        &self,
        target: UserId,
        before: Option<i64>,
        limit: i64,
    ) -> Outcome<Vec<crate::models::audit::WrittenEntry>> {
        let read =
            move |c: &mut AnyConnection| crate::models::audit::WrittenEntry::of_target(c, target, before, limit);
        Ok(self.db.run(read).await.map_err(|error: DbError| error)?)
    }
}
