//! One's own account.

use std::time::Duration;

use actix_web::{HttpResponse, web};
use lastseen_shared::account::Password;
use lastseen_shared::refusal::Refusal;
use lastseen_shared::service::{MyChanges, Service};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::auth::Caller;
use crate::body::{Body, nullable};
use crate::problem::{Answer, Problem, ProblemBody};
use crate::shapes::{ProfileAnswer, ProfileShape};

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
pub(super) fn seconds(given: Option<Option<f64>>) -> Result<Option<Option<Duration>>, Problem> {
    const FIELD: &str = "inactivity_timeout_seconds";
    let parse = |seconds: f64| {
        let sane = Duration::try_from_secs_f64(seconds).ok().filter(|d| *d <= Duration::from_secs(1 << 32));
        let sane = sane.ok_or_else(|| Refusal::field(FIELD, "must be a number of seconds"))?;
        Ok::<_, Refusal>(Duration::from_millis(u64::try_from(sane.as_millis()).unwrap_or(u64::MAX)))
    };
    Ok(given.map(|given| given.map(parse).transpose()).transpose()?)
}

async fn profile(service: &Service, caller: &Caller) -> Result<ProfileAnswer, Problem> {
    let account = service.account(caller.claimed.user).await?;
    let presence = service.user(caller.claimed.user).await?.presence;
    Ok(ProfileAnswer { user: ProfileShape::of(&account, &presence) })
}

/// One's own profile.
#[utoipa::path(get, path = "/api/users/me/", tag = "me", security(("bearer" = [])), responses(
    (status = 200, body = ProfileAnswer), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
    (status = 503, body = ProblemBody)))]
pub async fn show(caller: Caller, service: web::Data<Service>) -> Answer {
    Ok(HttpResponse::Ok().json(profile(&service, &caller).await?))
}

/// Change one's own profile.
#[utoipa::path(patch, path = "/api/users/me/", tag = "me", request_body = MeBody, security(("bearer" = [])), responses(
    (status = 200, body = ProfileAnswer), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
    (status = 409, body = ProblemBody), (status = 422, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn change(caller: Caller, service: web::Data<Service>, body: Body) -> Answer {
    let MeBody { email, inactivity_timeout_seconds } = body.json_or_nothing().await?;
    let inactivity_timeout = seconds(inactivity_timeout_seconds)?;
    service.change_me(caller.claimed.user, MyChanges { email, inactivity_timeout }).await?;
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
