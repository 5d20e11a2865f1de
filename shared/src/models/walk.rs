//! Going through all accounts.

use diesel::prelude::*;

use crate::db::schema::accounts;
use crate::db::{AnyConnection, DbError};
use crate::ids::UserId;

/// The next accounts after an id, in the order of ids.
///
/// # Errors
/// [`DbError`].
pub fn accounts_after(connection: &mut AnyConnection, after: UserId, most: i64) -> Result<Vec<UserId>, DbError> {
    let next = accounts::table.filter(accounts::id.gt(after.0)).order(accounts::id).limit(most).select(accounts::id);
    Ok(next.load::<i64>(connection)?.into_iter().map(UserId).collect())
}
