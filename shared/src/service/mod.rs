//! What a handler calls: one function each, that keeps the rules and answers in the domain's types.
//!
//! The order of writes is everywhere the same: the engine first, the database second, the answer last. So a crash in
//! between leaves something that nobody was told, and a slow `connect` that read the old row is refused by the engine.

mod accounts;
mod barring;
mod changes;
mod contacts;
mod devices;
mod directory;
mod export;
mod history;
mod live;
mod login;
mod me;
mod notifications;
mod operator;
mod profile;
mod refresh;
mod rows;
mod sight;
mod signs;
mod statistics;
mod viewer;
mod webhooks;

use std::sync::Arc;

pub use accounts::{AccountEdit, CreateAccount};
pub use barring::{LONGEST_REASON, StandingChange};
pub use changes::{Change, Changes};
pub use contacts::SeenContact;
pub use devices::Device;
pub use directory::{DirectoryPage, DirectoryQuery, LONGEST_SEARCH};
pub use export::Export;
pub use history::{HistoryPage, Now};
pub use live::{WATCHED_AT_A_TIME, Watched};
pub use login::{LONGEST_DEVICE, LoggedIn, Login};
pub use me::{Me, MyChanges};
pub use notifications::NotificationPage;
pub use profile::{AvailabilityChange, PrivacyChange};
pub use refresh::{RefreshToken, Refreshed};
pub use sight::SeenUser;
pub use signs::{Alive, Claimed};
pub use viewer::Asker;
pub use webhooks::{CreateWebhook, DeliveryPage, LONGEST_DESCRIPTION, WebhookEdit};

use crate::account::hashing::Hasher;
use crate::db::Db;
use crate::limits::Limits;
use crate::models::Account;
use crate::presence::Engine;
use crate::queue::Queue;
use crate::refusal::Failure;
use crate::settings::{AccountSettings, PresenceSettings};
use crate::signals::Signals;

/// The answer of a service.
pub type Outcome<T> = Result<T, Failure>;

/// Everything that the services work with. Cheap to clone.
#[derive(Clone)]
pub struct Service {
    /// The database.
    pub db: Db,
    /// The presence engine.
    pub engine: Engine,
    /// What is said to sockets and kept nowhere.
    pub signals: Signals,
    /// Where jobs are pushed to; `None` where workers find what there is to do without.
    pub queue: Option<Queue>,
    /// What may be tried how often.
    limits: Arc<Limits>,
    /// Whether webhooks may go to private addresses.
    webhooks_allow_private: bool,
    inner: Arc<Inner>,
}

struct Inner {
    hasher: Hasher,
    presence: PresenceSettings,
    accounts: AccountSettings,
    /// Admins who have shown their password.
    remembered: operator::Remembered,
    rows: rows::RowReader,
}

impl Service {
    /// The services on this database and engine. Spawns the task that reads rows for waiting heartbeats: needs a
    /// tokio runtime.
    #[must_use]
    pub fn new(
        db: Db,
        engine: Engine,
        hasher: Hasher,
        presence: PresenceSettings,
        accounts: AccountSettings,
    ) -> Self {
        let rows = rows::RowReader::start(db.clone());
        let limits = Arc::new(Limits::local(accounts.rate_limits));
        let remembered = operator::Remembered::new();
        let inner = Arc::new(Inner { hasher, presence, accounts, remembered, rows });
        Self { db, engine, signals: Signals::local(), queue: None, limits, webhooks_allow_private: false, inner }
    }

    /// The same services with these signals.
    #[must_use]
    pub fn with_signals(self, signals: Signals) -> Self {
        Self { signals, ..self }
    }

    /// The same services with these limits: those that other processes count with.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits: Arc::new(limits), ..self }
    }

    /// The same services with this queue, and webhooks that may or may not go to private addresses.
    #[must_use]
    pub fn with_webhooks(self, queue: Queue, allow_private: bool) -> Self {
        Self { queue: Some(queue), webhooks_allow_private: allow_private, ..self }
    }

    /// The same services on another handle of the same engine: a thread's own connection.
    #[must_use]
    pub fn on(&self, engine: Engine) -> Self {
        Self { engine, ..self.clone() }
    }

    /// The presence settings.
    #[must_use]
    pub fn presence(&self) -> &PresenceSettings {
        &self.inner.presence
    }

    /// The account settings.
    #[must_use]
    pub fn accounts(&self) -> &AccountSettings {
        &self.inner.accounts
    }

    /// A user's inactivity timeout: its own, within the operator's bounds as they are today, or the operator's.
    #[must_use]
    pub fn timeout_of(&self, account: &Account) -> std::time::Duration {
        let bounds = &self.inner.presence;
        account
            .inactivity_timeout
            .map_or(bounds.inactivity_timeout, |own| own.clamp(bounds.timeout_min, bounds.timeout_max))
    }
}
