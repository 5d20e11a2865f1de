//! The job board: what the queue holds, what became of jobs, and dead letters that can be put back. For admins, who log
//! in by HTTP Basic with their name and password.
//!
//! - `access`: who may, and from where.
//! - `page`: the page.

mod access;
mod page;

use actix_web::http::header;
use actix_web::web::ServiceConfig;
use actix_web::{HttpRequest, HttpResponse, web};
use lastseen_shared::db::AnyConnection;
use lastseen_shared::models::delivery::Backlog;
use lastseen_shared::queue::{Queue, QueueError, runs};
use lastseen_shared::refusal::{Code, Failure};
use lastseen_shared::service::Service;
use lastseen_shared::timestamp::Timestamp;
use serde::Serialize;

use access::Refused;

/// What the board shows, and who may see it.
pub struct Board {
    service: Service,
    queue: Queue,
}

/// All that the board shows.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    queue: runs::Board,
    webhooks: Webhooks,
}

/// Deliveries to webhooks.
#[derive(Serialize)]
struct Webhooks {
    due: i64,
    oldest_due: Option<Timestamp>,
    retrying: i64,
    dead: i64,
}

/// What a handler answers.
type Answer = Result<HttpResponse, Refused>;

impl Board {
    /// The board of this queue, for the admins of this service.
    #[must_use]
    pub fn new(service: Service, queue: Queue) -> Self {
        Self { service, queue }
    }

    async fn look(&self) -> Result<Shown, Failure> {
        let queue = self.queue.board().await.map_err(|error| away(&error))?;
        let backlog = move |c: &mut AnyConnection| Backlog::at(c, Timestamp::now());
        let Backlog { due, oldest_ms, retrying, dead } = self.service.db.run(backlog).await?;
        Ok(Shown { queue, webhooks: Webhooks { due, oldest_due: oldest_ms.map(Timestamp), retrying, dead } })
    }
}

/// The queue is in the same Redis as presence, and is away with it.
fn away(error: &QueueError) -> Failure {
    log::warn!("{error}");
    Code::EngineUnavailable.into()
}

/// The board's paths. They need a [`Board`] among the application's data.
pub fn routes(config: &mut ServiceConfig) {
    for path in ["/board", "/board/"] {
        config.route(path, web::get().to(show));
    }
    for path in ["/board/jobs", "/board/jobs/"] {
        config.route(path, web::get().to(list));
    }
    for path in ["/board/jobs/{id}/retry", "/board/jobs/{id}/retry/"] {
        config.route(path, web::post().to(retry));
    }
}

async fn list(board: web::Data<Board>, request: HttpRequest) -> Answer {
    access::admin(&board.service, &request).await?;
    let shown = board.look().await?;
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(shown))
}

async fn show(board: web::Data<Board>, request: HttpRequest) -> Answer {
    access::admin(&board.service, &request).await?;
    let shown = board.look().await?;
    Ok(HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::CONTENT_SECURITY_POLICY, page::POLICY))
        .insert_header((header::X_FRAME_OPTIONS, "DENY"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::REFERRER_POLICY, "same-origin"))
        .body(page::render(&shown)))
}

/// Puts a dead letter back. A browser is led back to the page.
async fn retry(board: web::Data<Board>, request: HttpRequest, id: web::Path<String>) -> Answer {
    let admin = access::admin(&board.service, &request).await?;
    access::same_site(&request)?;
    if !board.queue.retry(&id).await.map_err(|error| away(&error))? {
        return Err(Code::NotFound.into());
    }
    log::info!("user {} has put task {} back into the queue", admin.id, id.as_str());
    Ok(HttpResponse::SeeOther().insert_header((header::LOCATION, "/board/")).finish())
}
