//! bcrypt, kept off the event loops: on threads of its own, as many as there may be hashes at once, behind a bounded queue.
//!
//! The threads yield to all others, where the system has such a thing: a hash is a quarter of a second of a core, and
//! whoever logs in can wait a little longer, but a heartbeat beside it is to take the time it always takes.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

use super::Password;
use super::django::{self, DjangoHash};

/// How much the hashing threads yield, as niceness: they have a ninth of the weight of a thread of niceness 0, so that on
/// a machine that is full of other work passwords are still hashed, if slowly.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;

/// Hashes and verifies passwords. Cheap to clone; clones share the threads and the queue.
#[derive(Clone)]
pub struct Hasher {
    inner: Arc<Inner>,
}

struct Inner {
    cost: u32,
    /// What the threads are to do next. They end when it is dropped.
    work: Sender<Work>,
    /// Hashes that run or wait.
    queued: Arc<AtomicUsize>,
    most_queued: usize,
    /// Verified against where there is no such user, so that the answer takes the same time: a salt and a hash of
    /// nothing but zeros, of the same cost.
    dummy: String,
}

type Work = Box<dyn FnOnce() + Send>;
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
    /// The hashing threads could not be started.
    #[error("no thread for hashing: {0}")]
    Thread(std::io::Error),
    /// The hashing thread was lost.
    #[error("a hashing thread was lost")]
    Lost,
}

/// A place in the queue, given back when dropped.
struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Hasher {
    /// A hasher of bcrypt cost `cost` (4 to 31) with `threads` hashes at once and `most_queued` running or waiting.
    ///
    /// # Errors
    /// A cost that bcrypt refuses; no threads to be had.
    pub fn new(cost: u32, threads: usize, most_queued: usize) -> Result<Self, HashError> {
        if !COSTS.contains(&cost) {
            return Err(bcrypt::BcryptError::CostNotAllowed(cost).into());
        }
        // No hash is made for it: that would take a good part of the program's start.
        let dummy = format!("$2b${cost:02}${}", ".".repeat(22 + 31));
        let (work, waiting) = channel();
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..threads.max(1) {
            let waiting = Arc::clone(&waiting);
            let thread = std::thread::Builder::new().name("hashing".to_owned());
            thread.spawn(move || serve(&waiting)).map_err(HashError::Thread)?;
        }
        Ok(Self { inner: Arc::new(Inner { cost, work, queued: Arc::default(), most_queued, dummy }) })
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
        let hash = hash.filter(|hash| django::has_password(hash));
        let is_djangos = hash.as_deref().is_some_and(DjangoHash::is_one);
        // A password that can't have been hashed is compared all the same, for the time it takes.
        let known = hash.is_some() && (password.is_hashable() || is_djangos);
        let hash = hash.unwrap_or_else(|| self.inner.dummy.clone());
        let matches = self
            .run(move || {
                if is_djangos {
                    return Ok(DjangoHash::parse(&hash).is_ok_and(|django| django.verify(password.bytes())));
                }
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
        let Inner { work: threads, queued, most_queued, .. } = &*self.inner;
        if queued.fetch_add(1, Ordering::AcqRel) >= *most_queued {
            queued.fetch_sub(1, Ordering::AcqRel);
            return Err(HashError::Busy);
        }
        let place = Place(Arc::clone(queued));
        let (tell, told) = oneshot::channel();
        // The place goes with the work: a caller who hangs up makes no room before the work is off the queue.
        let work = move || {
            let _held = place;
            // Nobody waits for it any more: the time is better spent on the next.
            if !tell.is_closed() {
                // Whoever hung up meanwhile needs no answer.
                let _ = tell.send(work());
            }
        };
        threads.send(Box::new(work)).map_err(|_| HashError::Lost)?;
        Ok(told.await.map_err(|_| HashError::Lost)??)
    }
}

/// Does what waits, one after the other, until the hasher is dropped.
fn serve(waiting: &Mutex<Receiver<Work>>) {
    yield_to_others();
    loop {
        // In a statement of its own, so that the lock is held while waiting and not while working.
        let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(work) = next else { return };
        // A panic costs its caller the answer, and nobody the thread.
        if std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).is_err() {
            log::error!("hashing a password panicked");
        }
    }
}

/// Lowers this thread's priority. On Linux a thread has one of its own; elsewhere it would be the whole process's.
fn yield_to_others() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICENESS) {
        log::debug!("the hashing threads do not yield to others: {error}");
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
        // So dear that none is done before the last has come.
        let hasher = Hasher::new(10, 1, 2).unwrap();
        let all = (0..8).map(|_| hasher.hash(Password::typed("correct horse".into())));
        let results = futures_util::future::join_all(all).await;
        let busy = results.iter().filter(|r| matches!(r, Err(HashError::Busy))).count();
        assert_eq!(busy, 6);
        assert!(hasher.hash(Password::typed("correct horse".into())).await.is_ok(), "the places are free again");
    }
}
