//! Sockets: presence told as it changes.
//!
//! - [`hub`]: who watches whom in this process, and whom an entry of the transitions wakes.
//! - [`follow`]: follows the transitions once a process, sweeps what is due, listens for signals.
//! - [`door`]: the handshake, after which the connection belongs to its socket alone.
//! - [`wire`]: frames on a connection.
//! - [`mailbox`]: what waits for a socket.
//! - [`socket`]: one socket's life: authentication, pings, frames, its end.
//! - `timers`: what a socket waits for.
//! - [`telling`]: what a socket is told, and from which place on.
//! - [`watching`]: whom a socket watches.
//! - [`frames`]: what goes over the wire, and close codes.
//! - [`limits`]: what a client may send.

pub mod door;
pub mod follow;
pub mod frames;
pub mod hub;
pub mod limits;
pub mod mailbox;
pub mod socket;
pub mod telling;
mod timers;
pub mod watching;
pub mod wire;

use std::sync::Arc;
use std::time::Duration;

use lastseen_shared::service::Service;
use tokio::task::JoinSet;

use crate::startup::{StartError, random_text};
use hub::Hub;

/// Within so long all sockets are closed when the server stops: each after a random part of it, so that the clients do
/// not all come back at once.
pub const FAREWELL: Duration = Duration::from_secs(3);

/// What keeps the sockets of a process told. Its work ends with it.
pub struct Live {
    /// Who watches whom.
    pub hub: Arc<Hub>,
    _work: JoinSet<()>,
}

impl Live {
    /// Begins to follow.
    ///
    /// # Errors
    /// Where the engine does not answer.
    pub async fn start(service: &Service) -> Result<Self, StartError> {
        let engine = &service.engine;
        let places = follow::newest(engine).await.map_err(|error| StartError::Refused(error.to_string()))?;
        let hub = Hub::new(places.clone());
        let holder = random_text(12)?;
        let mut work = JoinSet::new();
        for (place, shard) in places.into_iter().zip(0..) {
            work.spawn(follow::transitions(engine.clone(), Arc::clone(&hub), shard, place));
            work.spawn(follow::expire(engine.clone(), shard, holder.clone()));
        }
        work.spawn(follow::signals(service.signals.clone(), Arc::clone(&hub)));
        Ok(Self { hub, _work: work })
    }

    /// Has all sockets close, and waits until they have, as long as that may take.
    pub async fn stop(&self) {
        self.hub.stop();
        let until = tokio::time::Instant::now() + FAREWELL + Duration::from_secs(1);
        while !self.hub.is_empty() && tokio::time::Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
