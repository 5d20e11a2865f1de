//! What goes over the wire. A presence is made of one that went through the rule of privacy, and of nothing else.

mod answers;

pub use answers::*;

use std::time::Duration;

use lastseen_shared::account::{Role, Status};
use lastseen_shared::models::Account;
use lastseen_shared::models::notification::Notification;
use lastseen_shared::presence::availability::Shown;
use lastseen_shared::presence::rule::OnlineStatus;
use lastseen_shared::privacy::SeenPresence;
use lastseen_shared::service::{Change, Device, SeenContact, SeenUser};
use lastseen_shared::timestamp::Timestamp;
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

/// Seconds: a whole number where it is one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seconds(pub Duration);

impl Serialize for Seconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.subsec_nanos() == 0 {
            serializer.serialize_u64(self.0.as_secs())
        } else {
            serializer.serialize_f64(self.0.as_secs_f64())
        }
    }
}

/// Online or offline, as text.
fn word(status: OnlineStatus) -> &'static str {
    match status {
        OnlineStatus::Online => "online",
        OnlineStatus::Offline => "offline",
    }
}

/// A user in a list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct UserShape {
    /// The user's id.
    pub id: i64,
    /// The user's name.
    pub username: String,
    /// The user's address: for admins and oneself only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// What the user may do.
    #[schema(value_type = String, example = "user")]
    pub role: Role,
    /// The account status.
    #[schema(value_type = String, example = "active")]
    pub status: Status,
    /// False where the account was deactivated.
    pub is_active: bool,
    /// `online` or `offline`.
    #[schema(example = "online")]
    pub online_status: &'static str,
    /// How available the user is: `available`, `away` or `dnd`; `invisible` to itself only, unless the operator lets
    /// admins see it.
    #[schema(example = "available")]
    pub availability: &'static str,
    /// The user's own words beside it.
    pub text: Option<String>,
    /// An emoji beside it.
    pub emoji: Option<String>,
    /// The last sign of life, RFC 3339; null for a user who was never seen, or who does not show it to the caller.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_seen: Option<Timestamp>,
    /// Why the user is online or offline.
    #[schema(value_type = Option<String>, example = "heartbeat")]
    pub reason: Option<&'static str>,
}

/// A user as an admin sees it after changing it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ProfileShape {
    /// What others see too.
    #[serde(flatten)]
    pub user: UserShape,
    /// The user's own inactivity timeout; null where it follows the operator's.
    #[schema(value_type = Option<f64>)]
    pub inactivity_timeout_seconds: Option<Seconds>,
    /// When the account was made, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

/// A user as it sees itself.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MeShape {
    /// What an admin sees too.
    #[serde(flatten)]
    pub profile: ProfileShape,
    /// What the user has chosen, as long as that holds; `availability` is what it comes to.
    #[schema(example = "available")]
    pub chosen_availability: &'static str,
    /// From when on the choice does not hold any more, RFC 3339; null where it has no end.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
    /// Who may see whether the user is online: `everyone`, `contacts` or `nobody`.
    #[schema(example = "everyone")]
    pub online_visibility: &'static str,
    /// Who may see when it was last seen.
    #[schema(example = "everyone")]
    pub last_seen_visibility: &'static str,
    /// For how long nobody must have touched a device for it to be away; null where it follows the operator's.
    #[schema(value_type = Option<f64>)]
    pub away_after_seconds: Option<Seconds>,
}

/// A presence.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PresenceShape {
    /// Whose.
    pub user_id: i64,
    /// `online` or `offline`.
    #[schema(example = "online")]
    pub online_status: &'static str,
    /// How available the user is; see `UserShape`.
    #[schema(example = "available")]
    pub availability: &'static str,
    /// The user's own words beside it.
    pub text: Option<String>,
    /// An emoji beside it.
    pub emoji: Option<String>,
    /// The last sign of life, RFC 3339.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_seen: Option<Timestamp>,
    /// When the user goes offline unless there is a sign of life before, RFC 3339.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub online_until: Option<Timestamp>,
    /// Why.
    #[schema(value_type = Option<String>, example = "heartbeat")]
    pub reason: Option<&'static str>,
}

/// A change of presence.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TransitionShape {
    /// Its place among the transitions of its shard.
    pub id: String,
    /// When it happened, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// What it is from then on.
    pub presence: PresenceShape,
}

/// One of a user's devices.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DeviceShape {
    /// The session's id.
    pub id: i64,
    /// The device's name.
    pub device: Option<String>,
    /// When it logged in, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// Its last sign of life, RFC 3339; null where the caller may not see when the user was last seen.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_seen: Option<Timestamp>,
    /// Whether it keeps the user online.
    pub online: bool,
    /// Whether it is the one that asks.
    pub current: bool,
}

/// A contact, a request or a block, as the caller has it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ContactShape {
    /// The other user's id.
    pub id: i64,
    /// The same.
    pub user_id: i64,
    /// The other user's name.
    pub username: String,
    /// `accepted`, `requested` (by the caller), `incoming` (by the other) or `blocked` (by the caller).
    #[schema(example = "accepted")]
    pub state: &'static str,
    /// Since when, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// Whether the caller wants to be told when the other comes online: `once`, `always`, or null.
    #[schema(example = "once")]
    pub notify: Option<&'static str>,
    /// The other user's presence.
    pub presence: PresenceShape,
}

/// That a contact has come online.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct NotificationShape {
    /// Growing.
    pub id: i64,
    /// `online`.
    #[schema(example = "online")]
    pub kind: &'static str,
    /// Who has come online.
    pub user_id: i64,
    /// The name of that.
    pub username: String,
    /// When, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// When the caller has read it, RFC 3339; null where it has not.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub read_at: Option<Timestamp>,
}

fn text(shown: &Shown) -> Option<String> {
    shown.words.as_ref().and_then(|words| words.text.clone())
}

fn emoji(shown: &Shown) -> Option<String> {
    shown.words.as_ref().and_then(|words| words.emoji.clone())
}

impl UserShape {
    /// A user as another, or an admin, sees it.
    #[must_use]
    pub fn of(user: SeenUser, with_email: bool) -> Self {
        let presence = user.presence().clone();
        let listed = user.listed;
        Self {
            id: listed.id.0,
            username: listed.username,
            email: with_email.then_some(listed.email),
            role: listed.role,
            status: listed.standing.status,
            is_active: listed.standing.is_active,
            online_status: word(presence.online_status),
            availability: presence.shown.availability.as_str(),
            text: text(&presence.shown),
            emoji: emoji(&presence.shown),
            last_seen: presence.last_seen,
            reason: presence.reason.map(|reason| reason.as_str()),
        }
    }
}

impl ProfileShape {
    /// An account with its presence.
    #[must_use]
    pub fn of(account: &Account, seen: &SeenPresence) -> Self {
        let presence = seen.presence();
        Self {
            user: UserShape {
                id: account.id.0,
                username: account.username.clone(),
                email: Some(account.email.clone()),
                role: account.role,
                status: account.standing.status,
                is_active: account.standing.is_active,
                online_status: word(presence.online_status),
                availability: presence.shown.availability.as_str(),
                text: text(&presence.shown),
                emoji: emoji(&presence.shown),
                last_seen: presence.last_seen,
                reason: presence.reason.map(|reason| reason.as_str()),
            },
            inactivity_timeout_seconds: account.inactivity_timeout.map(Seconds),
            created_at: account.created_at,
        }
    }
}

impl MeShape {
    /// One's own account with one's own presence: of nobody else's.
    #[must_use]
    pub fn of(account: &Account, seen: &SeenPresence) -> Self {
        let now = Timestamp::now();
        let chosen = account.choice.at(now);
        let mut profile = ProfileShape::of(account, seen);
        (profile.user.text, profile.user.emoji) = (text(&chosen), emoji(&chosen));
        Self {
            profile,
            chosen_availability: chosen.availability.as_str(),
            until: account.choice.until.filter(|until| *until > now),
            online_visibility: account.privacy.online.as_str(),
            last_seen_visibility: account.privacy.last_seen.as_str(),
            away_after_seconds: account.away_after.map(Seconds),
        }
    }
}

impl PresenceShape {
    /// A user's presence, as it is seen.
    #[must_use]
    pub fn of(seen: &SeenPresence) -> Self {
        let presence = seen.presence();
        Self {
            user_id: seen.user().0,
            online_status: word(presence.online_status),
            availability: presence.shown.availability.as_str(),
            text: text(&presence.shown),
            emoji: emoji(&presence.shown),
            last_seen: presence.last_seen,
            online_until: presence.online_until.map(|until| until.0),
            reason: presence.reason.map(|reason| reason.as_str()),
        }
    }
}

impl ContactShape {
    /// A contact, as it is seen.
    #[must_use]
    pub fn of(contact: &SeenContact) -> Self {
        let row = &contact.row;
        Self {
            id: row.other.0,
            user_id: row.other.0,
            username: contact.username.clone(),
            state: row.state.as_str(),
            since: row.since,
            notify: row.notify.map(|notify| notify.as_str()),
            presence: PresenceShape::of(contact.seen()),
        }
    }
}

impl NotificationShape {
    /// A notification.
    #[must_use]
    pub fn of(notification: Notification) -> Self {
        Self {
            id: notification.id,
            kind: "online",
            user_id: notification.subject.0,
            username: notification.username,
            at: notification.at,
            read_at: notification.read_at,
        }
    }
}

impl TransitionShape {
    /// A change, as it is seen.
    #[must_use]
    pub fn of(change: &Change) -> Self {
        Self { id: change.id.to_string(), at: change.at, presence: PresenceShape::of(change.seen()) }
    }
}

impl DeviceShape {
    /// A device; `current` is the session that asks.
    #[must_use]
    pub fn of(device: Device, current: lastseen_shared::ids::SessionId) -> Self {
        Self {
            id: device.id.0,
            current: device.id == current,
            device: device.device,
            created_at: device.created_at,
            last_seen: device.last_seen,
            online: device.online,
        }
    }
}
