//! Notifications, as their user reads them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::viewer::Asker;
use super::{Outcome, Service};
use crate::db::AnyConnection;
use crate::models::notification::{Notification, NotificationQuery};
use crate::refusal::{Code, Failure, Refusal};
use crate::timestamp::Timestamp;

/// A page of notifications.
#[derive(Clone, Debug)]
pub struct NotificationPage {
    /// The newest first.
    pub notifications: Vec<Notification>,
    /// How many there are in all that have not been read.
    pub unread: u64,
    /// For the next page; `None` at the end.
    pub next_cursor: Option<String>,
}

fn decode(cursor: &str) -> Result<i64, Refusal> {
    let bad = || Refusal::new(Code::InvalidCursor, "cursor is none that this server gave out").about("cursor");
    let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| bad())?;
    let text = String::from_utf8(bytes).map_err(|_| bad())?;
    text.parse().ok().filter(|id| *id > 0).ok_or_else(bad)
}

impl Service {
    /// One's own notifications, the newest first. One of a user whom one may not see online any more is left out, and not
    /// counted.
    ///
    /// # Errors
    /// `invalid_cursor`.
    pub async fn notifications(
        &self,
        asker: Asker,
        unread: bool,
        cursor: Option<&str>,
        limit: i64,
    ) -> Outcome<NotificationPage> {
        let query = NotificationQuery { unread, before: cursor.map(decode).transpose()?, limit: limit + 1 };
        let read = move |c: &mut AnyConnection| {
            let viewer = asker.load(c)?;
            let notifications = Notification::of_viewer(c, &viewer, query)?;
            Ok::<_, Failure>((notifications, Notification::unread(c, &viewer)?))
        };
        let (mut notifications, unread) = self.db.run(read).await?;
        let more = notifications.len() as i64 > limit;
        notifications.truncate(usize::try_from(limit).unwrap_or(0));
        let place = |last: &Notification| URL_SAFE_NO_PAD.encode(last.id.to_string());
        let next_cursor = notifications.last().filter(|_| more).map(place);
        Ok(NotificationPage { notifications, unread, next_cursor })
    }

    /// Marks one notification as read.
    ///
    /// # Errors
    /// `notification_not_found`.
    pub async fn read_notification(&self, asker: Asker, id: i64) -> Outcome<Notification> {
        let mark = move |c: &mut AnyConnection| {
            let viewer = asker.load(c)?;
            Ok::<_, Failure>(Notification::read(c, &viewer, Some(id), Timestamp::now())?)
        };
        self.db.run(mark).await?.ok_or_else(|| Code::NotificationNotFound.into())
    }

    /// Marks all of one's notifications as read.
    ///
    /// # Errors
    /// Where the database is away.
    pub async fn read_all_notifications(&self, asker: Asker) -> Outcome<()> {
        let mark = move |c: &mut AnyConnection| {
            let viewer = asker.load(c)?;
            Notification::read(c, &viewer, None, Timestamp::now())?;
            Ok::<_, Failure>(())
        };
        self.db.run(mark).await
    }
}
