//! Deletes deliveries that are too old to be kept, and secrets that do not sign any more.

use lastseen_shared::db::DbError;
use lastseen_shared::models::{Delivery, Webhook};
use lastseen_shared::timestamp::Timestamp;

use crate::context::Context;

/// Rows of one statement: short locks.
const AT_A_TIME: i64 = 1_000;

/// Deletes them in batches until none is left.
///
/// # Errors
/// The database's.
pub async fn run(context: &Context) -> Result<(), DbError> {
    let now = Timestamp::now();
    context.db.run(move |connection| Webhook::forget_previous(connection, now)).await?;
    let before = now.minus(context.history_kept);
    loop {
        let deleted = context.db.run(move |connection| Delivery::delete_old(connection, before, AT_A_TIME)).await?;
        if (deleted as i64) < AT_A_TIME {
            return Ok(());
        }
    }
}
