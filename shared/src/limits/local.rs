//! Limits that are counted in this process.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{Failures, Rate};

/// Past so many keys, those that say nothing any more are thrown out before another comes in.
const MANY: usize = 10_000;

/// What is kept of each key.
#[derive(Default)]
pub(super) struct Local {
    kept: Mutex<HashMap<String, Kept>>,
}

struct Kept {
    /// Failures so far; of a rate nothing.
    failures: u32,
    /// When the next one may come; of a rate, when all of its burst is there again.
    until: Instant,
    /// When it says nothing any more.
    forgotten: Instant,
}

impl Local {
    pub(super) fn take(&self, rate: &Rate, key: &str) -> Duration {
        self.take_at(rate, key, Instant::now())
    }

    pub(super) fn check(&self, key: &str) -> Duration {
        self.check_at(key, Instant::now())
    }

    pub(super) fn failed(&self, failures: &Failures, key: &str) {
        self.failed_at(failures, key, Instant::now());
    }

    pub(super) fn forget(&self, key: &str) {
        self.kept().remove(key);
    }

    pub(super) fn take_at(&self, rate: &Rate, key: &str, now: Instant) -> Duration {
        let mut kept = self.room(now);
        let full = kept.get(key).map_or(now, |kept| kept.until.max(now));
        let wait = (full + rate.every).saturating_duration_since(now + rate.every * rate.burst);
        if wait.is_zero() {
            let until = full + rate.every;
            kept.insert(key.to_owned(), Kept { failures: 0, until, forgotten: until });
        }
        wait
    }

    pub(super) fn check_at(&self, key: &str, now: Instant) -> Duration {
        self.kept().get(key).map_or(Duration::ZERO, |kept| kept.until.saturating_duration_since(now))
    }

    pub(super) fn failed_at(&self, failures: &Failures, key: &str, now: Instant) {
        let mut kept = self.room(now);
        let before = kept.get(key).filter(|kept| kept.forgotten > now).map_or(0, |kept| kept.failures);
        let count = before.saturating_add(1);
        let (until, forgotten) = (now + failures.delay(count), now + failures.memory(count));
        kept.insert(key.to_owned(), Kept { failures: count, until, forgotten });
    }

    fn kept(&self) -> MutexGuard<'_, HashMap<String, Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is kept, with room for one more.
    fn room(&self, now: Instant) -> MutexGuard<'_, HashMap<String, Kept>> {
        let mut kept = self.kept();
        if kept.len() >= MANY {
            kept.retain(|_, one| one.forgotten > now);
        }
        kept
    }
}
