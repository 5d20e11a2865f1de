//! The handlers, a file an area. Each parses, authorises, calls one function of the services, answers.

pub mod accounts;
pub mod config;
pub mod contacts;
pub mod devices;
pub mod export;
pub mod health;
pub mod history;
pub mod keys;
pub mod me;
pub mod notifications;
pub mod presence;
pub mod query;
pub mod sessions;
pub mod statistics;
pub mod users;
pub mod webhooks;

use actix_web::HttpRequest;
use lastseen_shared::ids::UserId;
use lastseen_shared::refusal::Code;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::problem::Problem;

/// The user whom a path names. What can be no id is no user.
fn user_in_path(request: &HttpRequest) -> Result<UserId, Problem> {
    let text = request.match_info().get("id").unwrap_or_default();
    text.parse().ok().filter(|id| *id > 0).map(UserId).ok_or_else(|| Code::UserNotFound.into())
}

/// A body that may say why.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ReasonBody {
    /// Why, for the audit log: at most 500 characters.
    pub reason: Option<String>,
}
