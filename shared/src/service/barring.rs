//! Suspending, banning, activating, deactivating, logging out: what an admin does to an account.
//!
//! Barring evicts in the engine, writes the row, and evicts again: the first makes the user offline before anything is
//! written, and refuses whatever read the old row; the second settles a race with another admin who admits at the same
//! moment. Activating admits, writes, admits again, likewise.

use super::{Outcome, Service};
use crate::account::{Role, Standing, names};
use crate::db::{AnyConnection, DbError, write_transaction};
use crate::ids::{SessionId, UserId};
use crate::models::{Account, AccountChanges, Actor, AuditEntry, Session};
use crate::presence::{PresenceEngine, Reason};
use crate::refusal::{Code, Failure, Refusal};

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
const LONGEST_REASON: usize = 500;

pub(super) fn check_reason(reason: Option<&str>) -> Result<(), Refusal> {
    let problem = reason.map_or(Ok(()), |reason| names::plain_text(reason, LONGEST_REASON));
    problem.map_err(|problem| Refusal::field("reason", &problem))
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
        standing: Standing,
        action: &'static str,
        reason: Option<String>,
    ) -> Outcome<Account> {
        check_reason(reason.as_deref())?;
        match standing.bar() {
            Some(bar) => {
                self.check_may_take_away(&actor, target).await?;
                self.engine.evict(target, SessionId::ALL, bar.reason()).await?;
                let written = self.write_standing(actor, target, standing, action, reason).await;
                self.undo_eviction_unless(target, &written).await;
                let account = written?;
                self.engine.evict(target, SessionId::ALL, bar.reason()).await?;
                Ok(account)
            }
            None => {
                // Sessions that were ended stay ended: only later ones are let in.
                self.engine.admit(target, self.newest_session(target).await?).await?;
                let account = self.write_standing(actor, target, standing, action, reason).await?;
                self.engine.admit(target, self.newest_session(target).await?).await?;
                Ok(account)
            }
        }
    }

    async fn write_standing(
        &self,
        actor: Actor,
        target: UserId,
        standing: Standing,
        action: &'static str,
        reason: Option<String>,
    ) -> Outcome<Account> {
        self.db
            .run(move |connection| {
                write_transaction(connection, |c| {
                    let guard = Guard::take(c, &actor)?;
                    let before = Account::lock(c, target)?.ok_or(Code::UserNotFound)?;
                    if let Some(bar) = standing.bar() {
                        guard.allows_taking_away(target)?;
                        let now = crate::timestamp::Timestamp::now();
                        Session::end_all(c, target, SessionId::ALL, bar.reason(), now)?;
                    }
                    let changes = AccountChanges { standing: Some(standing), ..AccountChanges::default() };
                    let account = Account::change(c, target, &changes)?.ok_or(Code::UserNotFound)?;
                    let details = serde_json::json!({
                        "from": { "status": before.standing.status, "is_active": before.standing.is_active },
                        "to": { "status": standing.status, "is_active": standing.is_active },
                    });
                    let entry = AuditEntry {
                        actor: &actor,
                        action,
                        target: (target, &account.username),
                        reason: reason.as_deref(),
                        details: Some(details.to_string()),
                    };
                    entry.write(c)?;
                    Ok::<_, Failure>(account)
                })
            })
            .await
    }

    /// Refuses, before anything is changed, what the transaction would refuse.
    pub(super) async fn check_may_take_away(&self, actor: &Actor, target: UserId) -> Outcome<()> {
        if actor.id == Some(target) {
            return Err(Code::NotYourself.into());
        }
        let account = self.account(target).await?;
        if account.role == Role::Admin && account.standing.bar().is_none() {
            let actor = actor.clone();
            self.db
                .run(move |connection| {
                    write_transaction(connection, |c| {
                        Guard::take(c, &actor)?.allows_taking_away(target).map_err(Failure::from)
                    })
                })
                .await?;
        }
        Ok(())
    }

    /// Where the row was not written after all, the sessions may come back by their next heartbeat.
    pub(super) async fn undo_eviction_unless<T>(&self, target: UserId, written: &Outcome<T>) {
        if written.is_err()
            && let Err(error) = self.engine.admit(target, SessionId(0)).await
        {
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

    /// What was done to an account, the newest first.
    ///
    /// # Errors
    /// `user_not_found`.
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
