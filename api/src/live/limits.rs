//! What a socket may send.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use lastseen_shared::ids::UserId;

/// Frames that may come at once.
const BURST: f64 = 60.0;
/// Frames a second that may come for ever.
const RATE: f64 = 20.0;
/// Typing is told so often at the most, to one user.
const TYPING: Duration = Duration::from_secs(1);
/// Recipients that are remembered for that.
const RECIPIENTS: usize = 64;

/// A token bucket for frames.
#[derive(Debug)]
pub struct Frames {
    limited: bool,
    left: f64,
    at: Instant,
}

impl Frames {
    /// A full one; one that admits all where it is not `limited`.
    #[must_use]
    pub fn new(limited: bool, now: Instant) -> Self {
        Self { limited, left: BURST, at: now }
    }

    /// Whether a frame may come now.
    pub fn admit(&mut self, now: Instant) -> bool {
        let since = now.saturating_duration_since(self.at).as_secs_f64();
        self.left = (self.left + since * RATE).min(BURST);
        self.at = now;
        if self.limited && self.left < 1.0 {
            return false;
        }
        self.left -= 1.0;
        true
    }
}

/// When typing was last told to whom.
#[derive(Debug, Default)]
pub struct TypingPace {
    told: HashMap<UserId, Instant>,
}

impl TypingPace {
    /// Whether it may be told now.
    pub fn admit(&mut self, to: UserId, now: Instant) -> bool {
        let fresh = |at: &Instant| now.saturating_duration_since(*at) < TYPING;
        if self.told.get(&to).is_some_and(fresh) {
            return false;
        }
        if self.told.len() >= RECIPIENTS {
            self.told.retain(|_, at| fresh(at));
        }
        self.told.len() < RECIPIENTS && {
            self.told.insert(to, now);
            true
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_limited_and_come_back() {
        let start = Instant::now();
        let mut frames = Frames::new(true, start);
        assert!((0..60).all(|_| frames.admit(start)));
        assert!(!frames.admit(start));
        assert!(frames.admit(start + Duration::from_millis(50)));
        assert!(!frames.admit(start + Duration::from_millis(60)));
    }

    #[test]
    fn typing_is_told_once_a_second_to_each() {
        let start = Instant::now();
        let mut pace = TypingPace::default();
        assert!(pace.admit(UserId(1), start));
        assert!(pace.admit(UserId(2), start));
        assert!(!pace.admit(UserId(1), start + Duration::from_millis(999)));
        assert!(pace.admit(UserId(1), start + Duration::from_secs(1)));
        assert!(!(3..200).all(|n| pace.admit(UserId(n), start + Duration::from_secs(1))));
        assert!(pace.admit(UserId(500), start + Duration::from_secs(3)));
    }
}
