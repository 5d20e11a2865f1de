//! Takes tasks from the queue and runs them, until told to stop.
//!
//! apalis brings the tasks, keeps the worker's heartbeats and puts a dead worker's tasks back. How often a job is tried, for how
//! long, and what a panic means is decided here, within one apalis task: apalis is only ever told "done" or "given up", because
//! its own retries ignore the number of attempts asked for.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use apalis::prelude::{BackendExt, WorkerBuilder, WorkerBuilderExt, WorkerContext, WorkerError};
use lastseen_shared::queue::{Queue, QueueError, RedisQueue};
use serde_json::Value;
use tokio::sync::watch;

use crate::attempt::{Handler, Observer};
use crate::registry::Runner;

/// How often a worker that drains says that it is alive; see [`RedisQueue::keep_alive`].
const DRAIN_HEARTBEAT: Duration = Duration::from_secs(1);

/// The pause after the worker was thrown out, the longest that it grows to, and how long a worker must have run for it to
/// start anew.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
const HEALTHY: Duration = Duration::from_secs(10);

/// How the worker takes tasks.
#[derive(Clone, Copy, Debug)]
pub struct ConsumeSettings {
    /// How many jobs run at once in this process; at least 1.
    pub concurrency: usize,
    /// How long a worker may be silent before the others run what it had in hand; see [`RedisQueue::storage`]. The clocks of the
    /// workers' machines must agree better than this.
    pub orphan_timeout: Duration,
    /// How often an idle worker looks for tasks: the longest that a pushed job waits for a free worker.
    pub poll_interval: Duration,
}

impl Default for ConsumeSettings {
    fn default() -> Self {
        Self { concurrency: 4, orphan_timeout: Duration::from_secs(5), poll_interval: Duration::from_millis(200) }
    }
}

/// Runs jobs from the queue until `stop` turns true or its sender is gone. Then it takes no more, lets the jobs in hand finish
/// their attempt, and returns. While Redis is away it tries to come back for as long as it takes.
///
/// # Errors
///
/// [`QueueError::NoConsumer`] when another consumer has the stand-alone queue.
pub async fn consume<R: Runner>(
    queue: Queue,
    settings: ConsumeSettings,
    runner: R,
    observer: Arc<dyn Observer>,
    stop: watch::Receiver<bool>,
) -> Result<(), QueueError> {
    let handler = Handler { queue: queue.clone(), runner, observer, stop: stop.clone() };
    match queue {
        Queue::Redis(queue) => {
            consume_redis(&queue, settings, &handler, stop).await;
            Ok(())
        }
        Queue::Memory(queue) => {
            let worker = WorkerContext::new("standalone");
            let running = WorkerBuilder::new(&worker)
                .backend(queue.storage()?)
                .concurrency(settings.concurrency)
                .build(move |payload: Value| handler.clone().handle(payload))
                .run();
            let ended = until_stopped(running, &worker, stop, std::future::pending()).await;
            if let Err(error) = ended {
                log::error!("the stand-alone worker ended: {error}");
            }
            Ok(())
        }
    }
}

async fn consume_redis<R: Runner>(
    queue: &RedisQueue,
    settings: ConsumeSettings,
    handler: &Handler<R>,
    mut stop: watch::Receiver<bool>,
) {
    let process = process_name();
    let mut pause = FIRST_PAUSE;
    for life in 0_u32.. {
        // A name of its own for every life: what the last one had in hand comes back only if nobody goes on under its name.
        let name = format!("{process}-{life}");
        let started = Instant::now();
        let ended = live(queue, settings, handler, &name, stop.clone()).await;
        if is_stopped(&stop) {
            if let Err(error) = ended {
                log::warn!("worker {name} stopped, but its last word was lost: {error}");
            }
            return;
        }
        let error = ended.err().unwrap_or_else(|| "it ended by itself".into());
        if started.elapsed() >= HEALTHY {
            pause = FIRST_PAUSE;
        }
        log::warn!("worker {name} lost its queue, again in {pause:?}: {error}");
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stopped(&mut stop) => return,
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// One life of a worker: from its registration until it is stopped or loses the queue. In the latter case the jobs in hand are
/// cancelled, as others are about to run them.
async fn live<R: Runner>(
    queue: &RedisQueue,
    settings: ConsumeSettings,
    handler: &Handler<R>,
    name: &str,
    stop: watch::Receiver<bool>,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    queue.announce(name).await?;
    let worker = WorkerContext::new(name);
    let handler = handler.clone();
    let running = WorkerBuilder::new(&worker)
        .backend(queue.storage(settings.orphan_timeout).poll_with_interval(settings.poll_interval))
        .concurrency(settings.concurrency)
        .build(move |payload: Value| handler.clone().handle(payload))
        .run();
    until_stopped(running, &worker, stop, keep_alive(queue, name)).await?;
    Ok(())
}

/// Runs a worker until it ends, telling it to stop when `stop` says so. While it drains, `keep_alive` runs beside it.
async fn until_stopped(
    running: impl Future<Output = Result<(), WorkerError>>,
    worker: &WorkerContext,
    mut stop: watch::Receiver<bool>,
    keep_alive: impl Future<Output = Infallible>,
) -> Result<(), WorkerError> {
    tokio::pin!(running);
    tokio::select! {
        ended = &mut running => return ended,
        () = stopped(&mut stop) => {}
    }
    if worker.stop().is_err() {
        // It has not begun.
        return Ok(());
    }
    tokio::select! {
        ended = running => ended,
        never = keep_alive => match never {},
    }
}

async fn keep_alive(queue: &RedisQueue, worker: &str) -> Infallible {
    loop {
        if let Err(error) = queue.keep_alive(worker).await {
            log::warn!("worker {worker} drains, and could not say that it is alive: {error}");
        }
        tokio::time::sleep(DRAIN_HEARTBEAT).await;
    }
}

/// Completes when the worker is to stop.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error means that the sender is gone, and with it whoever wanted this to run.
    let _ = stop.wait_for(|stop| *stop).await;
}

fn is_stopped(stop: &watch::Receiver<bool>) -> bool {
    *stop.borrow() || stop.has_changed().is_err()
}

/// A name that no other process has or had: apalis never takes over from a worker whose name is in use again.
fn process_name() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = match host.trim() {
        "" => "host",
        host => host,
    };
    let mut random = [0_u8; 8];
    // Without the system's randomness, host and process id have to do.
    let _ = getrandom::fill(&mut random);
    let random = u64::from_ne_bytes(random);
    format!("{host}-{}-{random:016x}", std::process::id())
}
