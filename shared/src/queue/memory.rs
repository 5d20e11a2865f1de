//! The stand-alone form of the queue: apalis's in-memory backend, in one process.
//!
//! Pushes do not go through apalis's sink: it keeps idempotency keys for ever, and panics when two
//! threads are in it at once.

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use apalis::prelude::{MemorySink, MemoryStorage, MemoryStorageError, Task, TaskBuilder};
use futures_util::{SinkExt, StreamExt, sink, stream};
use serde_json::Value;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use super::runs::{Board, DeadTask, LastRun, Ran, kind_of, shorten};
use super::{Depth, Envelope, Pushed, QueueError};
use crate::timestamp::Timestamp;

/// Dead letters that are kept.
const MOST_DEAD: usize = 100;

/// The queue in memory.
#[derive(Clone, Debug)]
pub struct MemoryQueue {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    sender: UnboundedSender<Value>,
    /// There until the consumer takes it.
    receiver: Mutex<Option<UnboundedReceiver<Value>>>,
    /// Idempotency keys, and when each may be forgotten.
    keys: Mutex<HashMap<String, Instant>>,
    idempotency_ttl: Duration,
    seen: Mutex<Seen>,
}

/// What became of jobs.
#[derive(Debug)]
struct Seen {
    /// Without its dead letters.
    board: Board,
    /// Since when each of those that wait has, in the order of the channel.
    waiting: VecDeque<Instant>,
    /// Tasks that are tried again, by what tells them apart.
    retrying: HashMap<u64, &'static str>,
    /// The oldest first.
    dead: VecDeque<(DeadTask, Value)>,
    buried: u64,
}

impl MemoryQueue {
    pub(super) fn new(idempotency_ttl: Duration) -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        Self {
            shared: Arc::new(Shared {
                sender,
                receiver: Mutex::new(Some(receiver)),
                keys: Mutex::new(HashMap::new()),
                idempotency_ttl,
                seen: Mutex::new(Seen {
                    board: Board::empty(),
                    waiting: VecDeque::new(),
                    retrying: HashMap::new(),
                    dead: VecDeque::new(),
                    buried: 0,
                }),
            }),
        }
    }

    pub(super) fn push(&self, payload: &Envelope, key: Option<String>) -> Result<Pushed, QueueError> {
        let payload = serde_json::to_value(payload)?;
        if let Some(key) = key
            && !self.claim(key, Instant::now())
        {
            return Ok(Pushed::Duplicate);
        }
        self.send(payload)?;
        Ok(Pushed::New)
    }

    fn send(&self, payload: Value) -> Result<(), QueueError> {
        let job = kind_of(payload.to_string().as_bytes());
        // Counted and sent as one: the consumer may have it before this goes on, and takes them in this order.
        let mut seen = lock(&self.shared.seen);
        self.shared.sender.send(payload).map_err(|_| QueueError::NoConsumer)?;
        seen.board.kind(job).waiting += 1;
        seen.waiting.push_back(Instant::now());
        Ok(())
    }

    /// Whether this is the first time the key is seen, or the first after it was forgotten.
    fn claim(&self, key: String, now: Instant) -> bool {
        let mut keys = lock(&self.shared.keys);
        // Keys come by the minute and are few, so a walk over all of them costs nothing that could be measured.
        keys.retain(|_, forget| *forget > now);
        if keys.contains_key(&key) {
            return false;
        }
        keys.insert(key, now + self.shared.idempotency_ttl);
        true
    }

    /// What the worker hands to apalis. There is one, for one worker.
    ///
    /// # Errors
    ///
    /// [`QueueError::NoConsumer`] when it has been taken before.
    pub fn storage(&self) -> Result<MemoryStorage<Value>, QueueError> {
        let receiver = lock(&self.shared.receiver).take().ok_or(QueueError::NoConsumer)?;
        // Weak, so that a stream that lives in the worker does not keep the queue alive.
        let shared = Arc::downgrade(&self.shared);
        let tasks = stream::unfold((receiver, shared), |(mut receiver, shared)| async move {
            let payload = receiver.recv().await?;
            if let Some(shared) = shared.upgrade() {
                shared.is_taken(&payload);
            }
            Some((TaskBuilder::new(payload).build(), (receiver, shared)))
        });
        let nowhere =
            sink::drain::<Task<Value>>().sink_map_err(|never: Infallible| -> MemoryStorageError { match never {} });
        let unused = MemorySink::new(Arc::new(futures_util::lock::Mutex::new(Box::new(nowhere))));
        Ok(MemoryStorage::new_with(unused, tasks.boxed()))
    }

    /// Counts a task as being worked on until the guard is dropped.
    #[must_use]
    pub fn begin(&self, job: &'static str) -> ActiveTask {
        lock(&self.shared.seen).board.kind(job).running += 1;
        ActiveTask(Arc::clone(&self.shared), job)
    }

    /// Keeps a task that was given up.
    pub fn bury(&self, payload: Value, error: &str) {
        let mut seen = lock(&self.shared.seen);
        seen.buried += 1;
        let text = payload.to_string();
        let (id, job) = (seen.buried.to_string(), kind_of(text.as_bytes()).to_owned());
        let dead = DeadTask { id, job, payload: text, error: shorten(error), at: Timestamp::now() };
        seen.dead.push_back((dead, payload));
        while seen.dead.len() > MOST_DEAD {
            seen.dead.pop_front();
        }
    }

    /// As [`super::Queue::note`], at once.
    pub fn note(&self, ran: &Ran) {
        let mut seen = lock(&self.shared.seen);
        let kind = seen.board.kind(ran.job);
        kind.attempts.count(ran.outcome, 1);
        kind.last = Some(LastRun::of(ran));
        match ran.trying_until {
            Some(_) => drop(seen.retrying.insert(ran.task, ran.job)),
            None => drop(seen.retrying.remove(&ran.task)),
        }
    }

    pub(super) fn board(&self) -> Board {
        let seen = lock(&self.shared.seen);
        let mut board = seen.board.clone();
        for job in seen.retrying.values() {
            board.kind(job).retrying += 1;
        }
        for (task, _) in seen.dead.iter().rev() {
            board.kind(&task.job).dead += 1;
            board.dead.push(task.clone());
        }
        board
    }

    pub(super) fn retry(&self, id: &str) -> Result<bool, QueueError> {
        let payload = {
            let mut seen = lock(&self.shared.seen);
            let place = seen.dead.iter().position(|(task, _)| task.id == id);
            place.and_then(|place| seen.dead.remove(place)).map(|(_, payload)| payload)
        };
        let Some(payload) = payload else { return Ok(false) };
        self.send(payload)?;
        Ok(true)
    }

    /// As [`super::Queue::depth`], at once.
    #[must_use]
    pub fn depth(&self) -> Depth {
        let board = self.board();
        let sum = |of: fn(&super::runs::KindOfJob) -> u64| board.jobs.values().map(of).sum();
        Depth {
            waiting: sum(|kind| kind.waiting),
            active: sum(|kind| kind.running),
            retrying: sum(|kind| kind.retrying),
            dead: sum(|kind| kind.dead),
            oldest: lock(&self.shared.seen).waiting.front().map(Instant::elapsed).unwrap_or_default(),
        }
    }
}

impl Shared {
    /// Counts a task that waits no more.
    fn is_taken(&self, payload: &Value) {
        let mut seen = lock(&self.seen);
        let kind = seen.board.kind(kind_of(payload.to_string().as_bytes()));
        kind.waiting = kind.waiting.saturating_sub(1);
        seen.waiting.pop_front();
    }
}

/// A task that is being worked on; see [`MemoryQueue::begin`].
#[derive(Debug)]
pub struct ActiveTask(Arc<Shared>, &'static str);

impl Drop for ActiveTask {
    fn drop(&mut self) {
        let mut seen = lock(&self.0.seen);
        let kind = seen.board.kind(self.1);
        kind.running = kind.running.saturating_sub(1);
    }
}

/// What these locks guard is right after every single step, so a panic elsewhere does not matter.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::super::{Job, Queue};
    use super::*;

    #[tokio::test]
    async fn a_tick_is_enqueued_once() {
        let queue = Queue::memory(Duration::from_secs(60));
        let job = Job::Sweep { shard: 1 };
        assert_eq!(queue.push(job.clone(), 60_000).await.unwrap(), Pushed::New);
        assert_eq!(queue.push(job.clone(), 60_000).await.unwrap(), Pushed::Duplicate);
        assert_eq!(queue.push(job.clone(), 120_000).await.unwrap(), Pushed::New);
        assert_eq!(queue.push(Job::Sweep { shard: 2 }, 60_000).await.unwrap(), Pushed::New);
        assert_eq!(queue.depth().await.unwrap().waiting, 3);
    }

    #[tokio::test]
    async fn jobs_by_hand_are_never_duplicates() {
        let queue = Queue::memory(Duration::from_secs(60));
        for _ in 0..2 {
            let pushed = queue.push(Job::CleanTasks {}, 0).await.unwrap();
            assert_eq!(pushed, Pushed::New);
        }
    }

    #[test]
    fn keys_are_forgotten_after_their_time() {
        let queue = MemoryQueue::new(Duration::from_secs(60));
        let start = Instant::now();
        assert!(queue.claim("sweep:1:7".to_owned(), start));
        assert!(!queue.claim("sweep:1:7".to_owned(), start + Duration::from_secs(59)));
        assert!(queue.claim("sweep:1:7".to_owned(), start + Duration::from_secs(60)));
        assert_eq!(lock(&queue.shared.keys).len(), 1);
    }

    #[test]
    fn there_is_one_consumer() {
        let queue = MemoryQueue::new(Duration::from_secs(60));
        assert!(queue.storage().is_ok());
        assert!(matches!(queue.storage(), Err(QueueError::NoConsumer)));
    }
}
