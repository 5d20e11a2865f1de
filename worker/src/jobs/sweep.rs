//! Takes sessions past their deadline out of one shard, so that their transitions are made. It costs what has expired,
//! not what exists; and it is never what makes an answer right, since readers apply the rule themselves.

use lastseen_shared::presence::{EngineError, PresenceEngine};

use crate::context::Context;

/// Users of one call. The engine bounds what it holds up at a time by itself.
const AT_A_TIME: usize = 5_000;

/// Sweeps a shard until nothing is overdue.
///
/// # Errors
/// The engine's.
pub async fn run(context: &Context, shard: u32) -> Result<(), EngineError> {
    loop {
        let expired = context.engine.expire(shard, AT_A_TIME).await?.taken;
        context.metrics.swept.inc_by(expired as u64);
        if expired > 0 {
            log::debug!("shard {shard}: sessions of {expired} users expired");
        }
        if expired < AT_A_TIME {
            return Ok(());
        }
    }
}
