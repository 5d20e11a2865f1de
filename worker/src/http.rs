//! The worker's own listener: health, metrics, and the board.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use actix_web::dev::Server;
use actix_web::http::header;
use actix_web::{App, HttpResponse, HttpServer, web};
use lastseen_shared::readiness;
use lastseen_shared::service::Service;
use lastseen_shared::telemetry::{OPEN_METRICS, SCRAPED_WITHIN, note_online};

use crate::board::{self, Board};
use crate::context::Context;
use crate::jobs::deliver::note_backlog;

/// Starts the listener, with the board on it. Answers the server, to be awaited, and where it listens.
///
/// # Errors
/// An address that can't be bound.
pub fn serve(context: &Context, service: &Service, bind: SocketAddr) -> std::io::Result<(Server, SocketAddr)> {
    let listener = TcpListener::bind(bind)?;
    let bound = listener.local_addr()?;
    let board = web::Data::new(Board::new(service.clone(), context.queue.clone()));
    let context = Arc::new(context.clone());
    let server = HttpServer::new(move || {
        App::new()
            .app_data(web::Data::from(Arc::clone(&context)))
            .app_data(board.clone())
            .configure(board::routes)
            .route("/healthz", web::get().to(async || HttpResponse::Ok().json(serde_json::json!({ "status": "ok" }))))
            .route("/readyz", web::get().to(ready))
            .route("/metrics", web::get().to(metrics))
    })
    .workers(1)
    .disable_signals()
    .listen(listener)?
    .run();
    Ok((server, bound))
}

async fn ready(context: web::Data<Context>) -> HttpResponse {
    let readiness = readiness::ask(&context.db, &context.engine).await;
    let mut answer = if readiness.is_ready() { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    answer.json(readiness)
}

async fn metrics(context: web::Data<Context>) -> HttpResponse {
    // How much is due, and how full the queue is, is asked when somebody wants to know.
    let backlog = tokio::time::timeout(SCRAPED_WITHIN, note_backlog(&context));
    let depth = tokio::time::timeout(SCRAPED_WITHIN, context.queue.depth());
    let (backlog, depth, ()) =
        tokio::join!(backlog, depth, note_online(&context.metrics, &context.db, &context.engine));
    match backlog {
        Ok(Ok(())) => {}
        Ok(Err(error)) => log::warn!("what is due to webhooks is not known: {error}"),
        Err(_) => log::warn!("what is due to webhooks is not known in time"),
    }
    context.metrics.note_database(&context.db);
    match depth {
        Ok(Ok(depth)) => context.metrics.note_queue(&depth),
        Ok(Err(error)) => log::warn!("how full the queue is is not known: {error}"),
        Err(_) => log::warn!("how full the queue is is not known in time"),
    }
    HttpResponse::Ok().insert_header((header::CONTENT_TYPE, OPEN_METRICS)).body(context.metrics.encode())
}
