//! What each process with sockets does beside them: follows every shard's transitions once, sweeps what is due, and
//! listens for signals.

use std::sync::Arc;
use std::time::Duration;

use lastseen_shared::presence::cursor::Place;
use lastseen_shared::presence::engine::Work;
use lastseen_shared::presence::transition::TransitionId;
use lastseen_shared::presence::{Engine, EngineError, PresenceEngine};
use lastseen_shared::signals::{Signal, Signals};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use super::hub::Hub;

/// Entries read at a time.
const BATCH: usize = 500;
/// How long to wait for news at a time: and so how late a loss of all data is noticed.
const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// How long to wait where the engine is away.
const AGAIN: Duration = Duration::from_millis(300);
/// Expiries taken at a time.
const EXPIRED_AT_A_TIME: usize = 1_000;
/// How often to look for what is due, at the least: a session that comes now may be due before all others.
const LOOK: Duration = Duration::from_millis(400);
/// And at the most, so that many expiries share a call.
const BREATH: Duration = Duration::from_millis(20);
/// How long the lease on sweeping holds: when its holder dies, another sweeps so much later.
const LEASE: Duration = Duration::from_secs(2);

/// The newest place of each shard.
///
/// # Errors
/// The engine's.
pub async fn newest(engine: &Engine) -> Result<Vec<Place>, EngineError> {
    let mut places = Vec::new();
    for shard in 0..engine.shards() {
        let stretch = engine.transitions(shard, TransitionId::START, 1).await?;
        places.push(Place { epoch: stretch.epoch.id, id: stretch.newest });
    }
    Ok(places)
}

/// Follows a shard's transitions for ever.
pub async fn transitions(engine: Engine, hub: Arc<Hub>, shard: u32, mut place: Place) {
    loop {
        match step(&engine, &hub, shard, &mut place).await {
            Ok(()) => {}
            Err(error) => {
                log::debug!("shard {shard}: watchers wait: {error}");
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
}

async fn step(engine: &Engine, hub: &Hub, shard: u32, place: &mut Place) -> Result<(), EngineError> {
    let stretch = engine.transitions(shard, place.id, BATCH).await?;
    if stretch.epoch.id != place.epoch || stretch.trimmed > place.id {
        log::info!("shard {shard}: the transitions began anew; watchers are told how things are");
        *place = Place { epoch: stretch.epoch.id, id: stretch.newest };
        hub.begin_anew(shard, place.clone());
        return Ok(());
    }
    match stretch.entries.last() {
        Some(last) => {
            place.id = last.id;
            hub.deliver(shard, stretch.entries);
        }
        None => engine.wait(shard, place.id, LONGEST_WAIT).await?,
    }
    Ok(())
}

/// Sweeps a shard as things fall due, for ever, while no other process does. Between the ticks of the sweep's job,
/// which stays as the safety net: so whoever watches learns of an expiry at once.
pub async fn expire(engine: Engine, shard: u32, holder: String) {
    loop {
        let pause = match due(&engine, shard, &holder).await {
            Ok(pause) => pause,
            Err(error) => {
                log::debug!("shard {shard}: expiries wait: {error}");
                LOOK
            }
        };
        tokio::time::sleep(pause).await;
    }
}

async fn due(engine: &Engine, shard: u32, holder: &str) -> Result<Duration, EngineError> {
    if !engine.lease(Work::Expire, shard, holder, LEASE).await? {
        return Ok(LOOK);
    }
    let expired = engine.expire(shard, EXPIRED_AT_A_TIME).await?;
    if expired.taken == EXPIRED_AT_A_TIME {
        return Ok(BREATH);
    }
    Ok(expired.next.unwrap_or(LOOK).clamp(BREATH, LOOK))
}

/// Passes signals on for ever.
pub async fn signals(signals: Signals, hub: Arc<Hub>) {
    let mut heard: broadcast::Receiver<Arc<Signal>> = signals.follow();
    loop {
        match heard.recv().await {
            Ok(signal) => hub.signal(&signal),
            // They may be lost: that is what they are.
            Err(RecvError::Lagged(missed)) => log::debug!("{missed} signals were missed"),
            Err(RecvError::Closed) => return,
        }
    }
}
