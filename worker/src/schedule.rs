//! The ticks: at the moments of a cron expression, enqueue jobs, and nothing else.
//!
//! Every replica ticks. What makes one job of their many is the tick's number, which is the scheduled moment and not the moment
//! of firing.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use lastseen_shared::queue::cron::{CronError, CronSchedule};
use lastseen_shared::queue::{Job, Pushed, Queue};
use tokio_cron_scheduler::{Job as CronJob, JobScheduler, JobSchedulerError};

/// How often a job is offered to the queue before its tick is left to the other replicas, and the pause in between.
const PUSH_ATTEMPTS: u32 = 3;
const PUSH_PAUSE: Duration = Duration::from_secs(1);

/// What to enqueue at a tick, whose scheduled moment is given in Unix milliseconds.
pub type JobsAt = Arc<dyn Fn(i64) -> Vec<Job> + Send + Sync>;

/// When to enqueue what.
#[derive(Clone)]
pub struct Entry {
    /// A cron expression of six fields, seconds first, in UTC.
    pub cron: String,
    /// What to enqueue.
    pub jobs: JobsAt,
}

impl Entry {
    /// Enqueues `jobs` at the moments of `cron`.
    pub fn new(cron: impl Into<String>, jobs: impl Fn(i64) -> Vec<Job> + Send + Sync + 'static) -> Self {
        Self { cron: cron.into(), jobs: Arc::new(jobs) }
    }
}

/// Why the scheduler could not start.
#[derive(Debug, thiserror::Error)]
pub enum ScheduleError {
    /// An expression is wrong.
    #[error(transparent)]
    Cron(#[from] CronError),
    /// The scheduler itself failed.
    #[error("scheduler: {0}")]
    Scheduler(#[from] JobSchedulerError),
}

/// A scheduler that ticks until it is stopped.
#[must_use = "it should be stopped before the queue goes away"]
pub struct Scheduler {
    inner: JobScheduler,
}

impl Scheduler {
    /// Starts to tick.
    ///
    /// # Errors
    ///
    /// [`ScheduleError::Cron`] names the first expression that is wrong.
    pub async fn start(entries: Vec<Entry>, queue: Queue) -> Result<Self, ScheduleError> {
        let inner = JobScheduler::new().await?;
        for entry in entries {
            let schedule = Arc::new(CronSchedule::parse(&entry.cron)?);
            let queue = queue.clone();
            let jobs = entry.jobs;
            let job = CronJob::new_async(&entry.cron, move |_, _| {
                let tick = schedule.occurrence_at(SystemTime::now());
                let (queue, jobs) = (queue.clone(), jobs(tick));
                Box::pin(async move { enqueue(&queue, jobs, tick).await })
            })?;
            inner.add(job).await?;
        }
        inner.start().await?;
        Ok(Self { inner })
    }

    /// Ticks no more. A tick that is being enqueued goes on to its end.
    pub async fn stop(mut self) {
        if let Err(error) = self.inner.shutdown().await {
            log::warn!("scheduler: {error}");
        }
    }
}

/// Enqueues the jobs of a tick, as far as the queue takes them.
async fn enqueue(queue: &Queue, jobs: Vec<Job>, tick: i64) {
    for job in jobs {
        let mut attempt = 1;
        loop {
            match queue.push(job.clone(), tick).await {
                Ok(Pushed::New) => {
                    log::debug!("{job:?} enqueued for tick {tick}");
                }
                Ok(Pushed::Duplicate) => {
                    log::trace!("{job:?} was enqueued for tick {tick} already");
                }
                Err(error) if attempt < PUSH_ATTEMPTS => {
                    log::warn!("{job:?} could not be enqueued for tick {tick}, once more: {error}");
                    attempt += 1;
                    tokio::time::sleep(PUSH_PAUSE).await;
                    continue;
                }
                Err(error) => {
                    // The rest of this tick would fare no better.
                    log::error!("tick {tick} given up at {job:?}: {error}");
                    return;
                }
            }
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_wrong_expression_is_named_at_start() {
        let queue = Queue::memory(Duration::from_secs(60));
        let entries = vec![
            Entry::new("0 * * * * *", |_| vec![Job::CleanTasks {}]),
            Entry::new("every minute", |_| vec![Job::CleanTasks {}]),
        ];
        let error = Scheduler::start(entries, queue).await.err().unwrap();
        assert!(error.to_string().contains("'every minute'"), "{error}");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn two_replicas_enqueue_a_tick_once() {
        let queue = Queue::memory(Duration::from_secs(60));
        let (seen, mut ticks) = tokio::sync::mpsc::unbounded_channel();
        let mut replicas = Vec::new();
        for _ in 0..2 {
            let seen = seen.clone();
            let entry = Entry::new("* * * * * *", move |tick| {
                let _ = seen.send(tick);
                vec![Job::Sweep { shard: 0 }, Job::Sweep { shard: 1 }]
            });
            replicas.push(Scheduler::start(vec![entry], queue.clone()).await.unwrap());
        }
        let mut distinct = std::collections::BTreeSet::new();
        for _ in 0..4 {
            distinct.insert(ticks.recv().await.unwrap());
        }
        for replica in replicas {
            replica.stop().await;
        }
        // The last firing may still be on its way.
        let start = std::time::Instant::now();
        loop {
            while let Ok(tick) = ticks.try_recv() {
                distinct.insert(tick);
            }
            let waiting = queue.depth().await.unwrap().waiting;
            if waiting == 2 * distinct.len() as u64 {
                break;
            }
            assert!(start.elapsed() < Duration::from_secs(10), "{waiting} jobs of {distinct:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(distinct.iter().all(|tick| tick % 1000 == 0), "{distinct:?}");
    }
}
