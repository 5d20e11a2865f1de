//! One's own account.

use std::time::Duration;

use actix_web::{HttpResponse, web};
use lastseen_shared::account::Password;
use lastseen_shared::presence::availability::{Availability, Visibility};
use lastseen_shared::refusal::Refusal;
use lastseen_shared::service::{AvailabilityChange, MyChanges, PrivacyChange, Service};
use lastseen_shared::timestamp::Timestamp;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::auth::Caller;
use crate::body::{Body, nullable};
use crate::problem::{Answer, Problem, ProblemBody};
use crate::shapes::{MeAnswer, MeShape};

/// What changes of one's own account.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MeBody {
    /// An e-mail address.
    email: Option<String>,
    /// One's own inactivity timeout, within the operator's bounds; null to follow the operator's.
    #[serde(deserialize_with = "nullable")]
    #[schema(value_type = Option<f64>)]
    inactivity_timeout_seconds: Option<Option<f64>>,
    /// `available`, `away`, `dnd` or `invisible`; clears `until`, unless that is named as well.
    #[schema(value_type = Option<String>, example = "dnd")]
    availability: Option<Availability>,
    /// One's own words, at most 140 characters; null clears them.
    #[serde(deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    text: Option<Option<String>>,
    /// One emoji; null clears it.
    #[serde(deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    emoji: Option<Option<String>>,
    /// From when on one is just available again, RFC 3339, at most a year ahead; null for no end.
    #[serde(deserialize_with = "nullable")]
    #[schema(value_type = Option<String>, format = DateTime)]
    until: Option<Option<Timestamp>>,
    /// Who may see whether one is online, and when one was last seen: `everyone`, `contacts` or `nobody`. One does not see
    /// of others what one does not let them see.
    #[schema(value_type = Option<String>, example = "contacts")]
    online_visibility: Option<Visibility>,
    /// Who may see when one was last seen; whoever may not see the former does not see this either.
    #[schema(value_type = Option<String>, example = "contacts")]
    last_seen_visibility: Option<Visibility>,
    /// After how long without anybody touching it a device is away, 30 seconds to a day; null to follow the operator's.
    #[serde(deserialize_with = "nullable")]
    #[schema(value_type = Option<f64>)]
    away_after_seconds: Option<Option<f64>>,
}

/// What a user shows of itself, over a WebSocket: as the fields of the same names in [`MeBody`].
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AvailabilityBody {
    availability: Option<Availability>,
    #[serde(deserialize_with = "nullable")]
    text: Option<Option<String>>,
    #[serde(deserialize_with = "nullable")]
    emoji: Option<Option<String>>,
    #[serde(deserialize_with = "nullable")]
    until: Option<Option<Timestamp>>,
}

impl From<AvailabilityBody> for AvailabilityChange {
    fn from(body: AvailabilityBody) -> Self {
        let AvailabilityBody { availability, text, emoji, until } = body;
        Self { availability, text, emoji, until }
    }
}

/// A new password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordBody {
    /// The password as it is.
    old: String,
    /// The password as it shall be.
    new: String,
}

/// Seconds of a client's, to the millisecond.
pub(super) fn duration(field: &str, seconds: Option<f64>) -> Result<Option<Duration>, Refusal> {
    let parse = |seconds: f64| {
        let sane = Duration::try_from_secs_f64(seconds).ok().filter(|d| *d <= Duration::from_secs(1 << 32));
        let sane = sane.ok_or_else(|| Refusal::field(field, "must be a number of seconds"))?;
        Ok(Duration::from_millis(u64::try_from(sane.as_millis()).unwrap_or(u64::MAX)))
    };
    seconds.map(parse).transpose()
}

/// As [`duration`], for a field that may be null.
pub(super) fn seconds(field: &str, given: Option<Option<f64>>) -> Result<Option<Option<Duration>>, Problem> {
    Ok(given.map(|given| duration(field, given)).transpose()?)
}

async fn profile(service: &Service, caller: &Caller) -> Result<MeAnswer, Problem> {
    let me = service.me(caller.claimed.user).await?;
    Ok(MeAnswer { user: MeShape::of(&me.account, &me.presence) })
}

/// One's own profile.
#[utoipa::path(get, path = "/api/users/me/", tag = "me", security(("bearer" = [])), responses(
    (status = 200, body = MeAnswer), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
    (status = 503, body = ProblemBody)))]
pub async fn show(caller: Caller, service: web::Data<Service>) -> Answer {
    Ok(HttpResponse::Ok().json(profile(&service, &caller).await?))
}

/// Change one's own profile.
#[utoipa::path(patch, path = "/api/users/me/", tag = "me", request_body = MeBody, security(("bearer" = [])), responses(
    (status = 200, body = MeAnswer), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
    (status = 409, body = ProblemBody), (status = 422, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn change(caller: Caller, service: web::Data<Service>, body: Body) -> Answer {
    let body: MeBody = body.json_or_nothing().await?;
    let MeBody { email, availability, text, emoji, until, .. } = body;
    let changes = MyChanges {
        email,
        inactivity_timeout: seconds("inactivity_timeout_seconds", body.inactivity_timeout_seconds)?,
        availability: AvailabilityChange { availability, text, emoji, until },
        privacy: PrivacyChange { online: body.online_visibility, last_seen: body.last_seen_visibility },
        away_after: seconds("away_after_seconds", body.away_after_seconds)?,
    };
    service.change_me(caller.claimed.user, changes).await?;
    Ok(HttpResponse::Ok().json(profile(&service, &caller).await?))
}

/// Change one's own password. All other sessions end.
#[utoipa::path(post, path = "/api/users/me/password/", tag = "me", request_body = PasswordBody,
    security(("bearer" = [])), responses(
    (status = 204), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
    (status = 422, body = ProblemBody), (status = 429, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn change_password(caller: Caller, service: web::Data<Service>, body: Body) -> Answer {
    let PasswordBody { old, new } = body.json().await?;
    let (user, session) = (caller.claimed.user, caller.claimed.session);
    service.change_password(user, session, Password::typed(old), new).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Delete one's own account.
#[utoipa::path(delete, path = "/api/users/me/", tag = "me", security(("bearer" = [])), responses(
    (status = 204), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
    (status = 409, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn delete(caller: Caller, service: web::Data<Service>) -> Answer {
    service.delete_me(caller.claimed.user).await?;
    Ok(HttpResponse::NoContent().finish())
}
