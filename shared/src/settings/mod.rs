//! The settings: read once, checked with every problem named, passed in.
//!
//! [`table`] lists them, with defaults and help. Each is an environment variable and a flag; the flag wins.

mod duration;
mod presence;
mod reader;
mod secret;
pub mod table;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use crate::account::{Email, Password, Username};
use crate::db::Address;
use crate::logging::LogFormat;
use crate::redis_client::{Redis, RedisSettings};

use presence::presence;
pub use presence::{AWAY_AFTER, PresenceSettings};
use reader::Reader;
pub use reader::{Raw, SettingsError};
pub use secret::Secret;

/// Which of the two forms a program runs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One process with SQLite and the memory engine.
    StandAlone,
    /// Any number of processes on PostgreSQL and Redis.
    Distributed,
}

/// All settings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which form they are for.
    pub form: Form,
    /// The database.
    pub database: DatabaseSettings,
    /// Redis; `None` stand-alone.
    pub redis: Option<RedisSettings>,
    /// Presence.
    pub presence: PresenceSettings,
    /// Accounts and tokens.
    pub accounts: AccountSettings,
    /// The API's listener.
    pub http: HttpSettings,
    /// The worker.
    pub worker: WorkerSettings,
    /// Whether webhooks may go to private addresses.
    pub webhooks_allow_private: bool,
}

/// The database.
#[derive(Clone, Debug)]
pub struct DatabaseSettings {
    /// Which.
    pub address: Address,
    /// Connections at most.
    pub connections: u32,
}

/// Who may register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registration {
    /// Anyone.
    Open,
    /// Anyone, but an admin has to approve.
    Approval,
    /// Nobody.
    Closed,
}

/// Accounts and tokens.
#[derive(Clone, Debug)]
pub struct AccountSettings {
    /// What access tokens are signed with; `None` stand-alone where it is to be made.
    pub jwt_secret: Option<Secret>,
    /// What access tokens may have been signed with before.
    pub previous_jwt_secrets: Vec<Secret>,
    /// How long an access token lives.
    pub access_ttl: Duration,
    /// How long a refresh token lives.
    pub refresh_ttl: Duration,
    /// Who may register.
    pub registration: Registration,
    /// bcrypt's cost.
    pub bcrypt_cost: u32,
    /// The first admin, made where there is none; `None` where no password was given for it.
    pub first_admin: Option<FirstAdmin>,
    /// The name of a first admin whose password is to be made up.
    pub admin_username: Username,
    /// Whether tries are limited.
    pub rate_limits: bool,
}

/// The first admin.
#[derive(Clone, Debug)]
pub struct FirstAdmin {
    /// Its name.
    pub username: Username,
    /// Its address.
    pub email: Email,
    /// Its password.
    pub password: Password,
}

/// The API's listener.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// Where it listens.
    pub bind: SocketAddr,
    /// Which pages of other origins may call it.
    pub cors_origins: Vec<String>,
    /// Proxies whose word about their clients' addresses is taken.
    pub trusted_proxies: Vec<IpNet>,
    /// The certificate, where it speaks TLS.
    pub tls: Option<TlsSettings>,
    /// Event loops.
    pub threads: usize,
}

/// A certificate's files, in PEM.
#[derive(Clone, Debug)]
pub struct TlsSettings {
    /// The certificate, and those between it and a root.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// The worker.
#[derive(Clone, Debug)]
pub struct WorkerSettings {
    /// Where its health and metrics are.
    pub bind: SocketAddr,
    /// When the sweep is due.
    pub sweep_cron: String,
    /// After how long a dead worker's jobs are taken over.
    pub orphan_timeout: Duration,
    /// How many jobs run at a time.
    pub concurrency: usize,
    /// How long history is kept.
    pub history_retention: Duration,
}

impl Settings {
    /// Checks what was given.
    ///
    /// # Errors
    /// Every problem that there is, each with its variable.
    pub fn check(raw: &Raw, form: Form) -> Result<Self, SettingsError> {
        let mut r = Reader::new(raw, form);
        // All are read before any answer is given, so that all problems are named at once.
        let (database, redis, presence) = (database(&mut r), redis(&mut r), presence(&mut r));
        let (accounts, http, worker) = (accounts(&mut r), http(&mut r), worker(&mut r));
        let allow_private = r.required("LASTSEEN_WEBHOOK_ALLOW_PRIVATE", |text| {
            text.parse::<bool>().map_err(|_| "must be true or false".to_owned())
        });
        // The log began before anything was checked.
        let _ = r.required("LASTSEEN_LOG_FORMAT", str::parse::<LogFormat>);
        let settings = database.zip(redis).zip(presence).zip(accounts).zip(http).zip(worker).zip(allow_private).map(
            |((((((database, redis), presence), accounts), http), worker), webhooks_allow_private)| Self {
                form,
                database,
                redis,
                presence,
                accounts,
                http,
                worker,
                webhooks_allow_private,
            },
        );
        r.finish(settings)
    }

    /// The folder of the stand-alone program's files.
    #[must_use]
    pub fn data_folder(&self) -> PathBuf {
        match &self.database.address {
            Address::Sqlite(path) => path.parent().map(PathBuf::from).unwrap_or_default(),
            Address::Postgres(_) => PathBuf::new(),
        }
    }
}

fn database(r: &mut Reader<'_>) -> Option<DatabaseSettings> {
    let form = r.form;
    let connections = r.number("LASTSEEN_DATABASE_CONNECTIONS", 1, 1_000);
    if form == Form::StandAlone && r.given("DATABASE_URL").is_none() {
        return Some(DatabaseSettings {
            address: Address::Sqlite("data/lastseen.db".into()),
            connections: connections?,
        });
    }
    let address = r.required("DATABASE_URL", |text| match (form, Address::parse(text)?) {
        (Form::StandAlone, Address::Postgres(_)) => {
            Err("must begin with sqlite:// for the stand-alone program; PostgreSQL is for `serve`".to_owned())
        }
        (Form::Distributed, Address::Sqlite(_)) => {
            Err("must begin with postgres:// here; SQLite is for `standalone`".to_owned())
        }
        (_, address) => Ok(address),
    })?;
    Some(DatabaseSettings { address, connections: connections? })
}

/// `Some(None)` stand-alone.
fn redis(r: &mut Reader<'_>) -> Option<Option<RedisSettings>> {
    if r.form == Form::StandAlone {
        return Some(None);
    }
    let key_prefix = r.optional("LASTSEEN_KEY_PREFIX", |text| {
        // Braces would change what a cluster hashes, quotes and spaces what a script reads.
        let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, ':' | '_' | '-' | '.'));
        if plain {
            Ok(text.to_owned())
        } else {
            Err("may hold letters, digits, ':', '_', '-' and '.' only".to_owned())
        }
    });
    let url = r.required("REDIS_URL", |text| {
        let settings = RedisSettings { url: text.to_owned(), key_prefix: String::new() };
        Redis::new(&settings).map(|_| text.to_owned())
    })?;
    Some(Some(RedisSettings { url, key_prefix: key_prefix.unwrap_or_default() }))
}

fn accounts(r: &mut Reader<'_>) -> Option<AccountSettings> {
    let form = r.form;
    let long_enough = |text: &str| match text.len() {
        32.. => Ok(Secret::new(text.to_owned())),
        _ => Err("must be at least 32 bytes long".to_owned()),
    };
    let jwt_secret = r.optional("LASTSEEN_JWT_SECRET", long_enough);
    if form == Form::Distributed && r.given("LASTSEEN_JWT_SECRET").is_none() {
        r.wrong("LASTSEEN_JWT_SECRET", "is required: at least 32 random bytes, the same in every process");
    }
    let previous_jwt_secrets = r
        .optional("LASTSEEN_JWT_PREVIOUS_SECRETS", |text| {
            text.split(',').map(|part| long_enough(part.trim())).collect()
        })
        .unwrap_or_default();
    let registration = r.required("LASTSEEN_REGISTRATION", |text| match text {
        "open" => Ok(Registration::Open),
        "approval" => Ok(Registration::Approval),
        "closed" => Ok(Registration::Closed),
        other => Err(format!("must be open, approval or closed, not {other:?}")),
    });
    let bcrypt_cost = r.number("LASTSEEN_BCRYPT_COST", 4, 15);
    if form == Form::Distributed && bcrypt_cost.is_some_and(|cost| cost < 10) {
        r.wrong("LASTSEEN_BCRYPT_COST", "must be at least 10, unless stand-alone");
    }
    let rate_limits = r.required("LASTSEEN_RATE_LIMITS", |text| match text {
        "on" => Ok(true),
        "off" => Ok(false),
        other => Err(format!("must be on or off, not {other:?}")),
    });
    let (access_ttl, refresh_ttl) = (r.duration("LASTSEEN_ACCESS_TTL"), r.duration("LASTSEEN_REFRESH_TTL"));
    if access_ttl > refresh_ttl && refresh_ttl.is_some() {
        r.wrong("LASTSEEN_REFRESH_TTL", "must not be shorter than LASTSEEN_ACCESS_TTL");
    }
    let (admin_username, first_admin) = first_admin(r)?;
    Some(AccountSettings {
        jwt_secret,
        previous_jwt_secrets,
        access_ttl: access_ttl?,
        refresh_ttl: refresh_ttl?,
        registration: registration?,
        bcrypt_cost: bcrypt_cost?,
        first_admin,
        admin_username,
        rate_limits: rate_limits?,
    })
}

/// The first admin's name, and all of it where there is a password.
fn first_admin(r: &mut Reader<'_>) -> Option<(Username, Option<FirstAdmin>)> {
    let named = r.given("LASTSEEN_ADMIN_USERNAME").is_some();
    let email = r.optional("LASTSEEN_ADMIN_EMAIL", Email::parse);
    let username = if named {
        r.optional("LASTSEEN_ADMIN_USERNAME", Username::parse)?
    } else {
        Username::parse("admin").ok()?
    };
    if r.given("LASTSEEN_ADMIN_PASSWORD").is_none() {
        if named && r.form == Form::Distributed {
            r.wrong("LASTSEEN_ADMIN_PASSWORD", "is required where LASTSEEN_ADMIN_USERNAME is set");
        }
        return Some((username, None));
    }
    let chosen = |text: &str| Password::choose(text.to_owned(), username.as_str());
    let password = r.optional("LASTSEEN_ADMIN_PASSWORD", chosen)?;
    let email = email.or_else(|| default_email(&username))?;
    Some((username.clone(), Some(FirstAdmin { username, email, password })))
}

/// An address for an admin who has none: it is unique where the name is.
#[must_use]
pub fn default_email(username: &Username) -> Option<Email> {
    Email::parse(&format!("{}@localhost", username.as_str())).ok()
}

fn http(r: &mut Reader<'_>) -> Option<HttpSettings> {
    let bind = r.required("LASTSEEN_BIND", socket_address);
    let cors_origins = r.required("LASTSEEN_CORS_ORIGINS", |text| {
        text.split(',').map(|origin| origin_of(origin.trim())).collect::<Result<Vec<_>, _>>()
    });
    let trusted_proxies = r.optional("LASTSEEN_TRUSTED_PROXIES", |text| {
        text.split(',').map(|network| network_of(network.trim())).collect::<Result<Vec<_>, _>>()
    });
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = match r.given("LASTSEEN_THREADS") {
        None => Some(cores),
        Some(_) => r.number("LASTSEEN_THREADS", 1, 1_024),
    };
    let path = |variable: &str| r.given(variable).map(PathBuf::from);
    let tls = match (path("LASTSEEN_TLS_CERTIFICATE"), path("LASTSEEN_TLS_KEY")) {
        (Some(certificate), Some(key)) => Some(TlsSettings { certificate, key }),
        (None, None) => None,
        (Some(_), None) => {
            r.wrong("LASTSEEN_TLS_CERTIFICATE", "needs LASTSEEN_TLS_KEY beside it");
            None
        }
        (None, Some(_)) => {
            r.wrong("LASTSEEN_TLS_KEY", "needs LASTSEEN_TLS_CERTIFICATE beside it");
            None
        }
    };
    let trusted_proxies = trusted_proxies.unwrap_or_default();
    Some(HttpSettings { bind: bind?, cors_origins: cors_origins?, trusted_proxies, tls, threads: threads? })
}

fn worker(r: &mut Reader<'_>) -> Option<WorkerSettings> {
    let bind = r.required("LASTSEEN_WORKER_BIND", socket_address);
    let sweep_cron =
        r.required("LASTSEEN_SWEEP_CRON", |text| crate::queue::cron::validate_cron(text).map(|()| text.to_owned()));
    let orphan_timeout = r.duration("LASTSEEN_ORPHAN_TIMEOUT");
    let concurrency = r.number("LASTSEEN_WORKER_CONCURRENCY", 1, 1_000);
    let history_retention = r.duration("LASTSEEN_HISTORY_RETENTION");
    Some(WorkerSettings {
        bind: bind?,
        sweep_cron: sweep_cron?,
        orphan_timeout: orphan_timeout?,
        concurrency: concurrency?,
        history_retention: history_retention?,
    })
}

/// Where to listen, or to ask whoever listens: an address or a name, and a port.
///
/// # Errors
/// A sentence that says what it should look like.
pub fn socket_address(text: &str) -> Result<SocketAddr, String> {
    use std::net::ToSocketAddrs;
    let resolved = text.to_socket_addrs().ok().and_then(|mut all| all.next());
    resolved.ok_or_else(|| format!("must be an address and a port, such as 127.0.0.1:8000, not {text:?}"))
}

/// An address is a network of one.
fn network_of(text: &str) -> Result<IpNet, String> {
    let network = text.parse().ok().or_else(|| text.parse::<std::net::IpAddr>().ok().map(IpNet::from));
    network.ok_or_else(|| format!("must hold addresses or networks such as 10.0.0.0/8, not {text:?}"))
}

fn origin_of(text: &str) -> Result<String, String> {
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    match rest {
        Some(host) if !host.is_empty() && !host.contains(['/', '*', ' ', '?', '#']) => Ok(text.to_owned()),
        _ => Err(format!("must hold origins such as https://example.org, not {text:?}")),
    }
}

#[cfg(test)]
mod tests;
