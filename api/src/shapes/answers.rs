//! Whole answers.

use lastseen_shared::service::Alive;
use lastseen_shared::timestamp::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    ContactShape, DeviceShape, MeShape, NotificationShape, PresenceShape, ProfileShape, Seconds, TransitionShape,
    UserShape,
};

/// `{user}` with one's own profile.
#[derive(Debug, Serialize, ToSchema)]
pub struct MeAnswer {
    /// The user.
    pub user: MeShape,
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
    /// Whether there are more of both: a search is counted to ten thousand users.
    pub at_least: bool,
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

/// Contacts, requests and blocks.
#[derive(Debug, Serialize, ToSchema)]
pub struct ContactsAnswer {
    /// By name.
    pub contacts: Vec<ContactShape>,
}

/// `{contact}`.
#[derive(Debug, Serialize, ToSchema)]
pub struct ContactAnswer {
    /// The contact.
    pub contact: ContactShape,
}

/// A page of notifications.
#[derive(Debug, Serialize, ToSchema)]
pub struct NotificationsAnswer {
    /// The newest first.
    pub notifications: Vec<NotificationShape>,
    /// How many there are in all that have not been read.
    pub unread: u64,
    /// For the next page; null at the end.
    pub next_cursor: Option<String>,
}

/// `{notification}`.
#[derive(Debug, Serialize, ToSchema)]
pub struct NotificationAnswer {
    /// The notification.
    pub notification: NotificationShape,
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
    pub user: MeShape,
    /// How often to send a heartbeat.
    #[schema(value_type = f64)]
    pub heartbeat_interval_seconds: Seconds,
    /// After how long a silence the user is offline.
    #[schema(value_type = f64)]
    pub inactivity_timeout_seconds: Seconds,
    /// After how long without anybody touching it a device is away.
    #[schema(value_type = f64)]
    pub away_after_seconds: Seconds,
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

impl HeartbeatAnswer {
    /// What a sign of life has brought.
    #[must_use]
    pub fn of(alive: &Alive) -> Self {
        Self { online_status: "online", last_seen: alive.last_seen, online_until: alive.until.0 }
    }
}
