//! Which codes an operation can answer.

use std::collections::BTreeMap;

use lastseen_shared::refusal::{Code, Refusal};
use utoipa::openapi::example::{Example, ExampleBuilder};
use utoipa::openapi::path::{Operation, Parameter, ParameterIn};
use utoipa::openapi::{Ref, RefOr};

/// Whether an area is for admins only.
pub fn for_admins(area: &str) -> bool {
    ["accounts", "webhooks", "stats"].contains(&area)
}

/// What of an operation decides which codes it can answer.
pub struct Asked {
    /// Its path.
    path: String,
    /// Its id, with its area.
    id: String,
    /// Whether it is for admins only.
    for_admins: bool,
    /// Whether a token is needed.
    pub secured: bool,
    /// Whether it reads a body.
    pub body: bool,
    /// Whether it reads query parameters.
    pub query: bool,
    /// Whether one of them is a cursor.
    cursor: bool,
}

impl Asked {
    /// Of an operation that has its id already.
    pub fn of(path: &str, operation: &Operation) -> Self {
        let parameters = operation.parameters.iter().flatten();
        let in_query = |parameter: &RefOr<Parameter>| match parameter {
            RefOr::T(parameter) if parameter.parameter_in == ParameterIn::Query => Some(parameter.name.clone()),
            _ => None,
        };
        let names: Vec<String> = parameters.filter_map(in_query).collect();
        let area = operation.tags.iter().flatten().next();
        Self {
            path: path.to_owned(),
            id: operation.operation_id.clone().unwrap_or_default(),
            for_admins: area.is_some_and(|area| for_admins(area)),
            secured: operation.security.as_ref().is_some_and(|all| !all.is_empty()),
            body: operation.request_body.is_some(),
            query: !names.is_empty(),
            cursor: names.iter().any(|name| name == "cursor" || name == "since"),
        }
    }

    /// The codes of a status, in the table's order; without one those that any path has.
    pub fn codes(&self, status: Option<u16>) -> Vec<Code> {
        let everywhere = [Code::NotFound, Code::MethodNotAllowed, Code::Internal];
        let fits = |code: &Code| match status {
            Some(status) => code.status() == status && self.can_answer(*code),
            None => everywhere.contains(code),
        };
        Code::ALL.iter().copied().filter(fits).collect()
    }

    /// Whether a code can be the answer, where its status can.
    fn can_answer(&self, code: Code) -> bool {
        let is = |ids: &[&str]| ids.contains(&self.id.as_str());
        let below = |path: &str| self.path.starts_with(path);
        match code {
            Code::BadRequest | Code::MalformedJson | Code::BodyTooLarge | Code::UnsupportedMediaType => self.body,
            Code::InvalidQuery => self.query,
            Code::InvalidCursor => self.cursor,
            Code::TokenInvalid | Code::SessionEnded => self.secured || is(&["sessions_refresh"]),
            Code::TokenExpired => self.secured,
            Code::RefreshReused => is(&["sessions_refresh"]),
            Code::InvalidCredentials => is(&["sessions_log_in", "me_change_password"]),
            Code::Forbidden => self.for_admins || is(&["users_history", "devices_list", "devices_end"]),
            Code::AccountSuspended | Code::AccountBanned | Code::AccountPending | Code::AccountInactive => {
                self.secured || is(&["sessions_log_in", "sessions_refresh"])
            }
            Code::RegistrationClosed => is(&["sessions_register"]),
            Code::HiddenByPrivacy => is(&["users_history"]),
            Code::UserNotFound => below("/api/users/{id}") || is(&["contacts_request", "contacts_block"]),
            Code::SessionNotFound => self.path.contains("{sid}"),
            Code::ContactNotFound => below("/api/contacts/{id}"),
            Code::NotificationNotFound => below("/api/notifications/{id}"),
            Code::WebhookNotFound => below("/api/webhooks/{id}"),
            Code::DeliveryNotFound => self.path.contains("{did}"),
            Code::UsernameTaken => is(&["sessions_register", "accounts_create", "accounts_edit"]),
            Code::EmailTaken => is(&["sessions_register", "accounts_create", "accounts_edit", "me_change"]),
            Code::NotYourself => below("/api/users/{id}"),
            Code::LastAdmin => below("/api/users/{id}") || is(&["me_delete"]),
            Code::AlreadyContact | Code::UserBlocked => is(&["contacts_request"]),
            Code::TooManyContacts => below("/api/contacts/"),
            Code::TooManyWebhooks => is(&["webhooks_create"]),
            Code::WebhookDisabled => below("/api/webhooks/{id}"),
            Code::InvalidField => self.body || is(&["contacts_block"]),
            Code::WeakPassword => {
                is(&["sessions_register", "accounts_create", "accounts_edit", "me_change_password"])
            }
            Code::Conflicting => self.secured || is(&["sessions_log_in", "sessions_refresh"]),
            Code::CursorExpired
            | Code::UpgradeRequired
            | Code::TooManyRequests
            | Code::EngineUnavailable
            | Code::DatabaseUnavailable
            | Code::Overloaded => true,
            // Of any path, and of a socket's frames.
            Code::NotFound | Code::MethodNotAllowed | Code::Internal | Code::InvalidFrame => false,
        }
    }
}

/// A refusal of each code, as it is answered.
pub fn examples() -> BTreeMap<String, RefOr<Example>> {
    let example = |code: &Code| {
        let refusal = match code {
            Code::InvalidField => Refusal::field("email", "is not an e-mail address"),
            Code::InvalidQuery => Refusal::query("limit", "must be a whole number from 1 to 1000"),
            Code::WeakPassword => Refusal::new(*code, "password must be at least 8 characters").about("password"),
            _ => Refusal::plain(*code),
        };
        let value = serde_json::from_str(&refusal.to_json()).ok();
        (code.word().to_owned(), RefOr::T(ExampleBuilder::new().summary(code.title()).value(value).build()))
    };
    // Of frames alone, which the document does not have.
    Code::ALL.iter().filter(|code| **code != Code::InvalidFrame).map(example).collect()
}

/// Those of some codes, for an answer that may be each of them.
pub fn references(codes: &[Code]) -> BTreeMap<String, RefOr<Example>> {
    let reference = |code: &Code| Ref::new(format!("#/components/examples/{}", code.word()));
    codes.iter().map(|code| (code.word().to_owned(), RefOr::Ref(reference(code)))).collect()
}
