//! Samples what only the moment shows: availability of online users, status of accounts.

use lastseen_shared::models::statistics::sample;
use lastseen_shared::presence::PresenceEngine;

use crate::context::{Context, JobError};

/// Takes one sample.
///
/// # Errors
/// The engine's or the database's.
pub async fn run(context: &Context) -> Result<(), JobError> {
    let (_, now) = context.engine.epoch(0).await?;
    let counts = context.engine.lookup(&[]).await?.counts;
    Ok(context.db.run(move |connection| sample(connection, now, counts)).await?)
}
