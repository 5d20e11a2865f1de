//! The stand-alone form of the queue: apalis's in-memory backend, in one process.
//!
//! Pushes do not go through apalis's sink: it keeps idempotency keys for ever, and panics when two
//! threads are in it at once.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use apalis::prelude::{MemorySink, MemoryStorage, MemoryStorageError, Task, TaskBuilder};
use futures_util::{SinkExt, StreamExt, sink, stream};
use serde_json::Value;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use super::{Depth, Envelope, Pushed, QueueError};

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
    waiting: AtomicU64,
    active: AtomicU64,
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
                waiting: AtomicU64::new(0),
                active: AtomicU64::new(0),
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
        self.shared.waiting.fetch_add(1, Ordering::Relaxed);
        self.shared.sender.send(payload).map_err(|_| {
            self.shared.waiting.fetch_sub(1, Ordering::Relaxed);
            QueueError::NoConsumer
        })?;
        Ok(Pushed::New)
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
                shared.waiting.fetch_sub(1, Ordering::Relaxed);
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
    pub fn begin(&self) -> ActiveTask {
        self.shared.active.fetch_add(1, Ordering::Relaxed);
        ActiveTask(Arc::clone(&self.shared))
    }

    pub(super) fn depth(&self) -> Depth {
        Depth {
            waiting: self.shared.waiting.load(Ordering::Relaxed),
            active: self.shared.active.load(Ordering::Relaxed),
            dead: 0,
        }
    }
}

/// A task that is being worked on; see [`MemoryQueue::begin`].
#[derive(Debug)]
pub struct ActiveTask(Arc<Shared>);

impl Drop for ActiveTask {
    fn drop(&mut self) {
        self.0.active.fetch_sub(1, Ordering::Relaxed);
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
