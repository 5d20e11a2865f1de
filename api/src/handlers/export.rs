//! All that is held of one user.

use actix_web::{HttpResponse, web};
use lastseen_shared::models::Session;
use lastseen_shared::models::audit::WrittenEntry;
use lastseen_shared::service::{Export, Service};
use lastseen_shared::timestamp::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::history::IntervalShape;
use crate::auth::Caller;
use crate::problem::{Answer, ProblemBody};
use crate::shapes::{ContactShape, MeShape, NotificationShape};

/// A session, over or not.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionShape {
    /// The session's id.
    id: i64,
    /// The device's name.
    device: Option<String>,
    /// What kind of device: `web`, `ios`, …
    platform: String,
    /// RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    last_seen: Timestamp,
    /// RFC 3339; null where it was not ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Timestamp>,
    /// What ended it.
    end_reason: Option<&'static str>,
}

/// Something that an admin did to the account.
#[derive(Debug, Serialize, ToSchema)]
pub struct ActionShape {
    /// RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// What was done.
    action: String,
    /// Why, where the admin said so.
    reason: Option<String>,
}

/// All that is held of one user. Password and tokens are kept as hashes only, and not told.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExportAnswer {
    /// RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    exported_at: Timestamp,
    /// One's own profile.
    user: MeShape,
    /// The newest first.
    sessions: Vec<SessionShape>,
    /// The newest first.
    history: Vec<IntervalShape>,
    /// By name.
    contacts: Vec<ContactShape>,
    /// The newest first.
    notifications: Vec<NotificationShape>,
    /// What admins did to the account, the newest first.
    actions: Vec<ActionShape>,
}

impl SessionShape {
    fn of(session: Session) -> Self {
        let (id, created_at, last_seen) = (session.id().0, session.created_at(), session.last_seen());
        let (ended_at, end_reason) = session.ended().unzip();
        let end_reason = end_reason.flatten().map(|reason| reason.as_str());
        Self { id, device: session.device, platform: session.platform, created_at, last_seen, ended_at, end_reason }
    }
}

impl ActionShape {
    fn of(entry: WrittenEntry) -> Self {
        Self { at: entry.at(), action: entry.action, reason: entry.reason }
    }
}

/// All that is held of oneself, as JSON.
#[utoipa::path(get, path = "/api/users/me/export/", tag = "me", security(("bearer" = [])), responses(
    (status = 200, body = ExportAnswer), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
    (status = 503, body = ProblemBody)))]
pub async fn own(caller: Caller, service: web::Data<Service>) -> Answer {
    let Export { at, me, sessions, history, contacts, notifications, audit } =
        service.export(caller.asker(&service)).await?;
    let answer = ExportAnswer {
        exported_at: at,
        user: MeShape::of(&me.account, &me.presence),
        sessions: sessions.into_iter().map(SessionShape::of).collect(),
        history: history.into_iter().map(IntervalShape::of).collect(),
        contacts: contacts.iter().map(ContactShape::of).collect(),
        notifications: notifications.into_iter().map(NotificationShape::of).collect(),
        actions: audit.into_iter().map(ActionShape::of).collect(),
    };
    let name = "attachment; filename=\"lastseen.json\"";
    Ok(HttpResponse::Ok().insert_header(("Content-Disposition", name)).json(answer))
}
