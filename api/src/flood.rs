//! How often one session may send a heartbeat: a client whose timer has gone wild is slowed down, before it costs the engine
//! anything. Counted by each thread for itself, in a table of fixed size without a lock; a session whose place another one
//! takes is forgotten, so that nobody is refused for what others do.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use lastseen_shared::ids::SessionId;
use lastseen_shared::refusal::{Code, Refusal};

/// So many at once…
const BURST: u32 = 200;
/// …and one more every so often.
const EVERY: Duration = Duration::from_millis(100);
/// Sessions that are counted at a time.
const PLACES: usize = 8_192;

/// A thread's heartbeats by session.
pub struct Flood {
    on: bool,
    /// Each session, and when all of its burst is there again.
    places: RefCell<Vec<(SessionId, Option<Instant>)>>,
}

impl Flood {
    /// Counts, or allows everything.
    #[must_use]
    pub fn new(on: bool) -> Self {
        let places = if on { PLACES } else { 0 };
        Self { on, places: RefCell::new(vec![(SessionId(0), None); places]) }
    }

    /// Takes one.
    ///
    /// # Errors
    /// `too_many_requests`.
    pub fn take(&self, session: SessionId) -> Result<(), Refusal> {
        if self.on { self.take_at(session, Instant::now()) } else { Ok(()) }
    }

    fn take_at(&self, session: SessionId, now: Instant) -> Result<(), Refusal> {
        let mut places = self.places.borrow_mut();
        // Ids follow one another: neighbours are in neighbouring places.
        let place = usize::try_from(session.0.unsigned_abs() % PLACES as u64).unwrap_or(0);
        let (whose, full) = &mut places[place];
        let before = full.filter(|_| *whose == session).map_or(now, |full| full.max(now));
        if before + EVERY > now + EVERY * BURST {
            let refused = Refusal::new(Code::TooManyRequests, "this session sends heartbeats without a pause");
            return Err(refused.retry_after(Duration::from_secs(1)));
        }
        (*whose, *full) = (session, Some(before + EVERY));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_does_not_pause_is_refused_and_nobody_else() {
        let (flood, start) = (Flood::new(true), Instant::now());
        let taken = |session, at| flood.take_at(SessionId(session), start + at).is_ok();
        for _ in 0..BURST {
            assert!(taken(1, Duration::ZERO));
        }
        assert!(!taken(1, Duration::ZERO) && !taken(1, EVERY - Duration::from_millis(1)));
        assert!(taken(2, Duration::ZERO));
        assert!(taken(1, EVERY) && !taken(1, EVERY));
        assert!(taken(1, EVERY * 2));
        // In the same place: it is counted from the beginning, and so is the first one after it.
        let other = 1 + i64::try_from(PLACES).unwrap();
        assert!(taken(other, EVERY * 2) && taken(1, EVERY * 2));
    }

    #[test]
    fn off_means_off() {
        let flood = Flood::new(false);
        assert!((0..1_000).all(|_| flood.take(SessionId(1)).is_ok()));
    }
}
