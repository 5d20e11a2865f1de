//! Notifications.

use actix_web::{HttpRequest, HttpResponse, web};
use lastseen_shared::refusal::{Code, Refusal};
use lastseen_shared::service::Service;

use super::query::{self, pairs};
use crate::auth::Caller;
use crate::problem::{Answer, ProblemBody};
use crate::shapes::{NotificationAnswer, NotificationShape, NotificationsAnswer};

/// One's own notifications.
#[utoipa::path(get, path = "/api/notifications/", tag = "notifications",
    params(("unread" = Option<bool>, Query, description = "true for those that have not been read only"),
        ("limit" = Option<i64>, Query, description = "1 to 1000, 50 without it"), ("cursor" = Option<String>, Query)),
    security(("bearer" = [])), responses(
    (status = 200, body = NotificationsAnswer), (status = 400, body = ProblemBody), (status = 401, body = ProblemBody),
    (status = 403, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn list(caller: Caller, service: web::Data<Service>, request: HttpRequest) -> Answer {
    let (mut unread, mut limit, mut cursor) = (false, 50, None);
    for (name, value) in pairs(&request, &["unread", "limit", "cursor"])? {
        match name.as_str() {
            "unread" => unread = value.parse().map_err(|_| Refusal::query("unread", "must be true or false"))?,
            "limit" => limit = query::limit(&value)?.into(),
            _ => cursor = Some(value),
        }
    }
    let page = service.notifications(caller.asker(&service), unread, cursor.as_deref(), limit).await?;
    let notifications = page.notifications.into_iter().map(NotificationShape::of).collect();
    let (unread, next_cursor) = (page.unread, page.next_cursor);
    Ok(HttpResponse::Ok().json(NotificationsAnswer { notifications, unread, next_cursor }))
}

/// Mark a notification as read.
#[utoipa::path(post, path = "/api/notifications/{id}/read/", tag = "notifications", params(("id" = i64, Path)),
    security(("bearer" = [])), responses(
    (status = 200, body = NotificationAnswer), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
    (status = 404, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn read(caller: Caller, service: web::Data<Service>, request: HttpRequest) -> Answer {
    let id = request.match_info().get("id").and_then(|id| id.parse().ok()).filter(|id| *id > 0);
    let id = id.ok_or(Code::NotificationNotFound)?;
    let notification = service.read_notification(caller.asker(&service), id).await?;
    Ok(HttpResponse::Ok().json(NotificationAnswer { notification: NotificationShape::of(notification) }))
}

/// Mark all of one's notifications as read.
#[utoipa::path(post, path = "/api/notifications/read-all/", tag = "notifications", security(("bearer" = [])),
    responses((status = 204), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
    (status = 503, body = ProblemBody)))]
pub async fn read_all(caller: Caller, service: web::Data<Service>) -> Answer {
    service.read_all_notifications(caller.asker(&service)).await?;
    Ok(HttpResponse::NoContent().finish())
}
