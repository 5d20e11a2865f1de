//! Rolls up who was active, day by day.

use lastseen_shared::models::statistics::roll_active;
use lastseen_shared::presence::PresenceEngine;

use crate::context::{Context, JobError};

/// Rolls up to now, by the engine's clock, which dates what it rolls up.
///
/// # Errors
/// The engine's or the database's.
pub async fn run(context: &Context) -> Result<(), JobError> {
    let (_, now) = context.engine.epoch(0).await?;
    Ok(context.db.run(move |connection| roll_active(connection, now)).await?)
}
