//! Where an engine's time comes from.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::timestamp::Timestamp;

/// The memory engine's clock. (The Redis engine's time is Redis's own, so that machines with skewed clocks agree.)
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// This machine's.
    #[default]
    System,
    /// Moved by hand.
    Manual(ManualClock),
}

/// A clock that stands still until it is moved. Clones are the same clock.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<AtomicI64>);

impl Clock {
    /// The time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => Timestamp::now(),
            Self::Manual(clock) => clock.now(),
        }
    }
}

impl ManualClock {
    /// A clock that stands at `start`.
    #[must_use]
    pub fn at(start: Timestamp) -> Self {
        Self(Arc::new(AtomicI64::new(start.0)))
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }

    /// Moves it to `to`, forwards or back.
    pub fn set(&self, to: Timestamp) {
        self.0.store(to.0, Ordering::SeqCst);
    }
}
