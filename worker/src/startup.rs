//! Puts the worker together, for its own program and for the stand-alone one.

use std::sync::Arc;
use std::time::Duration;

use lastseen_shared::presence::PresenceEngine;
use lastseen_shared::queue::{Job, Queue, QueueError};
use lastseen_shared::settings::WorkerSettings;
use lastseen_shared::telemetry::JobOutcome;
use lastseen_shared::timestamp::Timestamp;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::attempt::Outcome;
use crate::consume::{ConsumeSettings, consume};
use crate::context::Context;
use crate::projector::Projector;
use crate::registry::Registry;
use crate::schedule::{Entry, ScheduleError, Scheduler};

/// When what comes every so often is due, beside the sweep.
const RECONCILE: &str = "30 */10 * * * *";
const TRIM: &str = "15 * * * * *";
const CLEAN_SESSIONS: &str = "45 7 * * * *";
const CLEAN_NOTIFICATIONS: &str = "45 17 * * * *";
const DELIVER_DUE: &str = "*/5 * * * * *";
const CLEAN_DELIVERIES: &str = "45 37 * * * *";
/// After the minute's sweep: what it finds to have ended before is rolled up at once.
const ROLL_ONLINE: &str = "10 * * * * *";
const SAMPLE_STATUSES: &str = "40 * * * * *";
const ROLL_ACTIVE: &str = "25 */10 * * * *";
const CLEAN_HISTORY: &str = "45 27 * * * *";
const CLEAN_TASKS: &str = "20 * * * * *";

/// How long sessions that are over stay in the database: support is asked about yesterday's.
pub const SESSIONS_KEPT: Duration = Duration::from_secs(7 * 86_400);

/// Why the worker ended.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// A schedule is wrong, or the scheduler does not start.
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
    /// The queue.
    #[error(transparent)]
    Queue(#[from] QueueError),
}

/// Ticks, runs jobs and follows the transitions until `stop` turns true; then finishes what is in hand.
///
/// # Errors
/// [`WorkerError`] where it can't start.
pub async fn run(context: Context, settings: WorkerSettings, stop: watch::Receiver<bool>) -> Result<(), WorkerError> {
    let shards = context.engine.shards();
    let each = move |job: fn(u32) -> Job| move |_| (0..shards).map(job).collect::<Vec<_>>();
    let entries = vec![
        Entry::new(settings.sweep_cron, each(|shard| Job::Sweep { shard })),
        Entry::new(RECONCILE, each(Job::reconcile)),
        Entry::new(TRIM, each(|shard| Job::TrimTransitions { shard })),
        Entry::new(CLEAN_SESSIONS, |_| vec![Job::CleanSessions {}]),
        Entry::new(CLEAN_NOTIFICATIONS, |_| vec![Job::CleanNotifications {}]),
        Entry::new(DELIVER_DUE, |_| vec![Job::DeliverDue {}]),
        Entry::new(CLEAN_DELIVERIES, |_| vec![Job::CleanDeliveries {}]),
        Entry::new(ROLL_ONLINE, |_| vec![Job::RollOnline {}]),
        Entry::new(ROLL_ACTIVE, |_| vec![Job::RollActive {}]),
        Entry::new(SAMPLE_STATUSES, |_| vec![Job::SampleStatuses {}]),
        Entry::new(CLEAN_HISTORY, |_| vec![Job::CleanHistory {}]),
        Entry::new(CLEAN_TASKS, |_| vec![Job::CleanTasks {}]),
    ];
    let scheduler = Scheduler::start(entries, context.queue.clone()).await?;
    let holder = process_name();
    let mut projectors = JoinSet::new();
    for shard in 0..shards {
        projectors.spawn(Projector::new(context.clone(), shard).follow(holder.clone(), stop.clone()));
    }
    tokio::spawn(work_at_start(context.queue.clone(), shards));
    let consume_settings = ConsumeSettings {
        concurrency: settings.concurrency,
        orphan_timeout: settings.orphan_timeout,
        ..ConsumeSettings::default()
    };
    let metrics = Arc::clone(&context.metrics);
    let observer = move |job: &'static str, outcome: Outcome, took: Duration| {
        let outcome = match outcome {
            Outcome::Succeeded => "succeeded",
            Outcome::Retrying => "retrying",
            Outcome::Failed => "failed",
        };
        let labels = JobOutcome { job, outcome };
        metrics.jobs.get_or_create(&labels).inc();
        metrics.job_seconds.get_or_create(&labels).observe(took.as_secs_f64());
    };
    let (queue, deliverer) = (context.queue.clone(), context.deliverer.clone());
    let consumed = consume(queue, consume_settings, Registry::new(context), Arc::new(observer), stop).await;
    scheduler.stop().await;
    projectors.join_all().await;
    deliverer.stop().await;
    Ok(consumed?)
}

/// What a crash left behind is mended at the next start, and months are made ready: once for replicas that start within
/// the same minute.
async fn work_at_start(queue: Queue, shards: u32) {
    const MINUTE: i64 = 60_000;
    let tick = Timestamp::now().0 / MINUTE * MINUTE;
    let reconcile = (0..shards).map(Job::reconcile);
    for job in reconcile.chain([Job::CleanHistory {}, Job::RollOnline {}, Job::RollActive {}]) {
        let name = job.name();
        if let Err(error) = queue.push(job, tick).await {
            log::warn!("{name} could not be queued at the start: {error}");
        }
    }
}

/// A name that no other process has.
fn process_name() -> String {
    let mut random = [0; 8];
    // Without random numbers the process id and the time have to do.
    let _ = getrandom::fill(&mut random);
    format!("{}-{}-{:x}", std::process::id(), Timestamp::now().0, u64::from_ne_bytes(random))
}
