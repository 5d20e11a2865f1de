//! What webhooks tell: types, filters, bodies.

use serde::Serialize;

use crate::account::status::texts;
use crate::account::{Standing, Status};
use crate::ids::UserId;
use crate::presence::rule::{OnlineStatus, Presence};
use crate::privacy::SeenPresence;
use crate::timestamp::Timestamp;

/// What has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventType {
    /// A user came online.
    PresenceOnline,
    /// A user went offline.
    PresenceOffline,
    /// An online user shows another availability, text or emoji.
    PresenceAvailability,
    /// An account was made.
    AccountCreated,
    /// An account was suspended.
    AccountSuspended,
    /// An account was banned.
    AccountBanned,
    /// An account that could not log in can.
    AccountActivated,
    /// An account was deactivated.
    AccountDeactivated,
    /// An account was deleted.
    AccountDeleted,
    /// An admin tries an endpoint.
    WebhookTest,
}
texts!(EventType {
    PresenceOnline => "presence.online",
    PresenceOffline => "presence.offline",
    PresenceAvailability => "presence.availability",
    AccountCreated => "account.created",
    AccountSuspended => "account.suspended",
    AccountBanned => "account.banned",
    AccountActivated => "account.activated",
    AccountDeactivated => "account.deactivated",
    AccountDeleted => "account.deleted",
    WebhookTest => "webhook.test",
});

impl EventType {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::PresenceOnline,
        Self::PresenceOffline,
        Self::PresenceAvailability,
        Self::AccountCreated,
        Self::AccountSuspended,
        Self::AccountBanned,
        Self::AccountActivated,
        Self::AccountDeactivated,
        Self::AccountDeleted,
        Self::WebhookTest,
    ];

    /// Those that a change of an account's standing makes.
    #[must_use]
    pub fn of_standing(before: Standing, after: Standing) -> Vec<Self> {
        let mut made = Vec::new();
        match after.status {
            status if status == before.status => {}
            Status::Suspended => made.push(Self::AccountSuspended),
            Status::Banned => made.push(Self::AccountBanned),
            Status::Active | Status::Pending => {}
        }
        if before.is_active && !after.is_active {
            made.push(Self::AccountDeactivated);
        }
        if before.bar().is_some() && after.bar().is_none() {
            made.push(Self::AccountActivated);
        }
        made
    }
}

/// Filters of one endpoint at most.
pub const MOST: usize = 20;

/// Which events an endpoint wants: exact types, `presence.*`, `account.*`, `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filters(Vec<String>);

impl Filters {
    /// Checks what a client sends.
    ///
    /// # Errors
    /// A sentence that goes on where the field's name ends.
    pub fn parse(filters: Vec<String>) -> Result<Self, String> {
        if filters.is_empty() || filters.len() > MOST {
            return Err(format!("must hold 1 to {MOST} types"));
        }
        for filter in &filters {
            let known = matches!(filter.as_str(), "*" | "presence.*" | "account.*");
            if !known && filter.parse::<EventType>().is_err() {
                let types = EventType::ALL.map(EventType::as_str).join(", ");
                return Err(format!("holds {filter:?}; there are {types}, presence.*, account.* and *"));
            }
        }
        Ok(Self(filters))
    }

    /// As they are kept in the database, written by [`Self::to_json`].
    ///
    /// # Errors
    /// What is no list of texts.
    pub fn from_json(text: &str) -> Result<Self, serde_json::Error> {
        Ok(Self(serde_json::from_str(text)?))
    }

    /// For the database.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::json!(self.0).to_string()
    }

    /// As the client sent them.
    #[must_use]
    pub fn as_slice(&self) -> &[String] {
        &self.0
    }

    /// Whether events of this type are wanted.
    #[must_use]
    pub fn admit(&self, event: EventType) -> bool {
        let word = event.as_str();
        self.0.iter().any(|filter| match filter.strip_suffix('*') {
            Some(start) => word.starts_with(start),
            None => filter == word,
        })
    }
}

/// An event with its body as it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What has happened.
    pub kind: EventType,
    /// JSON.
    pub body: String,
}

#[derive(Serialize)]
struct Body {
    r#type: &'static str,
    timestamp: Timestamp,
    data: Data,
}

#[derive(Serialize)]
struct Data {
    user_id: i64,
    online_status: &'static str,
    availability: &'static str,
    text: Option<String>,
    emoji: Option<String>,
    last_seen: Option<Timestamp>,
    online_until: Option<Timestamp>,
    reason: Option<&'static str>,
}

impl Data {
    fn of(user: UserId, presence: &Presence) -> Self {
        let words = presence.shown.words.as_deref();
        Self {
            user_id: user.0,
            online_status: match presence.online_status {
                OnlineStatus::Online => "online",
                OnlineStatus::Offline => "offline",
            },
            availability: presence.shown.availability.as_str(),
            text: words.and_then(|words| words.text.clone()),
            emoji: words.and_then(|words| words.emoji.clone()),
            last_seen: presence.last_seen,
            online_until: presence.online_until.map(|until| until.0),
            reason: presence.reason.map(|reason| reason.as_str()),
        }
    }
}

impl Event {
    fn new(kind: EventType, at: Timestamp, data: Data) -> Self {
        let body = Body { r#type: kind.as_str(), timestamp: at, data };
        // What derives Serialize out of texts and numbers can always be written.
        Self { kind, body: serde_json::to_string(&body).unwrap_or_default() }
    }

    /// That a user's presence has changed, as webhooks may see it.
    #[must_use]
    pub fn of_presence(kind: EventType, at: Timestamp, seen: &SeenPresence) -> Self {
        Self::new(kind, at, Data::of(seen.user(), seen.presence()))
    }

    /// That something has happened to an account. Of its presence it tells nothing but the bar: what there is to be told
    /// of that, events of presence tell.
    #[must_use]
    pub fn of_account(kind: EventType, at: Timestamp, user: UserId, standing: Standing) -> Self {
        let mut data = Data::of(user, SeenPresence::never_seen(user, standing).presence());
        if kind == EventType::AccountDeleted {
            data.reason = Some(crate::presence::Reason::Deleted.as_str());
        }
        Self::new(kind, at, data)
    }

    /// A trial: of the user 0, who is nobody.
    #[must_use]
    pub fn test(at: Timestamp) -> Self {
        let nobody = SeenPresence::never_seen(UserId(0), Standing::ACTIVE);
        Self::new(EventType::WebhookTest, at, Data::of(UserId(0), nobody.presence()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_checked_and_applied() {
        let filters = |words: &[&str]| Filters::parse(words.iter().map(|word| (*word).to_owned()).collect());
        for bad in [&[] as &[&str], &["presence"], &["presence.onlin*"], &["pres*"], &["account."], &["*"; 21]] {
            assert!(filters(bad).is_err(), "{bad:?}");
        }
        for (words, admitted) in [
            (&["*"] as &[&str], 10),
            (&["presence.*"], 3),
            (&["account.*", "account.created"], 6),
            (&["presence.online", "account.deleted"], 2),
        ] {
            let filters = filters(words).unwrap();
            let kept = Filters::from_json(&filters.to_json()).unwrap();
            assert_eq!(kept, filters);
            assert_eq!(EventType::ALL.into_iter().filter(|kind| kept.admit(*kind)).count(), admitted, "{words:?}");
        }
    }

    #[test]
    fn standings_make_events() {
        use EventType::{AccountActivated, AccountBanned, AccountDeactivated, AccountSuspended};
        let standing = |status, is_active| Standing { status, is_active };
        let active = Standing::ACTIVE;
        let rows: [(Standing, Standing, &[EventType]); 8] = [
            (active, active, &[]),
            (active, standing(Status::Suspended, true), &[AccountSuspended]),
            (standing(Status::Suspended, true), standing(Status::Banned, true), &[AccountBanned]),
            (standing(Status::Banned, true), active, &[AccountActivated]),
            (standing(Status::Pending, true), active, &[AccountActivated]),
            (active, standing(Status::Active, false), &[AccountDeactivated]),
            (standing(Status::Suspended, false), standing(Status::Suspended, true), &[]),
            (active, standing(Status::Banned, false), &[AccountBanned, AccountDeactivated]),
        ];
        for (before, after, expected) in rows {
            assert_eq!(EventType::of_standing(before, after), expected, "{before:?} {after:?}");
        }
    }

    #[test]
    fn a_body_is_what_is_documented() {
        let event = Event::test(Timestamp(1_767_268_800_000));
        assert_eq!(
            event.body,
            r#"{"type":"webhook.test","timestamp":"2026-01-01T12:00:00.000Z","data":{"user_id":0,"online_status":"offline","availability":"available","text":null,"emoji":null,"last_seen":null,"online_until":null,"reason":null}}"#
        );
        let gone = Event::of_account(EventType::AccountDeleted, Timestamp(0), UserId(7), Standing::ACTIVE);
        assert!(gone.body.contains(r#""user_id":7"#) && gone.body.contains(r#""reason":"deleted""#), "{}", gone.body);
    }
}
