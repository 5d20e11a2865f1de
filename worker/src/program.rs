//! The worker's own program.

use std::sync::Arc;
use std::time::Duration;

use clap::Command;
use lastseen_shared::account::hashing::Hasher;
use lastseen_shared::db::Db;
use lastseen_shared::limits::Limits;
use lastseen_shared::logging::start_logging;
use lastseen_shared::presence::redis::{RedisClock, RedisEngine};
use lastseen_shared::presence::{Engine, PresenceEngine};
use lastseen_shared::queue::Queue;
use lastseen_shared::redis_client::Redis;
use lastseen_shared::service::Service;
use lastseen_shared::settings::table::{flags, given};
use lastseen_shared::settings::{Form, Settings, socket_address};
use lastseen_shared::signals::Signals;
use lastseen_shared::stop::stop_signal;
use lastseen_shared::telemetry::Metrics;

use crate::context::Context;
use crate::deliver::{Deliverer, Sender, SystemResolver};
use crate::{healthcheck, http, startup};

/// How long the queue remembers a tick: longer than replicas' clocks differ.
const TICK_MEMORY: Duration = Duration::from_secs(600);

/// Why the worker did not start.
pub type StartError = Box<dyn std::error::Error>;

/// Runs the worker until it is told to stop.
///
/// # Errors
/// A sentence for the operator.
pub async fn run() -> Result<(), StartError> {
    match dotenvy::dotenv() {
        Err(error) if !error.not_found() => return Err(format!(".env: {error}").into()),
        _ => {}
    }
    let matches = Command::new("lastseen-worker")
        .about("Lastseen's worker: runs the jobs and follows the transitions, beside any number of replicas")
        .version(env!("CARGO_PKG_VERSION"))
        .args(flags())
        .subcommand(
            Command::new("healthcheck")
                .about("Ask the worker at LASTSEEN_WORKER_BIND whether it is alive, for containers")
                .args(flags()),
        )
        .get_matches();
    if let Some(("healthcheck", matches)) = matches.subcommand() {
        let raw = given(matches);
        let bind = raw.get("LASTSEEN_WORKER_BIND").unwrap_or("127.0.0.1:8001");
        let bind = socket_address(bind).map_err(|problem| format!("LASTSEEN_WORKER_BIND {problem}"))?;
        return Ok(healthcheck::ask("http", bind)
            .await
            .map_err(|problem| format!("LASTSEEN_WORKER_BIND {problem}"))?);
    }
    let value = |name| matches.get_one::<String>(name).map(String::as_str);
    start_logging(value("RUST_LOG"), value("LASTSEEN_LOG_FORMAT"));
    let settings = Settings::check(&given(&matches), Form::Distributed)?;
    let redis_settings = settings.redis.as_ref().ok_or("REDIS_URL is required")?;
    let redis = Redis::new(redis_settings).map_err(|problem| format!("REDIS_URL {problem}"))?;
    let db = Db::new(settings.database.address.clone(), settings.database.connections)?;
    db.migrate().await.map_err(|error| format!("DATABASE_URL: {error}"))?;
    let engine = Engine::Redis(RedisEngine::new(redis.clone(), settings.presence.shards, RedisClock::Server));
    engine.start().await?;
    let metrics = Arc::new(Metrics::new());
    let sender = Sender::new(SystemResolver, settings.webhooks_allow_private)?;
    let context = Context {
        deliverer: Deliverer::new(db.clone(), Arc::clone(&metrics), sender),
        engine,
        db,
        signals: Signals::redis(redis.clone()),
        queue: Queue::redis(redis.shared(), redis.key_prefix(), TICK_MEMORY),
        presence: settings.presence,
        sessions_kept: startup::SESSIONS_KEPT,
        history_kept: settings.worker.history_retention,
        metrics,
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    // For the board's admins: few, and never at the cost of the jobs.
    let hasher = Hasher::new(settings.accounts.bcrypt_cost, cores.div_ceil(2), cores * 8)?;
    let service = Service::new(
        context.db.clone(),
        context.engine.clone(),
        hasher,
        settings.presence,
        settings.accounts.clone(),
    )
    .with_limits(Limits::shared(settings.accounts.rate_limits, &redis));
    let bind = settings.worker.bind;
    let (server, bound) =
        http::serve(&context, &service, bind).map_err(|error| format!("LASTSEEN_WORKER_BIND {bind}: {error}"))?;
    let handle = server.handle();
    actix_web::rt::spawn(server);
    log::info!("working; health and metrics on http://{bound}");
    let worked = startup::run(context, settings.worker, stop_signal()).await;
    handle.stop(true).await;
    Ok(worked?)
}
