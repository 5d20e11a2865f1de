//! Presence of many, and what has changed.

use actix_web::{HttpRequest, HttpResponse, web};
use lastseen_shared::ids::UserId;
use lastseen_shared::refusal::Refusal;
use lastseen_shared::service::Service;
use serde::Deserialize;
use utoipa::ToSchema;

use super::query::pairs;
use crate::auth::Caller;
use crate::body::{Body, Whole};
use crate::problem::{Answer, ProblemBody};
use crate::shapes::{ChangesAnswer, PresenceShape, PresencesAnswer, TransitionShape};

/// Users of one question at most.
pub const MOST: usize = 1_000;

/// Whose presence.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IdsBody {
    /// Up to 1000 users.
    #[schema(value_type = Vec<i64>)]
    ids: Vec<Whole>,
}

async fn answer(service: &Service, caller: &Caller, mut ids: Vec<UserId>) -> Answer {
    let mut met = std::collections::HashSet::new();
    ids.retain(|id| met.insert(*id));
    let seen = service.presences(caller.asker(service), ids).await?;
    let presences = seen.iter().map(PresenceShape::of).collect();
    Ok(HttpResponse::Ok().json(PresencesAnswer { presences }))
}

/// The presence of up to 1000 users.
#[utoipa::path(get, path = "/api/users/presence/", tag = "presence",
    params(("ids" = Vec<i64>, Query, description = "Ids, comma-separated", style = Form, explode = false, example = json!([1, 2, 3]))),
    security(("bearer" = [])), responses(
    (status = 200, body = PresencesAnswer), (status = 400, body = ProblemBody), (status = 401, body = ProblemBody),
    (status = 403, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn by_query(caller: Caller, service: web::Data<Service>, request: HttpRequest) -> Answer {
    let pairs = pairs(&request, &["ids"])?;
    let (_, text) = pairs.first().ok_or_else(|| Refusal::query("ids", "is required: ids, comma-separated"))?;
    let ids: Result<Vec<_>, _> = text.split(',').map(|id| id.trim().parse().map(UserId)).collect();
    let ids = ids.map_err(|_| Refusal::query("ids", "must be whole numbers, comma-separated"))?;
    if ids.len() > MOST {
        return Err(Refusal::query("ids", &format!("must be at most {MOST}")).into());
    }
    answer(&service, &caller, ids).await
}

/// The presence of up to 1000 users, for lists that are too long for an address.
#[utoipa::path(post, path = "/api/users/presence/", tag = "presence", request_body = IdsBody,
    security(("bearer" = [])), responses(
    (status = 200, body = PresencesAnswer), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
    (status = 422, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn by_body(caller: Caller, service: web::Data<Service>, body: Body) -> Answer {
    let IdsBody { ids } = body.json().await?;
    if ids.len() > MOST {
        return Err(Refusal::field("ids", &format!("must be at most {MOST}")).into());
    }
    answer(&service, &caller, ids.into_iter().map(|Whole(id)| UserId(id)).collect()).await
}

/// What has changed since a cursor, online and offline alike.
#[utoipa::path(get, path = "/api/users/presence/changes/", tag = "presence",
    params(("since" = Option<String>, Query, description = "An answer's `next_cursor`; without it nothing, and the cursor of now")),
    security(("bearer" = [])), responses(
    (status = 200, body = ChangesAnswer), (status = 400, body = ProblemBody), (status = 401, body = ProblemBody),
    (status = 403, body = ProblemBody), (status = 410, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn changes(caller: Caller, service: web::Data<Service>, request: HttpRequest) -> Answer {
    let pairs = pairs(&request, &["since"])?;
    let changes = service.changes(caller.asker(&service), pairs.first().map(|(_, since)| since.as_str())).await?;
    let transitions = changes.changes.iter().map(TransitionShape::of).collect();
    Ok(HttpResponse::Ok().json(ChangesAnswer { transitions, next_cursor: changes.next_cursor }))
}
