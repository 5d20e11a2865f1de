//! Metrics.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use crate::db::{Db, Load};
use crate::presence::transition::{Entry, Event};
use crate::presence::{Engine, Reason};
use crate::queue::Depth;

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

/// Which way a heartbeat has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// It was answered before the application, from the engine alone.
    Fast,
    /// It was answered by the application.
    Slow,
}

/// What heartbeats are counted by.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Heartbeat {
    path: &'static str,
    outcome: &'static str,
}

/// What requests are timed by.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct Request {
    /// The route's pattern, not the path: there are as many as there are routes.
    pub route: String,
    /// The method, one of those that HTTP has.
    pub method: &'static str,
    /// `2xx` and so on.
    pub status: &'static str,
}

/// What transitions are counted by.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct Change {
    /// `online` or `offline`.
    pub kind: &'static str,
    /// The reason's word.
    pub reason: &'static str,
}

/// What the database's connections, and the queue's tasks, are counted by.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct State {
    /// In one word.
    pub state: &'static str,
}

/// What kind of text [`Metrics::encode`] answers.
pub const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The status classes that answers are counted by.
const CLASSES: [&str; 4] = ["2xx", "3xx", "4xx", "5xx"];

/// How long the database may take to tell what a scrape asks: Prometheus gives up after ten seconds, and takes the process for dead.
pub const SCRAPED_WITHIN: Duration = Duration::from_secs(2);

/// Why something ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct End {
    /// In one word.
    pub why: &'static str,
}

/// What is counted of a transition.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    online: bool,
    reason: Reason,
    late: Duration,
}

impl Told {
    /// Of an entry of the stream, where it is a transition.
    #[must_use]
    pub fn of(entry: &Entry) -> Option<Self> {
        let Event::Transition(transition) = &entry.event else { return None };
        let late = entry.id.ms.saturating_sub(transition.at.0.max(0).unsigned_abs());
        Some(Self { online: transition.online, reason: transition.reason, late: Duration::from_millis(late) })
    }
}

/// The metrics of a process.
pub struct Metrics {
    registry: Registry,
    /// Heartbeats answered, by outcome: one for each of [`CLASSES`], so that none is looked up by a heartbeat.
    heartbeats: [[Counter; 4]; 2],
    /// Heartbeats that went to Redis in one command.
    pub batches: Histogram,
    /// How long requests took, in seconds.
    pub request_seconds: Family<Request, Histogram>,
    /// Users who are online as the database holds it.
    pub online: Gauge,
    /// Sessions that the engine holds.
    sessions: Gauge,
    /// Transitions written to the database.
    pub transitions: Family<Change, Counter>,
    /// How long after their deadline time-outs were noted, in seconds.
    pub expiry_delay: Histogram,
    /// The database's connections.
    connections: Family<State, Gauge>,
    /// Those who wait for one.
    waiting: Gauge,
    /// HTTP requests answered, by status class: one for each of [`CLASSES`], so that none is looked up.
    requests: [Counter; 4],
    /// Open WebSockets.
    pub sockets: Gauge,
    /// WebSockets that ended, by why.
    pub socket_ends: Family<End, Counter>,
    /// Attempts at jobs that ended.
    pub jobs: Family<JobOutcome, Counter>,
    /// How long they took, in seconds.
    pub job_seconds: Family<JobOutcome, Histogram>,
    /// Users of whom sweeps took a session or a choice out.
    pub swept: Counter,
    /// Tasks in the queue.
    tasks: Family<State, Gauge>,
    /// For how long the oldest task that waits has done so, in seconds.
    oldest_task: Gauge<f64, AtomicU64>,
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
        let version = vec![("version", env!("CARGO_PKG_VERSION"))];
        registry.register("build", "What this is", Info::new(version));
        let heartbeats = Family::<Heartbeat, Counter>::default();
        registry.register("heartbeats", "Heartbeats answered", heartbeats.clone());
        let heartbeats = ["fast", "slow"]
            .map(|path| CLASSES.map(|outcome| heartbeats.get_or_create_owned(&Heartbeat { path, outcome })));
        let batches = Histogram::new(exponential_buckets(1.0, 2.0, 11));
        registry.register("heartbeat_batch_size", "Heartbeats that went to Redis in one command", batches.clone());
        let seconds: fn() -> Histogram = || Histogram::new(exponential_buckets(0.001, 2.5, 10));
        let request_seconds = Family::new_with_constructor(seconds);
        registry.register("http_request_seconds", "How long requests took", request_seconds.clone());
        let online = Gauge::default();
        registry.register("users_online", "Users who are online as the database holds it", online.clone());
        let sessions = Gauge::default();
        registry.register("sessions", "Sessions that are live, or not swept yet", sessions.clone());
        let transitions = Family::default();
        registry.register("transitions", "Transitions written to the database", transitions.clone());
        let expiry_delay = Histogram::new(exponential_buckets(0.05, 2.5, 10));
        let help = "How long after their deadline time-outs were noted";
        registry.register("expiry_delay_seconds", help, expiry_delay.clone());
        let connections = Family::default();
        registry.register("database_connections", "Connections to the database", connections.clone());
        let waiting = Gauge::default();
        registry.register("database_waiting", "Callers who wait for a connection", waiting.clone());
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
        let swept = Counter::default();
        registry.register("swept_users", "Users of whom sweeps took a session or a choice out", swept.clone());
        let tasks = Family::default();
        registry.register("queue_tasks", "Tasks in the queue", tasks.clone());
        let oldest_task = Gauge::default();
        let help = "For how long the oldest task that waits has done so";
        registry.register("queue_oldest_task_seconds", help, oldest_task.clone());
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
            batches,
            request_seconds,
            online,
            sessions,
            transitions,
            expiry_delay,
            connections,
            waiting,
            requests,
            sockets,
            socket_ends,
            jobs,
            job_seconds,
            swept,
            tasks,
            oldest_task,
            projected,
            deliveries,
            deliveries_due,
            delivery_oldest_due,
            deliveries_retrying,
            deliveries_dead,
            projector_lag,
        }
    }

    /// Counts an answer by its HTTP status, and by the way where it is a heartbeat's. Answers the status's class.
    pub fn count_answer(&self, status: u16, heartbeat: Option<Way>) -> &'static str {
        let class = match status {
            200..300 => 0,
            300..400 => 1,
            400..500 => 2,
            // A handshake for a socket: there is no other answer below 200.
            ..200 => 0,
            _ => 3,
        };
        self.requests[class].inc();
        if let Some(way) = heartbeat {
            self.heartbeats[way as usize][class].inc();
        }
        CLASSES[class]
    }

    /// Counts what was written to the database of one shard's stream.
    pub fn count_transitions(&self, told: &[Told]) {
        for Told { online, reason, late } in told {
            let kind = if *online { "online" } else { "offline" };
            self.transitions.get_or_create(&Change { kind, reason: reason.as_str() }).inc();
            if !*online && *reason == Reason::Timeout {
                self.expiry_delay.observe(late.as_secs_f64());
            }
        }
    }

    /// Notes how the database's connections are.
    pub fn note_database(&self, db: &Db) {
        let Load { busy, idle, waiting } = db.load();
        for (state, n) in [("busy", busy), ("idle", idle)] {
            self.connections.get_or_create(&State { state }).set(i64::from(n));
        }
        self.waiting.set(i64::try_from(waiting).unwrap_or(i64::MAX));
    }

    /// Notes how full the queue is.
    pub fn note_queue(&self, depth: &Depth) {
        let Depth { waiting, active, retrying, dead, oldest } = *depth;
        for (state, n) in [("waiting", waiting), ("active", active), ("retrying", retrying), ("dead", dead)] {
            self.tasks.get_or_create(&State { state }).set(i64::try_from(n).unwrap_or(i64::MAX));
        }
        self.oldest_task.set(oldest.as_secs_f64());
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

/// Notes how many users are online, and sessions are held; where who knows can't be asked, the number stays what it was.
pub async fn note_online(metrics: &Metrics, db: &Db, engine: &Engine) {
    let online = tokio::time::timeout(SCRAPED_WITHIN, db.run(crate::models::open_counts::online));
    let (online, sessions) = tokio::join!(online, tokio::time::timeout(SCRAPED_WITHIN, engine.held()));
    match sessions {
        Ok(Ok(sessions)) => {
            metrics.sessions.set(i64::try_from(sessions).unwrap_or(i64::MAX));
        }
        Ok(Err(error)) => log::debug!("how many sessions are held is not known: {error}"),
        Err(_) => log::debug!("how many sessions are held is not known in time"),
    }
    match online {
        Ok(Ok(online)) => {
            metrics.online.set(online);
        }
        Ok(Err(error)) => log::debug!("how many are online is not known: {error}"),
        Err(_) => log::debug!("how many are online is not known in time"),
    }
}
