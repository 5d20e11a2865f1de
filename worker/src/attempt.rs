//! Runs one task as its policy says: attempts, backoff, time-out, and panics that count as failures.

use std::any::Any;
use std::sync::Arc;
use std::time::{Duration, Instant};

use apalis::prelude::{AbortError, BoxDynError};
use lastseen_shared::queue::runs::Ran;
use lastseen_shared::queue::{Envelope, Job, Queue};
use lastseen_shared::timestamp::Timestamp;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::context::JobError;
use crate::registry::Runner;

/// How an attempt at a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Well.
    Succeeded,
    /// Badly, and it will be tried again.
    Retrying,
    /// Badly, for the last time.
    Failed,
}

impl Outcome {
    /// The outcome as a metric's label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Retrying => "retrying",
            Self::Failed => "failed",
        }
    }
}

/// Is told of every attempt, for metrics. The name is the job's, or `unknown` for a payload that could not be read.
pub trait Observer: Send + Sync + 'static {
    /// An attempt at a job ended after `took`.
    fn attempt_ended(&self, job: &'static str, outcome: Outcome, took: Duration);
}

impl<F> Observer for F
where
    F: Fn(&'static str, Outcome, Duration) + Send + Sync + 'static,
{
    fn attempt_ended(&self, job: &'static str, outcome: Outcome, took: Duration) {
        self(job, outcome, took);
    }
}

/// Why an attempt failed.
#[derive(Debug, thiserror::Error)]
enum AttemptError {
    #[error(transparent)]
    Failed(JobError),
    #[error("it took longer than {0:?}")]
    TimedOut(Duration),
    #[error("it panicked: {0}")]
    Panicked(String),
    #[error("it was cancelled")]
    Cancelled,
}

/// Runs tasks for apalis.
#[derive(Clone)]
pub(crate) struct Handler<R> {
    pub(crate) queue: Queue,
    pub(crate) runner: R,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) stop: watch::Receiver<bool>,
}

impl<R: Runner> Handler<R> {
    /// Runs a task to its end.
    ///
    /// What it answers apalis: `Ok` ends the task, an [`AbortError`] puts it among the dead, and any other error gives it back to
    /// the queue to be taken again at once.
    pub(crate) async fn handle(mut self, payload: Value) -> Result<(), BoxDynError> {
        let envelope = match Envelope::decode(payload.clone()) {
            Ok(envelope) => envelope,
            Err(error) => {
                log::error!("a task was given up: {error}");
                self.observer.attempt_ended("unknown", Outcome::Failed, Duration::ZERO);
                self.bury(payload, &error.to_string());
                let text = Some(error.to_string());
                Notes::of(&self.queue, "unknown").ended(Outcome::Failed, Duration::ZERO, text, None);
                return Err(AbortError::new(error).into());
            }
        };
        let _active = match &self.queue {
            Queue::Redis(_) => None,
            Queue::Memory(queue) => Some(queue.begin(envelope.job.name())),
        };
        let ended = self.run(envelope.job, envelope.tick).await;
        if let Err(error) = &ended
            && error.is::<AbortError>()
        {
            self.bury(payload, &error.to_string());
        }
        ended
    }

    /// Keeps a task that was given up. In Redis apalis does.
    fn bury(&self, payload: Value, error: &str) {
        if let Queue::Memory(queue) = &self.queue {
            queue.bury(payload, error);
        }
    }

    async fn run(&mut self, job: Job, tick: i64) -> Result<(), BoxDynError> {
        let policy = self.runner.policy(&job);
        let name = job.name();
        let mut notes = Notes::of(&self.queue, name);
        let mut attempt = 1;
        loop {
            let started = Instant::now();
            let result = self.attempt(job.clone(), tick, policy.timeout).await;
            let took = started.elapsed();
            let error = match result {
                Ok(()) => {
                    log::debug!("{job:?} done in {took:?}");
                    self.observer.attempt_ended(name, Outcome::Succeeded, took);
                    notes.ended(Outcome::Succeeded, took, None, None);
                    return Ok(());
                }
                Err(error) => error,
            };
            if attempt >= policy.attempts {
                log::error!("{job:?} given up after {attempt} attempts: {error}");
                self.observer.attempt_ended(name, Outcome::Failed, took);
                notes.ended(Outcome::Failed, took, Some(error.to_string()), None);
                return Err(AbortError::new(error).into());
            }
            self.observer.attempt_ended(name, Outcome::Retrying, took);
            let backoff = policy.backoff_after(attempt);
            let until = Some(backoff.saturating_add(policy.timeout));
            notes.ended(Outcome::Retrying, took, Some(error.to_string()), until);
            log::warn!("{job:?} failed, attempt {attempt} of {}, again in {backoff:?}: {error}", policy.attempts);
            tokio::select! {
                () = tokio::time::sleep(backoff) => {}
                // Not worth keeping a process alive for: another worker starts over.
                _ = self.stop.wait_for(|stop| *stop) => return Err(error.into()),
            }
            attempt += 1;
        }
    }

    async fn attempt(&self, job: Job, tick: i64, timeout: Duration) -> Result<(), AttemptError> {
        // A task of its own, so that a job that blocks or panics does not take the worker's heartbeats with it. In a set,
        // because that cancels the job when the worker is dropped.
        let mut task = JoinSet::new();
        let runner = self.runner.clone();
        let queue = self.queue.clone();
        task.spawn(async move {
            // Before this one is done: a worker that dies in between runs it again, and the next is a duplicate then.
            if let Some(next) = runner.run(job).await? {
                queue.push(next, tick).await?;
            }
            Ok(())
        });
        match tokio::time::timeout(timeout, task.join_next()).await {
            Ok(Some(Ok(result))) => result.map_err(AttemptError::Failed),
            Ok(Some(Err(error))) => match error.try_into_panic() {
                Ok(panic) => Err(AttemptError::Panicked(panic_message(panic.as_ref()))),
                Err(_) => Err(AttemptError::Cancelled),
            },
            Ok(None) => Err(AttemptError::Cancelled),
            Err(_) => Err(AttemptError::TimedOut(timeout)),
        }
    }
}

/// Has the queue note how the attempts at one task end, for those who look.
struct Notes {
    queue: Queue,
    job: &'static str,
    task: u64,
    /// The note before, which comes first.
    before: Option<JoinHandle<()>>,
}

impl Notes {
    fn of(queue: &Queue, job: &'static str) -> Self {
        let mut bytes = [0; 8];
        // Without random numbers tasks that are tried again count as one.
        let _ = getrandom::fill(&mut bytes);
        Self { queue: queue.clone(), job, task: u64::from_ne_bytes(bytes), before: None }
    }

    /// Notes the end of an attempt: over Redis beside the work at hand.
    fn ended(&mut self, outcome: Outcome, took: Duration, error: Option<String>, trying_for: Option<Duration>) {
        let (job, task, at) = (self.job, self.task, Timestamp::now());
        let trying_until = trying_for.map(|time| at.plus(time));
        let ran = Ran { job, task, outcome: outcome.as_str(), at, took, error, trying_until };
        match self.queue.clone() {
            Queue::Memory(queue) => queue.note(&ran),
            queue @ Queue::Redis(_) => {
                let before = self.before.take();
                self.before = Some(tokio::spawn(async move {
                    if let Some(before) = before {
                        let _ = before.await;
                    }
                    if let Err(error) = queue.note(&ran).await {
                        log::debug!("an attempt was not noted: {error}");
                    }
                }));
            }
        }
    }
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|message| (*message).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicU32, Ordering};

    use serde_json::json;

    use super::*;
    use crate::registry::Policy;

    const LONG: Duration = Duration::from_secs(60);

    #[derive(Clone, Copy)]
    enum Ends {
        Well,
        Badly,
        WellAtLast,
        InPanic,
        Never,
    }

    #[derive(Clone)]
    struct Fake {
        ends: Ends,
        policy: Policy,
        runs: Arc<AtomicU32>,
    }

    impl Runner for Fake {
        fn policy(&self, _: &Job) -> Policy {
            self.policy
        }

        async fn run(&self, _: Job) -> Result<Option<Job>, JobError> {
            let run = self.runs.fetch_add(1, Ordering::SeqCst) + 1;
            match self.ends {
                Ends::Well => Ok(None),
                Ends::WellAtLast if run == self.policy.attempts => Ok(None),
                Ends::Badly | Ends::WellAtLast => Err("no luck".into()),
                Ends::InPanic => panic!("on purpose"),
                Ends::Never => std::future::pending().await,
            }
        }
    }

    /// Runs a task, and answers what apalis is told, how often the job ran, and what the observer saw.
    async fn handle(
        ends: Ends,
        policy: Policy,
        payload: Value,
        stop: bool,
    ) -> (Result<(), BoxDynError>, u32, Vec<Outcome>) {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let runs = Arc::new(AtomicU32::new(0));
        let observer = {
            let seen = Arc::clone(&seen);
            move |_: &'static str, outcome, _: Duration| seen.lock().unwrap().push(outcome)
        };
        let (_sender, stop) = watch::channel(stop);
        let handler = Handler {
            queue: Queue::memory(LONG),
            runner: Fake { ends, policy, runs: Arc::clone(&runs) },
            observer: Arc::new(observer),
            stop,
        };
        let result = handler.handle(payload).await;
        let seen = seen.lock().unwrap().clone();
        (result, runs.load(Ordering::SeqCst), seen)
    }

    fn policy(attempts: u32) -> Policy {
        Policy { attempts, backoff: Duration::from_millis(1), timeout: LONG }
    }

    fn sweep() -> Value {
        json!({"v": 1, "job": "sweep", "shard": 0, "tick": 0})
    }

    /// Only this error keeps apalis from running the task again by its own count.
    fn is_given_up(result: Result<(), BoxDynError>) -> bool {
        result.is_err_and(|error| error.is::<AbortError>())
    }

    #[tokio::test]
    async fn a_job_is_tried_as_often_as_its_policy_says() {
        use Outcome::{Failed, Retrying, Succeeded};

        let cases = [
            (Ends::Well, 3, 1, vec![Succeeded]),
            (Ends::WellAtLast, 3, 3, vec![Retrying, Retrying, Succeeded]),
            (Ends::Badly, 3, 3, vec![Retrying, Retrying, Failed]),
            (Ends::Badly, 1, 1, vec![Failed]),
            (Ends::InPanic, 2, 2, vec![Retrying, Failed]),
        ];
        for (ends, attempts, expected_runs, expected) in cases {
            let (result, runs, seen) = handle(ends, policy(attempts), sweep(), false).await;
            assert_eq!(runs, expected_runs);
            assert_eq!(seen, expected);
            assert_eq!(is_given_up(result), seen.ends_with(&[Failed]));
        }
    }

    #[tokio::test]
    async fn an_attempt_that_takes_too_long_has_failed() {
        let policy = Policy { timeout: Duration::from_millis(1), ..policy(2) };
        let (result, runs, seen) = handle(Ends::Never, policy, sweep(), false).await;
        assert_eq!(runs, 2);
        assert_eq!(seen, [Outcome::Retrying, Outcome::Failed]);
        assert!(is_given_up(result));
    }

    #[tokio::test]
    async fn a_stop_between_attempts_gives_the_task_back() {
        let policy = Policy { backoff: LONG, ..policy(3) };
        let (result, runs, seen) = handle(Ends::Badly, policy, sweep(), true).await;
        assert_eq!(runs, 1);
        assert_eq!(seen, [Outcome::Retrying]);
        assert!(result.is_err() && !is_given_up(result));
    }

    #[tokio::test]
    async fn a_payload_that_cannot_be_read_is_given_up() {
        let payload = json!({"v": 9, "job": "sweep", "shard": 0, "tick": 0});
        let (result, runs, seen) = handle(Ends::Well, policy(3), payload, false).await;
        assert_eq!(runs, 0);
        assert_eq!(seen, [Outcome::Failed]);
        assert!(is_given_up(result));
    }
}
