//! Users as the database lists them.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Nullable, Text};

use crate::account::{Role, Standing};
use crate::db::{AnyConnection, DbError};
use crate::ids::UserId;
use crate::models::account::standing;
use crate::models::privacy::{SUBJECT_COLUMNS, Subject, SubjectRow, privacy};
use crate::models::sql::Statement;
use crate::presence::availability::Privacy;
use crate::presence::rule::Projected;
use crate::timestamp::Timestamp;

/// One user of a page.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The account's id.
    pub id: UserId,
    /// The account's name.
    pub username: String,
    /// What the order by name compares.
    pub username_key: String,
    /// The account's address.
    pub email: String,
    /// The account's role.
    pub role: Role,
    /// The account's standing.
    pub standing: Standing,
    /// Who may see what of it.
    pub privacy: Privacy,
    /// What the database holds of its presence: not for the wire.
    pub(crate) projected: Projected,
    /// What the viewer's order by last seen takes its last seen for.
    pub(crate) rank: i64,
}

/// What says, beside the engine, how a user is and who may see it.
#[derive(Clone, Copy, Debug)]
pub struct StoredPresence {
    /// Whose, and who may see what of it.
    pub subject: Subject,
    /// What the database holds of its presence: not for the wire.
    pub(crate) projected: Projected,
}

impl Listed {
    /// The part of it that presence is made of.
    #[must_use]
    pub fn stored(&self) -> StoredPresence {
        let subject = Subject { id: self.id, standing: self.standing, privacy: self.privacy };
        StoredPresence { subject, projected: self.projected }
    }
}

#[derive(QueryableByName)]
struct StoredRow {
    #[diesel(embed)]
    subject: SubjectRow,
    #[diesel(sql_type = Nullable<BigInt>)]
    last_seen_ms: Option<i64>,
    #[diesel(sql_type = Nullable<Text>)]
    reason: Option<String>,
}

fn projected(last_seen_ms: Option<i64>, reason: Option<String>) -> Result<Projected, DbError> {
    let reason = reason.map(|reason| reason.parse()).transpose().map_err(DbError::Content)?;
    Ok(Projected { last_seen: Timestamp(last_seen_ms.unwrap_or(0)).nonzero(), reason })
}

#[derive(QueryableByName)]
pub(super) struct Row {
    #[diesel(sql_type = BigInt)]
    pub(super) total: i64,
    #[diesel(sql_type = BigInt)]
    pub(super) online_total: i64,
    #[diesel(sql_type = Nullable<BigInt>)]
    id: Option<i64>,
    #[diesel(sql_type = Nullable<Text>)]
    username: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    username_key: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    email: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    role: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    status: Option<String>,
    #[diesel(sql_type = Nullable<Bool>)]
    is_active: Option<bool>,
    #[diesel(sql_type = Nullable<Text>)]
    online_visibility: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    last_seen_visibility: Option<String>,
    #[diesel(sql_type = Nullable<BigInt>)]
    last_seen_ms: Option<i64>,
    #[diesel(sql_type = Nullable<Text>)]
    reason: Option<String>,
    #[diesel(sql_type = Nullable<BigInt>)]
    rank_ms: Option<i64>,
}

/// What a page has of `accounts a`, and its conditions look at.
pub(super) const OF_ACCOUNTS: &str = "a.id, a.username, a.username_key, a.email, a.role, a.status, a.is_active, \
     a.online_visibility, a.last_seen_visibility";
pub(super) const OF_PRESENCE: &str = "p.last_seen_ms, p.reason";
pub(super) const TABLES: &str = "accounts a JOIN presence p ON p.user_id = a.id";
pub(super) const ACTIVE: &str = "a.status = 'active' AND a.is_active";

impl Row {
    /// `None` for the row that carries the counts of an empty page.
    pub(super) fn into_listed(self) -> Option<Result<Listed, DbError>> {
        let id = UserId(self.id?);
        Some(listed(id, self))
    }
}

fn listed(id: UserId, row: Row) -> Result<Listed, DbError> {
    Ok(Listed {
        id,
        username: row.username.unwrap_or_default(),
        username_key: row.username_key.unwrap_or_default(),
        email: row.email.unwrap_or_default(),
        role: row.role.unwrap_or_default().parse().map_err(DbError::Content)?,
        standing: standing(&row.status.unwrap_or_default(), row.is_active.unwrap_or_default())?,
        privacy: privacy(&row.online_visibility.unwrap_or_default(), &row.last_seen_visibility.unwrap_or_default())?,
        projected: projected(row.last_seen_ms, row.reason)?,
        rank: row.rank_ms.unwrap_or(0),
    })
}

/// The users of these ids that there are, in no order: one statement.
///
/// # Errors
/// [`DbError`].
pub fn by_ids(connection: &mut AnyConnection, ids: &[UserId]) -> Result<Vec<Listed>, DbError> {
    let mut statement = Statement::on(connection);
    let these = statement.one_of(ids.iter().map(|id| id.0).collect());
    statement.keep().push(&format!(
        "SELECT CAST(0 AS BIGINT) AS total, CAST(0 AS BIGINT) AS online_total, {OF_ACCOUNTS}, {OF_PRESENCE}, \
         CAST(0 AS BIGINT) AS rank_ms FROM {TABLES} WHERE a.id {these}"
    ));
    let rows: Vec<Row> = statement.load(connection)?;
    rows.into_iter().filter_map(Row::into_listed).collect()
}

/// What presence is made of, of the users of these ids that there are, in no order: one statement.
///
/// # Errors
/// [`DbError`].
pub fn stored(connection: &mut AnyConnection, ids: &[UserId]) -> Result<Vec<StoredPresence>, DbError> {
    let mut statement = Statement::on(connection);
    let these = statement.one_of(ids.iter().map(|id| id.0).collect());
    let columns = format!("{SUBJECT_COLUMNS}, {OF_PRESENCE}");
    statement.keep().push(&format!("SELECT {columns} FROM {TABLES} WHERE a.id {these}"));
    let rows: Vec<StoredRow> = statement.load(connection)?;
    let stored = |row: StoredRow| {
        Ok(StoredPresence {
            subject: row.subject.into_subject()?,
            projected: projected(row.last_seen_ms, row.reason)?,
        })
    };
    rows.into_iter().map(stored).collect()
}
