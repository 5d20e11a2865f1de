//! Deletes history that is older than it is kept: whole months by dropping their partitions, the rest of the oldest in
//! small batches. Makes the partitions of the months to come.

use std::time::Duration;

use lastseen_shared::db::{AnyConnection, DbError};
use lastseen_shared::models::months::{delete_old, drop_months, make_partitions};
use lastseen_shared::models::statistics::delete_old_minutes;
use lastseen_shared::timestamp::Timestamp;

use crate::context::Context;

/// Rows of one statement: short locks.
const AT_A_TIME: i64 = 5_000;
/// How far ahead partitions are made: workers may be away for long.
const AHEAD: Duration = Duration::from_secs(75 * 86_400);

/// Makes and drops partitions, then deletes until nothing old is left.
///
/// # Errors
/// The database's.
pub async fn run(context: &Context) -> Result<(), DbError> {
    let now = Timestamp::now();
    let before = now.minus(context.history_kept);
    let months = move |connection: &mut AnyConnection| {
        make_partitions(connection, now, now.plus(AHEAD))?;
        let dropped = drop_months(connection, before)?;
        delete_old_minutes(connection, before)?;
        Ok::<_, DbError>(dropped)
    };
    let dropped = context.db.run(months).await?;
    if dropped > 0 {
        log::info!("{dropped} months of history are past their time: dropped");
    }
    let mut next = Some(Timestamp(i64::MIN));
    while let Some(after) = next {
        let delete = move |connection: &mut AnyConnection| delete_old(connection, after, before, AT_A_TIME);
        next = context.db.run(delete).await?;
    }
    Ok(())
}
