//! The projector: follows each shard's transitions into the database, exactly once in effect.
//!
//! Any number of processes may follow the same shard: whoever commits second finds the offset moved and writes nothing.
//! The lease only saves the wasted work.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use lastseen_shared::ids::UserId;
use lastseen_shared::models::notification::Notification;
use lastseen_shared::models::projection::{Applied, Offset, ShardOf, apply};
use lastseen_shared::presence::PresenceEngine;
use lastseen_shared::presence::engine::Work;
use lastseen_shared::presence::transition::{Entry, Event, TransitionId};
use lastseen_shared::queue::Job;
use lastseen_shared::signals::Signal;
use lastseen_shared::telemetry::{Shard, Told};
use lastseen_shared::timestamp::Timestamp;
use tokio::sync::watch;

use crate::context::{Context, JobError};

/// Entries of one transaction.
const BATCH: usize = 500;
/// How long the lease holds, and so how long a dead projector's shard waits.
const LEASE: Duration = Duration::from_secs(5);
/// How long to wait for news at a time; the lease is renewed in between.
const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// How long transitions gather before the next transaction, where the last was not full: most of what a small one costs the
/// database does not depend on how many it has. The first after a quiet time does not wait.
const GATHER: Duration = Duration::from_millis(50);
/// How long after the commit the engine still tells readers of a transition: longer than a reader takes from the
/// database's answer to the engine's.
const READERS_GRACE: Duration = Duration::from_secs(5);

/// What one step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Wrote so many entries.
    Wrote(usize),
    /// There was nothing new.
    UpToDate,
    /// Another projector was faster.
    Overtaken,
}

/// Follows one shard.
pub struct Projector {
    context: Context,
    shard: u32,
    /// As of the last look; `None` where it has to be read.
    offset: Option<Option<Offset>>,
    /// What was committed, and is yet to be forgotten by the engine.
    committed: VecDeque<(Instant, TransitionId, Vec<UserId>)>,
}

impl Projector {
    /// A projector for a shard.
    #[must_use]
    pub fn new(context: Context, shard: u32) -> Self {
        Self { context, shard, offset: None, committed: VecDeque::new() }
    }

    /// Writes the next batch.
    ///
    /// # Errors
    /// The engine's or the database's; nothing is written then.
    pub async fn step(&mut self) -> Result<Step, JobError> {
        let shard = self.shard;
        let offset = match self.offset.clone() {
            Some(offset) => offset,
            None => self.context.db.run(move |connection| Offset::load(connection, shard)).await?,
        };
        let after = offset.as_ref().map_or(TransitionId::START, |offset| offset.id);
        let mut stretch = self.context.engine.transitions(shard, after, BATCH).await?;
        let known_epoch = offset.as_ref().map(|offset| offset.epoch.as_str());
        let anew = known_epoch != Some(stretch.epoch.id.as_str());
        if anew {
            // The engine's data began anew, and so does the offset.
            if known_epoch.is_some() {
                log::warn!(
                    "shard {shard}: the presence engine has lost its data; the database is reconciled with it"
                );
                self.context.queue.push(Job::reconcile(shard), stretch.epoch.born.0).await?;
            }
            stretch = self.context.engine.transitions(shard, TransitionId::START, BATCH).await?;
        }
        if stretch.entries.is_empty() && !anew {
            self.offset = Some(offset);
            self.note_lag(None);
            return Ok(Step::UpToDate);
        }
        let last = stretch.entries.last().map_or(TransitionId::START, |entry| entry.id);
        self.note_lag(stretch.entries.first());
        let next = Offset { epoch: stretch.epoch.id, id: last };
        let shards = self.context.engine.shards();
        let users = users_of(&stretch.entries);
        let telling = self.context.presence.telling();
        let told: Vec<Told> = stretch.entries.iter().filter_map(Told::of).collect();
        let (to, count, entries) = (next.clone(), stretch.entries.len(), stretch.entries);
        let applied = self
            .context
            .db
            .run(move |connection| {
                apply(connection, ShardOf { shard, shards }, offset.as_ref(), &to, &entries, telling)
            })
            .await?;
        let Applied::Yes(written) = applied else {
            self.offset = None;
            return Ok(Step::Overtaken);
        };
        self.push(written.notifications);
        self.context.queue.deliver(written.webhooks);
        self.context.metrics.projected.get_or_create(&Shard { shard }).inc_by(count as u64);
        self.context.metrics.count_transitions(&told);
        self.committed.push_back((Instant::now(), next.id, users));
        self.offset = Some(Some(next));
        Ok(Step::Wrote(count))
    }

    /// Tells sockets of notifications, beside the work at hand: they are in the list whether or not that is heard.
    fn push(&self, notifications: Vec<Notification>) {
        if notifications.is_empty() {
            return;
        }
        let signals = self.context.signals.clone();
        tokio::spawn(async move {
            for notification in notifications {
                if let Err(error) = signals.send(Signal::Notification(notification)).await {
                    log::debug!("a notification was not pushed: {error}");
                    return;
                }
            }
        });
    }

    fn note_lag(&self, oldest: Option<&Entry>) {
        let lag = oldest.map_or(0.0, |entry| {
            let age = Timestamp::now().0.saturating_sub(entry.id.ms.cast_signed()).max(0);
            Duration::from_millis(age.unsigned_abs()).as_secs_f64()
        });
        self.context.metrics.projector_lag.get_or_create(&Shard { shard: self.shard }).set(lag);
    }

    /// Has the engine forget what readers do not need any more.
    ///
    /// # Errors
    /// The engine's.
    pub async fn forget(&mut self, grace: Duration) -> Result<(), JobError> {
        while let Some((at, id, users)) = self.committed.front() {
            if at.elapsed() < grace {
                break;
            }
            if !users.is_empty() {
                self.context.engine.projected(self.shard, *id, users).await?;
            }
            self.committed.pop_front();
        }
        Ok(())
    }

    /// Has the engine forget what an earlier projector wrote but died before it said so.
    async fn forget_inherited(&self) -> Result<(), JobError> {
        let shard = self.shard;
        let (epoch, _) = self.context.engine.epoch(shard).await?;
        let offset = self.context.db.run(move |connection| Offset::load(connection, shard)).await?;
        if let Some(offset) = offset.filter(|offset| offset.epoch == epoch.id) {
            tokio::time::sleep(READERS_GRACE).await;
            self.context.engine.projected(shard, offset.id, &[]).await?;
        }
        Ok(())
    }

    /// Follows until `stop` turns true; what is in hand is finished.
    pub async fn follow(mut self, holder: String, mut stop: watch::Receiver<bool>) {
        let mut inherited = false;
        while !*stop.borrow() {
            let pause = match self.turn(&holder, &mut inherited).await {
                Ok(pause) => pause,
                Err(error) => {
                    log::warn!("shard {}: transitions wait to be written: {error}", self.shard);
                    self.offset = None;
                    Duration::from_secs(1)
                }
            };
            if !pause.is_zero() {
                let _ = tokio::time::timeout(pause, stop.wait_for(|stop| *stop)).await;
            }
        }
    }

    /// One turn of following. Answers how long to pause.
    async fn turn(&mut self, holder: &str, inherited: &mut bool) -> Result<Duration, JobError> {
        if !self.context.engine.lease(Work::Project, self.shard, holder, LEASE).await? {
            self.offset = None;
            *inherited = false;
            // How late it is, is told by whoever follows it now.
            self.note_lag(None);
            // What was written under the lease is still to be said.
            self.forget(READERS_GRACE).await?;
            return Ok(LEASE / 5);
        }
        let step = self.step().await?;
        self.forget(READERS_GRACE).await?;
        if step == Step::UpToDate {
            if !*inherited {
                self.forget_inherited_later();
                *inherited = true;
            }
            let after = self.offset.clone().flatten().map_or(TransitionId::START, |offset| offset.id);
            self.context.engine.wait(self.shard, after, LONGEST_WAIT).await?;
        }
        Ok(match step {
            Step::Wrote(count) if count < BATCH => GATHER,
            Step::Wrote(_) | Step::UpToDate | Step::Overtaken => Duration::ZERO,
        })
    }

    /// [`Self::forget_inherited`] beside the work at hand.
    fn forget_inherited_later(&self) {
        let other = Self::new(self.context.clone(), self.shard);
        tokio::spawn(async move {
            if let Err(error) = other.forget_inherited().await {
                log::warn!("shard {}: {error}", other.shard);
            }
        });
    }
}

fn users_of(entries: &[Entry]) -> Vec<UserId> {
    let mut users: Vec<UserId> = entries
        .iter()
        .filter_map(|entry| match &entry.event {
            Event::Transition(transition) => Some(transition.user),
            Event::Shown(_) | Event::Privacy { .. } | Event::Relation { .. } | Event::SessionLeft { .. } => None,
        })
        .collect();
    users.sort_unstable();
    users.dedup();
    users
}
