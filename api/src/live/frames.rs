//! What goes over the socket, and how it ends. Frames are JSON objects with a `type`.

use actix_http::ws::{CloseCode, CloseReason};
use lastseen_shared::refusal::{Code, Refusal};
use lastseen_shared::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

use crate::shapes::{NotificationShape, PresenceShape, Seconds};

/// A frame from a client.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum FromClient {
    /// A token: the first frame where the handshake brought none, and later a fresh one.
    Auth {
        /// An access token.
        token: String,
    },
    /// Watch some users.
    Subscribe(Subscribe),
    /// Do not watch them any more.
    Unsubscribe(Unsubscribe),
    /// Somebody is typing something for a user.
    Typing {
        /// Whom for.
        to: i64,
    },
    /// What the user shows of itself from now on: the fields of `PATCH /api/users/me/`.
    Availability(serde_json::Map<String, serde_json::Value>),
    /// A sign of life.
    Heartbeat {
        /// For how long nobody has touched the device.
        #[serde(default)]
        idle_seconds: Option<f64>,
    },
}

/// Whom to watch.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subscribe {
    /// These users.
    #[serde(default)]
    pub users: Vec<i64>,
    /// One's contacts.
    #[serde(default)]
    pub contacts: bool,
    /// Everybody: for admins.
    #[serde(default)]
    pub all: bool,
    /// What was seen before: only what came since is told.
    #[serde(default)]
    pub since: Option<String>,
}

/// Whom to watch no more.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unsubscribe {
    /// These users.
    #[serde(default)]
    pub users: Vec<i64>,
    /// One's contacts.
    #[serde(default)]
    pub contacts: bool,
    /// Everybody.
    #[serde(default)]
    pub all: bool,
}

/// A frame to a client.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ToClient<'a> {
    /// The token was accepted.
    Ready {
        /// Whose.
        user_id: i64,
        /// Which session.
        session_id: i64,
        /// How often the server pings, and a client without pongs would send heartbeats.
        heartbeat_interval_seconds: Seconds,
        /// After how long without a touch a device is away.
        away_after_seconds: Seconds,
    },
    /// How some users are at this moment. It replaces what was known of them.
    Snapshot {
        /// For `since`.
        cursor: &'a str,
        /// The users, those that there are.
        presences: Vec<PresenceShape>,
        /// Whether another part follows.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        more: bool,
    },
    /// A user's presence has changed.
    Transition {
        /// For `since`.
        cursor: &'a str,
        /// When.
        at: Timestamp,
        /// What it is from then on.
        presence: PresenceShape,
    },
    /// All that came since the cursor of a subscription has been told.
    CaughtUp {
        /// For `since`.
        cursor: &'a str,
    },
    /// Somebody is typing.
    Typing {
        /// Who.
        from: i64,
        /// For so long, unless it is said again.
        seconds: u64,
    },
    /// There is a notification.
    Notification {
        /// Which.
        notification: NotificationShape,
    },
    /// The list of contacts, or what is asked of it, is another.
    Contacts,
    /// Something that the client sent was refused.
    Error {
        /// The stable word.
        code: &'static str,
        /// What is wrong.
        detail: &'a str,
    },
}

/// Why a socket ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The client closed it, or is gone.
    Gone,
    /// No token in time, one that is not accepted, one that has expired, or its session ended.
    Token(Code),
    /// The account is barred.
    Barred(Code),
    /// The client reads too slowly.
    Slow,
    /// The client sends too much.
    Flood,
    /// The server stops.
    Stopping,
    /// A frame that the protocol does not allow.
    Protocol,
    /// A text that is none.
    NotText,
    /// A binary frame.
    Binary,
    /// A frame that is too long.
    TooLong,
    /// The engine or the database is away.
    Unavailable,
    /// A fault of ours.
    Internal,
}

impl End {
    /// The end that an error of the error table means, where it means one: those that a new token or another account
    /// status would mend.
    #[must_use]
    pub fn of(refusal: &Refusal) -> Option<Self> {
        match refusal.code.status() {
            401 => Some(Self::Token(refusal.code)),
            403 if refusal.code.word().starts_with("account_") => Some(Self::Barred(refusal.code)),
            _ => None,
        }
    }

    /// One word for it, for metrics.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Gone => "gone",
            Self::Token(_) => "token",
            Self::Barred(_) => "barred",
            Self::Slow => "slow",
            Self::Flood => "flood",
            Self::Stopping => "stopping",
            Self::Protocol | Self::NotText | Self::Binary | Self::TooLong => "protocol",
            Self::Unavailable => "unavailable",
            Self::Internal => "internal",
        }
    }

    /// The close frame.
    #[must_use]
    pub fn reason(self) -> CloseReason {
        let (code, text) = match self {
            Self::Gone => (CloseCode::Normal, ""),
            Self::Token(code) => (CloseCode::Other(4001), code.word()),
            Self::Barred(code) => (CloseCode::Other(4003), code.word()),
            Self::Slow => (CloseCode::Other(4008), "too slow"),
            Self::Flood => (CloseCode::Other(4029), "too many frames"),
            Self::Stopping => (CloseCode::Away, "the server stops: come back after a random moment"),
            Self::Protocol => (CloseCode::Protocol, "not as RFC 6455 says"),
            Self::NotText => (CloseCode::Invalid, "not UTF-8"),
            Self::Binary => (CloseCode::Unsupported, "frames are text"),
            Self::TooLong => (CloseCode::Size, "the frame is too long"),
            Self::Unavailable => (CloseCode::Again, "not reachable at the moment"),
            Self::Internal => (CloseCode::Error, "internal error"),
        };
        CloseReason { code, description: Some(text.to_owned()) }
    }
}
