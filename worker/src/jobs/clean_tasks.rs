//! Removes finished tasks and their data from the queue, which would grow for ever otherwise.

use lastseen_shared::queue::QueueError;

use crate::context::Context;

/// Removes them.
///
/// # Errors
/// The queue's.
pub async fn run(context: &Context) -> Result<(), QueueError> {
    let removed = context.queue.clean_finished().await?;
    log::debug!("{removed} finished tasks removed");
    Ok(())
}
