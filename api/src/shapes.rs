//! What goes over the wire.

use std::time::Duration;

use lastseen_shared::account::{Role, Status};
use lastseen_shared::models::Account;
use lastseen_shared::presence::rule::{OnlineStatus, Presence};
use lastseen_shared::presence::transition::{Transition, TransitionId};
use lastseen_shared::service::{Device, SeenUser};
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
    /// What the user says of itself.
    #[schema(example = "available")]
    pub availability: &'static str,
    /// The last sign of life, RFC 3339; null for a user who was never seen.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_seen: Option<Timestamp>,
    /// Why the user is online or offline.
    #[schema(value_type = Option<String>, example = "heartbeat")]
    pub reason: Option<&'static str>,
}

/// A user as it sees itself, and as an admin sees it after changing it.
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

/// A presence.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PresenceShape {
    /// Whose.
    pub user_id: i64,
    /// `online` or `offline`.
    #[schema(example = "online")]
    pub online_status: &'static str,
    /// What the user says of itself.
    #[schema(example = "available")]
    pub availability: &'static str,
    /// The user's own words beside it.
    pub text: Option<String>,
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
    /// Its last sign of life, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    pub last_seen: Timestamp,
    /// Whether it keeps the user online.
    pub online: bool,
    /// Whether it is the one that asks.
    pub current: bool,
}

/// Availability is the user's own to set; until users can, everybody is available.
const AVAILABLE: &str = "available";

impl UserShape {
    /// A user as another, or an admin, sees it.
    #[must_use]
    pub fn of(seen: SeenUser, with_email: bool) -> Self {
        let SeenUser { listed, presence } = seen;
        Self {
            id: listed.id.0,
            username: listed.username,
            email: with_email.then_some(listed.email),
            role: listed.role,
            status: listed.standing.status,
            is_active: listed.standing.is_active,
            online_status: word(presence.online_status),
            availability: AVAILABLE,
            last_seen: presence.last_seen,
            reason: presence.reason.map(|reason| reason.as_str()),
        }
    }
}

impl ProfileShape {
    /// An account with its presence.
    #[must_use]
    pub fn of(account: &Account, presence: &Presence) -> Self {
        Self {
            user: UserShape {
                id: account.id.0,
                username: account.username.clone(),
                email: Some(account.email.clone()),
                role: account.role,
                status: account.standing.status,
                is_active: account.standing.is_active,
                online_status: word(presence.online_status),
                availability: AVAILABLE,
                last_seen: presence.last_seen,
                reason: presence.reason.map(|reason| reason.as_str()),
            },
            inactivity_timeout_seconds: account.inactivity_timeout.map(Seconds),
            created_at: account.created_at,
        }
    }
}

impl PresenceShape {
    /// A user's presence.
    #[must_use]
    pub fn of(user: lastseen_shared::ids::UserId, presence: &Presence) -> Self {
        Self {
            user_id: user.0,
            online_status: word(presence.online_status),
            availability: AVAILABLE,
            text: None,
            last_seen: presence.last_seen,
            online_until: presence.online_until.map(|until| until.0),
            reason: presence.reason.map(|reason| reason.as_str()),
        }
    }
}

impl TransitionShape {
    /// A transition as it is seen.
    #[must_use]
    pub fn of((id, transition, presence): &(TransitionId, Transition, Presence)) -> Self {
        Self { id: id.to_string(), at: transition.at, presence: PresenceShape::of(transition.user, presence) }
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

/// `{user}` with a profile.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProfileAnswer {
    /// The user.
    pub user: ProfileShape,
}

/// `{user}`.
#[derive(Debug, Serialize, ToSchema)]
pub struct UserAnswer {
    /// The user.
    pub user: UserShape,
}

/// A page of users.
#[derive(Debug, Serialize, ToSchema)]
pub struct UsersAnswer {
    /// The page.
    pub users: Vec<UserShape>,
    /// How many users the filter selects.
    pub total: u64,
    /// How many of those are online.
    pub online: u64,
    /// For the next page; null at the end.
    pub next_cursor: Option<String>,
}

/// Presences.
#[derive(Debug, Serialize, ToSchema)]
pub struct PresencesAnswer {
    /// In the order asked for; users that there are not are left out.
    pub presences: Vec<PresenceShape>,
}

/// What has changed.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChangesAnswer {
    /// In the order in which it happened.
    pub transitions: Vec<TransitionShape>,
    /// For the next call.
    pub next_cursor: String,
}

/// A user's devices.
#[derive(Debug, Serialize, ToSchema)]
pub struct DevicesAnswer {
    /// The newest first.
    pub sessions: Vec<DeviceShape>,
}

/// A log-in.
#[derive(Debug, Serialize, ToSchema)]
pub struct LoginAnswer {
    /// The access token: send it as `Authorization: Bearer …`.
    pub access: String,
    /// The refresh token.
    pub refresh: String,
    /// Who has logged in.
    pub user: ProfileShape,
    /// How often to send a heartbeat.
    #[schema(value_type = f64)]
    pub heartbeat_interval_seconds: Seconds,
    /// After how long a silence the user is offline.
    #[schema(value_type = f64)]
    pub inactivity_timeout_seconds: Seconds,
}

/// New tokens.
#[derive(Debug, Serialize, ToSchema)]
pub struct TokensAnswer {
    /// The access token.
    pub access: String,
    /// The refresh token: the one before is spent.
    pub refresh: String,
}

/// A heartbeat's answer.
#[derive(Debug, Serialize, ToSchema)]
pub struct HeartbeatAnswer {
    /// `online`.
    pub online_status: &'static str,
    /// This heartbeat's time, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    pub last_seen: Timestamp,
    /// When the user goes offline unless there is another, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    pub online_until: Timestamp,
}
