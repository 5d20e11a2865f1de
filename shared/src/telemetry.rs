//! Metrics, and whether the parts that a program stands on answer.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use serde::Serialize;

use crate::db::Db;
use crate::presence::Engine;

/// One label.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct Outcome {
    /// How it went.
    pub outcome: &'static str,
}

/// What a job's metrics are kept by.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct JobOutcome {
    /// The job's name.
    pub job: &'static str,
    /// How it went.
    pub outcome: &'static str,
}

/// What a shard's metrics are kept by.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct Shard {
    /// Which.
    pub shard: u32,
}

/// A status class of HTTP.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct StatusClass {
    /// `2xx` and so on.
    pub status: &'static str,
}

/// The status classes that answers are counted by.
const CLASSES: [&str; 4] = ["2xx", "3xx", "4xx", "5xx"];

/// Why something ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct End {
    /// In one word.
    pub why: &'static str,
}

/// The metrics of a process.
pub struct Metrics {
    registry: Registry,
    /// Heartbeats answered, by outcome: one for each of [`CLASSES`], so that none is looked up by a heartbeat.
    heartbeats: [Counter; 4],
    /// HTTP requests answered, by status class, likewise.
    requests: [Counter; 4],
    /// Open WebSockets.
    pub sockets: Gauge,
    /// WebSockets that ended, by why.
    pub socket_ends: Family<End, Counter>,
    /// Attempts at jobs that ended.
    pub jobs: Family<JobOutcome, Counter>,
    /// How long they took, in seconds.
    pub job_seconds: Family<JobOutcome, Histogram>,
    /// Sessions that sweeps took out.
    pub expired: Counter,
    /// Stream entries that the projector wrote to the database.
    pub projected: Family<Shard, Counter>,
    /// Attempts at deliveries to webhooks that ended.
    pub deliveries: Family<Outcome, Counter>,
    /// Deliveries that are due.
    pub deliveries_due: Gauge,
    /// For how long the oldest of them is, in seconds.
    pub delivery_oldest_due: Gauge<f64, AtomicU64>,
    /// Deliveries that have failed and are tried again.
    pub deliveries_retrying: Gauge,
    /// Deliveries that were given up and are still kept.
    pub deliveries_dead: Gauge,
    /// How old the oldest entry was that the projector had not written at its last look, in seconds.
    pub projector_lag: Family<Shard, Gauge<f64, AtomicU64>>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// All metrics at zero.
    #[must_use]
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("lastseen");
        let heartbeats = Family::<Outcome, Counter>::default();
        registry.register("heartbeats", "Heartbeats answered", heartbeats.clone());
        let heartbeats = CLASSES.map(|outcome| heartbeats.get_or_create_owned(&Outcome { outcome }));
        let requests = Family::<StatusClass, Counter>::default();
        registry.register("http_requests", "HTTP requests answered", requests.clone());
        let requests = CLASSES.map(|status| requests.get_or_create_owned(&StatusClass { status }));
        let sockets = Gauge::default();
        registry.register("sockets", "Open WebSockets", sockets.clone());
        let socket_ends = Family::default();
        registry.register("socket_ends", "WebSockets that ended", socket_ends.clone());
        let jobs = Family::default();
        registry.register("job_attempts", "Attempts at jobs that ended", jobs.clone());
        let buckets: fn() -> Histogram = || Histogram::new(exponential_buckets(0.001, 4.0, 9));
        let job_seconds = Family::new_with_constructor(buckets);
        registry.register("job_attempt_seconds", "How long attempts at jobs took", job_seconds.clone());
        let expired = Counter::default();
        registry.register("expired_sessions", "Users of whom sweeps took a session or a choice out", expired.clone());
        let projected = Family::default();
        registry.register("projected_entries", "Stream entries written to the database", projected.clone());
        let deliveries = Family::default();
        registry.register("webhook_attempts", "Attempts at deliveries to webhooks that ended", deliveries.clone());
        let deliveries_due = Gauge::default();
        registry.register("webhook_deliveries_due", "Deliveries to webhooks that are due", deliveries_due.clone());
        let delivery_oldest_due = Gauge::default();
        let help = "For how long the oldest delivery is due";
        registry.register("webhook_oldest_due_seconds", help, delivery_oldest_due.clone());
        let deliveries_retrying = Gauge::default();
        let help = "Deliveries to webhooks that have failed and are tried again";
        registry.register("webhook_deliveries_retrying", help, deliveries_retrying.clone());
        let deliveries_dead = Gauge::default();
        let help = "Deliveries to webhooks that were given up and are kept";
        registry.register("webhook_deliveries_dead", help, deliveries_dead.clone());
        let projector_lag = Family::default();
        registry.register("projector_lag_seconds", "Age of the oldest entry not yet written", projector_lag.clone());
        Self {
            registry,
            heartbeats,
            requests,
            sockets,
            socket_ends,
            jobs,
            job_seconds,
            expired,
            projected,
            deliveries,
            deliveries_due,
            delivery_oldest_due,
            deliveries_retrying,
            deliveries_dead,
            projector_lag,
        }
    }

    /// Counts an answer by its HTTP status.
    pub fn count_answer(&self, status: u16, is_heartbeat: bool) {
        let class = match status {
            200..300 => 0,
            300..400 => 1,
            400..500 => 2,
            _ => 3,
        };
        self.requests[class].inc();
        if is_heartbeat {
            self.heartbeats[class].inc();
        }
    }

    /// The OpenMetrics text.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut text = String::new();
        if prometheus_client::encoding::text::encode(&mut text, &self.registry).is_err() {
            log::error!("metrics could not be written");
        }
        text
    }
}

/// Whether one part answers.
#[derive(Clone, Debug, Serialize)]
pub struct Part {
    /// Which.
    pub name: &'static str,
    /// Whether it answers.
    pub ok: bool,
}

/// Asks the database and the engine.
pub async fn parts(db: &Db, engine: &Engine) -> Vec<Part> {
    let database = db.run(|connection| {
        use diesel::RunQueryDsl;
        diesel::sql_query("SELECT 1").execute(connection).map_err(crate::db::DbError::from)
    });
    let (database, engine) = futures_util::future::join(database, engine.check()).await;
    let part = |name, error: Option<String>| {
        if let Some(error) = &error {
            log::warn!("not ready: {name}: {error}");
        }
        Part { name, ok: error.is_none() }
    };
    vec![
        part("database", database.err().map(|error| error.to_string())),
        part("presence", engine.err().map(|error| error.to_string())),
    ]
}
