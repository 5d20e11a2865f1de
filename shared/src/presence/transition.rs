//! Transitions: every change of a user's presence, in the order in which it happened.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ids::{SessionId, UserId};
use crate::presence::Reason;
use crate::presence::availability::{Privacy, Shown};
use crate::presence::rule::{OnlineStatus, Presence};
use crate::timestamp::Timestamp;

/// A place in one shard's transitions: growing, never used twice within an epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TransitionId {
    /// Milliseconds since 1970 by the engine's clock.
    pub ms: u64,
    /// Counts within the millisecond.
    pub seq: u64,
}

/// What one entry of a shard's stream tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The user came online or went offline. An invisible one does neither: becoming invisible is going offline by
    /// log-out, becoming visible again is coming online by log-in, and what happens in between is told to nobody.
    Transition(Transition),
    /// An online user shows something else, and stays online.
    Shown(Transition),
    /// Who may see what of a user was changed.
    Privacy {
        /// Whose.
        user: UserId,
        /// What held before.
        before: Privacy,
        /// What holds now.
        after: Privacy,
    },
    /// What two users are to each other has changed: contacts, or one has blocked the other, or neither any more.
    Relation {
        /// The one.
        user: UserId,
        /// The other.
        other: UserId,
    },
    /// A session was taken out while another kept the user online, or the user was invisible.
    SessionLeft {
        /// Whose.
        user: UserId,
        /// Which.
        session: SessionId,
        /// Its last sign of life.
        last_seen: Timestamp,
    },
}

/// A change of a user's presence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transition {
    /// Whose.
    pub user: UserId,
    /// What it is from now on.
    pub online: bool,
    /// When it happened: for a timeout the deadline, not the moment of noticing. Never before `last_seen`.
    pub at: Timestamp,
    /// The last sign of life.
    pub last_seen: Timestamp,
    /// Why.
    pub reason: Reason,
    /// The session that caused it; `None` where no single one did.
    pub session: Option<SessionId>,
    /// That session's own last sign of life: another device may have been seen later.
    pub session_seen: Timestamp,
    /// What is shown of it from now on, where it is online.
    #[serde(default, skip_serializing_if = "is_usual")]
    pub shown: Shown,
    /// Who may see that.
    #[serde(default, skip_serializing_if = "is_usual")]
    pub privacy: Privacy,
}

fn is_usual<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Transition {
    /// What the user's presence is from then on.
    #[must_use]
    pub fn presence(&self) -> Presence {
        Presence {
            online_status: if self.online { OnlineStatus::Online } else { OnlineStatus::Offline },
            last_seen: self.last_seen.nonzero(),
            online_until: None,
            reason: Some(self.reason),
            shown: self.shown.clone(),
        }
    }
}

/// An [`Event`] with its place in the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its place.
    pub id: TransitionId,
    /// What it tells.
    pub event: Event,
}

/// The life of one shard's data: a new one means that the data was lost and began again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Epoch {
    /// Tells it from every other.
    pub id: String,
    /// When it began, by the engine's clock.
    pub born: Timestamp,
}

/// A stretch of one shard's stream.
#[derive(Clone, Debug)]
pub struct Stretch {
    /// The epoch that the entries belong to.
    pub epoch: Epoch,
    /// Entries up to and with this one may be gone.
    pub trimmed: TransitionId,
    /// The newest entry's id, or `trimmed` where there is none.
    pub newest: TransitionId,
    /// The entries asked for, oldest first.
    pub entries: Vec<Entry>,
}

impl TransitionId {
    /// Before all entries.
    pub const START: Self = Self { ms: 0, seq: 0 };
}

impl fmt::Display for TransitionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

impl FromStr for TransitionId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('-').and_then(|(ms, seq)| Some((ms.parse().ok()?, seq.parse().ok()?)));
        let (ms, seq) = parts.ok_or_else(|| format!("{text:?} is no transition id"))?;
        Ok(Self { ms, seq })
    }
}
