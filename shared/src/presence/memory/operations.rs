//! The operations, each under its shard's lock, then in the journal.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::journal::{Journal, JournalHandle};
use super::shard::Shard;
use crate::ids::{SessionId, UserId};
use crate::presence::availability::Profile;
use crate::presence::clock::Clock;
use crate::presence::cursor::Place;
use crate::presence::engine::{
    Connect, Connected, Counts, Delta, Disconnected, Expired, Lookup, PresenceEngine, Restatement, Scan, Snapshot,
    Touch, Touched,
};
use crate::presence::rule::{HeldSession, Known};
use crate::presence::transition::{Epoch, Stretch, TransitionId};
use crate::presence::{EngineError, Reason};
use crate::timestamp::{Deadline, Timestamp};

type Answer<T> = Result<T, EngineError>;

/// The presence engine in memory. Cheap to clone; clones are the same engine.
#[derive(Clone)]
pub struct MemoryEngine {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    clock: Clock,
    shards: Vec<Mutex<Shard>>,
    /// Woken by every new transition, one a shard.
    news: Vec<Notify>,
    journal: Option<JournalHandle>,
}

fn held(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    // A panic under the lock leaves a state that is still one of the rule's: it is kept, not lost.
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Inner {
    /// Wakes whoever waits for a shard's transitions.
    pub(super) fn tell(&self, shard: usize) {
        if let Some(news) = self.news.get(shard) {
            news.notify_waiters();
        }
    }

    pub(super) fn shards(&self) -> impl Iterator<Item = MutexGuard<'_, Shard>> {
        self.shards.iter().map(held)
    }

    pub(super) fn shard(&self, shard: usize) -> Option<MutexGuard<'_, Shard>> {
        self.shards.get(shard).map(held)
    }
}

impl MemoryEngine {
    /// An engine that is gone with the process: for tests.
    #[must_use]
    pub fn volatile(shards: u32, clock: Clock) -> Self {
        let born = clock.now();
        let shard = |_| {
            let mut shard = Shard::new(new_epoch(shards, born), TransitionId::START);
            shard.without_journal();
            shard
        };
        Self::of((0..shards).map(shard).collect(), clock, None)
    }

    /// An engine that goes on where the journal ends, and writes to it.
    ///
    /// # Errors
    /// A journal that can't be read or was written for another number of shards.
    pub fn journaled(shards: u32, clock: Clock, journal: Journal) -> Answer<Self> {
        let born = clock.now();
        let (shards, handle, writer) = journal.begin(shards, &new_epoch(shards, born))?;
        let engine = Self::of(shards, clock, Some(handle));
        let thread = writer.follow(Arc::downgrade(&engine.inner));
        thread.map_err(|error| EngineError::Unavailable(format!("no thread for the journal: {error}")))?;
        Ok(engine)
    }

    pub(super) fn of(shards: Vec<Shard>, clock: Clock, journal: Option<JournalHandle>) -> Self {
        let news = shards.iter().map(|_| Notify::new()).collect();
        let shards = shards.into_iter().map(Mutex::new).collect();
        Self { inner: Arc::new(Inner { clock, shards, news, journal }) }
    }

    fn shard(&self, shard: u32) -> Answer<MutexGuard<'_, Shard>> {
        self.inner.shard(shard as usize).ok_or_else(|| EngineError::Protocol("no such shard".to_owned()))
    }

    fn shard_of(&self, user: UserId) -> u32 {
        user.shard(self.shards())
    }

    /// Changes a shard, and answers after the journal has what changed.
    async fn change<T>(&self, shard: u32, change: impl FnOnce(&mut Shard, Timestamp) -> T + Send) -> Answer<T> {
        let (answer, changed) = {
            let mut state = self.shard(shard)?;
            // The time is read under the lock: what is later in order is not earlier in time.
            let answer = change(&mut state, self.inner.clock.now());
            (answer, state.is_changed())
        };
        if let Some(journal) = &self.inner.journal
            && changed
        {
            journal.written().await?;
        }
        if self.inner.journal.is_none() {
            self.inner.tell(shard as usize);
        }
        Ok(answer)
    }

    fn read<T>(&self, shard: u32, read: impl FnOnce(&Shard, Timestamp) -> T) -> Answer<T> {
        let state = self.shard(shard)?;
        Ok(read(&state, self.inner.clock.now()))
    }

    /// Whether the journal can be written.
    ///
    /// # Errors
    /// [`EngineError::Unavailable`] where the last attempt failed.
    pub fn check(&self) -> Answer<()> {
        match &self.inner.journal {
            Some(journal) if journal.is_failing() => {
                Err(EngineError::Unavailable("the journal can't be written".to_owned()))
            }
            _ => Ok(()),
        }
    }

    /// How many sessions are held: live, or not swept yet.
    ///
    /// # Errors
    /// [`EngineError::Unavailable`].
    pub fn held(&self) -> Answer<u64> {
        (0..self.shards()).map(|shard| Ok(self.shard(shard)?.held_sessions() as u64)).sum()
    }

    /// Writes everything to the journal, for a clean stop.
    ///
    /// # Errors
    /// [`EngineError::Unavailable`] where the journal can't be written.
    pub async fn flush(&self) -> Answer<()> {
        match &self.inner.journal {
            Some(journal) => journal.written().await,
            None => Ok(()),
        }
    }
}

fn new_epoch(shards: u32, born: Timestamp) -> Epoch {
    Epoch { id: format!("{shards}:{}", born.0.saturating_mul(1_000)), born }
}

impl PresenceEngine for MemoryEngine {
    fn shards(&self) -> u32 {
        u32::try_from(self.inner.shards.len()).unwrap_or(u32::MAX)
    }

    async fn start(&self) -> Answer<()> {
        Ok(())
    }

    async fn now(&self, _user: UserId) -> Answer<Timestamp> {
        Ok(self.inner.clock.now())
    }

    async fn touch(&self, shard: u32, batch: &[Touch]) -> Answer<Touched> {
        let mut state = self.shard(shard)?;
        let now = self.inner.clock.now();
        Ok(Touched { now, deadlines: batch.iter().map(|touch| state.touch(touch, now)).collect() })
    }

    async fn connect(&self, connect: Connect) -> Answer<Connected> {
        self.change(self.shard_of(connect.user), |shard, now| shard.connect(&connect, now)).await
    }

    async fn disconnect(&self, user: UserId, session: SessionId, reason: Reason) -> Answer<Disconnected> {
        self.change(self.shard_of(user), |shard, now| Disconnected {
            now,
            went_offline: shard.disconnect(user, session, reason, now),
        })
        .await
    }

    async fn evict(&self, user: UserId, up_to: SessionId, reason: Reason) -> Answer<Disconnected> {
        self.change(self.shard_of(user), |shard, now| Disconnected {
            now,
            went_offline: shard.evict(user, up_to, reason, now),
        })
        .await
    }

    async fn admit(&self, user: UserId, after: SessionId) -> Answer<()> {
        self.change(self.shard_of(user), |shard, now| shard.admit(user, after, now)).await
    }

    async fn retime(&self, user: UserId, timeout: Duration) -> Answer<()> {
        self.change(self.shard_of(user), |shard, now| shard.retime(user, timeout, now)).await
    }

    async fn leave(&self, user: UserId, session: SessionId, grace: Duration) -> Answer<Option<Deadline>> {
        self.change(self.shard_of(user), |shard, now| shard.leave(user, session, grace, now)).await
    }

    async fn present(&self, user: UserId, before: &Profile, after: &Profile) -> Answer<()> {
        self.change(self.shard_of(user), |shard, now| shard.present(user, before, after, now)).await
    }

    async fn idle(&self, user: UserId, session: SessionId, idle: bool) -> Answer<bool> {
        self.change(self.shard_of(user), |shard, now| shard.idle(user, session, idle, now)).await
    }

    async fn relate(&self, user: UserId, other: UserId) -> Answer<()> {
        self.change(self.shard_of(user), |shard, now| shard.relate(user, other, now)).await
    }

    async fn snapshot(&self, users: &[UserId]) -> Answer<Snapshot> {
        let mut all = Snapshot { known: vec![Known::Settled; users.len()], ..Snapshot::default() };
        for number in 0..self.shards() {
            let mine: Vec<_> = users.iter().enumerate().filter(|(_, user)| self.shard_of(**user) == number).collect();
            if mine.is_empty() {
                continue;
            }
            let (place, known) = self
                .change(number, |shard, now| {
                    mine.iter().for_each(|(_, user)| shard.settle(**user, now));
                    let known: Vec<_> = mine.iter().map(|(_, user)| shard.known(**user, now)).collect();
                    // What is known has all up to the newest, which is in the journal by the time that this is answered.
                    (Place { epoch: shard.epoch().id.clone(), id: shard.newest() }, known)
                })
                .await?;
            all.places.push((number, place));
            for ((place, user), (known, truth)) in mine.into_iter().zip(known) {
                all.known[place] = known;
                all.hidden.extend(truth.map(|truth| (*user, truth)));
            }
        }
        Ok(all)
    }

    async fn expire(&self, shard: u32, most: usize) -> Answer<Expired> {
        self.change(shard, |state, now| state.expire(most, now)).await
    }

    async fn lookup(&self, users: &[UserId]) -> Answer<Lookup> {
        let mut states: Vec<_> = self.inner.shards().collect();
        let now = self.inner.clock.now();
        let mut hidden = HashMap::new();
        let known = users
            .iter()
            .map(|user| {
                let (known, truth) = states[self.shard_of(*user) as usize].known(*user, now);
                hidden.extend(truth.map(|truth| (*user, truth)));
                known
            })
            .collect();
        let mut counts = Counts::default();
        states.iter_mut().for_each(|state| counts += state.counts(now));
        Ok(Lookup { known, hidden, counts })
    }

    async fn sessions(&self, user: UserId) -> Answer<Vec<HeldSession>> {
        self.read(self.shard_of(user), |shard, _| shard.sessions(user))
    }

    async fn delta(&self) -> Answer<Delta> {
        let now = self.inner.clock.now();
        let mut all = Delta::default();
        for mut state in self.inner.shards() {
            all.counts += state.counts(now);
            all.users.extend(state.delta(now));
        }
        Ok(all)
    }

    async fn transitions(&self, shard: u32, after: TransitionId, most: usize) -> Answer<Stretch> {
        self.read(shard, |state, _| {
            let (newest, trimmed) = state.bounds();
            Stretch { epoch: state.epoch().clone(), trimmed, newest, entries: state.entries(after, most) }
        })
    }

    async fn wait(&self, shard: u32, after: TransitionId, longest: Duration) -> Answer<()> {
        let Some(news) = self.inner.news.get(shard as usize) else { return Ok(()) };
        let mut woken = std::pin::pin!(news.notified());
        // Registered before looking, so that what comes between is not missed.
        woken.as_mut().enable();
        if self.read(shard, |state, _| state.bounds().0 <= after)? {
            let _ = tokio::time::timeout(longest, woken).await;
        }
        Ok(())
    }

    async fn projected(&self, shard: u32, up_to: TransitionId, users: &[UserId]) -> Answer<()> {
        self.shard(shard)?.projected(up_to, users);
        Ok(())
    }

    async fn trim(&self, shard: u32, projected: TransitionId, keep: Duration) -> Answer<u64> {
        self.change(shard, |state, now| state.trim(projected, keep, now)).await
    }

    async fn restate(&self, user: UserId, projected_online: bool, offline: Restatement) -> Answer<bool> {
        self.change(self.shard_of(user), |shard, now| shard.restate(user, projected_online, offline, now)).await
    }

    async fn scan(&self, shard: u32, from: u64) -> Answer<Scan> {
        // In the order of ids, from the place that the page before ended at. Each page looks at all users that are left,
        // so the pages are large.
        const PAGE: usize = 20_000;
        self.read(shard, |state, _| {
            let mut ids: Vec<_> = state.users().filter(|u| u.0.unsigned_abs() > from).collect();
            let more = ids.len() > PAGE;
            if more {
                ids.select_nth_unstable(PAGE);
                ids.truncate(PAGE);
            }
            ids.sort_unstable();
            let next = ids.last().filter(|_| more).map(|last| last.0.unsigned_abs());
            let held = |user| state.held(user).map(|held| (user, held.sessions.clone(), held.profile().clone()));
            Scan { next, users: ids.into_iter().filter_map(held).collect() }
        })
    }

    async fn epoch(&self, shard: u32) -> Answer<(Epoch, Timestamp)> {
        self.read(shard, |state, now| (state.epoch().clone(), now))
    }
}
