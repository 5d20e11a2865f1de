//! Whether this process is alive and ready, and its metrics.

use actix_web::http::header;
use actix_web::{HttpResponse, web};
use lastseen_shared::queue::Queue;
use lastseen_shared::service::Service;
use lastseen_shared::telemetry::{Metrics, note_online, parts};

/// Alive.
#[utoipa::path(get, path = "/healthz", tag = "operations", responses((status = 200)))]
pub async fn alive() -> HttpResponse {
    HttpResponse::Ok().json(serde_json::json!({ "status": "ok" }))
}

/// Ready, with each part's state.
#[utoipa::path(get, path = "/readyz", tag = "operations", responses((status = 200), (status = 503)))]
pub async fn ready(service: web::Data<Service>) -> HttpResponse {
    let parts = parts(&service.db, &service.engine).await;
    let ok = parts.iter().all(|part| part.ok);
    let mut answer = if ok { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    answer.json(serde_json::json!({ "status": if ok { "ready" } else { "not_ready" }, "parts": parts }))
}

/// Metrics for Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "operations", responses((status = 200)))]
pub async fn metrics(metrics: web::Data<Metrics>, service: web::Data<Service>) -> HttpResponse {
    metrics.note_database(&service.db);
    // Where there are workers, they tell.
    if matches!(service.queue, Some(Queue::Memory(_))) {
        note_online(&metrics, &service.db).await;
    }
    let mut text = metrics.encode();
    if let Some(Queue::Memory(queue)) = &service.queue {
        text = text.replace("# EOF\n", &format!("{}# EOF\n", queue.depth().as_metrics()));
    }
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    HttpResponse::Ok().insert_header((header::CONTENT_TYPE, kind)).body(text)
}
