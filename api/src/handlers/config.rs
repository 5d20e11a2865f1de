//! What clients need to know of this installation.

use actix_web::{HttpResponse, web};
use lastseen_shared::service::Service;
use lastseen_shared::settings::Registration;
use serde::Serialize;
use utoipa::ToSchema;

use crate::problem::Answer;
use crate::shapes::Seconds;

/// What clients need to know of this installation.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConfigAnswer {
    /// The server's version.
    version: &'static str,
    /// `open`, `approval` or `closed`.
    registration: &'static str,
    /// How often to send a heartbeat.
    #[schema(value_type = f64)]
    heartbeat_interval_seconds: Seconds,
    /// After how long a silence a user is offline.
    #[schema(value_type = f64)]
    inactivity_timeout_seconds: Seconds,
    /// The shortest timeout that a user may choose.
    #[schema(value_type = f64)]
    timeout_min_seconds: Seconds,
    /// The longest.
    #[schema(value_type = f64)]
    timeout_max_seconds: Seconds,
    /// After how long without anybody touching it a device is away, unless its user chose otherwise.
    #[schema(value_type = f64)]
    away_after_seconds: Seconds,
    /// How often an admin's page asks who is online.
    #[schema(value_type = f64)]
    admin_refresh_seconds: Seconds,
}

/// What clients need to know of this installation.
#[utoipa::path(get, path = "/api/config/", tag = "operations", responses((status = 200, body = ConfigAnswer)))]
pub async fn config(service: web::Data<Service>) -> Answer {
    let presence = service.presence();
    Ok(HttpResponse::Ok().json(ConfigAnswer {
        version: env!("CARGO_PKG_VERSION"),
        registration: match service.accounts().registration {
            Registration::Open => "open",
            Registration::Approval => "approval",
            Registration::Closed => "closed",
        },
        heartbeat_interval_seconds: Seconds(presence.heartbeat_interval),
        inactivity_timeout_seconds: Seconds(presence.inactivity_timeout),
        timeout_min_seconds: Seconds(presence.timeout_min),
        timeout_max_seconds: Seconds(presence.timeout_max),
        away_after_seconds: Seconds(presence.away_after),
        admin_refresh_seconds: Seconds(presence.admin_refresh),
    }))
}
