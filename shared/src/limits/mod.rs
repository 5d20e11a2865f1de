//! Limits on what may be tried how often: in one process, or in all processes of the distributed form together.
//!
//! There are two kinds. A [`Rate`] is so many at once, and one more every so often after that: the generic cell rate
//! algorithm, of which one moment a key is kept. [`Failures`] may happen so often for nothing; each one more has to be
//! waited for, twice as long as for the one before, and what succeeds forgets them.
//!
//! # Redis keys
//!
//! | key | type | holds, and for how long |
//! | --- | --- | --- |
//! | `<prefix>limit:<kind>:<hash>` of a [`Rate`] | string | when all of its burst is there again, in µs; until then |
//! | `<prefix>limit:<kind>:<hash>` of [`Failures`] | string | `count:until`, until in ms; as long as failures are remembered |
//!
//! The hash is of whatever is limited: names and addresses of people do not stand in Redis.

mod local;
mod remote;

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::redis_client::Redis;
use crate::refusal::{Code, Refusal};
use local::Local;
use remote::Remote;

/// So many at once, and one more every so often.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// Stands in the key.
    pub name: &'static str,
    /// How many may come at once.
    pub burst: u32,
    /// How long until there is one more.
    pub every: Duration,
}

/// How many failures cost nothing, and how long has to be waited after each one more.
#[derive(Clone, Copy, Debug)]
pub struct Failures {
    /// Stands in the key.
    pub name: &'static str,
    /// How many cost nothing.
    pub free: u32,
    /// What the first one past these costs; each one more twice as much as the one before. Without a failure for that long,
    /// all are forgotten while they cost nothing.
    pub first: Duration,
    /// What one costs at the most. All are forgotten after twice as long without one.
    pub longest: Duration,
}

/// Wrong passwords for one name from one address: nobody can lock another out from elsewhere.
pub const LOG_IN: Failures =
    Failures { name: "login", free: 10, first: Duration::from_secs(60), longest: Duration::from_secs(3_600) };
/// Wrong passwords from one address, whatever the names: an office behind one address mistypes less often than that.
pub const LOG_IN_ADDRESS: Failures = Failures {
    name: "login-address",
    free: 300,
    first: Duration::from_secs(60),
    longest: Duration::from_secs(3_600),
};
/// Registrations from one address.
pub const REGISTER: Rate = Rate { name: "register", burst: 1_000, every: Duration::from_millis(60) };
/// Refreshes of one session's tokens.
pub const REFRESH: Rate = Rate { name: "refresh", burst: 60, every: Duration::from_secs(1) };

impl Failures {
    /// How long has to be waited after so many.
    fn delay(&self, failures: u32) -> Duration {
        let Some(beyond) = failures.checked_sub(self.free) else { return Duration::ZERO };
        self.longest.min(self.first.saturating_mul(1 << beyond.min(20)))
    }

    /// After how long without another one so many are forgotten.
    fn memory(&self, failures: u32) -> Duration {
        if failures < self.free { self.first } else { self.longest * 2 }
    }
}

/// Keeps count.
pub struct Limits {
    on: bool,
    local: Local,
    remote: Option<Remote>,
}

impl Limits {
    /// Counts in this process, or allows everything.
    #[must_use]
    pub fn local(on: bool) -> Self {
        Self { on, local: Local::default(), remote: None }
    }

    /// Counts for all processes on this Redis, and where that is away in this process.
    ///
    /// # Panics
    /// For a Cluster, outside of a Tokio runtime.
    #[must_use]
    pub fn shared(on: bool, redis: &Redis) -> Self {
        Self { on, local: Local::default(), remote: Some(Remote::new(redis)) }
    }

    /// Takes one.
    ///
    /// # Errors
    /// `too_many_requests`, with the time when there is one again.
    pub async fn take(&self, rate: &Rate, key: &str) -> Result<(), Refusal> {
        if !self.on {
            return Ok(());
        }
        let key = name(rate.name, key);
        let wait = match &self.remote {
            Some(remote) => remote.take(rate, &key).await,
            None => None,
        };
        answer(wait.unwrap_or_else(|| self.local.take(rate, &key)))
    }

    /// Whether another try may be made.
    ///
    /// # Errors
    /// `too_many_requests`, with the time when it may.
    pub async fn check(&self, failures: &Failures, key: &str) -> Result<(), Refusal> {
        if !self.on {
            return Ok(());
        }
        let key = name(failures.name, key);
        let wait = match &self.remote {
            Some(remote) => remote.check(&key).await,
            None => None,
        };
        answer(wait.unwrap_or_else(|| self.local.check(&key)))
    }

    /// Counts a failure.
    pub async fn failed(&self, failures: &Failures, key: &str) {
        if !self.on {
            return;
        }
        let key = name(failures.name, key);
        let counted = match &self.remote {
            Some(remote) => remote.failed(failures, &key).await,
            None => None,
        };
        if counted.is_none() {
            self.local.failed(failures, &key);
        }
    }

    /// Forgets the failures before a success.
    pub async fn succeeded(&self, failures: &Failures, key: &str) {
        if !self.on {
            return;
        }
        let key = name(failures.name, key);
        self.local.forget(&key);
        if let Some(remote) = &self.remote {
            remote.forget(&key).await;
        }
    }
}

fn name(kind: &str, key: &str) -> String {
    format!("limit:{kind}:{}", URL_SAFE_NO_PAD.encode(&Sha256::digest(key.as_bytes())[..15]))
}

fn answer(wait: Duration) -> Result<(), Refusal> {
    if wait.is_zero() {
        return Ok(());
    }
    // Whole seconds, rounded up: that is what the header can say.
    let wait = Duration::from_secs(wait.as_secs() + u64::from(wait.subsec_nanos() > 0));
    Err(Refusal::new(Code::TooManyRequests, "too many tries").retry_after(wait))
}

#[cfg(test)]
mod tests;
