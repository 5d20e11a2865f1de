//! Counts tries in this process: so many within so long, by key.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::refusal::{Code, Refusal};

/// Counts tries by key, in windows.
pub struct Limiter {
    on: bool,
    most: u32,
    window: Duration,
    tries: Mutex<HashMap<String, (u32, Instant)>>,
}

/// Past so many keys, those whose window is over are thrown out before another comes in.
const MANY: usize = 10_000;

impl Limiter {
    /// A limiter of `most` tries a `window`, or one that allows everything.
    #[must_use]
    pub fn new(on: bool, most: u32, window: Duration) -> Self {
        Self { on, most, window, tries: Mutex::default() }
    }

    /// Whether there is a try left for this key.
    ///
    /// # Errors
    /// `too_many_requests`, with the time when there is one again.
    pub fn check(&self, key: &str) -> Result<(), Refusal> {
        self.check_at(key, Instant::now())
    }

    /// Counts a try.
    pub fn count(&self, key: &str) {
        self.count_at(key, Instant::now());
    }

    fn check_at(&self, key: &str, now: Instant) -> Result<(), Refusal> {
        let tries = self.tries.lock().unwrap_or_else(PoisonError::into_inner);
        match tries.get(key) {
            Some((count, since)) if self.on && *count >= self.most && *since + self.window > now => {
                let left = (*since + self.window) - now;
                // Whole seconds, rounded up: that is what the header can say.
                let wait = Duration::from_secs(left.as_secs() + u64::from(left.subsec_nanos() > 0));
                Err(Refusal::new(Code::TooManyRequests, "too many tries").retry_after(wait))
            }
            _ => Ok(()),
        }
    }

    fn count_at(&self, key: &str, now: Instant) {
        if !self.on {
            return;
        }
        let mut tries = self.tries.lock().unwrap_or_else(PoisonError::into_inner);
        if tries.len() >= MANY {
            tries.retain(|_, (_, since)| *since + self.window > now);
        }
        let entry = tries.entry(key.to_owned()).or_insert((0, now));
        if entry.1 + self.window <= now {
            *entry = (0, now);
        }
        entry.0 += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_within_so_long() {
        let limiter = Limiter::new(true, 2, Duration::from_secs(60));
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        limiter.count_at("ann", at(0));
        assert!(limiter.check_at("ann", at(1)).is_ok());
        limiter.count_at("ann", at(1));
        let refusal = limiter.check_at("ann", at(20)).unwrap_err();
        assert_eq!(refusal.retry_after, Some(Duration::from_secs(40)));
        assert!(limiter.check_at("bob", at(20)).is_ok());
        assert!(limiter.check_at("ann", at(60)).is_ok());
        limiter.count_at("ann", at(61));
        assert!(limiter.check_at("ann", at(62)).is_ok());
    }

    #[test]
    fn off_means_off() {
        let limiter = Limiter::new(false, 0, Duration::from_secs(60));
        limiter.count("ann");
        assert!(limiter.check("ann").is_ok());
    }
}
