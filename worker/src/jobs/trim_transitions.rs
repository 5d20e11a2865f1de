//! Forgets transitions that the database has and that no client can ask for any more.

use lastseen_shared::models::projection::Offset;
use lastseen_shared::presence::PresenceEngine;

use crate::context::{Context, JobError};

/// Trims a shard's transitions behind the projected offset and the resume window.
///
/// # Errors
/// The engine's or the database's.
pub async fn run(context: &Context, shard: u32) -> Result<(), JobError> {
    let (epoch, _) = context.engine.epoch(shard).await?;
    let offset = context.db.run(move |connection| Offset::load(connection, shard)).await?;
    // An offset of another epoch says nothing about these transitions.
    let Some(offset) = offset.filter(|offset| offset.epoch == epoch.id) else { return Ok(()) };
    let forgotten = context.engine.trim(shard, offset.id, context.presence.resume_window).await?;
    log::debug!("shard {shard}: {forgotten} transitions forgotten");
    Ok(())
}
