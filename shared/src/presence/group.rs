//! Group commit for heartbeats: all that wait in one thread go out together, in one command.
//!
//! Whatever arrives while a batch is in flight goes out with the next. Nothing waits for a clock: a batch goes out as soon as
//! a turn of the event loop has brought no further heartbeat, so a lone one leaves at once, and where they come in thick, all
//! that have come in are in it. An answer is given after the engine has given it.

use std::cell::{OnceCell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use prometheus_client::metrics::histogram::Histogram;

use super::engine::Touch;
use super::memory::MemoryEngine;
use super::redis::RedisEngine;
use super::{Engine, EngineError, PresenceEngine};
use crate::timestamp::{Deadline, Timestamp};

/// Heartbeats of one batch: what one script unpacks at a time, and about a millisecond of Redis's time.
const BATCH: usize = 1_000;
/// Full batches that may wait; past that a heartbeat is refused.
const MOST_WAITING: usize = 64;
/// Turns of the event loop that a batch may take to fill while each of them brings more.
const TURNS: usize = 8;

/// The heartbeats of one thread. Not to be shared between threads: that is the point of it.
#[derive(Clone)]
pub struct Pulse(Kind);

#[derive(Clone)]
enum Kind {
    /// Nothing to share: there is no round trip.
    Memory(MemoryEngine),
    Redis(Rc<Inner>),
}

struct Inner {
    engine: RedisEngine,
    /// How many went out together.
    sizes: Option<Histogram>,
    lane: RefCell<Lane>,
}

/// The waiting batches; the last may still grow.
#[derive(Default)]
struct Lane {
    waiting: VecDeque<Rc<Batch>>,
    in_flight: bool,
}

#[derive(Default)]
struct Batch {
    touches: RefCell<Vec<Touch>>,
    /// One for each heartbeat, in their order.
    wakers: RefCell<Vec<Waker>>,
    /// One for each heartbeat, in their order.
    answers: OnceCell<Vec<Result<Beat, EngineError>>>,
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
        Self(match engine {
            Engine::Memory(engine) => Kind::Memory(engine),
            Engine::Redis(engine) => Kind::Redis(Rc::new(Inner { engine, sizes: None, lane: RefCell::default() })),
        })
    }

    /// The same, and the size of each batch is noted.
    #[must_use]
    pub fn measured(engine: Engine, sizes: Histogram) -> Self {
        match engine {
            Engine::Redis(engine) => {
                Self(Kind::Redis(Rc::new(Inner { engine, sizes: Some(sizes), lane: RefCell::default() })))
            }
            memory @ Engine::Memory(_) => Self::new(memory),
        }
    }

    /// Sends one heartbeat.
    ///
    /// # Errors
    /// The engine's; [`EngineError::Overloaded`] where too many wait.
    pub async fn beat(&self, touch: Touch) -> Result<Beat, EngineError> {
        let inner = match &self.0 {
            Kind::Memory(engine) => {
                let touched = engine.touch(touch.user.shard(engine.shards()), &[touch]).await?;
                return Ok(Beat { now: touched.now, deadline: touched.deadlines.first().copied().flatten() });
            }
            Kind::Redis(inner) => inner,
        };
        let (batch, place) = inner.join(touch)?;
        poll_fn(|context| {
            let Some(answers) = batch.answers.get() else {
                batch.wakers.borrow_mut()[place].clone_from(context.waker());
                return Poll::Pending;
            };
            let unanswered = || Err(EngineError::Protocol("a heartbeat was not answered".to_owned()));
            Poll::Ready(answers.get(place).cloned().unwrap_or_else(unanswered))
        })
        .await
    }
}

impl Batch {
    fn len(&self) -> usize {
        self.wakers.borrow().len()
    }
}

impl Inner {
    /// Adds a heartbeat to the batch that goes out next. Answers its place in it.
    fn join(self: &Rc<Self>, touch: Touch) -> Result<(Rc<Batch>, usize), EngineError> {
        let mut lane = self.lane.borrow_mut();
        let open = lane.waiting.back().filter(|batch| batch.len() < BATCH).cloned();
        let batch = match open {
            Some(batch) => batch,
            None if lane.waiting.len() >= MOST_WAITING => return Err(EngineError::Overloaded),
            None => {
                let batch = Rc::new(Batch::default());
                lane.waiting.push_back(Rc::clone(&batch));
                batch
            }
        };
        let place = batch.len();
        batch.touches.borrow_mut().push(touch);
        batch.wakers.borrow_mut().push(Waker::noop().clone());
        if !lane.in_flight {
            lane.in_flight = true;
            // A task of its own: a client that hangs up must not stop the others' batch.
            tokio::task::spawn_local(fly(Rc::clone(self)));
        }
        Ok((batch, place))
    }

    /// How many heartbeats the next batch has.
    fn next_has(&self) -> usize {
        self.lane.borrow().waiting.front().map_or(0, |batch| batch.len())
    }
}

/// Sends batches until none waits.
async fn fly(inner: Rc<Inner>) {
    loop {
        let mut has = 0;
        for _ in 0..TURNS {
            let now_has = inner.next_has();
            if now_has == has || now_has >= BATCH {
                break;
            }
            has = now_has;
            // Comes back when the event loop has looked at the sockets once.
            tokio::task::yield_now().await;
        }
        let batch = {
            let mut lane = inner.lane.borrow_mut();
            match lane.waiting.pop_front() {
                Some(batch) => batch,
                None => {
                    lane.in_flight = false;
                    return;
                }
            }
        };
        let touches = batch.touches.take();
        if let Some(sizes) = &inner.sizes {
            sizes.observe(f64::from(u32::try_from(touches.len()).unwrap_or(u32::MAX)));
        }
        let answers = inner.engine.touch_all(&touches).await;
        // Set once, here only.
        let _ = batch.answers.set(answers);
        for waker in batch.wakers.take() {
            waker.wake();
        }
    }
}
