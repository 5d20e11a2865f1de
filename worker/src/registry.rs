//! Every job there is, with its policy and what runs it: the one list. A new kind of job does not compile until it is here.

use std::future::Future;
use std::time::Duration;

use lastseen_shared::queue::Job;

use crate::context::{Context, JobError};
use crate::jobs;

/// How a job is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How often it is tried in total, by one worker; at least 1. A worker that takes over from a dead one starts to count anew.
    pub attempts: u32,
    /// How long to wait before the second attempt. Doubles with each further one.
    pub backoff: Duration,
    /// How long one attempt may take before it is cancelled and counts as failed.
    pub timeout: Duration,
}

impl Policy {
    /// How long to wait after an attempt that failed; the first attempt is 1.
    #[must_use]
    pub fn backoff_after(&self, attempt: u32) -> Duration {
        let doublings = attempt.saturating_sub(1).min(16);
        self.backoff.saturating_mul(1 << doublings)
    }
}

/// What runs jobs. The worker has [`Registry`]; tests have their own.
pub trait Runner: Clone + Send + Sync + 'static {
    /// How the job is tried.
    fn policy(&self, job: &Job) -> Policy;
    /// Tries the job once. Answers the job that goes on from where this one left off, where there is more to do than one
    /// job should: others come in between.
    fn run(&self, job: Job) -> impl Future<Output = Result<Option<Job>, JobError>> + Send;
}

/// The jobs of this program.
#[derive(Clone)]
pub struct Registry {
    context: Context,
}

impl Registry {
    /// The jobs, with what they work on.
    #[must_use]
    pub fn new(context: Context) -> Self {
        Self { context }
    }
}

impl Runner for Registry {
    fn policy(&self, job: &Job) -> Policy {
        policy(job)
    }

    async fn run(&self, job: Job) -> Result<Option<Job>, JobError> {
        run(&self.context, job).await
    }
}

/// How a job is tried. What comes again by the minute is tried little, as the next tick does the same work.
#[must_use]
pub fn policy(job: &Job) -> Policy {
    let (attempts, backoff, timeout) = match job {
        Job::Sweep { .. } => (3, 1, 50),
        Job::Reconcile { .. } => (3, 5, 60),
        Job::TrimTransitions { .. } => (2, 5, 60),
        Job::CleanSessions {} | Job::CleanNotifications {} => (3, 30, 600),
        Job::Deliver { .. } => (1, 1, 10),
        Job::DeliverDue {} => (1, 1, 30),
        Job::CleanDeliveries {} => (3, 30, 600),
        Job::RollOnline {} => (2, 5, 300),
        Job::RollActive {} => (2, 5, 300),
        Job::SampleStatuses {} => (1, 1, 30),
        Job::CleanHistory {} => (3, 30, 1_800),
        Job::CleanTasks {} => (2, 5, 120),
    };
    Policy { attempts, backoff: Duration::from_secs(backoff), timeout: Duration::from_secs(timeout) }
}

/// Runs a job once. Answers the job that goes on from it, see [`Runner::run`].
///
/// # Errors
///
/// Whatever the job fails with.
pub async fn run(context: &Context, job: Job) -> Result<Option<Job>, JobError> {
    match job {
        Job::Sweep { shard } => jobs::sweep::run(context, shard).await?,
        Job::Reconcile { shard, from } => {
            let next = jobs::reconcile::run(context, shard, from, jobs::reconcile::SLICE).await?;
            return Ok(next.map(|place| Job::Reconcile { shard, from: Some(place) }));
        }
        Job::TrimTransitions { shard } => jobs::trim_transitions::run(context, shard).await?,
        Job::CleanSessions {} => jobs::clean_sessions::run(context).await?,
        Job::CleanNotifications {} => jobs::clean_notifications::run(context).await?,
        Job::Deliver { webhook } => context.deliverer.wake(webhook),
        Job::DeliverDue {} => jobs::deliver::due(context).await?,
        Job::CleanDeliveries {} => jobs::clean_deliveries::run(context).await?,
        Job::RollOnline {} => jobs::roll_online::run(context).await?,
        Job::RollActive {} => jobs::roll_active::run(context).await?,
        Job::SampleStatuses {} => jobs::sample_statuses::run(context).await?,
        Job::CleanHistory {} => jobs::clean_history::run(context).await?,
        Job::CleanTasks {} => jobs::clean_tasks::run(context).await?,
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_policy_tries_at_least_once() {
        for job in [
            Job::Sweep { shard: 0 },
            Job::reconcile(0),
            Job::TrimTransitions { shard: 0 },
            Job::CleanSessions {},
            Job::CleanNotifications {},
            Job::Deliver { webhook: lastseen_shared::ids::WebhookId(1) },
            Job::DeliverDue {},
            Job::CleanDeliveries {},
            Job::RollOnline {},
            Job::RollActive {},
            Job::SampleStatuses {},
            Job::CleanHistory {},
            Job::CleanTasks {},
        ] {
            let policy = policy(&job);
            assert!(policy.attempts >= 1, "{job:?}");
            assert!(!policy.timeout.is_zero(), "{job:?}");
        }
    }

    #[test]
    fn the_backoff_doubles() {
        let policy = Policy { attempts: 4, backoff: Duration::from_secs(2), timeout: Duration::from_secs(1) };
        let seconds = [1, 2, 3].map(|attempt| policy.backoff_after(attempt).as_secs());
        assert_eq!(seconds, [2, 4, 8]);
    }
}
