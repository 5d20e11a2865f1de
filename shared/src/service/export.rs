//! All that is held of one user, for that user: what data-protection law lets everybody ask for.

use super::contacts::SeenContact;
use super::me::Me;
use super::viewer::Asker;
use super::{Outcome, Service};
use crate::db::{AnyConnection, DbError};
use crate::models::Session;
use crate::models::audit::WrittenEntry;
use crate::models::history::{Interval, IntervalQuery};
use crate::models::notification::{Notification, NotificationQuery};
use crate::refusal::Failure;
use crate::timestamp::Timestamp;

/// Rows of one statement.
const AT_A_TIME: i64 = 1_000;

/// All that is held of one user.
pub struct Export {
    /// When it was put together.
    pub at: Timestamp,
    /// The account, and its presence.
    pub me: Me,
    /// Its sessions, the newest first, also those that are over and not yet deleted.
    pub sessions: Vec<Session>,
    /// Its online intervals, the newest first.
    pub history: Vec<Interval>,
    /// Its contacts, requests and blocks, with what it may see of them.
    pub contacts: Vec<SeenContact>,
    /// Its notifications, the newest first.
    pub notifications: Vec<Notification>,
    /// What admins did to its account, the newest first.
    pub audit: Vec<WrittenEntry>,
}

impl Service {
    /// All that is held of whoever asks. Password and tokens are kept as hashes only, and not told.
    ///
    /// # Errors
    /// Where the engine or the database is away.
    pub async fn export(&self, asker: Asker) -> Outcome<Export> {
        let user = asker.user;
        let (me, contacts) = (self.me(user).await?, self.contacts(asker).await?);
        let read = move |c: &mut AnyConnection| {
            let viewer = asker.load(c)?;
            let sessions = Session::all_of_user(c, user)?;
            let history = whole(|last: Option<&Interval>| {
                let before = last.map(|last| (last.started_at, last.id));
                let (from, to) = (Timestamp(0), Timestamp(i64::MAX));
                IntervalQuery { user, from, to, before, limit: AT_A_TIME }.load(c)
            })?;
            let notifications = whole(|last: Option<&Notification>| {
                let before = last.map(|last| last.id);
                Notification::of_viewer(c, &viewer, NotificationQuery { unread: false, before, limit: AT_A_TIME })
            })?;
            let audit = whole(|last: Option<&WrittenEntry>| {
                WrittenEntry::of_target(c, user, last.map(|last| last.id), AT_A_TIME)
            })?;
            Ok::<_, Failure>((sessions, history, notifications, audit))
        };
        let (sessions, history, notifications, audit) = self.db.run(read).await?;
        Ok(Export { at: Timestamp::now(), me, sessions, history, contacts, notifications, audit })
    }
}

/// All pages of something, each read after the last of the one before.
fn whole<T>(mut page: impl FnMut(Option<&T>) -> Result<Vec<T>, DbError>) -> Result<Vec<T>, DbError> {
    let mut all = Vec::new();
    loop {
        let next = page(all.last())?;
        let more = next.len() as i64 == AT_A_TIME;
        all.extend(next);
        if !more {
            return Ok(all);
        }
    }
}
