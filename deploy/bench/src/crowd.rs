//! Users of whom some are online: rows of accounts, presence and sessions, written at once, and the engine's part, as log-ins
//! write it. User and session have the same number.
//!
//! That those who are online are so in the database too is the projector's work: run a worker until it is done.

use std::io::{BufWriter, Write};
use std::time::Duration;

use diesel::connection::SimpleConnection;
use futures_util::StreamExt;
use lastseen_api::auth::tokens::{Access, Tokens};
use lastseen_shared::account::Role;
use lastseen_shared::db::{Address, AnyConnection, Db, DbError};
use lastseen_shared::ids::{SessionId, UserId};
use lastseen_shared::presence::availability::Profile;
use lastseen_shared::presence::clock::Clock;
use lastseen_shared::presence::engine::{Connect, Connected};
use lastseen_shared::presence::memory::MemoryEngine;
use lastseen_shared::presence::memory::journal::Journal;
use lastseen_shared::presence::redis::{RedisClock, RedisEngine};
use lastseen_shared::presence::{Engine, PresenceEngine, Reason};
use lastseen_shared::service::Claimed;
use lastseen_shared::settings::{Form, Raw, Secret, Settings};
use lastseen_shared::timestamp::Timestamp;

use crate::Failed;

/// Log-ins in hand at a time.
const AT_A_TIME: usize = 1_000;

/// An environment variable.
pub fn setting(name: &str) -> Result<String, Failed> {
    std::env::var(name).map_err(|_| format!("{name} is not set").into())
}

/// The settings, as the programs read them.
pub fn settings() -> Result<Settings, Failed> {
    let names = ["DATABASE_URL", "REDIS_URL", "LASTSEEN_JWT_SECRET", "LASTSEEN_SHARDS", "LASTSEEN_KEY_PREFIX"];
    let given = names.iter().filter_map(|name| Some(((*name).to_owned(), std::env::var(name).ok()?)));
    let form = if std::env::var("REDIS_URL").is_ok() { Form::Distributed } else { Form::StandAlone };
    Ok(Settings::check(&Raw::new(given), form)?)
}

/// Which users there are.
#[derive(Clone)]
pub struct Crowd {
    /// How many.
    pub count: i64,
    /// How many of them are online, spread evenly; the first is.
    pub online: i64,
    /// Their inactivity timeout, in seconds.
    pub timeout: i64,
    /// What all of them log in with, and bcrypt's cost; without it nobody can.
    pub password: Option<(String, u32)>,
}

impl Crowd {
    /// Whether the user of a number is online: where so many of all have been passed, one more is.
    fn is_online(&self, number: i64) -> bool {
        let up_to = |n: i64| (n * self.online + self.count - 1) / self.count;
        up_to(number) > up_to(number - 1)
    }

    /// The same in SQL, of a number `n`.
    fn online_sql(&self) -> String {
        let up_to = |n: &str| format!("({n} * {} + {}) / {}", self.online, self.count - 1, self.count);
        format!("{} > {}", up_to("n"), up_to("(n - 1)"))
    }
}

/// Makes the crowd.
pub async fn make(crowd: Crowd) -> Result<(), Failed> {
    let settings = settings()?;
    let db = Db::new(settings.database.address.clone(), 2)?;
    db.migrate().await?;
    let now = Timestamp::now().0;
    let hash = match &crowd.password {
        Some((password, cost)) => bcrypt::hash(password, *cost)?,
        None => "none".to_owned(),
    };
    let rows = crowd.clone();
    db.run(move |connection| write_rows(connection, &rows, &hash, now)).await?;
    let shards = settings.presence.shards;
    let engine = match (&settings.redis, &settings.database.address) {
        (Some(redis), _) => {
            let redis = lastseen_shared::redis_client::Redis::new(redis)?;
            Engine::Redis(RedisEngine::new(redis, shards, RedisClock::Server))
        }
        (None, Address::Sqlite(path)) => {
            Engine::Memory(MemoryEngine::journaled(shards, Clock::System, Journal::open(path)?)?)
        }
        (None, Address::Postgres(_)) => return Err("REDIS_URL is not set".into()),
    };
    engine.start().await?;
    let timeout = Duration::from_secs(crowd.timeout.unsigned_abs());
    let mut log_ins = futures_util::stream::iter((1..=crowd.count).filter(|number| crowd.is_online(*number)))
        .map(|number| {
            let engine = engine.clone();
            async move {
                let (user, read_at) = (UserId(number), Timestamp::now());
                let (session, profile, reason) = (SessionId(number), Profile::default(), Reason::Login);
                engine.connect(Connect { user, session, timeout, profile, reason, read_at }).await
            }
        })
        .buffer_unordered(AT_A_TIME);
    while let Some(connected) = log_ins.next().await {
        if !matches!(connected?, Connected::Live { .. }) {
            return Err("a session is not live".into());
        }
    }
    if let Engine::Memory(engine) = &engine {
        engine.flush().await?;
    }
    Ok(())
}

/// Rows of one statement.
const ROWS: i64 = 5_000;

fn write_rows(connection: &mut AnyConnection, crowd: &Crowd, hash: &str, now: i64) -> Result<(), DbError> {
    let empty = if matches!(connection, AnyConnection::Sqlite(_)) { "x''" } else { "''::bytea" };
    let expires = now + 30 * 86_400_000;
    let (count, online) = (crowd.count, crowd.online_sql());
    for first in (1..=count).step_by(ROWS as usize) {
        let last = count.min(first + ROWS - 1);
        let numbers = format!(
            "(WITH RECURSIVE s(n) AS (SELECT CAST({first} AS BIGINT) UNION ALL SELECT n + 1 FROM s WHERE n < {last}) SELECT n FROM s) AS numbers"
        );
        let name = "'user' || (10000000 + n)";
        // Of those who are not online, one in 200 each is pending, suspended or banned, and one in 100 shows itself to
        // contacts alone; they were seen in the last 90 days.
        let status = format!(
            "CASE WHEN {online} THEN 'active' WHEN n % 200 = 3 THEN 'pending' WHEN n % 200 = 4 THEN 'suspended' WHEN n % 200 = 6 THEN 'banned' ELSE 'active' END"
        );
        let visibility = format!("CASE WHEN {online} OR n % 100 <> 7 THEN 'everyone' ELSE 'contacts' END");
        let seen = format!("CASE WHEN {online} THEN 0 ELSE {now} - n * 7919 % 7776000 * 1000 END");
        let text = format!(
            "BEGIN; INSERT INTO accounts (id, username, username_key, email, email_key, password_hash, role, status, is_active, created_at_ms, updated_at_ms, online_visibility, last_seen_visibility) \
             SELECT n, {name}, {name}, {name} || '@example.org', {name} || '@example.org', '{hash}', 'user', {status}, TRUE, {now}, {now}, {visibility}, {visibility} FROM {numbers}; \
             INSERT INTO presence (user_id, last_seen_ms, reason) SELECT n, {seen}, CASE WHEN {online} THEN NULL ELSE 'timeout' END FROM {numbers}; \
             INSERT INTO sessions (id, user_id, device, family_hash, refresh_hash, created_at_ms, expires_at_ms, last_seen_ms) \
             SELECT n, n, 'bench', {empty}, {empty}, {now}, {expires}, {now} FROM {numbers} WHERE {online}; COMMIT"
        );
        match connection {
            AnyConnection::Postgresql(pg) => pg.batch_execute(&text)?,
            AnyConnection::Sqlite(sqlite) => sqlite.batch_execute(&text)?,
        }
    }
    if let AnyConnection::Postgresql(pg) = connection {
        pg.batch_execute(&format!(
            "SELECT setval(pg_get_serial_sequence('accounts', 'id'), {count}); \
             SELECT setval(pg_get_serial_sequence('sessions', 'id'), {count}); ANALYZE"
        ))?;
    }
    Ok(())
}

/// Prints the tokens of the first `count` users.
pub fn tokens(count: i64, timeout: i64) -> Result<(), Failed> {
    let secret = Secret::new(setting("LASTSEEN_JWT_SECRET")?);
    let tokens = Tokens::new(&secret, &[], Duration::from_secs(86_400)).map_err(|(_, error)| error.to_string())?;
    let timeout = Duration::from_secs(timeout.unsigned_abs());
    let mut out = BufWriter::new(std::io::stdout().lock());
    for number in 1..=count {
        let claimed = Claimed { user: UserId(number), session: SessionId(number), timeout };
        let token = tokens.issue(Access { claimed, role: Role::User });
        writeln!(out, "{}", token.map_err(|error| format!("{error:?}"))?)?;
    }
    Ok(out.flush()?)
}
