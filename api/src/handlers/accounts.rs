//! What admins do with accounts.

use actix_web::{HttpRequest, HttpResponse, web};
use lastseen_shared::account::{Role, Status};
use lastseen_shared::models::Account;
use lastseen_shared::privacy::SeenPresence;
use lastseen_shared::refusal::Refusal;
use lastseen_shared::service::{AccountEdit, CreateAccount, Service, StandingChange};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::me::seconds;
use super::query::{self, pairs};
use super::{ReasonBody, user_in_path};
use crate::auth::Admin;
use crate::body::{Body, nullable};
use crate::problem::{Answer, Problem, ProblemBody};
use crate::shapes::{ProfileAnswer, ProfileShape};

/// A new account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateBody {
    /// 3 to 64 letters, digits, `_`, `.` or `-`.
    username: String,
    /// An e-mail address.
    email: String,
    /// 8 characters at least, 72 bytes at most.
    password: String,
    /// `user`, unless it says otherwise.
    #[schema(value_type = Option<String>)]
    role: Option<Role>,
    /// `active`, unless it says otherwise.
    #[schema(value_type = Option<String>)]
    status: Option<Status>,
}

/// What changes of an account.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EditBody {
    /// 3 to 64 letters, digits, `_`, `.` or `-`.
    username: Option<String>,
    /// An e-mail address.
    email: Option<String>,
    /// A new password: the user's sessions end.
    password: Option<String>,
    /// A new role: the user's sessions end.
    #[schema(value_type = Option<String>)]
    role: Option<Role>,
    /// A new status.
    #[schema(value_type = Option<String>)]
    status: Option<Status>,
    /// Whether the account is active.
    is_active: Option<bool>,
    /// The user's own inactivity timeout; null to follow the operator's.
    #[serde(deserialize_with = "nullable")]
    #[schema(value_type = Option<f64>)]
    inactivity_timeout_seconds: Option<Option<f64>>,
    /// Why, for the audit log.
    reason: Option<String>,
}

/// An account with its presence after a change, as the admin sees it.
async fn profile(service: &Service, admin: &Admin, account: &Account) -> Result<ProfileAnswer, Problem> {
    let user = service.user(admin.0.asker(service), account.id).await?;
    Ok(ProfileAnswer { user: ProfileShape::of(account, user.seen()) })
}

/// Make an account.
#[utoipa::path(post, path = "/api/users/", tag = "accounts", request_body = CreateBody, security(("bearer" = [])),
    responses((status = 201, body = ProfileAnswer), (status = 401, body = ProblemBody),
    (status = 403, body = ProblemBody), (status = 409, body = ProblemBody), (status = 422, body = ProblemBody),
    (status = 503, body = ProblemBody)))]
pub async fn create(admin: Admin, service: web::Data<Service>, body: Body) -> Answer {
    let CreateBody { username, email, password, role, status } = body.json().await?;
    let actor = admin.actor(&service).await?;
    let create = CreateAccount { username, email, password };
    let (role, status) = (role.unwrap_or(Role::User), status.unwrap_or(Status::Active));
    let account = service.create_account(actor, create, role, status).await?;
    let user = ProfileShape::of(&account, &SeenPresence::never_seen(account.id, account.standing));
    Ok(HttpResponse::Created().json(ProfileAnswer { user }))
}

/// Change an account.
#[utoipa::path(patch, path = "/api/users/{id}/", tag = "accounts", params(("id" = i64, Path)),
    request_body = EditBody, security(("bearer" = [])), responses(
    (status = 200, body = ProfileAnswer), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
    (status = 404, body = ProblemBody), (status = 409, body = ProblemBody), (status = 422, body = ProblemBody),
    (status = 503, body = ProblemBody)))]
pub async fn edit(admin: Admin, service: web::Data<Service>, request: HttpRequest, body: Body) -> Answer {
    let target = user_in_path(&request)?;
    let body: EditBody = body.json_or_nothing().await?;
    let edit = AccountEdit {
        username: body.username,
        email: body.email,
        password: body.password,
        role: body.role,
        status: body.status,
        is_active: body.is_active,
        inactivity_timeout: seconds("inactivity_timeout_seconds", body.inactivity_timeout_seconds)?,
        reason: body.reason,
    };
    let account = service.edit_account(admin.actor(&service).await?, target, edit).await?;
    Ok(HttpResponse::Ok().json(profile(&service, &admin, &account).await?))
}

/// Delete an account.
#[utoipa::path(delete, path = "/api/users/{id}/", tag = "accounts", params(("id" = i64, Path)),
    request_body = Option<ReasonBody>, security(("bearer" = [])), responses(
    (status = 204), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
    (status = 404, body = ProblemBody), (status = 409, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn delete(admin: Admin, service: web::Data<Service>, request: HttpRequest, body: Body) -> Answer {
    let target = user_in_path(&request)?;
    let ReasonBody { reason } = body.json_or_nothing().await?;
    service.delete_account(admin.actor(&service).await?, target, reason).await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn set(
    admin: Admin,
    service: web::Data<Service>,
    request: HttpRequest,
    body: Body,
    change: StandingChange,
    action: &'static str,
) -> Answer {
    let target = user_in_path(&request)?;
    let ReasonBody { reason } = body.json_or_nothing().await?;
    let actor = admin.actor(&service).await?;
    let account = service.set_standing(actor, target, change, action, reason).await?;
    Ok(HttpResponse::Ok().json(profile(&service, &admin, &account).await?))
}

/// Suspend an account: offline, and all of its sessions ended, when this answers.
#[utoipa::path(post, path = "/api/users/{id}/suspend/", tag = "accounts", params(("id" = i64, Path)),
    request_body = Option<ReasonBody>, security(("bearer" = [])), responses(
    (status = 200, body = ProfileAnswer), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
    (status = 404, body = ProblemBody), (status = 409, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn suspend(admin: Admin, service: web::Data<Service>, request: HttpRequest, body: Body) -> Answer {
    set(admin, service, request, body, StandingChange::Suspend, "suspend").await
}

/// Ban an account: offline, and all of its sessions ended, when this answers.
#[utoipa::path(post, path = "/api/users/{id}/ban/", tag = "accounts", params(("id" = i64, Path)),
    request_body = Option<ReasonBody>, security(("bearer" = [])), responses(
    (status = 200, body = ProfileAnswer), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
    (status = 404, body = ProblemBody), (status = 409, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn ban(admin: Admin, service: web::Data<Service>, request: HttpRequest, body: Body) -> Answer {
    set(admin, service, request, body, StandingChange::Ban, "ban").await
}

/// Activate an account: it may log in again. Sessions that were ended stay ended.
#[utoipa::path(post, path = "/api/users/{id}/activate/", tag = "accounts", params(("id" = i64, Path)),
    request_body = Option<ReasonBody>, security(("bearer" = [])), responses(
    (status = 200, body = ProfileAnswer), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
    (status = 404, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn activate(admin: Admin, service: web::Data<Service>, request: HttpRequest, body: Body) -> Answer {
    set(admin, service, request, body, StandingChange::Activate, "activate").await
}

/// Deactivate an account: offline, and all of its sessions ended, when this answers.
#[utoipa::path(post, path = "/api/users/{id}/deactivate/", tag = "accounts", params(("id" = i64, Path)),
    request_body = Option<ReasonBody>, security(("bearer" = [])), responses(
    (status = 200, body = ProfileAnswer), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
    (status = 404, body = ProblemBody), (status = 409, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn deactivate(admin: Admin, service: web::Data<Service>, request: HttpRequest, body: Body) -> Answer {
    set(admin, service, request, body, StandingChange::Deactivate, "deactivate").await
}

/// Log a user out everywhere.
#[utoipa::path(post, path = "/api/users/{id}/logout/", tag = "accounts", params(("id" = i64, Path)),
    request_body = Option<ReasonBody>, security(("bearer" = [])), responses(
    (status = 200, body = ProfileAnswer), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
    (status = 404, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn log_out(admin: Admin, service: web::Data<Service>, request: HttpRequest, body: Body) -> Answer {
    let target = user_in_path(&request)?;
    let ReasonBody { reason } = body.json_or_nothing().await?;
    let account = service.log_out_user(admin.actor(&service).await?, target, reason).await?;
    Ok(HttpResponse::Ok().json(profile(&service, &admin, &account).await?))
}

/// An entry of the audit log.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditShape {
    /// Growing.
    id: i64,
    /// RFC 3339.
    at: String,
    /// Who; null for the operator.
    actor_id: Option<i64>,
    /// The name of that.
    actor: String,
    /// What was done.
    action: String,
    /// To whom.
    target_id: Option<i64>,
    /// The name of that.
    target: String,
    /// Why, where the admin said so.
    reason: Option<String>,
    /// What changed.
    #[schema(value_type = Option<Object>)]
    details: Option<serde_json::Value>,
}

/// What was done to an account.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditAnswer {
    /// The newest first.
    entries: Vec<AuditShape>,
    /// For the next page, as `before`; null at the end.
    next_before: Option<i64>,
}

/// What admins did to an account, and why.
#[utoipa::path(get, path = "/api/users/{id}/audit/", tag = "accounts",
    params(("id" = i64, Path), ("limit" = Option<i64>, Query), ("before" = Option<i64>, Query)),
    security(("bearer" = [])), responses(
    (status = 200, body = AuditAnswer), (status = 400, body = ProblemBody), (status = 401, body = ProblemBody),
    (status = 403, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn audit(_admin: Admin, service: web::Data<Service>, request: HttpRequest) -> Answer {
    let target = user_in_path(&request)?;
    let (mut limit, mut before): (i64, _) = (100, None);
    for (name, value) in pairs(&request, &["limit", "before"])? {
        match name.as_str() {
            "limit" => limit = query::limit(&value)?.into(),
            _ => before = Some(value.parse().map_err(|_| Refusal::query(&name, "must be a whole number"))?),
        }
    }
    let entries = service.audit_of(target, before, limit + 1).await?;
    let more = entries.len() as i64 > limit;
    let entries: Vec<AuditShape> = entries
        .into_iter()
        .take(usize::try_from(limit).unwrap_or(0))
        .map(|entry| AuditShape {
            id: entry.id,
            at: entry.at().to_string(),
            actor_id: entry.actor_id,
            actor: entry.actor_name,
            action: entry.action,
            target_id: entry.target_id,
            target: entry.target_name,
            reason: entry.reason,
            details: entry.details.and_then(|details| serde_json::from_str(&details).ok()),
        })
        .collect();
    let next_before = entries.last().filter(|_| more).map(|entry| entry.id);
    Ok(HttpResponse::Ok().json(AuditAnswer { entries, next_before }))
}
