//! Builds the application: the same for the programs and for the tests.

use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_cors::Cors;
use actix_http::error::DispatchError;
use actix_http::{HttpService, Protocol};
use actix_server::Server;
use actix_service::{IntoServiceFactory, ServiceFactoryExt, map_config};
use actix_web::dev::{AppConfig, fn_factory, fn_service};
use actix_web::http::{Method, header};
use actix_web::middleware::{DefaultHeaders, from_fn};
use actix_web::rt::net::TcpStream;
use actix_web::{App, web};
use lastseen_shared::account::hashing::Hasher;
use lastseen_shared::db::{Address, Db};
use lastseen_shared::limits::Limits;
use lastseen_shared::presence::clock::Clock;
use lastseen_shared::presence::group::Pulse;
use lastseen_shared::presence::memory::MemoryEngine;
use lastseen_shared::presence::memory::journal::Journal;
use lastseen_shared::presence::redis::{RedisClock, RedisEngine};
use lastseen_shared::presence::{Engine, PresenceEngine};
use lastseen_shared::queue::Queue;
use lastseen_shared::redis_client::Redis;
use lastseen_shared::refusal::{Code, Failure, Refusal};
use lastseen_shared::service::Service;
use lastseen_shared::settings::{Secret, Settings};
use lastseen_shared::signals::Signals;
use lastseen_shared::telemetry::Metrics;
use lastseen_worker::board::{self, Board};

use crate::auth::TrustedProxies;
use crate::auth::tokens::Tokens;
use crate::fast_path::{First, Heartbeats};
use crate::flood::Flood;
use crate::live::Live;
use crate::live::door::Door;
use crate::observe::{REQUEST_ID, TRACE_PARENT};
use crate::routes::{routes, without_last_slash};
use crate::tls::{Accept, Io};

/// Why the program did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A sentence for the operator.
    #[error("{0}")]
    Refused(String),
    /// The listener.
    #[error("LASTSEEN_BIND {0}: {1}")]
    Bind(SocketAddr, std::io::Error),
    /// A file.
    #[error("{0}: {1}")]
    File(String, std::io::Error),
}

impl From<Failure> for StartError {
    fn from(failure: Failure) -> Self {
        Self::Refused(failure.to_string())
    }
}

/// An application that listens.
pub struct Application {
    /// What the handlers call.
    pub service: Service,
    /// The process's metrics.
    pub metrics: Arc<Metrics>,
    /// `http`, or `https` where there is a certificate.
    pub scheme: &'static str,
    /// Where it listens.
    pub address: SocketAddr,
    /// What keeps the sockets told.
    pub live: web::Data<Live>,
    /// To be awaited.
    pub server: Server,
}

/// How long the queue remembers a tick.
const TICK_MEMORY: Duration = Duration::from_secs(600);

/// How long what was sent may lie untaken.
const UNTAKEN: Duration = Duration::from_secs(30);

/// What browsers are told where there is TLS: to come by it for a year (RFC 6797).
const HSTS: &str = "max-age=31536000";

/// How long requests in hand may take when the program stops.
const DRAIN: u64 = 20;

impl Application {
    /// Opens the database, starts the engine, makes the first admin, listens.
    ///
    /// # Errors
    /// [`StartError`], with a sentence that says what to do.
    pub async fn build(settings: &Settings) -> Result<Self, StartError> {
        let db = open_database(settings).await?;
        let redis = open_redis(settings)?;
        let engine = open_engine(settings, redis.as_ref()).await?;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        // Waiting longer than a client does is in vain: at cost 12 a core hashes some four passwords a second.
        let hasher = Hasher::new(settings.accounts.bcrypt_cost, cores, cores * 32).map_err(Failure::from)?;
        let limited = settings.accounts.rate_limits;
        let (signals, queue, limits) = match &redis {
            None => (Signals::local(), Queue::memory(TICK_MEMORY), Limits::local(limited)),
            Some(redis) => (
                Signals::redis(redis.clone()),
                Queue::redis(redis.shared(), redis.key_prefix(), TICK_MEMORY),
                Limits::shared(limited, redis),
            ),
        };
        let service = Service::new(db, engine, hasher, settings.presence, settings.accounts.clone())
            .with_signals(signals)
            .with_webhooks(queue, settings.webhooks_allow_private)
            .with_limits(limits);
        let secret = signing_secret(settings)?;
        let tokens = Tokens::new(&secret, &settings.accounts.previous_jwt_secrets, settings.accounts.access_ttl);
        let tokens = tokens.map_err(|(place, error)| {
            StartError::Refused(match place {
                0 => format!("LASTSEEN_JWT_SECRET {error}"),
                n => format!("LASTSEEN_JWT_PREVIOUS_SECRETS: number {n} {error}"),
            })
        })?;
        let metrics = Arc::new(Metrics::new());
        let live = web::Data::new(Live::start(&service).await?);
        let (server, address) = listen(settings, &service, tokens, &metrics, &live)?;
        let scheme = if settings.http.tls.is_some() { "https" } else { "http" };
        Ok(Self { service, metrics, scheme, address, live, server })
    }
}

async fn open_database(settings: &Settings) -> Result<Db, StartError> {
    let refused = |error: lastseen_shared::db::DbError| StartError::Refused(format!("DATABASE_URL: {error}"));
    let db = Db::for_requests(settings.database.address.clone(), settings.database.connections).map_err(refused)?;
    let run = db.migrate().await.map_err(refused)?;
    if !run.is_empty() {
        log::info!("migrations run: {}", run.join(", "));
    }
    Ok(db)
}

fn open_redis(settings: &Settings) -> Result<Option<Redis>, StartError> {
    let open = |redis| Redis::new(redis).map_err(|problem| StartError::Refused(format!("REDIS_URL {problem}")));
    settings.redis.as_ref().map(open).transpose()
}

async fn open_engine(settings: &Settings, redis: Option<&Redis>) -> Result<Engine, StartError> {
    let shards = settings.presence.shards;
    let refused = |error: lastseen_shared::presence::EngineError| StartError::Refused(error.to_string());
    let engine = match (redis, &settings.database.address) {
        (Some(redis), _) => Engine::Redis(RedisEngine::new(redis.clone(), shards, RedisClock::Server)),
        (None, Address::Sqlite(path)) => {
            let journal = Journal::open(path).map_err(refused)?;
            Engine::Memory(MemoryEngine::journaled(shards, Clock::System, journal).map_err(refused)?)
        }
        (None, Address::Postgres(_)) => {
            return Err(StartError::Refused("DATABASE_URL must begin with sqlite:// without Redis".to_owned()));
        }
    };
    engine.start().await.map_err(refused)?;
    Ok(engine)
}

/// The signing secret that was set, or the stand-alone program's own: made once, for its owner's eyes only.
fn signing_secret(settings: &Settings) -> Result<Secret, StartError> {
    use std::io::{Read, Write};
    use std::os::unix::fs::OpenOptionsExt;
    if let Some(secret) = &settings.accounts.jwt_secret {
        return Ok(secret.clone());
    }
    let path = settings.data_folder().join("jwt-secret");
    let failed = |error| StartError::File(path.display().to_string(), error);
    match std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
        Ok(mut file) => {
            let secret = random_text(32)?;
            file.write_all(secret.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
            Ok(Secret::new(secret))
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            let mut text = String::new();
            std::fs::File::open(&path).and_then(|mut file| file.read_to_string(&mut text)).map_err(failed)?;
            match text.trim().len() {
                32.. => Ok(Secret::new(text.trim().to_owned())),
                _ => Err(StartError::Refused(format!(
                    "{} holds no secret of 32 bytes: delete it to have a new one made, which logs everybody out",
                    path.display()
                ))),
            }
        }
        Err(error) => Err(failed(error)),
    }
}

/// A random text of `bytes` random bytes.
///
/// # Errors
/// Where the system has no random numbers.
pub fn random_text(bytes: usize) -> Result<String, StartError> {
    use base64::Engine as _;
    let mut random = vec![0; bytes];
    getrandom::fill(&mut random).map_err(|error| StartError::Refused(format!("no random numbers: {error}")))?;
    Ok(base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(random))
}

fn listen(
    settings: &Settings,
    service: &Service,
    tokens: Tokens,
    metrics: &Arc<Metrics>,
    live: &web::Data<Live>,
) -> Result<(Server, SocketAddr), StartError> {
    let http = &settings.http;
    let bind = |error| StartError::Bind(http.bind, error);
    let (proxies, limited) =
        (web::Data::new(TrustedProxies(http.trusted_proxies.clone())), settings.accounts.rate_limits);
    let listener = TcpListener::bind(http.bind).map_err(bind)?;
    let accept = Accept::new(http.tls.as_ref()).map_err(StartError::Refused)?;
    let address = listener.local_addr().map_err(bind)?;
    let (service, tokens, metrics) = (service.clone(), web::Data::new(tokens), web::Data::from(Arc::clone(metrics)));
    let (origins, live) = (http.cors_origins.clone(), live.clone());
    let alone = service.queue.clone().filter(|queue| matches!(queue, Queue::Memory(_)));
    let board = alone.map(|queue| web::Data::new(Board::new(service.clone(), queue)));
    let builder = Server::build();
    let stopping = builder.graceful_shutdown_signal();
    let mut headers = vec![(header::X_CONTENT_TYPE_OPTIONS, header::HeaderValue::from_static("nosniff"))];
    if accept.is_secure() {
        headers.push((header::STRICT_TRANSPORT_SECURITY, header::HeaderValue::from_static(HSTS)));
    }
    // What `HttpServer` does, and a door beside the routes, which it has no place for.
    let threads = builder.workers(http.threads).shutdown_timeout(DRAIN).disable_signals();
    let listened = threads.listen("api", listener, move || {
        // Of its own for each thread: heartbeats that arrive on it share commands, on its own connection.
        let engine = service.engine.for_thread();
        let service = web::Data::new(service.on(engine.clone()));
        let pulse = Pulse::measured(engine, metrics.batches.clone());
        let (live, tokens, metrics) = (live.clone(), tokens.clone(), metrics.clone());
        let door = Door {
            live,
            service: service.clone(),
            tokens: tokens.clone(),
            pulse: pulse.clone(),
            metrics: metrics.clone(),
        };
        let flood = web::Data::new(Flood::new(limited));
        let heartbeats = Rc::new(Heartbeats {
            tokens: tokens.clone(),
            pulse: pulse.clone(),
            flood: flood.clone(),
            metrics: metrics.clone(),
            origins: origins.clone(),
            headers: headers.clone(),
        });
        let board = board.clone();
        let app = App::new()
            .app_data(service)
            .app_data(tokens)
            .app_data(metrics)
            .app_data(pulse)
            .app_data(flood)
            .app_data(proxies.clone())
            // A worker has it on a listener of its own; where there is none it is here.
            .configure(|config| {
                if let Some(board) = board {
                    config.app_data(board).configure(board::routes);
                }
            })
            .configure(routes)
            .wrap(from_fn(crate::observe::observe))
            .wrap(headers.iter().cloned().fold(DefaultHeaders::new(), DefaultHeaders::add))
            .wrap(cors(&origins))
            .wrap(from_fn(without_last_slash));
        let stopping = stopping.clone();
        let http = HttpService::build()
            .graceful_shutdown_signal(move || {
                let stopping = stopping.clone();
                async move { stopping.notified().await }
            })
            .on_connect_ext(|connection: &Io, _| give_up_on_the_silent(connection.tcp()))
            // Slow clients do not hold a place for ever.
            .client_request_timeout(Duration::from_secs(10))
            .client_disconnect_timeout(Duration::from_secs(1))
            .keep_alive(Duration::from_secs(75))
            .local_addr(address)
            .upgrade(fn_factory(move || {
                let door = door.clone();
                let open = move |(request, connection)| door.clone().open(request, connection);
                std::future::ready(Ok::<_, ()>(fn_service(open)))
            }))
            .finish(First {
                heartbeats,
                application: map_config(app.into_factory().map_err(|error| error.error_response()), |()| {
                    AppConfig::default()
                }),
            });
        let accept = accept.clone();
        fn_service(move |tcp: TcpStream| {
            let accept = accept.clone();
            async move {
                let _ = tcp.set_nodelay(true);
                let client = tcp.peer_addr().ok();
                let io = accept.accept(tcp).await.map_err(DispatchError::Io)?;
                Ok((io, Protocol::Http1, client))
            }
        })
        .and_then(http)
    });
    Ok((listened.map_err(bind)?.run(), address))
}

/// Ends a connection whose other side takes nothing of what is sent to it: one that is gone without a word, and a
/// reader that has stalled. Nothing above TCP would end it while there is something left to send.
fn give_up_on_the_silent(connection: &TcpStream) {
    if let Err(error) = socket2::SockRef::from(connection).set_tcp_user_timeout(Some(UNTAKEN)) {
        log::debug!("a connection without a time limit of its own: {error}");
    }
}

fn cors(origins: &[String]) -> Cors {
    let cors = Cors::default()
        .allowed_methods([Method::GET, Method::POST, Method::PATCH, Method::DELETE])
        .allowed_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::IF_NONE_MATCH,
            REQUEST_ID,
            TRACE_PARENT,
        ])
        .expose_headers([header::ETAG, header::RETRY_AFTER, REQUEST_ID])
        // A foreign origin's page is kept out by its browser: other clients send what they like as Origin.
        .block_on_origin_mismatch(false)
        .max_age(3_600);
    origins.iter().fold(cors, |cors, origin| cors.allowed_origin(origin))
}

/// Makes the first admin that the settings name, where there is no admin yet. Answers whether it did.
///
/// # Errors
/// Where it can't be made.
pub async fn first_admin(
    service: &Service,
    admin: Option<lastseen_shared::settings::FirstAdmin>,
) -> Result<bool, StartError> {
    let Some(admin) = admin else { return Ok(false) };
    if any_admin(service).await? {
        return Ok(false);
    }
    let name = admin.username.as_str().to_owned();
    match service.make_admin(admin, false).await {
        Ok(account) => {
            log::info!("the first admin is {}", account.username);
            Ok(true)
        }
        // Another replica was faster.
        Err(Failure::Refused(_)) if any_admin(service).await? => Ok(false),
        Err(Failure::Refused(Refusal { code: Code::UsernameTaken, .. })) => Err(StartError::Refused(format!(
            "LASTSEEN_ADMIN_USERNAME {name} is the name of an account that is no admin: choose another, or make it one \
             with create-admin"
        ))),
        Err(error) => Err(error.into()),
    }
}

/// Whether there is an admin.
///
/// # Errors
/// Where the database is away.
pub async fn any_admin(service: &Service) -> Result<bool, StartError> {
    service
        .db
        .run(lastseen_shared::models::Account::any_admin)
        .await
        .map_err(|error| StartError::Refused(format!("DATABASE_URL: {error}")))
}
