//! Deletes notifications that are older than history is kept.

use lastseen_shared::db::DbError;
use lastseen_shared::models::notification::Notification;
use lastseen_shared::timestamp::Timestamp;

use crate::context::Context;

/// Rows of one statement: short locks.
const AT_A_TIME: i64 = 1_000;

/// Deletes them in batches until none is left.
///
/// # Errors
/// The database's.
pub async fn run(context: &Context) -> Result<(), DbError> {
    let before = Timestamp::now().minus(context.history_kept);
    loop {
        let delete = move |connection: &mut _| Notification::delete_old(connection, before, AT_A_TIME);
        if (context.db.run(delete).await? as i64) < AT_A_TIME {
            return Ok(());
        }
    }
}
