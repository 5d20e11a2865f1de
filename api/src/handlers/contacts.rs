//! Contacts.

use actix_web::{HttpRequest, HttpResponse, web};
use lastseen_shared::ids::UserId;
use lastseen_shared::models::contact::Notify;
use lastseen_shared::refusal::Code;
use lastseen_shared::service::{SeenContact, Service};
use serde::Deserialize;
use utoipa::ToSchema;

use super::user_in_path;
use crate::auth::Caller;
use crate::body::{Body, Whole};
use crate::problem::{Answer, Problem, ProblemBody};
use crate::shapes::{ContactAnswer, ContactShape, ContactsAnswer};

/// Whom to ask.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ContactBody {
    /// The user's id.
    #[schema(value_type = i64)]
    user_id: Whole,
}

/// When to be told that a contact comes online.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// The next time.
    Once,
    /// Each time.
    Always,
    /// Not any more.
    Never,
}

/// When to be told that a contact comes online.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NotifyBody {
    /// `once`, `always` or `never`.
    #[schema(value_type = String, example = "once")]
    when: When,
}

/// The contact whom a path names. What can be no id is no contact.
fn contact_in_path(request: &HttpRequest) -> Result<UserId, Problem> {
    user_in_path(request).map_err(|_| Code::ContactNotFound.into())
}

fn answer(contact: &SeenContact) -> ContactAnswer {
    ContactAnswer { contact: ContactShape::of(contact) }
}

/// One's contacts, requests of both kinds, and whom one has blocked, with their presence.
#[utoipa::path(get, path = "/api/contacts/", tag = "contacts", security(("bearer" = [])), responses(
    (status = 200, body = ContactsAnswer), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
    (status = 503, body = ProblemBody)))]
pub async fn list(caller: Caller, service: web::Data<Service>) -> Answer {
    let contacts = service.contacts(caller.asker(&service)).await?;
    Ok(HttpResponse::Ok().json(ContactsAnswer { contacts: contacts.iter().map(ContactShape::of).collect() }))
}

/// Ask a user to be a contact; accepts at once where it has asked already.
#[utoipa::path(post, path = "/api/contacts/", tag = "contacts", request_body = ContactBody, security(("bearer" = [])),
    responses((status = 201, body = ContactAnswer), (status = 401, body = ProblemBody),
    (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody),
    (status = 422, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn request(caller: Caller, service: web::Data<Service>, body: Body) -> Answer {
    let ContactBody { user_id: Whole(id) } = body.json().await?;
    let contact = service.request_contact(caller.asker(&service), UserId(id)).await?;
    Ok(HttpResponse::Created().json(answer(&contact)))
}

/// Accept a user's request.
#[utoipa::path(post, path = "/api/contacts/{id}/accept/", tag = "contacts", params(("id" = i64, Path)),
    security(("bearer" = [])), responses(
    (status = 200, body = ContactAnswer), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
    (status = 404, body = ProblemBody), (status = 409, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn accept(caller: Caller, service: web::Data<Service>, request: HttpRequest) -> Answer {
    let other = contact_in_path(&request)?;
    let contact = service.accept_contact(caller.asker(&service), other).await?;
    Ok(HttpResponse::Ok().json(answer(&contact)))
}

/// Decline a user's request.
#[utoipa::path(post, path = "/api/contacts/{id}/decline/", tag = "contacts", params(("id" = i64, Path)),
    security(("bearer" = [])), responses(
    (status = 204), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
    (status = 404, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn decline(caller: Caller, service: web::Data<Service>, request: HttpRequest) -> Answer {
    service.decline_contact(caller.claimed.user, contact_in_path(&request)?).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Block a user, whatever it is: neither sees the other online any more, and it is not told.
#[utoipa::path(post, path = "/api/contacts/{id}/block/", tag = "contacts", params(("id" = i64, Path)),
    security(("bearer" = [])), responses(
    (status = 200, body = ContactAnswer), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
    (status = 404, body = ProblemBody), (status = 409, body = ProblemBody), (status = 422, body = ProblemBody),
    (status = 503, body = ProblemBody)))]
pub async fn block(caller: Caller, service: web::Data<Service>, request: HttpRequest) -> Answer {
    let contact = service.block_user(caller.asker(&service), user_in_path(&request)?).await?;
    Ok(HttpResponse::Ok().json(answer(&contact)))
}

/// Say when to be told that a contact comes online.
#[utoipa::path(post, path = "/api/contacts/{id}/notify/", tag = "contacts", params(("id" = i64, Path)),
    request_body = NotifyBody, security(("bearer" = [])), responses(
    (status = 200, body = ContactAnswer), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
    (status = 404, body = ProblemBody), (status = 422, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn notify(caller: Caller, service: web::Data<Service>, request: HttpRequest, body: Body) -> Answer {
    let other = contact_in_path(&request)?;
    let NotifyBody { when } = body.json().await?;
    let notify = match when {
        When::Once => Some(Notify::Once),
        When::Always => Some(Notify::Always),
        When::Never => None,
    };
    let contact = service.notify_of_contact(caller.asker(&service), other, notify).await?;
    Ok(HttpResponse::Ok().json(answer(&contact)))
}

/// Remove a contact, withdraw or decline a request, or unblock.
#[utoipa::path(delete, path = "/api/contacts/{id}/", tag = "contacts", params(("id" = i64, Path)),
    security(("bearer" = [])), responses(
    (status = 204), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
    (status = 404, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn remove(caller: Caller, service: web::Data<Service>, request: HttpRequest) -> Answer {
    service.remove_contact(caller.claimed.user, contact_in_path(&request)?).await?;
    Ok(HttpResponse::NoContent().finish())
}
