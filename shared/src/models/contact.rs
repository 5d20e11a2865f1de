//! Contacts: what one user is to another, a row for each side.

use std::collections::HashSet;

use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Nullable, Text};

use super::sql::{Statement, Value};
use crate::db::{AnyConnection, DbError};
use crate::ids::UserId;
use crate::presence::availability::Privacy;

/// What decides what a user may see of others: its own privacy, and whom it is related to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Relations {
    /// What it hides of itself.
    pub privacy: Privacy,
    /// Its contacts.
    pub contacts: HashSet<UserId>,
    /// Whom it has blocked, and who has blocked it.
    pub blocked: HashSet<UserId>,
}

#[derive(QueryableByName)]
struct RelationRow {
    #[diesel(sql_type = Text)]
    online_visibility: String,
    #[diesel(sql_type = Text)]
    last_seen_visibility: String,
    #[diesel(sql_type = Nullable<BigInt>)]
    other_id: Option<i64>,
    #[diesel(sql_type = Nullable<Text>)]
    state: Option<String>,
}

impl Relations {
    /// A user's; `None` where there is no such account. One statement.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn load(connection: &mut AnyConnection, user: UserId) -> Result<Option<Self>, DbError> {
        let mut statement = Statement::on(connection);
        let id = statement.value(Value::Int(user.0));
        statement.push(&format!(
            "SELECT a.online_visibility, a.last_seen_visibility, c.other_id, c.state FROM accounts a LEFT JOIN ( \
                 SELECT other_id, state FROM contacts WHERE user_id = {id} AND state IN ('accepted', 'blocked') \
                 UNION ALL SELECT user_id, state FROM contacts WHERE other_id = {id} AND state = 'blocked' \
             ) c ON TRUE WHERE a.id = {id}"
        ));
        let rows: Vec<RelationRow> = statement.load(connection)?;
        let Some(first) = rows.first() else { return Ok(None) };
        let visibility = |text: &str| text.parse().map_err(DbError::Content);
        let privacy = Privacy {
            online: visibility(&first.online_visibility)?,
            last_seen: visibility(&first.last_seen_visibility)?,
        };
        let mut relations = Self { privacy, ..Self::default() };
        for (other, state) in rows.iter().filter_map(|row| row.other_id.zip(row.state.as_deref())) {
            let of_this_kind = if state == "blocked" { &mut relations.blocked } else { &mut relations.contacts };
            of_this_kind.insert(UserId(other));
        }
        Ok(Some(relations))
    }
}
