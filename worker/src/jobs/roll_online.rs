//! Rolls up who was online, minute by minute.

use lastseen_shared::models::statistics::roll_online;
use lastseen_shared::presence::PresenceEngine;

use crate::context::{Context, JobError};

/// Rolls up to now, by the engine's clock, which dates what it rolls up.
///
/// # Errors
/// The engine's or the database's.
pub async fn run(context: &Context) -> Result<(), JobError> {
    let (_, now) = context.engine.epoch(0).await?;
    let (from, to) = context.db.run(move |connection| roll_online(connection, now)).await?;
    log::debug!("statistics are rolled up from {from} to {to}");
    Ok(())
}
