//! The list of settings: the one place that names them, with their defaults and what they are for.

use clap::{Arg, ArgMatches};

use super::Raw;

/// One setting.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The environment variable.
    pub variable: &'static str,
    /// What holds where it is not set; `None` where something must be said, or where it depends.
    pub default: Option<&'static str>,
    /// What it is for, and what it depends on.
    pub help: &'static str,
    /// Whether its value must not be shown.
    pub secret: bool,
}

impl Setting {
    /// The flag's name, without the dashes: the variable's without the prefix, in lower case.
    #[must_use]
    pub fn flag(&self) -> String {
        self.variable.trim_start_matches("LASTSEEN_").to_ascii_lowercase().replace('_', "-")
    }
}

const fn plain(variable: &'static str, default: &'static str, help: &'static str) -> Setting {
    Setting { variable, default: Some(default), help, secret: false }
}

const fn depends(variable: &'static str, help: &'static str) -> Setting {
    Setting { variable, default: None, help, secret: false }
}

const fn secret(variable: &'static str, help: &'static str) -> Setting {
    Setting { variable, default: None, help, secret: true }
}

/// The settings as flags, each of which falls back to its environment variable.
#[must_use]
pub fn flags() -> Vec<Arg> {
    let flag = |setting: &Setting| {
        let default = setting.default.map(|default| format!(" [{default}]")).unwrap_or_default();
        Arg::new(setting.variable)
            .long(setting.flag())
            .env(setting.variable)
            .hide_env_values(setting.secret)
            .value_name("VALUE")
            .help(format!("{}{default}", setting.help))
    };
    SETTINGS.iter().map(flag).collect()
}

/// What was given of them, by flag or by environment.
#[must_use]
pub fn given(matches: &ArgMatches) -> Raw {
    Raw::new(SETTINGS.iter().filter_map(|setting| {
        let value = matches.get_one::<String>(setting.variable)?;
        Some((setting.variable.to_owned(), value.clone()))
    }))
}

/// All settings.
pub const SETTINGS: &[Setting] = &[
    secret("DATABASE_URL", "postgres://… or sqlite://path [stand-alone: sqlite://data/lastseen.db; else required]"),
    secret(
        "REDIS_URL",
        "redis:// or rediss:// (TLS), then [user:password@]host[:port][/db]; several with commas between for a Cluster; or redis+sentinel://[user:password@]host[:port][,host…]/master[/db] [stand-alone: not used; else required]",
    ),
    plain("LASTSEEN_BIND", "127.0.0.1:8000", "Where the API and the page listen"),
    plain("LASTSEEN_WORKER_BIND", "127.0.0.1:8001", "Where the worker's health, metrics and job board are"),
    secret(
        "LASTSEEN_JWT_SECRET",
        "What access tokens are signed with: at least 32 bytes, or an Ed25519 private key in PEM [stand-alone: made once and kept in the data folder; else required]",
    ),
    secret(
        "LASTSEEN_JWT_PREVIOUS_SECRETS",
        "Other secrets or Ed25519 keys, private or public, whose tokens hold: earlier ones and the next, comma-separated",
    ),
    depends(
        "LASTSEEN_ADMIN_USERNAME",
        "The first admin's name, made at the start where there is no admin [stand-alone: admin]",
    ),
    secret("LASTSEEN_ADMIN_PASSWORD", "The first admin's password [stand-alone: a random one, printed once]"),
    depends("LASTSEEN_ADMIN_EMAIL", "The first admin's address [the name at localhost]"),
    plain("LASTSEEN_HEARTBEAT_INTERVAL", "30s", "How often clients are told to send a heartbeat"),
    plain("LASTSEEN_INACTIVITY_TIMEOUT", "2m", "Silence before a user is offline; at least two heartbeat intervals"),
    depends("LASTSEEN_TIMEOUT_MIN", "The shortest timeout that a user may choose [the inactivity timeout]"),
    depends("LASTSEEN_TIMEOUT_MAX", "The longest timeout that a user may choose [30 times the inactivity timeout]"),
    plain("LASTSEEN_ORPHAN_TIMEOUT", "5s", "After this a dead worker's jobs are taken over"),
    plain(
        "LASTSEEN_SWEEP_CRON",
        "0 * * * * *",
        "When the sweep is due, in UTC: second minute hour day month weekday",
    ),
    plain("LASTSEEN_ADMIN_REFRESH", "10s", "How often the page asks who is online"),
    plain("LASTSEEN_AWAY_AFTER", "5m", "A device that nobody has touched for so long is away, 30s to 24h"),
    plain(
        "LASTSEEN_HIDDEN_FROM_ADMINS",
        "online,last_seen,invisible",
        "What users may hide from admins: some of online, last_seen and invisible, or none",
    ),
    plain(
        "LASTSEEN_NOTIFY_AGAIN",
        "10m",
        "For so long nobody is told again that the same contact came online; 1s or more",
    ),
    plain("LASTSEEN_ACCESS_TTL", "15m", "How long an access token lives"),
    plain("LASTSEEN_REFRESH_TTL", "14d", "How long a refresh token lives from its last use"),
    plain("LASTSEEN_REGISTRATION", "open", "Who may register: open, approval or closed"),
    plain("LASTSEEN_CORS_ORIGINS", "http://localhost:5173", "Origins whose pages may call the API, comma-separated"),
    depends("LASTSEEN_TLS_CERTIFICATE", "A certificate's file in PEM, with its chain: the API speaks HTTPS [HTTP]"),
    depends("LASTSEEN_TLS_KEY", "The file of its private key in PEM"),
    depends(
        "LASTSEEN_TRUSTED_PROXIES",
        "Addresses or networks of proxies, comma-separated, whose X-Forwarded-For is believed [none]",
    ),
    plain("LASTSEEN_BCRYPT_COST", "12", "bcrypt's cost, 4 to 15; below 10 only stand-alone"),
    plain(
        "LASTSEEN_HISTORY_RETENTION",
        "90d",
        "History, notifications and deliveries to webhooks that are older are deleted",
    ),
    plain("LASTSEEN_RATE_LIMITS", "on", "on, or off for load tests"),
    plain("LASTSEEN_WEBHOOK_ALLOW_PRIVATE", "false", "Whether webhooks may go to private addresses"),
    plain(
        "LASTSEEN_SHARDS",
        "4",
        "Shards that presence is kept in, 1 to 1024: the same in every process [stand-alone: 1]",
    ),
    plain("LASTSEEN_RESUME_WINDOW", "1h", "How long clients can ask what has changed since"),
    depends("LASTSEEN_KEY_PREFIX", "Stands before every key in Redis, for installations that share one"),
    depends("LASTSEEN_THREADS", "Event loops of the API [as many as there are cores]"),
    plain("LASTSEEN_DATABASE_CONNECTIONS", "10", "Connections to the database at most, of each process"),
    plain("LASTSEEN_WORKER_CONCURRENCY", "4", "Jobs that a worker runs at a time"),
    plain("LASTSEEN_LOG_FORMAT", "text", "What a line of the log looks like: text, or json"),
    plain("RUST_LOG", "info", "What is logged: error, warn, info, debug or trace, or by module"),
];
