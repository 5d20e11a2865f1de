//! The database under test, read past the programs: what people and other programs see in it.

use std::path::PathBuf;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};

use super::process::unique;
use crate::client::PASSWORD;
use crate::time::now;

/// Where the programs keep their data.
pub enum Database {
    /// One of our own on the server of `TEST_DATABASE_URL`; dropped with this.
    Postgres { server: String, name: String },
    /// The stand-alone program's file.
    Sqlite(PathBuf),
}

/// A row of the view `users`.
#[derive(QueryableByName, Clone, Debug, PartialEq)]
pub struct UserRow {
    #[diesel(sql_type = Text)]
    pub online_status: String,
    #[diesel(sql_type = Text)]
    pub status: String,
    /// RFC 3339.
    #[diesel(sql_type = Nullable<Text>)]
    pub last_seen: Option<String>,
}

/// A row of `online_intervals`.
#[derive(QueryableByName, Clone, Debug, PartialEq)]
pub struct Interval {
    #[diesel(sql_type = BigInt)]
    pub user_id: i64,
    #[diesel(sql_type = BigInt)]
    pub started_at_ms: i64,
    #[diesel(sql_type = Nullable<BigInt>)]
    pub ended_at_ms: Option<i64>,
    #[diesel(sql_type = Text)]
    pub start_reason: String,
    #[diesel(sql_type = Nullable<Text>)]
    pub end_reason: Option<String>,
    #[diesel(sql_type = Nullable<BigInt>)]
    pub session_id: Option<i64>,
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

/// Runs the same expression on a new connection to either database.
macro_rules! connected {
    ($database:expr, $connection:ident => $body:expr) => {
        match $database {
            Database::Postgres { server, name } => {
                let $connection = &mut PgConnection::establish(&at(server, name)).unwrap();
                $body
            }
            Database::Sqlite(path) => {
                let $connection = &mut SqliteConnection::establish(path.to_str().unwrap()).unwrap();
                diesel::sql_query("PRAGMA busy_timeout = 5000").execute($connection).unwrap();
                $body
            }
        }
    };
}

impl Database {
    /// A new one on the server of `TEST_DATABASE_URL`.
    pub fn postgres() -> Self {
        let server = needed("TEST_DATABASE_URL");
        let name = format!("lastseen_scenario_{}", unique());
        on_server(&server, &format!("CREATE DATABASE {name}")).unwrap();
        // The server of the tests does without, which an acknowledged log-in does not survive when it crashes.
        on_server(&server, &format!("ALTER DATABASE {name} SET synchronous_commit = on")).unwrap();
        Self::Postgres { server, name }
    }

    /// Ends all connections of the programs. PostgreSQL only.
    pub fn end_connections(&self) {
        let Self::Postgres { server, name } = self else { panic!("a file has no connections") };
        on_server(
            server,
            &format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"),
        )
        .unwrap();
    }

    /// Kills one of the server's processes, on which it recovers from its log as after a crash. For a server that no other
    /// test uses. Whoever is told that a transaction is committed relies on that log from now on.
    pub fn crash(&self) {
        let Self::Postgres { server, name } = self else { panic!("a file has no processes") };
        let query = format!("SELECT pid::BIGINT AS number FROM pg_stat_activity WHERE datname = '{name}' LIMIT 1");
        let mut connection = PgConnection::establish(server).unwrap();
        let pid = diesel::sql_query(query).get_result::<Number>(&mut connection).unwrap().number;
        let command = format!("kill -s KILL {pid}");
        assert!(std::process::Command::new("sh").args(["-c", &command]).status().unwrap().success(), "{command}");
    }

    /// What the programs are to be told.
    pub fn url(&self) -> String {
        match self {
            Self::Postgres { server, name } => at(server, name),
            Self::Sqlite(path) => format!("sqlite://{}", path.display()),
        }
    }

    /// A user's row in the view.
    pub fn user(&self, id: i64) -> Option<UserRow> {
        let last_seen = match self {
            Self::Postgres { .. } => r#"to_char(last_seen AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')"#,
            Self::Sqlite(_) => "last_seen",
        };
        let query = format!("SELECT online_status, status, {last_seen} AS last_seen FROM users WHERE id = {id}");
        connected!(self, c => diesel::sql_query(query).get_result(c).optional().unwrap())
    }

    /// Everybody's online intervals, by user and then the oldest first.
    pub fn intervals(&self) -> Vec<Interval> {
        connected!(self, c => {
            diesel::sql_query("SELECT * FROM online_intervals ORDER BY user_id, started_at_ms, id").load(c).unwrap()
        })
    }

    /// One user's online intervals, the oldest first.
    pub fn history(&self, user: i64) -> Vec<Interval> {
        let mut all = self.intervals();
        all.retain(|interval| interval.user_id == user);
        all
    }

    /// The number that a query finds.
    pub fn count(&self, what: &str) -> i64 {
        let query = format!("SELECT count(*) AS number FROM {what}");
        connected!(self, c => diesel::sql_query(query).get_result::<Number>(c).unwrap().number)
    }

    /// Attempts at deliveries that are being made count as lost.
    pub fn lose_attempts(&self) {
        let statement = "UPDATE webhook_deliveries SET next_attempt_at_ms = 1 WHERE status = 'pending'";
        connected!(self, c => diesel::sql_query(statement).execute(c).unwrap());
    }

    /// Makes `many` accounts, `seed1` and so on, past the API: their passwords are hashed at the lowest cost, so that
    /// many can log in. Answers their ids, in that order.
    pub fn seed(&self, many: usize) -> Vec<i64> {
        let (hash, at) = (bcrypt::hash(PASSWORD, 4).unwrap(), now());
        // Numbers from 1 on both databases.
        let accounts = format!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {many}) \
             INSERT INTO accounts (username, username_key, email, email_key, password_hash, role, status, is_active, \
             created_at_ms, updated_at_ms) \
             SELECT 'seed' || i, 'seed' || i, 'seed' || i || '@example.org', 'seed' || i || '@example.org', '{hash}', \
             'user', 'active', TRUE, {at}, {at} FROM n"
        );
        let presence = "INSERT INTO presence (user_id) SELECT id FROM accounts WHERE username LIKE 'seed%'";
        let ids = "SELECT id AS number FROM accounts WHERE username LIKE 'seed%' ORDER BY id";
        connected!(self, c => {
            for statement in [accounts.as_str(), presence] {
                diesel::sql_query(statement).execute(c).unwrap();
            }
            diesel::sql_query(ids).load::<Number>(c).unwrap().into_iter().map(|row| row.number).collect()
        })
    }

    /// Makes a session of each account of `users`, past the API: its refresh token is nobody's. Answers their ids, in
    /// the users' order.
    pub fn seed_sessions(&self) -> Vec<i64> {
        let (at, end) = (now(), now() + 86_400_000);
        let sessions = format!(
            "INSERT INTO sessions (user_id, family_hash, refresh_hash, created_at_ms, expires_at_ms, last_seen_ms) \
             SELECT id, 'none', 'none', {at}, {end}, {at} FROM accounts WHERE username LIKE 'seed%' ORDER BY id"
        );
        let ids = "SELECT s.id AS number FROM sessions s JOIN accounts a ON a.id = s.user_id \
                   WHERE a.username LIKE 'seed%' ORDER BY a.id";
        connected!(self, c => {
            diesel::sql_query(sessions).execute(c).unwrap();
            diesel::sql_query(ids).load::<Number>(c).unwrap().into_iter().map(|row| row.number).collect()
        })
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Self::Postgres { server, name } = self {
            // A server that is gone has dropped it with itself.
            let _ = on_server(server, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
        }
    }
}

/// An address that a distributed test can't do without.
pub fn needed(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!("{variable} is not set: run `make test`, which starts PostgreSQL and Redis for the tests")
    })
}

fn on_server(server: &str, statement: &str) -> Result<usize, diesel::result::Error> {
    let mut connection = PgConnection::establish(server).unwrap_or_else(|error| panic!("TEST_DATABASE_URL: {error}"));
    diesel::sql_query(statement).execute(&mut connection)
}

/// A server's address with another database in it.
fn at(server: &str, name: &str) -> String {
    let (address, query) = server.split_once('?').map_or((server, None), |(address, query)| (address, Some(query)));
    let base = address.rsplit_once('/').map_or(address, |(base, _)| base);
    format!("{base}/{name}{}", query.map(|query| format!("?{query}")).unwrap_or_default())
}
