//! Whether this process is alive and ready, and its metrics.

use actix_web::http::header;
use actix_web::{HttpResponse, web};
use lastseen_shared::queue::Queue;
use lastseen_shared::readiness;
use lastseen_shared::service::Service;
use lastseen_shared::telemetry::{Metrics, OPEN_METRICS, note_online};

/// Alive.
#[utoipa::path(get, path = "/healthz", tag = "operations", responses((status = 200)))]
pub async fn alive() -> HttpResponse {
    HttpResponse::Ok().json(serde_json::json!({ "status": "ok" }))
}

/// Ready, with each part's state.
#[utoipa::path(get, path = "/readyz", tag = "operations", responses((status = 200), (status = 503)))]
pub async fn ready(service: web::Data<Service>) -> HttpResponse {
    let readiness = readiness::ask(&service.db, &service.engine).await;
    let mut answer = if readiness.is_ready() { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    answer.json(readiness)
}

/// Metrics for Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "operations", responses((status = 200)))]
pub async fn metrics(metrics: web::Data<Metrics>, service: web::Data<Service>) -> HttpResponse {
    metrics.note_database(&service.db);
    // Where there are workers, they tell.
    if let Some(Queue::Memory(queue)) = &service.queue {
        metrics.note_queue(&queue.depth());
        note_online(&metrics, &service.db, &service.engine).await;
    }
    HttpResponse::Ok().insert_header((header::CONTENT_TYPE, OPEN_METRICS)).body(metrics.encode())
}
