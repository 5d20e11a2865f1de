//! Delivers what is due to webhooks, beside the jobs: a job only says for which one there is something. So a receiver that
//! is slow holds up nothing but itself.
//!
//! What is due is in the database, and each attempt takes its rows for a while (see
//! [`lastseen_shared::models::attempt::Claimed`]). Any number of processes may deliver to the same webhook; each has at
//! most [`IN_FLIGHT`] attempts at it at a time.

mod send;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lastseen_shared::db::{AnyConnection, Db, DbError};
use lastseen_shared::ids::WebhookId;
use lastseen_shared::models::Webhook;
use lastseen_shared::models::attempt::{Claimed, Ended, Next};
use lastseen_shared::telemetry::{Metrics, Outcome};
use lastseen_shared::timestamp::Timestamp;
use lastseen_shared::webhooks::retry::pause_after;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinSet;

pub use send::{Answer, Looked, Resolver, Sender, SystemResolver};

/// Attempts at one webhook at a time, in this process.
pub const IN_FLIGHT: usize = 4;
/// Statements of all deliveries at a time: they must not take the database from everything else.
const STATEMENTS: usize = 2;
/// What is due sooner is waited for; what is due later is found by a job.
const NEAR: Duration = Duration::from_secs(60);
/// The shortest wait: what another process is taking at this moment looks due.
const SHORTEST_WAIT: Duration = Duration::from_millis(100);
/// How long to wait where the database is away.
const AGAIN: Duration = Duration::from_secs(1);
/// How often the end of an attempt is tried to be written. After that it counts as lost, and is made again.
const WRITES: u32 = 5;

/// Delivers. Cheap to clone.
#[derive(Clone)]
pub struct Deliverer {
    inner: Arc<Inner>,
}

struct Inner {
    db: Db,
    sender: Sender,
    metrics: Arc<Metrics>,
    statements: Semaphore,
    /// The webhooks that a task is at.
    running: Mutex<Running>,
    stopping: watch::Sender<bool>,
}

#[derive(Default)]
struct Running {
    webhooks: HashMap<WebhookId, Woken>,
    tasks: JoinSet<()>,
}

/// Tells a task that there is something new.
#[derive(Clone, Default)]
struct Woken {
    since_last_look: bool,
    notify: Arc<Notify>,
}

impl Deliverer {
    /// A deliverer that sends by this.
    #[must_use]
    pub fn new(db: Db, metrics: Arc<Metrics>, sender: Sender) -> Self {
        let (statements, running) = (Semaphore::new(STATEMENTS), Mutex::default());
        let stopping = watch::Sender::new(false);
        Self { inner: Arc::new(Inner { db, sender, metrics, statements, running, stopping }) }
    }

    /// Has what is due to a webhook sent, and returns at once. Needs a tokio runtime.
    pub fn wake(&self, webhook: WebhookId) {
        if *self.inner.stopping.borrow() {
            return;
        }
        let mut running = self.running();
        while running.tasks.try_join_next().is_some() {}
        if let Some(woken) = running.webhooks.get_mut(&webhook) {
            woken.since_last_look = true;
            woken.notify.notify_one();
            return;
        }
        let woken = Woken::default();
        running.webhooks.insert(webhook, woken.clone());
        let follow = self.clone().follow(webhook, woken.notify);
        running.tasks.spawn(follow);
    }

    /// Begins no more attempts, and waits for those that were begun.
    pub async fn stop(&self) {
        self.inner.stopping.send_replace(true);
        let tasks = std::mem::take(&mut self.running().tasks);
        tasks.join_all().await;
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        // It is right after every single step.
        self.inner.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Delivers to one webhook until nothing is due soon.
    async fn follow(self, webhook: WebhookId, woken: Arc<Notify>) {
        // Whatever happens, a later wake must find that nobody is at it.
        let mut leaving = Leaving { deliverer: &self, webhook, armed: true };
        let mut stopping = self.inner.stopping.subscribe();
        let mut flights = JoinSet::new();
        loop {
            while flights.try_join_next().is_some() {}
            if *stopping.borrow_and_update() {
                flights.join_all().await;
                return;
            }
            if let Some(woken) = self.running().webhooks.get_mut(&webhook) {
                woken.since_last_look = false;
            }
            let room = IN_FLIGHT.saturating_sub(flights.len());
            let wait = match self.begin(webhook, room, &mut flights).await {
                Ok(wait) => wait,
                Err(error) => {
                    log::warn!("deliveries to webhook {webhook} wait: {error}");
                    Some(AGAIN)
                }
            };
            if wait.is_none() && flights.is_empty() && self.may_leave(webhook) {
                leaving.armed = false;
                return;
            }
            tokio::select! {
                () = woken.notified() => {}
                Some(_) = flights.join_next() => {}
                () = tokio::time::sleep(wait.unwrap_or(NEAR)) => {}
                _ = stopping.changed() => {}
            }
        }
    }

    /// Begins as many attempts as there is room for. Answers how long until there may be another; `None` where there is
    /// none in sight.
    async fn begin(
        &self,
        webhook: WebhookId,
        room: usize,
        flights: &mut JoinSet<()>,
    ) -> Result<Option<Duration>, DbError> {
        if room == 0 {
            return Ok(Some(NEAR));
        }
        let now = Timestamp::now();
        let take = move |c: &mut AnyConnection| {
            let Some(to) = Webhook::find(c, webhook)?.filter(|webhook| webhook.enabled) else { return Ok(None) };
            let taken = Claimed::take(c, webhook, now, room)?;
            let next = if taken.len() < room { Claimed::next_due(c, webhook)? } else { Some(now.plus(NEAR)) };
            Ok::<_, DbError>(Some((Arc::new(to), taken, next)))
        };
        let Some((to, taken, next)) = self.run(take).await? else { return Ok(None) };
        for claimed in taken {
            flights.spawn(self.clone().attempt(Arc::clone(&to), claimed));
        }
        let wait = next.map(|at| u64::try_from(at.0.saturating_sub(Timestamp::now().0)).unwrap_or(0));
        let wait = wait.map(|ms| Duration::from_millis(ms).max(SHORTEST_WAIT));
        Ok(wait.filter(|wait| *wait <= NEAR))
    }

    /// Whether nobody has woken the task since its last look; then nobody is at the webhook any more.
    fn may_leave(&self, webhook: WebhookId) -> bool {
        let mut running = self.running();
        let woken = running.webhooks.get(&webhook).is_some_and(|woken| woken.since_last_look);
        if !woken {
            running.webhooks.remove(&webhook);
        }
        !woken
    }

    async fn attempt(self, webhook: Arc<Webhook>, claimed: Claimed) {
        let answer = self.inner.sender.send(&webhook, &claimed).await;
        let ended = ended(&claimed, answer, Timestamp::now());
        let outcome = match ended.next {
            Next::Delivered => "delivered",
            Next::Again(_) => "retrying",
            Next::Dead | Next::Gone => "dead",
        };
        self.inner.metrics.deliveries.get_or_create(&Outcome { outcome }).inc();
        if let Some(error) = &ended.error {
            log::info!("delivery {} to webhook {} {outcome}: {error}", claimed.message_id, webhook.id);
        }
        for attempt in 1..=WRITES {
            let (claimed, ended) = (claimed.clone(), ended.clone());
            match self.run(move |c| claimed.end(c, &ended)).await {
                Ok(Some(reason)) => return log::warn!("webhook {} is disabled: {reason}", webhook.id),
                Ok(None) => return,
                Err(error) => log::warn!("the end of a delivery was not written, try {attempt}: {error}"),
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut AnyConnection) -> Result<T, DbError> + Send + 'static,
    ) -> Result<T, DbError> {
        // It is never closed.
        let _permit = self.inner.statements.acquire().await;
        self.inner.db.run(work).await
    }
}

/// Takes a task's webhook off the list when it ends unforeseen.
struct Leaving<'a> {
    deliverer: &'a Deliverer,
    webhook: WebhookId,
    armed: bool,
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        if self.armed {
            self.deliverer.running().webhooks.remove(&self.webhook);
        }
    }
}

/// What an answer means for a delivery.
fn ended(claimed: &Claimed, answer: Answer, at: Timestamp) -> Ended {
    let Answer { status, error, response, retry_after } = answer;
    let next = match status {
        Some(200..=299) => Next::Delivered,
        Some(410) => Next::Gone,
        _ => pause_after(claimed.attempts, random(), retry_after)
            .map_or(Next::Dead, |pause| Next::Again(at.plus(pause))),
    };
    Ended { at, status, error, response, next }
}

/// From 0 to 1. Without random numbers all come back at the same time, which is no harm to a few.
fn random() -> f64 {
    let mut bytes = [0; 2];
    let _ = getrandom::fill(&mut bytes);
    f64::from(u16::from_ne_bytes(bytes)) / f64::from(u16::MAX)
}
