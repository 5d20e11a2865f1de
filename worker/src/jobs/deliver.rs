//! Has what is due to webhooks sent. The jobs end at once: the sending is done beside them.

use lastseen_shared::db::{AnyConnection, DbError};
use lastseen_shared::models::Webhook;
use lastseen_shared::models::delivery::Backlog;
use lastseen_shared::timestamp::Timestamp;

use crate::context::Context;

/// Looks for all that is due, whoever was to send it: what was never pushed, what is to be tried again, what a process
/// that was killed had in hand.
///
/// # Errors
/// The database's.
pub async fn due(context: &Context) -> Result<(), DbError> {
    let now = Timestamp::now();
    for webhook in context.db.run(move |c| Webhook::with_due(c, now)).await? {
        context.deliverer.wake(webhook);
    }
    note_backlog(context).await
}

/// Brings the metrics of what waits up to date.
///
/// # Errors
/// The database's.
pub async fn note_backlog(context: &Context) -> Result<(), DbError> {
    let now = Timestamp::now();
    let backlog = context.db.run(move |c: &mut AnyConnection| Backlog::at(c, now)).await?;
    let age = backlog.oldest_ms.map_or(0, |oldest| now.0.saturating_sub(oldest).max(0));
    context.metrics.deliveries_due.set(backlog.due);
    context.metrics.deliveries_retrying.set(backlog.retrying);
    context.metrics.deliveries_dead.set(backlog.dead);
    context.metrics.delivery_oldest_due.set(std::time::Duration::from_millis(age.unsigned_abs()).as_secs_f64());
    Ok(())
}
