//! Reading users.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use lastseen_shared::models::directory::Sort;
use lastseen_shared::presence::rule::OnlineStatus;
use lastseen_shared::refusal::Refusal;
use lastseen_shared::service::{DirectoryQuery, Service};
use sha2::{Digest, Sha256};
use utoipa::IntoParams;

use super::query::{self, pairs};
use super::user_in_path;
use crate::auth::Caller;
use crate::problem::{Answer, Problem, ProblemBody};
use crate::shapes::{UserAnswer, UserShape, UsersAnswer};

/// Which page of which users. Described for the OpenAPI document; the values are read one by one, so that each problem
/// names its parameter.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes the query for the OpenAPI document")]
pub struct UsersParams {
    /// Users at most: 1 to 1000.
    #[param(default = 100)]
    limit: Option<i64>,
    /// The page before's `next_cursor`.
    cursor: Option<String>,
    /// Part of the name or, for an admin, of the address; without regard to case.
    search: Option<String>,
    /// `online` or `offline`.
    online_status: Option<String>,
    /// `active`, `pending`, `suspended` or `banned`.
    status: Option<String>,
    /// `user` or `admin`.
    role: Option<String>,
    /// `id`, `username` or `last_seen`, with `-` before it for descending.
    #[param(default = "id")]
    order: Option<String>,
}

fn parse(request: &HttpRequest, sees_emails: bool) -> Result<DirectoryQuery, Problem> {
    const KNOWN: &[&str] = &["limit", "cursor", "search", "online_status", "status", "role", "order"];
    let mut query = DirectoryQuery {
        limit: 100,
        cursor: None,
        search: None,
        online_status: None,
        status: None,
        role: None,
        sort: Sort::Id,
        descending: false,
        sees_emails,
    };
    for (name, value) in pairs(request, KNOWN)? {
        let one_of = |words: &str| Refusal::query(&name, &format!("must be one of {words}, not {value:?}"));
        match name.as_str() {
            "limit" => query.limit = query::limit(&value)?.into(),
            "cursor" => query.cursor = Some(value),
            "search" => query.search = Some(value).filter(|part| !part.is_empty()),
            "online_status" => {
                query.online_status = Some(match value.as_str() {
                    "online" => OnlineStatus::Online,
                    "offline" => OnlineStatus::Offline,
                    _ => return Err(one_of("online, offline").into()),
                });
            }
            "status" => query.status = Some(value.parse().map_err(|_| one_of("active, pending, suspended, banned"))?),
            "role" => query.role = Some(value.parse().map_err(|_| one_of("user, admin"))?),
            _ => {
                query.descending = value.starts_with('-');
                query.sort = match value.strip_prefix('-').unwrap_or(&value) {
                    "id" => Sort::Id,
                    "username" => Sort::Username,
                    "last_seen" => Sort::LastSeen,
                    _ => return Err(one_of("id, username, last_seen, each with - for descending").into()),
                };
            }
        }
    }
    Ok(query)
}

/// All users, a page at a time, exact at the moment of reading.
#[utoipa::path(get, path = "/api/users/all-users/", tag = "users", params(UsersParams), security(("bearer" = [])),
    responses((status = 200, body = UsersAnswer), (status = 304), (status = 400, body = ProblemBody),
    (status = 401, body = ProblemBody), (status = 403, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn list(caller: Caller, service: web::Data<Service>, request: HttpRequest) -> Answer {
    let page = service.directory(caller.asker(&service), parse(&request, caller.is_admin())?).await?;
    let answer = UsersAnswer {
        users: page.users.into_iter().map(|user| UserShape::of(user, caller.is_admin())).collect(),
        total: page.total,
        online: page.online,
        at_least: page.at_least,
        next_cursor: page.next_cursor,
    };
    let tag = entity_tag(&answer)?;
    if matches(&request, &tag) {
        return Ok(HttpResponse::NotModified().insert_header((header::ETAG, tag)).finish());
    }
    Ok(HttpResponse::Ok()
        .insert_header((header::ETAG, tag))
        .insert_header((header::CACHE_CONTROL, "private, no-cache"))
        .json(answer))
}

/// A weak tag of the page, without what moves all the time: the last sign of life of those who are online, and how many are
/// of a search that was not counted to its end.
fn entity_tag(answer: &UsersAnswer) -> Result<String, Problem> {
    let mut hasher = Sha256::new();
    let mut add = |text: String| {
        hasher.update(text.as_bytes());
        hasher.update([0]);
    };
    let counts = (!answer.at_least).then_some((answer.total, answer.online));
    add(format!("{counts:?} {:?}", answer.next_cursor));
    for user in &answer.users {
        let still = user.last_seen.filter(|_| user.online_status == "offline");
        let UserShape { id, username, email, role, status, is_active, online_status, reason, .. } = user;
        let UserShape { availability, text, emoji, .. } = user;
        add(format!(
            "{id} {username} {email:?} {role} {status} {is_active} {online_status} {availability} {text:?} {emoji:?} {reason:?} \
             {still:?}"
        ));
    }
    let hash = hasher.finalize();
    let hex: String = hash[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("W/\"{hex}\""))
}

/// Whether the client has this page already (RFC 9110 §13.1.2: weak comparison).
fn matches(request: &HttpRequest, tag: &str) -> bool {
    let bare = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let header = request.headers().get_all(header::IF_NONE_MATCH).filter_map(|value| value.to_str().ok());
    header.flat_map(|value| value.split(',')).any(|given| given.trim() == "*" || bare(given) == bare(tag))
}

/// One user.
#[utoipa::path(get, path = "/api/users/{id}/", tag = "users", params(("id" = i64, Path)), security(("bearer" = [])),
    responses((status = 200, body = UserAnswer), (status = 401, body = ProblemBody),
    (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn show(caller: Caller, service: web::Data<Service>, request: HttpRequest) -> Answer {
    let id = user_in_path(&request)?;
    let seen = service.user(caller.asker(&service), id).await?;
    let user = UserShape::of(seen, caller.is_admin() || caller.claimed.user == id);
    Ok(HttpResponse::Ok().json(UserAnswer { user }))
}
