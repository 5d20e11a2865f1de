//! The door to the database's connections. Whoever waits waits here, and holds no thread meanwhile; and where too many do,
//! the next is refused at once: it would be answered too late, if at all.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::DbError;

/// How many may wait for each connection. With statements of some milliseconds the last of them waits for about a second.
const WAITING: usize = 200;

/// As many places as there are connections, and a bounded queue before them. Cheap to clone.
#[derive(Clone)]
pub(super) struct Gate {
    places: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    most: usize,
}

/// A place; another one's once this is dropped.
pub(super) struct Place {
    _permit: OwnedSemaphorePermit,
    /// What is left of the time that there was to wait.
    pub(super) left: Duration,
}

/// One who waits, also where it does not wait to the end.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Gate {
    pub(super) fn new(connections: u32) -> Self {
        let connections = connections.max(1) as usize;
        let places = Arc::new(Semaphore::new(connections));
        Self { places, waiting: Arc::default(), most: connections * WAITING }
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Waits for a place, for `within` at the most; in the order of arrival.
    ///
    /// # Errors
    /// [`DbError::Unavailable`].
    pub(super) async fn enter(&self, within: Duration) -> Result<Place, DbError> {
        let unavailable = |why: &str| DbError::Unavailable(why.to_owned());
        if let Ok(permit) = Arc::clone(&self.places).try_acquire_owned() {
            return Ok(Place { _permit: permit, left: within });
        }
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(&self.waiting);
        if before >= self.most {
            return Err(unavailable("too many wait for a connection already"));
        }
        let begun = Instant::now();
        match tokio::time::timeout(within, Arc::clone(&self.places).acquire_owned()).await {
            Ok(Ok(permit)) => Ok(Place { _permit: permit, left: within.saturating_sub(begun.elapsed()) }),
            Ok(Err(_)) => Err(unavailable("the pool is closed")),
            Err(_) => Err(unavailable("no connection was free in time")),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn places_go_round_in_order() {
        let gate = Gate::new(1);
        let first = gate.enter(LONG).await.unwrap();
        let mut second = Box::pin(gate.enter(LONG));
        let mut third = Box::pin(gate.enter(LONG));
        assert!((&mut second).now_or_never().is_none() && (&mut third).now_or_never().is_none());
        drop(first);
        assert!((&mut third).now_or_never().is_none());
        let second = second.await.unwrap();
        drop(second);
        third.await.unwrap();
    }

    #[tokio::test]
    async fn past_the_bound_nobody_waits_and_later_there_is_room_again() {
        let gate = Gate::new(2);
        let held = [gate.enter(LONG).await.unwrap(), gate.enter(LONG).await.unwrap()];
        let mut waiting: Vec<_> = (0..2 * WAITING).map(|_| Box::pin(gate.enter(LONG))).collect();
        assert!(waiting.iter_mut().all(|one| one.now_or_never().is_none()));
        assert!(gate.enter(LONG).now_or_never().is_some_and(|entered| entered.is_err()));
        // Whoever goes away makes room for another.
        waiting.pop();
        let mut another = Box::pin(gate.enter(LONG));
        assert!((&mut another).now_or_never().is_none());
        drop((waiting, held));
        another.await.unwrap();
        assert_eq!(gate.waiting.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn nobody_waits_for_ever() {
        let gate = Gate::new(1);
        let _held = gate.enter(LONG).await.unwrap();
        assert!(gate.enter(Duration::from_millis(20)).await.is_err());
        assert_eq!(gate.waiting.load(Ordering::Relaxed), 0);
    }
}
