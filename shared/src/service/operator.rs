//! Admins who show their password with each request: HTTP Basic, for what is no part of the API.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::{Outcome, Service};
use crate::account::{Password, Role};
use crate::ids::UserId;
use crate::models::Account;
use crate::refusal::Code;

/// For so long a password that was right need not be hashed again.
const REMEMBERED: Duration = Duration::from_secs(60);
/// Past so many, those that are over are thrown out before another comes in.
const MANY: usize = 1_000;

/// Whose password was right a short while ago: by a keyed hash, so that the memory holds no passwords.
pub(super) struct Remembered {
    key: [u8; 32],
    shown: Mutex<HashMap<Vec<u8>, Shown>>,
}

#[derive(Clone)]
struct Shown {
    user: UserId,
    /// Against which it was verified: a new password ends it.
    hash: String,
    until: Instant,
}

impl Remembered {
    /// Remembers nobody yet.
    pub(super) fn new() -> Self {
        let mut key = [0; 32];
        // Without random numbers the hash is only not keyed; it never leaves the process.
        let _ = getrandom::fill(&mut key);
        Self { key, shown: Mutex::default() }
    }

    fn digest(&self, username: &str, password: &Password) -> Vec<u8> {
        // A key of any length will do for an HMAC.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.key) else { return Vec::new() };
        // With the length, no other pair reads the same.
        mac.update(&username.len().to_le_bytes());
        mac.update(username.as_bytes());
        mac.update(password.bytes());
        mac.finalize().into_bytes().to_vec()
    }

    fn find(&self, digest: &[u8], now: Instant) -> Option<Shown> {
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        shown.get(digest).filter(|one| one.until > now).cloned()
    }

    fn keep(&self, digest: Vec<u8>, account: &Account, now: Instant) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        if shown.len() >= MANY {
            shown.retain(|_, one| one.until > now);
        }
        let one = Shown { user: account.id, hash: account.password_hash.clone(), until: now + REMEMBERED };
        shown.insert(digest, one);
    }
}

impl Service {
    /// The admin whose name and password these are, as the account is now. Tries count as those of log-ins do.
    ///
    /// # Errors
    /// `invalid_credentials`; after the right password `account_…`, and `forbidden` for whoever is no admin;
    /// `too_many_requests`; `overloaded`, `database_unavailable`.
    pub async fn admin_by_password(&self, username: &str, password: Password, address: &str) -> Outcome<Account> {
        let digest = self.inner.remembered.digest(username, &password);
        let account = match self.remembered(&digest).await? {
            Some(account) => account,
            None => {
                let account = self.verify(username, password, address).await?;
                self.inner.remembered.keep(digest, &account, Instant::now());
                account
            }
        };
        if let Some(bar) = account.standing.bar() {
            return Err(bar.into());
        }
        match account.role {
            Role::Admin => Ok(account),
            Role::User => Err(Code::Forbidden.into()),
        }
    }

    /// The account is read anew each time: only the hashing is saved.
    async fn remembered(&self, digest: &[u8]) -> Outcome<Option<Account>> {
        let Some(shown) = self.inner.remembered.find(digest, Instant::now()) else { return Ok(None) };
        let account = self.db.run(move |c| Account::find(c, shown.user)).await?;
        Ok(account.filter(|account| account.password_hash == shown.hash))
    }
}
