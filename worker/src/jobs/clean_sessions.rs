//! Deletes rows of sessions that have been over for some time.

use lastseen_shared::db::DbError;
use lastseen_shared::models::Session;
use lastseen_shared::timestamp::Timestamp;

use crate::context::Context;

/// Rows of one statement: short locks.
const AT_A_TIME: i64 = 1_000;

/// Deletes them in batches until none is left.
///
/// # Errors
/// The database's.
pub async fn run(context: &Context) -> Result<(), DbError> {
    let before = Timestamp::now().minus(context.sessions_kept);
    loop {
        let deleted = context.db.run(move |connection| Session::delete_over(connection, before, AT_A_TIME)).await?;
        if (deleted as i64) < AT_A_TIME {
            return Ok(());
        }
    }
}
