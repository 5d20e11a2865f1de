//! The limit: an endpoint that answers what a heartbeat answers, and does nothing for it.

use actix_web::{App, HttpResponse, HttpServer, web};

use crate::Failed;

/// Of the length of a heartbeat's answer.
const ANSWER: &str = r#"{"online_status":"online","last_seen":"2026-01-01T12:00:00.000Z","online_until":"2026-01-01T12:02:00.000Z","availability":"available"}"#;

async fn heartbeat() -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(ANSWER)
}

/// Serves until it is killed, with a thread for each core, as the API does.
pub async fn serve(bind: &str) -> Result<(), Failed> {
    let server = HttpServer::new(|| App::new().route("/api/users/heartbeat/", web::post().to(heartbeat)));
    Ok(server.bind(bind)?.run().await?)
}
