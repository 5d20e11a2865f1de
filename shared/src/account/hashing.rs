//! bcrypt, kept off the event loops: at most as many hashes at once as there are cores, a bounded queue before them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Semaphore;

use super::Password;

/// Hashes and verifies passwords. Cheap to clone; clones share the queue.
#[derive(Clone)]
pub struct Hasher {
    inner: Arc<Inner>,
}

struct Inner {
    cost: u32,
    /// One permit a hash that may run at a time.
    running: Arc<Semaphore>,
    /// Hashes that run or wait.
    queued: AtomicUsize,
    most_queued: usize,
    /// Verified against where there is no such user, so that the answer takes the same time: a salt and a hash of
    /// nothing but zeros, of the same cost.
    dummy: String,
}

/// What bcrypt allows.
const COSTS: std::ops::RangeInclusive<u32> = 4..=31;

/// Why no hash was made.
#[derive(Debug, thiserror::Error)]
pub enum HashError {
    /// The queue is full: the caller is told to come back.
    #[error("too many passwords are being hashed")]
    Busy,
    /// bcrypt failed, which a checked password and a stored hash do not make it do.
    #[error("bcrypt: {0}")]
    Bcrypt(#[from] bcrypt::BcryptError),
    /// The hashing thread was lost.
    #[error("a hashing thread was lost")]
    Lost,
}

/// A place in the queue, given back when dropped.
struct Place(Arc<Inner>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.queued.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Hasher {
    /// A hasher of bcrypt cost `cost` (4 to 31) with `threads` hashes at once and `most_queued` running or waiting.
    ///
    /// # Errors
    /// A cost that bcrypt refuses.
    pub fn new(cost: u32, threads: usize, most_queued: usize) -> Result<Self, HashError> {
        if !COSTS.contains(&cost) {
            return Err(bcrypt::BcryptError::CostNotAllowed(cost).into());
        }
        // No hash is made for it: that would take a good part of the program's start.
        let dummy = format!("$2b${cost:02}${}", ".".repeat(22 + 31));
        let running = Arc::new(Semaphore::new(threads.max(1)));
        Ok(Self { inner: Arc::new(Inner { cost, running, queued: AtomicUsize::new(0), most_queued, dummy }) })
    }

    /// Hashes a chosen password.
    ///
    /// # Errors
    /// [`HashError::Busy`] where the queue is full.
    pub async fn hash(&self, password: Password) -> Result<String, HashError> {
        let cost = self.inner.cost;
        self.run(move || bcrypt::hash(password.bytes(), cost)).await
    }

    /// Whether a typed password is the one behind `hash`; with `None` as long as a real one takes, and false.
    ///
    /// # Errors
    /// [`HashError::Busy`] where the queue is full.
    pub async fn verify(&self, password: Password, hash: Option<String>) -> Result<bool, HashError> {
        // A password that can't have been hashed is compared all the same, for the time it takes.
        let known = hash.is_some() && password.is_hashable();
        let hash = hash.unwrap_or_else(|| self.inner.dummy.clone());
        let matches = self
            .run(move || {
                let bytes = if password.is_hashable() { password.bytes() } else { b"too long" };
                bcrypt::verify(bytes, &hash)
            })
            .await?;
        Ok(known && matches)
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, bcrypt::BcryptError> + Send + 'static,
    ) -> Result<T, HashError> {
        let inner = Arc::clone(&self.inner);
        if inner.queued.fetch_add(1, Ordering::AcqRel) >= inner.most_queued {
            inner.queued.fetch_sub(1, Ordering::AcqRel);
            return Err(HashError::Busy);
        }
        let place = Place(Arc::clone(&inner));
        let permit = Arc::clone(&inner.running).acquire_owned().await.map_err(|_| HashError::Lost)?;
        // Both go with the work: a caller who hangs up does not make room for one hash more than there are cores.
        let work = move || {
            let _held = (place, permit);
            work()
        };
        let result = tokio::task::spawn_blocking(work).await.map_err(|_| HashError::Lost)?;
        Ok(result?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_known_by_its_hash_alone() {
        let hasher = Hasher::new(4, 2, 10).unwrap();
        let hash = hasher.hash(Password::typed("correct horse".into())).await.unwrap();
        let verify = |text: &str, hash: Option<&String>| hasher.verify(Password::typed(text.into()), hash.cloned());
        assert!(verify("correct horse", Some(&hash)).await.unwrap());
        assert!(!verify("battery staple", Some(&hash)).await.unwrap());
        assert!(!verify("nobody has this password", None).await.unwrap());
        assert!(!verify(&"x".repeat(100), Some(&hash)).await.unwrap());
    }

    #[test]
    fn what_nobody_is_verified_against_is_a_hash_of_the_same_cost() {
        for cost in [4, 12, 31] {
            let dummy: bcrypt::HashParts = Hasher::new(cost, 1, 1).unwrap().inner.dummy.parse().unwrap();
            assert_eq!(dummy.get_cost(), cost);
        }
        for cost in [0, 3, 32] {
            assert!(matches!(Hasher::new(cost, 1, 1), Err(HashError::Bcrypt(_))));
        }
    }

    #[tokio::test]
    async fn past_the_queue_it_is_busy() {
        let hasher = Hasher::new(4, 1, 2).unwrap();
        let all = (0..8).map(|_| hasher.hash(Password::typed("correct horse".into())));
        let results = futures_util::future::join_all(all).await;
        let busy = results.iter().filter(|r| matches!(r, Err(HashError::Busy))).count();
        assert_eq!(busy, 6);
        assert!(hasher.hash(Password::typed("correct horse".into())).await.is_ok(), "the places are free again");
    }
}
