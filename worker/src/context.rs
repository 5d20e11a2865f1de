//! What jobs and the projector work with.

use std::sync::Arc;
use std::time::Duration;

use lastseen_shared::db::Db;
use lastseen_shared::presence::Engine;
use lastseen_shared::queue::Queue;
use lastseen_shared::settings::PresenceSettings;
use lastseen_shared::signals::Signals;
use lastseen_shared::telemetry::Metrics;

use crate::deliver::Deliverer;

/// Why a job failed: any error at all. It is logged, and the policy decides what is next.
pub type JobError = Box<dyn std::error::Error + Send + Sync>;

/// What jobs and the projector work with. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    /// The presence engine.
    pub engine: Engine,
    /// The database.
    pub db: Db,
    /// What is said to sockets.
    pub signals: Signals,
    /// The queue.
    pub queue: Queue,
    /// The presence settings.
    pub presence: PresenceSettings,
    /// How long sessions that are over stay in the database.
    pub sessions_kept: Duration,
    /// How long history, notifications and deliveries to webhooks stay.
    pub history_kept: Duration,
    /// Sends to webhooks.
    pub deliverer: Deliverer,
    /// The process's metrics.
    pub metrics: Arc<Metrics>,
}
