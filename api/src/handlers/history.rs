//! What has been.

use actix_web::{HttpRequest, HttpResponse, web};
use lastseen_shared::ids::UserId;
use lastseen_shared::models::history::Interval;
use lastseen_shared::refusal::{Code, Refusal};
use lastseen_shared::service::Service;
use lastseen_shared::timestamp::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::query::{self, pairs};
use super::user_in_path;
use crate::auth::Caller;
use crate::csv;
use crate::problem::{Answer, ProblemBody};

/// An online interval.
#[derive(Debug, Serialize, ToSchema)]
pub struct IntervalShape {
    /// RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    pub started_at: Timestamp,
    /// RFC 3339; null while it lasts.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Timestamp>,
    /// What began it.
    pub start_reason: &'static str,
    /// What ended it.
    pub end_reason: Option<&'static str>,
    /// The session that began it.
    pub session_id: Option<i64>,
    /// Its device.
    pub device: Option<String>,
}

impl IntervalShape {
    /// An interval.
    #[must_use]
    pub fn of(interval: Interval) -> Self {
        Self {
            started_at: interval.started_at,
            ended_at: interval.ended.map(|(at, _)| at),
            start_reason: interval.start_reason.as_str(),
            end_reason: interval.ended.map(|(_, reason)| reason.as_str()),
            session_id: interval.session.map(|session| session.0),
            device: interval.device,
        }
    }
}

/// A page of intervals.
#[derive(Debug, Serialize, ToSchema)]
pub struct HistoryAnswer {
    /// The newest first.
    intervals: Vec<IntervalShape>,
    /// For the next page; null at the end.
    next_cursor: Option<String>,
}

/// A user's online intervals.
#[utoipa::path(get, path = "/api/users/{id}/history/", tag = "users",
    params(("id" = i64, Path), ("from" = Option<String>, Query, description = "RFC 3339; without it from the beginning"),
        ("to" = Option<String>, Query, description = "RFC 3339; without it until now"),
        ("limit" = Option<i64>, Query, description = "1 to 1000, 100 without it"), ("cursor" = Option<String>, Query)),
    security(("bearer" = [])), responses(
    (status = 200, body = HistoryAnswer, description = "As CSV where `Accept` is `text/csv`; `Link` has the next page"),
    (status = 400, body = ProblemBody), (status = 401, body = ProblemBody),
    (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn history(caller: Caller, service: web::Data<Service>, request: HttpRequest) -> Answer {
    let user: UserId = user_in_path(&request)?;
    if !caller.is_admin() && caller.claimed.user != user {
        return Err(Refusal::new(Code::Forbidden, "this is for admins, and for oneself").into());
    }
    let (mut from, mut to, mut limit, mut cursor) = (Timestamp(0), Timestamp(i64::MAX), 100, None);
    for (name, value) in pairs(&request, &["from", "to", "limit", "cursor"])? {
        let time = || Timestamp::parse(&value).map_err(|_| Refusal::query(&name, "must be a time in RFC 3339"));
        match name.as_str() {
            "from" => from = time()?,
            "to" => to = time()?,
            "limit" => limit = query::limit(&value)?.into(),
            _ => cursor = Some(value),
        }
    }
    let page = service.history(caller.asker(&service), user, from, to, cursor.as_deref(), limit).await?;
    let intervals: Vec<IntervalShape> = page.intervals.into_iter().map(IntervalShape::of).collect();
    if csv::wanted(&request) {
        return Ok(csv::answer(&request, &as_csv(intervals), page.next_cursor.as_deref()));
    }
    Ok(HttpResponse::Ok().json(HistoryAnswer { intervals, next_cursor: page.next_cursor }))
}

fn as_csv(intervals: Vec<IntervalShape>) -> String {
    let row = |interval: IntervalShape| {
        [
            interval.started_at.to_string(),
            csv::or_empty(interval.ended_at),
            interval.start_reason.to_owned(),
            csv::or_empty(interval.end_reason),
            csv::or_empty(interval.session_id),
            csv::or_empty(interval.device),
        ]
    };
    let names = ["started_at", "ended_at", "start_reason", "end_reason", "session_id", "device"];
    csv::table(names, intervals.into_iter().map(row))
}
