//! The audit log: who did what to which account, and why.

use diesel::prelude::*;
use serde::Serialize;

use crate::db::schema::audit_log;
use crate::db::{AnyConnection, DbError};
use crate::ids::UserId;
use crate::timestamp::Timestamp;

/// Who acts: an admin, or the operator through a command.
#[derive(Clone, Debug)]
pub struct Actor {
    /// The admin's id; `None` for the operator.
    pub id: Option<UserId>,
    /// The admin's name at that time.
    pub name: String,
}

/// An entry to be written.
#[derive(Clone, Debug)]
pub struct AuditEntry<'a> {
    /// Who.
    pub actor: &'a Actor,
    /// What, as one word.
    pub action: &'a str,
    /// To whom.
    pub target: (UserId, &'a str),
    /// Why, as the actor says.
    pub reason: Option<&'a str>,
    /// What changed, as JSON.
    pub details: Option<String>,
}

/// An entry as it was written.
#[derive(Clone, Debug, Queryable, Selectable, Serialize)]
#[diesel(table_name = audit_log)]
pub struct WrittenEntry {
    /// Growing.
    pub id: i64,
    at_ms: i64,
    /// Who.
    pub actor_id: Option<i64>,
    /// The name of who.
    pub actor_name: String,
    /// What.
    pub action: String,
    /// To whom.
    pub target_id: Option<i64>,
    /// The name of whom.
    pub target_name: String,
    /// Why.
    pub reason: Option<String>,
    /// What changed, as JSON.
    pub details: Option<String>,
}

impl Actor {
    /// Whoever runs the programs.
    #[must_use]
    pub fn operator() -> Self {
        Self { id: None, name: "operator".to_owned() }
    }
}

impl AuditEntry<'_> {
    /// Writes it. Within the transaction that it tells of.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn write(&self, connection: &mut AnyConnection) -> Result<(), DbError> {
        diesel::insert_into(audit_log::table)
            .values((
                audit_log::at_ms.eq(Timestamp::now().0),
                audit_log::actor_id.eq(self.actor.id.map(|id| id.0)),
                audit_log::actor_name.eq(&self.actor.name),
                audit_log::action.eq(self.action),
                audit_log::target_id.eq(Some(self.target.0.0)),
                audit_log::target_name.eq(self.target.1),
                audit_log::reason.eq(self.reason),
                audit_log::details.eq(self.details.as_deref()),
            ))
            .execute(connection)?;
        Ok(())
    }
}

impl WrittenEntry {
    /// When.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        Timestamp(self.at_ms)
    }

    /// What was done to an account, the newest first, older than `before`.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn of_target(
        connection: &mut AnyConnection,
        target: UserId,
        before: Option<i64>,
        limit: i64,
    ) -> Result<Vec<Self>, DbError> {
        Ok(audit_log::table
            .filter(audit_log::target_id.eq(target.0))
            .filter(audit_log::id.lt(before.unwrap_or(i64::MAX)))
            .order(audit_log::id.desc())
            .limit(limit)
            .select(Self::as_select())
            .load(connection)?)
    }
}
