//! The operations on live sessions that every engine offers.
//!
//! Each operation is atomic for the user it concerns, and first *settles* that user: sessions whose deadline has
//! passed are taken out, and if none is left the user's offline transition, dated at the last deadline, is appended
//! before anything else happens. So no order of calls brings a dead session back unseen.

use std::collections::HashMap;
use std::future::Future;
use std::time::Duration;

use super::Reason;
use super::availability::Profile;
pub use super::counts::Counts;
use super::cursor::Place;
use super::memory::MemoryEngine;
use super::redis::RedisEngine;
use super::rule::{HeldSession, Known};
use super::transition::{Epoch, Stretch, TransitionId};
use crate::ids::{SessionId, UserId};
use crate::timestamp::{Deadline, Timestamp};

/// How long an engine remembers that a session or a user's sessions were ended, and how long before a `connect` its
/// row may have been read: longer than the second, so that no `connect` outlives the memory of what it missed.
pub const ENDED_MEMORY: Duration = Duration::from_secs(60);
/// See [`ENDED_MEMORY`].
pub const ROW_FRESHNESS: Duration = Duration::from_secs(30);

/// Why an engine did not answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum EngineError {
    /// It can't be reached, or is in no state to answer. The call may or may not have been carried out.
    #[error("the presence engine is not reachable: {0}")]
    Unavailable(String),
    /// Too many calls wait.
    #[error("the presence engine is overloaded")]
    Overloaded,
    /// The data were laid out for another number of shards than this process is set to.
    #[error("presence is kept in {stored} shards, but LASTSEEN_SHARDS is {configured}")]
    OtherShardCount {
        /// What the data say.
        stored: u32,
        /// What this process was told.
        configured: u32,
    },
    /// An answer that no script of ours gives.
    #[error("the presence engine answered something unknown: {0}")]
    Protocol(String),
}

/// One heartbeat, as a token tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Touch {
    /// Whose.
    pub user: UserId,
    /// Which session.
    pub session: SessionId,
}

/// The answer to a batch of heartbeats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Touched {
    /// The engine's time.
    pub now: Timestamp,
    /// A new deadline for each session that is live; `None` for each that is not known to be, in the batch's order.
    pub deadlines: Vec<Option<Deadline>>,
}

/// A session that comes online: at log-in, or by a heartbeat that `touch` did not know.
#[derive(Clone, Debug)]
pub struct Connect {
    /// Whose.
    pub user: UserId,
    /// Which session.
    pub session: SessionId,
    /// The user's inactivity timeout.
    pub timeout: Duration,
    /// What the user shows, and to whom.
    pub profile: Profile,
    /// [`Reason::Login`] or [`Reason::Heartbeat`].
    pub reason: Reason,
    /// The engine's time *before* the account and the session row were read.
    pub read_at: Timestamp,
}

/// What became of a [`Connect`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connected {
    /// The session is live.
    Live {
        /// The engine's time.
        now: Timestamp,
        /// When it stops counting.
        deadline: Deadline,
    },
    /// The session was ended after the row was read. Read it again.
    Ended,
    /// The row was read too long ago to be relied on. Read it again.
    Stale,
}

/// What a `disconnect` or an `evict` did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disconnected {
    /// The engine's time.
    pub now: Timestamp,
    /// Whether the user went offline by this call.
    pub went_offline: bool,
}

/// The answer to a lookup.
#[derive(Clone, Debug)]
pub struct Lookup {
    /// What is known of each user, in the order asked for. Of an invisible user it is what was known when it became
    /// invisible: for everybody else it went offline then.
    pub known: Vec<Known>,
    /// The truth about those of them who are invisible and have a live session: [`Known::Online`].
    pub hidden: HashMap<UserId, Known>,
    /// How many are online in all.
    pub counts: Counts,
}

/// Users at one moment of their shards' transitions.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// What is known of each user, in the order asked for.
    pub known: Vec<Known>,
    /// As in [`Lookup::hidden`].
    pub hidden: HashMap<UserId, Known>,
    /// The newest transition of each shard that was asked: what is known has all up to it, and none after it. Of more
    /// than a thousand users of one shard it is the place of the first thousand: what is known of the others may have
    /// transitions after it already.
    pub places: Vec<(u32, Place)>,
}

/// The answer to a sweep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expired {
    /// Of how many users a session or a choice was taken out: fewer than asked for means that none is left.
    pub taken: usize,
    /// How long until the next one is due, as it stands; `None` where nothing is held.
    pub next: Option<Duration>,
}

/// Users of whom the database may not yet say what is true.
#[derive(Clone, Debug, Default)]
pub struct Delta {
    /// Each with what is known of it.
    pub users: Vec<(UserId, Known)>,
    /// How many users are online in all.
    pub counts: Counts,
}

/// One page of the users that an engine holds sessions of.
#[derive(Clone, Debug, Default)]
pub struct Scan {
    /// Where to go on; `None` at the end.
    pub next: Option<u64>,
    /// Each user with its sessions, live or not yet settled, and what the engine takes its profile for.
    pub users: Vec<(UserId, Vec<HeldSession>, Profile)>,
}

type Answer<T> = Result<T, EngineError>;

/// The operations of a presence engine. See the module's docs for what all of them keep to.
///
/// Every operation fails with [`EngineError::Unavailable`] where the engine does not answer in time.
pub trait PresenceEngine: Send + Sync {
    /// How many shards presence is kept in.
    fn shards(&self) -> u32;

    /// Makes what is missing of each shard, and holds the number of shards to what is stored.
    fn start(&self) -> impl Future<Output = Answer<()>> + Send;

    /// The engine's time, for [`Connect::read_at`].
    fn now(&self, user: UserId) -> impl Future<Output = Answer<Timestamp>> + Send;

    /// A batch of heartbeats of one shard: extends those that are live, in one command a thousand.
    fn touch(&self, shard: u32, batch: &[Touch]) -> impl Future<Output = Answer<Touched>> + Send;

    /// Makes a session live, unless it was ended meanwhile.
    fn connect(&self, connect: Connect) -> impl Future<Output = Answer<Connected>> + Send;

    /// Ends one session, and remembers that it was ended.
    fn disconnect(
        &self,
        user: UserId,
        session: SessionId,
        reason: Reason,
    ) -> impl Future<Output = Answer<Disconnected>> + Send;

    /// Ends all of a user's sessions with ids up to `up_to`, and remembers that they were ended.
    fn evict(
        &self,
        user: UserId,
        up_to: SessionId,
        reason: Reason,
    ) -> impl Future<Output = Answer<Disconnected>> + Send;

    /// Lets sessions with ids above `after` connect again after an `evict`.
    fn admit(&self, user: UserId, after: SessionId) -> impl Future<Output = Answer<()>> + Send;

    /// Changes a user's inactivity timeout: its sessions' deadlines become their last sign of life and this.
    fn retime(&self, user: UserId, timeout: Duration) -> impl Future<Output = Answer<()>> + Send;

    /// Changes what a user shows, or who may see it, and tells whoever watches: a user who becomes invisible goes
    /// offline by log-out for everybody else, and comes online by log-in afterwards. `before` is what the database held.
    fn present(&self, user: UserId, before: &Profile, after: &Profile) -> impl Future<Output = Answer<()>> + Send;

    /// Says whether nobody has touched a session's device for long. Answers whether the session is live.
    fn idle(&self, user: UserId, session: SessionId, idle: bool) -> impl Future<Output = Answer<bool>> + Send;

    /// Appends that what two users are to each other has changed.
    fn relate(&self, user: UserId, other: UserId) -> impl Future<Output = Answer<()>> + Send;

    /// A session says that it is leaving (its page is being closed or reloaded): it has `grace` for a timeout from now
    /// on, unless its own is no longer. Answers its deadline, or `None` where it is not live.
    fn leave(
        &self,
        user: UserId,
        session: SessionId,
        grace: Duration,
    ) -> impl Future<Output = Answer<Option<Deadline>>> + Send;

    /// Settles users of a shard whose sessions have passed their deadline, or whose choice its end: at most `most` of
    /// them.
    fn expire(&self, shard: u32, most: usize) -> impl Future<Output = Answer<Expired>> + Send;

    /// Settles these users, and answers what is known of them then, and of which place in the transitions that is true.
    fn snapshot(&self, users: &[UserId]) -> impl Future<Output = Answer<Snapshot>> + Send;

    /// What is known of each user, and how many are online in all, at one moment a shard. Changes nothing that anybody
    /// is told.
    fn lookup(&self, users: &[UserId]) -> impl Future<Output = Answer<Lookup>> + Send;

    /// One user's sessions, live or not yet settled.
    fn sessions(&self, user: UserId) -> impl Future<Output = Answer<Vec<HeldSession>>> + Send;

    /// All users of whom the database may not yet say what is true: those with transitions that are not projected, or
    /// were only seconds ago, and those whose sessions all passed their deadlines unswept.
    fn delta(&self) -> impl Future<Output = Answer<Delta>> + Send;

    /// A shard's transitions after `after`, oldest first, at most `most`.
    fn transitions(
        &self,
        shard: u32,
        after: TransitionId,
        most: usize,
    ) -> impl Future<Output = Answer<Stretch>> + Send;

    /// Waits until a shard has a transition after the given place, at most `longest`. May end early.
    fn wait(&self, shard: u32, after: TransitionId, longest: Duration) -> impl Future<Output = Answer<()>> + Send;

    /// Says that the database has followed a shard's transitions up to `up_to`, for these users.
    fn projected(&self, shard: u32, up_to: TransitionId, users: &[UserId])
    -> impl Future<Output = Answer<()>> + Send;

    /// Forgets a shard's transitions that are older than `before` by the engine's clock and not after `projected`.
    /// Answers how many.
    fn trim(&self, shard: u32, projected: TransitionId, keep: Duration) -> impl Future<Output = Answer<u64>> + Send;

    /// Appends a transition that says what is true of a user now, for a database that missed an earlier one. Does
    /// nothing while a transition of this user waits to be projected, or where `online` is what the database already says.
    fn restate(
        &self,
        user: UserId,
        projected_online: bool,
        offline: Restatement,
    ) -> impl Future<Output = Answer<bool>> + Send;

    /// Goes through the users that a shard holds, from `from` (0 first).
    fn scan(&self, shard: u32, from: u64) -> impl Future<Output = Answer<Scan>> + Send;

    /// A shard's epoch, and the engine's time.
    fn epoch(&self, shard: u32) -> impl Future<Output = Answer<(Epoch, Timestamp)>> + Send;
}

/// What a restated offline transition says, where the engine itself knows no more.
#[derive(Clone, Copy, Debug)]
pub struct Restatement {
    /// When the user went offline, as far as is known.
    pub at: Timestamp,
    /// The last sign of life that is known.
    pub last_seen: Timestamp,
    /// Why, as far as is known.
    pub reason: Reason,
}

/// Work on a shard that one process does at a time, so that the others need not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Following the transitions into the database.
    Project,
    /// Sweeping between the sweep's ticks.
    Expire,
}

/// One of the two engines. A `match`, not a trait object: no heartbeat pays for an allocation.
#[derive(Clone)]
pub enum Engine {
    /// The distributed form's.
    Redis(RedisEngine),
    /// The stand-alone program's.
    Memory(MemoryEngine),
}

impl Engine {
    /// Takes or renews the lease on some work for a shard, for `ttl`. Answers whether `holder` has it: in one process
    /// always.
    ///
    /// # Errors
    /// [`EngineError::Unavailable`].
    pub async fn lease(&self, work: Work, shard: u32, holder: &str, ttl: Duration) -> Answer<bool> {
        match self {
            Self::Redis(engine) => engine.lease(work, shard, holder, ttl).await,
            Self::Memory(_) => Ok(true),
        }
    }

    /// Whether the engine answers, and can keep what it answers.
    ///
    /// # Errors
    /// [`EngineError::Unavailable`].
    pub async fn check(&self) -> Answer<()> {
        match self {
            Self::Redis(engine) => engine.ping().await,
            Self::Memory(engine) => engine.check(),
        }
    }

    /// How many sessions are held: live, or not swept yet.
    ///
    /// # Errors
    /// [`EngineError::Unavailable`].
    pub async fn held(&self) -> Answer<u64> {
        match self {
            Self::Redis(engine) => engine.held().await,
            Self::Memory(engine) => engine.held(),
        }
    }

    /// The same engine for one thread that sends many heartbeats: on a connection of its own.
    ///
    /// # Panics
    /// On a Redis Cluster, outside of a Tokio runtime.
    #[must_use]
    pub fn for_thread(&self) -> Self {
        match self {
            Self::Redis(engine) => Self::Redis(engine.with_own_connection()),
            Self::Memory(_) => self.clone(),
        }
    }
}

macro_rules! delegate {
    ($($(#[$meta:meta])* async fn $name:ident(&self $(, $arg:ident: $ty:ty)*) -> $out:ty;)+) => {
        $(
            $(#[$meta])*
            async fn $name(&self $(, $arg: $ty)*) -> Answer<$out> {
                match self {
                    Self::Redis(engine) => engine.$name($($arg),*).await,
                    Self::Memory(engine) => engine.$name($($arg),*).await,
                }
            }
        )+
    };
}

impl PresenceEngine for Engine {
    fn shards(&self) -> u32 {
        match self {
            Self::Redis(engine) => engine.shards(),
            Self::Memory(engine) => engine.shards(),
        }
    }

    delegate! {
        async fn start(&self) -> ();
        async fn now(&self, user: UserId) -> Timestamp;
        async fn touch(&self, shard: u32, batch: &[Touch]) -> Touched;
        async fn connect(&self, connect: Connect) -> Connected;
        async fn disconnect(&self, user: UserId, session: SessionId, reason: Reason) -> Disconnected;
        async fn evict(&self, user: UserId, up_to: SessionId, reason: Reason) -> Disconnected;
        async fn admit(&self, user: UserId, after: SessionId) -> ();
        async fn retime(&self, user: UserId, timeout: Duration) -> ();
        async fn leave(&self, user: UserId, session: SessionId, grace: Duration) -> Option<Deadline>;
        async fn present(&self, user: UserId, before: &Profile, after: &Profile) -> ();
        async fn idle(&self, user: UserId, session: SessionId, idle: bool) -> bool;
        async fn relate(&self, user: UserId, other: UserId) -> ();
        async fn expire(&self, shard: u32, most: usize) -> Expired;
        async fn snapshot(&self, users: &[UserId]) -> Snapshot;
        async fn lookup(&self, users: &[UserId]) -> Lookup;
        async fn sessions(&self, user: UserId) -> Vec<HeldSession>;
        async fn delta(&self) -> Delta;
        async fn transitions(&self, shard: u32, after: TransitionId, most: usize) -> Stretch;
        async fn wait(&self, shard: u32, after: TransitionId, longest: Duration) -> ();
        async fn projected(&self, shard: u32, up_to: TransitionId, users: &[UserId]) -> ();
        async fn trim(&self, shard: u32, projected: TransitionId, keep: Duration) -> u64;
        async fn restate(&self, user: UserId, projected_online: bool, offline: Restatement) -> bool;
        async fn scan(&self, shard: u32, from: u64) -> Scan;
        async fn epoch(&self, shard: u32) -> (Epoch, Timestamp);
    }
}
