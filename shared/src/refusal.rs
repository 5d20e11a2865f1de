//! The one table of errors that clients see: each with its stable word, its HTTP status and its title.
//!
//! Which error belongs where: a [`Refusal`] is an answer to a client, made where the rule it stands for is kept; a
//! [`Failure::Internal`] is a fault of ours, whose cause goes to the log and never to a client; [`crate::db::DbError`]
//! and [`crate::presence::EngineError`] stay below the services, which turn them into one of the two.

use std::time::Duration;

use serde::Serialize;

use crate::account::Bar;
use crate::account::hashing::HashError;
use crate::db::DbError;
use crate::logging::Sparing;
use crate::presence::EngineError;

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident => $status:literal $word:literal $title:literal,)+) => {
        /// What is wrong, as a word that clients may rely on.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[$doc])* $variant,)+ }

        impl Code {
            /// All of them, in the table's order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The stable word.
            #[must_use]
            pub fn word(self) -> &'static str { match self { $(Self::$variant => $word,)+ } }

            /// The HTTP status.
            #[must_use]
            pub fn status(self) -> u16 { match self { $(Self::$variant => $status,)+ } }

            /// A short title, the same for every occurrence.
            #[must_use]
            pub fn title(self) -> &'static str { match self { $(Self::$variant => $title,)+ } }
        }
    };
}

codes! {
    /// The request can't be understood at all.
    BadRequest => 400 "bad_request" "The request is malformed",
    /// The body is no JSON.
    MalformedJson => 400 "malformed_json" "The body is not JSON",
    /// A query parameter or a path's id is not what it should be.
    InvalidQuery => 400 "invalid_query" "A query parameter is not valid",
    /// A cursor that this server did not make.
    InvalidCursor => 400 "invalid_cursor" "The cursor is not valid",
    /// No token, or one that is not ours.
    TokenInvalid => 401 "token_invalid" "The token is not valid",
    /// A token past its time.
    TokenExpired => 401 "token_expired" "The token has expired",
    /// The session was ended.
    SessionEnded => 401 "session_ended" "The session has ended",
    /// A refresh token was used again.
    RefreshReused => 401 "refresh_reused" "The refresh token was used before",
    /// Unknown name or wrong password.
    InvalidCredentials => 401 "invalid_credentials" "Unknown user or wrong password",
    /// The role does not allow it.
    Forbidden => 403 "forbidden" "Not allowed",
    /// The account is suspended.
    AccountSuspended => 403 "account_suspended" "The account is suspended",
    /// The account is banned.
    AccountBanned => 403 "account_banned" "The account is banned",
    /// The account waits for approval.
    AccountPending => 403 "account_pending" "The account waits for approval",
    /// The account is not active.
    AccountInactive => 403 "account_inactive" "The account is not active",
    /// Registration is closed by a setting.
    RegistrationClosed => 403 "registration_closed" "Registration is closed",
    /// The user does not let the caller see it.
    HiddenByPrivacy => 403 "hidden_by_privacy" "The user does not show this",
    /// No such path.
    NotFound => 404 "not_found" "There is nothing here",
    /// No such user.
    UserNotFound => 404 "user_not_found" "There is no such user",
    /// No such session of this user.
    SessionNotFound => 404 "session_not_found" "There is no such session",
    /// No such contact or request of the caller's.
    ContactNotFound => 404 "contact_not_found" "There is no such contact",
    /// No such notification of the caller's.
    NotificationNotFound => 404 "notification_not_found" "There is no such notification",
    /// No such webhook.
    WebhookNotFound => 404 "webhook_not_found" "There is no such webhook",
    /// No such delivery of this webhook.
    DeliveryNotFound => 404 "delivery_not_found" "There is no such delivery",
    /// The path knows other methods.
    MethodNotAllowed => 405 "method_not_allowed" "The method is not allowed here",
    /// The name is taken.
    UsernameTaken => 409 "username_taken" "The username is taken",
    /// The address is taken.
    EmailTaken => 409 "email_taken" "The e-mail address is taken",
    /// An admin may not do this to itself.
    NotYourself => 409 "not_yourself" "An admin can't do this to itself",
    /// Nobody would be left to manage accounts.
    LastAdmin => 409 "last_admin" "The last admin can't be taken away",
    /// They are contacts.
    AlreadyContact => 409 "already_contact" "The user is a contact already",
    /// The caller has blocked the user.
    UserBlocked => 409 "user_blocked" "Unblock the user first",
    /// The caller has as many as anybody may have.
    TooManyContacts => 409 "too_many_contacts" "There are too many contacts and blocked users",
    /// There are as many as there may be.
    TooManyWebhooks => 409 "too_many_webhooks" "There are too many webhooks",
    /// It is sent nothing until it is enabled.
    WebhookDisabled => 409 "webhook_disabled" "Enable the webhook first",
    /// The cursor is too old.
    CursorExpired => 410 "cursor_expired" "The cursor has expired",
    /// The body is too large.
    BodyTooLarge => 413 "body_too_large" "The body is too large",
    /// The body is not application/json.
    UnsupportedMediaType => 415 "unsupported_media_type" "The body must be application/json",
    /// A frame over the WebSocket that is none of ours.
    InvalidFrame => 422 "invalid_frame" "The frame is not valid",
    /// A field is not what it should be.
    InvalidField => 422 "invalid_field" "A field is not valid",
    /// The password does not meet the rule.
    WeakPassword => 422 "weak_password" "The password is not good enough",
    /// A WebSocket is opened here.
    UpgradeRequired => 426 "upgrade_required" "A WebSocket is opened here",
    /// Too many tries.
    TooManyRequests => 429 "too_many_requests" "Too many requests",
    /// A fault of ours.
    Internal => 500 "internal" "Something went wrong here",
    /// The presence engine does not answer.
    EngineUnavailable => 503 "engine_unavailable" "Presence is not reachable at the moment",
    /// The database does not answer.
    DatabaseUnavailable => 503 "database_unavailable" "The database is not reachable at the moment",
    /// Too much at once.
    Overloaded => 503 "overloaded" "Too much to do at the moment",
    /// A change of the same account is under way.
    Conflicting => 503 "conflicting_change" "The account is being changed at the moment",
}

/// An answer to a client that says no.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}: {detail}", .code.word())]
pub struct Refusal {
    /// What is wrong.
    pub code: Code,
    /// A sentence for a person.
    pub detail: String,
    /// The field, query parameter or header that is wrong, where there is one.
    pub field: Option<String>,
    /// When to try again.
    pub retry_after: Option<Duration>,
}

/// Why a service did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The client is told why.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A fault of ours: the log says why, the client is not told.
    #[error("{0}")]
    Internal(String),
}

/// A refusal on the wire: problem details (RFC 9457).
#[derive(Serialize)]
struct ProblemDetails<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    detail: &'a str,
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
}

impl Refusal {
    /// As `application/problem+json`.
    #[must_use]
    pub fn to_json(&self) -> String {
        let code = self.code;
        let details = ProblemDetails {
            r#type: format!("urn:lastseen:problem:{}", code.word()),
            title: code.title(),
            status: code.status(),
            detail: &self.detail,
            code: code.word(),
            field: self.field.as_deref(),
        };
        // Texts and numbers can always be written.
        serde_json::to_string(&details).unwrap_or_default()
    }

    /// A refusal with a sentence of its own.
    #[must_use]
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        let retry_after = (code.status() == 503).then_some(Duration::from_secs(1));
        Self { code, detail: detail.into(), field: None, retry_after }
    }

    /// A refusal that says no more than its title.
    #[must_use]
    pub fn plain(code: Code) -> Self {
        Self::new(code, code.title())
    }

    /// A field that is not valid; `problem` goes on where the field's name ends.
    #[must_use]
    pub fn field(name: &str, problem: &str) -> Self {
        Self::new(Code::InvalidField, format!("{name} {problem}")).about(name)
    }

    /// A query parameter that is not valid.
    #[must_use]
    pub fn query(name: &str, problem: &str) -> Self {
        Self::new(Code::InvalidQuery, format!("{name} {problem}")).about(name)
    }

    /// Names the field.
    #[must_use]
    pub fn about(mut self, field: &str) -> Self {
        self.field = Some(field.to_owned());
        self
    }

    /// Says when to come back.
    #[must_use]
    pub fn retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }
}

impl From<Bar> for Refusal {
    fn from(bar: Bar) -> Self {
        Self::plain(match bar {
            Bar::Suspended => Code::AccountSuspended,
            Bar::Banned => Code::AccountBanned,
            Bar::Pending => Code::AccountPending,
            Bar::Inactive => Code::AccountInactive,
        })
    }
}

impl From<Code> for Failure {
    fn from(code: Code) -> Self {
        Self::Refused(Refusal::plain(code))
    }
}

impl From<Bar> for Failure {
    fn from(bar: Bar) -> Self {
        Self::Refused(bar.into())
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Unavailable(_) => {
                static AWAY: Sparing = Sparing::new();
                AWAY.warn(&error);
                Code::EngineUnavailable.into()
            }
            EngineError::Overloaded => Code::Overloaded.into(),
            EngineError::OtherShardCount { .. } | EngineError::Protocol(_) => Self::Internal(error.to_string()),
        }
    }
}

impl From<DbError> for Failure {
    fn from(error: DbError) -> Self {
        if error.is_passing() {
            static AWAY: Sparing = Sparing::new();
            AWAY.warn(&error);
            Code::DatabaseUnavailable.into()
        } else {
            Self::Internal(error.to_string())
        }
    }
}

impl From<diesel::result::Error> for Failure {
    fn from(error: diesel::result::Error) -> Self {
        DbError::from(error).into()
    }
}

impl From<HashError> for Failure {
    fn from(error: HashError) -> Self {
        match error {
            HashError::Busy => Self::Refused(
                Refusal::new(Code::Overloaded, "too many log-ins at the moment").retry_after(Duration::from_secs(2)),
            ),
            other => Self::Internal(other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn codes_are_unique_and_well_formed() {
        let words: HashSet<_> = Code::ALL.iter().map(|code| code.word()).collect();
        assert_eq!(words.len(), Code::ALL.len());
        for code in Code::ALL {
            assert!(code.word().bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{}", code.word());
            assert!((400..600).contains(&code.status()));
            assert!(!code.title().ends_with('.'));
        }
    }

    #[test]
    fn codes_are_documented() {
        let documented = include_str!("../../docs/API.md");
        for code in Code::ALL {
            let row = format!("| {} | `{}` |", code.status(), code.word());
            assert!(documented.contains(&row), "docs/API.md lacks the row {row}");
        }
    }
}
