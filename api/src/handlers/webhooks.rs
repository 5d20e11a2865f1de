//! Webhooks, for admins.

use actix_web::{HttpRequest, HttpResponse, web};
use lastseen_shared::ids::{DeliveryId, WebhookId};
use lastseen_shared::models::{Delivery, Webhook};
use lastseen_shared::refusal::{Code, Refusal};
use lastseen_shared::service::{CreateWebhook, Service, WebhookEdit};
use lastseen_shared::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::query::{self, pairs};
use crate::auth::Admin;
use crate::body::{Body, nullable};
use crate::problem::{Answer, Problem, ProblemBody};

/// A new webhook.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateWebhookBody {
    /// Where events are sent: `https://` or `http://`, without a user's name or password.
    #[schema(example = "https://example.org/hooks/lastseen")]
    url: String,
    /// Which events: exact types, `presence.*`, `account.*` or `*`.
    #[schema(example = json!(["presence.*", "account.created"]))]
    events: Vec<String>,
    /// What it is for: at most 500 characters.
    description: Option<String>,
    /// False for one that is sent nothing yet.
    enabled: Option<bool>,
}

/// What changes of a webhook.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EditWebhookBody {
    /// Where events are sent.
    url: Option<String>,
    /// Which events.
    events: Option<Vec<String>>,
    /// What it is for; null for nothing.
    #[serde(deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    description: Option<Option<String>>,
    /// Whether it is sent anything.
    enabled: Option<bool>,
}

/// How the last attempt at a delivery ended.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LastDeliveryShape {
    /// When, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// Whether the receiver took it.
    ok: bool,
}

/// A webhook.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct WebhookShape {
    /// The webhook's id.
    id: i64,
    /// Where events are sent.
    url: String,
    /// Which events.
    events: Vec<String>,
    /// What it is for.
    description: Option<String>,
    /// Whether it is sent anything.
    enabled: bool,
    /// `gone` where the receiver answered 410, `failing` where no delivery succeeded for three days; null otherwise.
    disabled_reason: Option<String>,
    /// RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// Since when every attempt has failed, RFC 3339; null where the last one succeeded, or there was none.
    #[schema(value_type = Option<String>, format = DateTime)]
    failing_since: Option<Timestamp>,
    /// Null where there was none yet.
    last_delivery: Option<LastDeliveryShape>,
}

/// A new webhook, with the secret that is told here only.
#[derive(Serialize, ToSchema)]
pub struct NewWebhookAnswer {
    #[serde(flatten)]
    webhook: WebhookShape,
    /// What its deliveries are signed with.
    #[schema(example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
    secret: String,
}

/// All webhooks.
#[derive(Serialize, ToSchema)]
pub struct WebhooksAnswer {
    /// The oldest first.
    webhooks: Vec<WebhookShape>,
}

/// A new secret.
#[derive(Serialize, ToSchema)]
pub struct SecretAnswer {
    /// What deliveries are signed with from now on; for a day the earlier secret signs them, too.
    #[schema(example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
    secret: String,
}

/// An event on its way to a webhook.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DeliveryShape {
    /// The delivery's id.
    id: i64,
    /// The header `webhook-id`: the same at each attempt.
    webhook_id: String,
    /// The event's type.
    r#type: String,
    /// `pending`, `delivered` or `dead`.
    #[schema(example = "delivered")]
    status: &'static str,
    /// Attempts so far.
    attempts: i32,
    /// When it is due, RFC 3339; null where it is not pending.
    #[schema(value_type = Option<String>, format = DateTime)]
    next_attempt_at: Option<Timestamp>,
    /// RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When the last attempt ended, RFC 3339.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_attempt_at: Option<Timestamp>,
    /// The HTTP status of the last attempt's answer; null where there was none.
    last_status: Option<i32>,
    /// Why the last attempt failed.
    last_error: Option<String>,
    /// How the last answer's body began.
    last_response: Option<String>,
    /// The body as it is sent.
    body: String,
}

/// A page of deliveries.
#[derive(Serialize, ToSchema)]
pub struct DeliveriesAnswer {
    /// The newest first.
    deliveries: Vec<DeliveryShape>,
    /// For the next page; null at the end.
    next_cursor: Option<String>,
}

impl WebhookShape {
    fn of(webhook: &Webhook) -> Self {
        Self {
            id: webhook.id.0,
            url: webhook.url.clone(),
            events: webhook.events.as_slice().to_vec(),
            description: webhook.description.clone(),
            enabled: webhook.enabled,
            disabled_reason: webhook.disabled_reason.clone(),
            created_at: webhook.created_at,
            failing_since: webhook.failing_since,
            last_delivery: webhook.last_attempt.map(|(at, ok)| LastDeliveryShape { at, ok }),
        }
    }
}

impl DeliveryShape {
    fn of(delivery: Delivery) -> Self {
        Self {
            id: delivery.id.0,
            webhook_id: delivery.message_id,
            r#type: delivery.event,
            status: delivery.status.as_str(),
            attempts: delivery.attempts,
            next_attempt_at: delivery.next_attempt_at,
            created_at: delivery.created_at,
            last_attempt_at: delivery.last_attempt_at,
            last_status: delivery.last_status,
            last_error: delivery.last_error,
            last_response: delivery.last_response,
            body: delivery.body,
        }
    }
}

/// An id that a path names. What can be none is not found.
fn in_path(request: &HttpRequest, name: &str, missing: Code) -> Result<i64, Problem> {
    let id = request.match_info().get(name).and_then(|id| id.parse().ok()).filter(|id| *id > 0);
    id.ok_or_else(|| missing.into())
}

fn webhook_in_path(request: &HttpRequest) -> Result<WebhookId, Problem> {
    in_path(request, "id", Code::WebhookNotFound).map(WebhookId)
}

/// Make a webhook. Its secret is told in this answer only.
#[utoipa::path(post, path = "/api/webhooks/", tag = "webhooks", request_body = CreateWebhookBody,
    security(("bearer" = [])), responses(
    (status = 201, body = NewWebhookAnswer), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
    (status = 409, body = ProblemBody), (status = 422, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn create(_admin: Admin, service: web::Data<Service>, body: Body) -> Answer {
    let CreateWebhookBody { url, events, description, enabled } = body.json().await?;
    let create = CreateWebhook { url, events, description, enabled: enabled.unwrap_or(true) };
    let webhook = service.create_webhook(create).await?;
    let secret = webhook.secret.reveal().to_owned();
    Ok(HttpResponse::Created().json(NewWebhookAnswer { webhook: WebhookShape::of(&webhook), secret }))
}

/// All webhooks.
#[utoipa::path(get, path = "/api/webhooks/", tag = "webhooks", security(("bearer" = [])), responses(
    (status = 200, body = WebhooksAnswer), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
    (status = 503, body = ProblemBody)))]
pub async fn list(_admin: Admin, service: web::Data<Service>) -> Answer {
    let webhooks = service.webhooks().await?.iter().map(WebhookShape::of).collect();
    Ok(HttpResponse::Ok().json(WebhooksAnswer { webhooks }))
}

/// A webhook.
#[utoipa::path(get, path = "/api/webhooks/{id}/", tag = "webhooks", params(("id" = i64, Path)),
    security(("bearer" = [])), responses(
    (status = 200, body = WebhookShape), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
    (status = 404, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn show(_admin: Admin, service: web::Data<Service>, request: HttpRequest) -> Answer {
    let webhook = service.webhook(webhook_in_path(&request)?).await?;
    Ok(HttpResponse::Ok().json(WebhookShape::of(&webhook)))
}

/// Change a webhook. Enabling one sends what has waited for it.
#[utoipa::path(patch, path = "/api/webhooks/{id}/", tag = "webhooks", params(("id" = i64, Path)),
    request_body = EditWebhookBody, security(("bearer" = [])), responses(
    (status = 200, body = WebhookShape), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
    (status = 404, body = ProblemBody), (status = 422, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn edit(_admin: Admin, service: web::Data<Service>, request: HttpRequest, body: Body) -> Answer {
    let id = webhook_in_path(&request)?;
    let EditWebhookBody { url, events, description, enabled } = body.json().await?;
    let webhook = service.change_webhook(id, WebhookEdit { url, events, description, enabled }).await?;
    Ok(HttpResponse::Ok().json(WebhookShape::of(&webhook)))
}

/// Delete a webhook, with its deliveries.
#[utoipa::path(delete, path = "/api/webhooks/{id}/", tag = "webhooks", params(("id" = i64, Path)),
    security(("bearer" = [])), responses(
    (status = 204), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
    (status = 404, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn delete(_admin: Admin, service: web::Data<Service>, request: HttpRequest) -> Answer {
    service.delete_webhook(webhook_in_path(&request)?).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Give a webhook a new secret. For a day the earlier one signs, too.
#[utoipa::path(post, path = "/api/webhooks/{id}/rotate-secret/", tag = "webhooks", params(("id" = i64, Path)),
    security(("bearer" = [])), responses(
    (status = 200, body = SecretAnswer), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
    (status = 404, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn rotate_secret(_admin: Admin, service: web::Data<Service>, request: HttpRequest) -> Answer {
    let secret = service.rotate_webhook_secret(webhook_in_path(&request)?).await?;
    Ok(HttpResponse::Ok().json(SecretAnswer { secret: secret.reveal().to_owned() }))
}

/// Send a webhook a trial, whatever its events are.
#[utoipa::path(post, path = "/api/webhooks/{id}/test/", tag = "webhooks", params(("id" = i64, Path)),
    security(("bearer" = [])), responses(
    (status = 202, body = DeliveryShape), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
    (status = 404, body = ProblemBody), (status = 409, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn test(_admin: Admin, service: web::Data<Service>, request: HttpRequest) -> Answer {
    let delivery = service.test_webhook(webhook_in_path(&request)?).await?;
    Ok(HttpResponse::Accepted().json(DeliveryShape::of(delivery)))
}

/// What became of a webhook's deliveries.
#[utoipa::path(get, path = "/api/webhooks/{id}/deliveries/", tag = "webhooks",
    params(("id" = i64, Path),
        ("status" = Option<String>, Query, description = "`pending`, `delivered` or `dead`"),
        ("limit" = Option<i64>, Query, description = "1 to 1000, 50 without it"), ("cursor" = Option<String>, Query)),
    security(("bearer" = [])), responses(
    (status = 200, body = DeliveriesAnswer), (status = 400, body = ProblemBody), (status = 401, body = ProblemBody),
    (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn deliveries(_admin: Admin, service: web::Data<Service>, request: HttpRequest) -> Answer {
    let id = webhook_in_path(&request)?;
    let (mut status, mut limit, mut cursor) = (None, 50, None);
    for (name, value) in pairs(&request, &["status", "limit", "cursor"])? {
        match name.as_str() {
            "status" => {
                let known = value.parse();
                status = Some(known.map_err(|_| Refusal::query("status", "must be pending, delivered or dead"))?);
            }
            "limit" => limit = query::limit(&value)?.into(),
            _ => cursor = Some(value),
        }
    }
    let page = service.deliveries(id, status, cursor.as_deref(), limit).await?;
    let deliveries = page.deliveries.into_iter().map(DeliveryShape::of).collect();
    Ok(HttpResponse::Ok().json(DeliveriesAnswer { deliveries, next_cursor: page.next_cursor }))
}

/// Send a delivery once more, under the same `webhook-id`.
#[utoipa::path(post, path = "/api/webhooks/{id}/deliveries/{did}/redeliver/", tag = "webhooks",
    params(("id" = i64, Path), ("did" = i64, Path)), security(("bearer" = [])), responses(
    (status = 202, body = DeliveryShape), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
    (status = 404, body = ProblemBody), (status = 409, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn redeliver(_admin: Admin, service: web::Data<Service>, request: HttpRequest) -> Answer {
    let id = webhook_in_path(&request)?;
    let delivery = DeliveryId(in_path(&request, "did", Code::DeliveryNotFound)?);
    let delivery = service.redeliver(id, delivery).await?;
    Ok(HttpResponse::Accepted().json(DeliveryShape::of(delivery)))
}
