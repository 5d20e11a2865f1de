//! A user's devices: for an admin, or for oneself.

use actix_web::{HttpRequest, HttpResponse, web};
use lastseen_shared::ids::{SessionId, UserId};
use lastseen_shared::presence::Reason;
use lastseen_shared::refusal::{Code, Refusal};
use lastseen_shared::service::Service;

use super::user_in_path;
use crate::auth::Caller;
use crate::problem::{Answer, Problem, ProblemBody};
use crate::shapes::{DeviceShape, DevicesAnswer};

fn whose(caller: &Caller, request: &HttpRequest) -> Result<UserId, Problem> {
    let user = user_in_path(request)?;
    if caller.is_admin() || caller.claimed.user == user {
        Ok(user)
    } else {
        Err(Refusal::new(Code::Forbidden, "this is for admins, and for oneself").into())
    }
}

/// A user's devices.
#[utoipa::path(get, path = "/api/users/{id}/sessions/", tag = "devices", params(("id" = i64, Path)),
    security(("bearer" = [])), responses(
    (status = 200, body = DevicesAnswer), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
    (status = 404, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn list(caller: Caller, service: web::Data<Service>, request: HttpRequest) -> Answer {
    let devices = service.devices(caller.asker(&service), whose(&caller, &request)?).await?;
    let sessions = devices.into_iter().map(|device| DeviceShape::of(device, caller.claimed.session)).collect();
    Ok(HttpResponse::Ok().json(DevicesAnswer { sessions }))
}

/// End one of a user's sessions.
#[utoipa::path(delete, path = "/api/users/{id}/sessions/{sid}/", tag = "devices",
    params(("id" = i64, Path), ("sid" = i64, Path)), security(("bearer" = [])), responses(
    (status = 204), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
    (status = 404, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn end(caller: Caller, service: web::Data<Service>, request: HttpRequest) -> Answer {
    let user = whose(&caller, &request)?;
    let session = request.match_info().get("sid").and_then(|sid| sid.parse().ok()).filter(|sid| *sid > 0);
    let session = SessionId(session.ok_or(Code::SessionNotFound)?);
    let reason = if caller.claimed.user == user { Reason::Logout } else { Reason::EndedByAdmin };
    service.end_device(user, session, reason).await?;
    Ok(HttpResponse::NoContent().finish())
}
