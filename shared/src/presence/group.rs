//! Group commit for heartbeats: all that wait in one thread for one shard go out in one command.
//!
//! Whatever arrives while a command is in flight goes out with the next. Nothing is held back to fill a batch, so a
//! lone heartbeat leaves at once. An answer is given after the engine has given it.

use std::cell::{OnceCell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use super::engine::{Touch, Touched};
use super::{Engine, EngineError, PresenceEngine};
use crate::timestamp::{Deadline, Timestamp};

/// Heartbeats of one command: what the script unpacks at a time, and about a millisecond of Redis's time.
const BATCH: usize = 1_000;
/// Full batches that may wait, for each shard; past that a heartbeat is refused.
const MOST_WAITING: usize = 16;

/// The heartbeats of one thread. Not to be shared between threads: that is the point of it.
#[derive(Clone)]
pub struct Pulse {
    inner: Rc<Inner>,
}

struct Inner {
    engine: Engine,
    lanes: Vec<RefCell<Lane>>,
}

/// One shard's waiting batches; the last may still grow.
#[derive(Default)]
struct Lane {
    waiting: VecDeque<Rc<Batch>>,
    in_flight: bool,
}

#[derive(Default)]
struct Batch {
    touches: RefCell<Vec<Touch>>,
    wakers: RefCell<Vec<Waker>>,
    answer: OnceCell<Result<Touched, EngineError>>,
}

/// The engine's answer to one heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beat {
    /// The engine's time.
    pub now: Timestamp,
    /// The new deadline; `None` where the session is not known to be live.
    pub deadline: Option<Deadline>,
}

impl Pulse {
    /// A thread's heartbeats to this engine. Its [`Self::beat`] needs a runtime with a `LocalSet`.
    #[must_use]
    pub fn new(engine: Engine) -> Self {
        let lanes = (0..engine.shards()).map(|_| RefCell::default()).collect();
        Self { inner: Rc::new(Inner { engine, lanes }) }
    }

    /// Sends one heartbeat.
    ///
    /// # Errors
    /// The engine's; [`EngineError::Overloaded`] where too many wait.
    pub async fn beat(&self, touch: Touch) -> Result<Beat, EngineError> {
        let shard = touch.user.shard(self.inner.engine.shards());
        if let Engine::Memory(engine) = &self.inner.engine {
            // Nothing to share: there is no round trip.
            let touched = engine.touch(shard, &[touch]).await?;
            return Ok(beat_of(&touched, 0));
        }
        let (batch, place) = self.join(shard, touch)?;
        poll_fn(|context| match batch.answer.get() {
            Some(Ok(touched)) => Poll::Ready(Ok(beat_of(touched, place))),
            Some(Err(error)) => Poll::Ready(Err(error.clone())),
            None => {
                batch.wakers.borrow_mut()[place].clone_from(context.waker());
                Poll::Pending
            }
        })
        .await
    }

    /// Adds a heartbeat to the batch that goes out next.
    fn join(&self, shard: u32, touch: Touch) -> Result<(Rc<Batch>, usize), EngineError> {
        let mut lane = self.inner.lanes[shard as usize].borrow_mut();
        let open = lane.waiting.back().filter(|batch| batch.touches.borrow().len() < BATCH).cloned();
        let batch = match open {
            Some(batch) => batch,
            None if lane.waiting.len() >= MOST_WAITING => return Err(EngineError::Overloaded),
            None => {
                let batch = Rc::new(Batch::default());
                lane.waiting.push_back(Rc::clone(&batch));
                batch
            }
        };
        let place = batch.touches.borrow().len();
        batch.touches.borrow_mut().push(touch);
        batch.wakers.borrow_mut().push(Waker::noop().clone());
        if !lane.in_flight {
            lane.in_flight = true;
            // A task of its own: a client that hangs up must not stop the others' batch.
            tokio::task::spawn_local(fly(Rc::clone(&self.inner), shard));
        }
        Ok((batch, place))
    }
}

fn beat_of(touched: &Touched, place: usize) -> Beat {
    Beat { now: touched.now, deadline: touched.deadlines.get(place).copied().flatten() }
}

/// Sends a shard's batches until none waits.
async fn fly(inner: Rc<Inner>, shard: u32) {
    loop {
        let batch = {
            let mut lane = inner.lanes[shard as usize].borrow_mut();
            match lane.waiting.pop_front() {
                Some(batch) => batch,
                None => {
                    lane.in_flight = false;
                    return;
                }
            }
        };
        let touches = batch.touches.take();
        let answer = inner.engine.touch(shard, &touches).await;
        // Set once, here only.
        let _ = batch.answer.set(answer);
        for waker in batch.wakers.take() {
            waker.wake();
        }
    }
}
