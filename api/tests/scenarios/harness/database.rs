//! The database under test, read past the programs: what people and other programs see in it.

use std::path::{Path, PathBuf};

use diesel::connection::SimpleConnection;
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
        Self::postgres_in("")
    }

    /// The same with its tables on a small disk, that of `TEST_SMALL_TABLESPACE`.
    pub fn postgres_on_small_disk() -> Self {
        Self::postgres_in(&format!("TABLESPACE {}", needed("TEST_SMALL_TABLESPACE")))
    }

    fn postgres_in(place: &str) -> Self {
        let server = needed("TEST_DATABASE_URL");
        let name = format!("lastseen_scenario_{}", unique());
        on_server(&server, &format!("CREATE DATABASE {name} {place}")).unwrap();
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

    /// Whether it takes new connections. PostgreSQL only.
    pub fn takes_connections(&self, takes: bool) {
        let Self::Postgres { server, name } = self else { panic!("a file has no connections") };
        on_server(server, &format!("ALTER DATABASE {name} ALLOW_CONNECTIONS {takes}")).unwrap();
    }

    /// Locks the tables that presence is written to, until the connection is dropped. PostgreSQL only.
    pub fn lock(&self) -> PgConnection {
        self.hold("LOCK TABLE presence, presence_open, sessions IN ACCESS EXCLUSIVE MODE")
    }

    /// Locks the admins as a change of an account does, until the connection is dropped. PostgreSQL only.
    pub fn lock_admins(&self) -> PgConnection {
        self.hold("SELECT id FROM accounts WHERE role = 'admin' FOR NO KEY UPDATE")
    }

    /// A transaction that has taken these locks.
    fn hold(&self, lock: &str) -> PgConnection {
        let Self::Postgres { server, name } = self else { panic!("a file has no such locks") };
        let mut connection = PgConnection::establish(&at(server, name)).unwrap();
        connection.batch_execute(&format!("BEGIN; {lock}")).unwrap();
        connection
    }

    /// What a newer version of the programs does to the schema before any of its programs runs: it adds, and takes nothing
    /// away. PostgreSQL only.
    pub fn expand(&self) {
        let Self::Postgres { server, name } = self else { panic!("one program has a file for itself") };
        PgConnection::establish(&at(server, name))
            .unwrap()
            .batch_execute(
                "SET lock_timeout = '3s'; \
                 ALTER TABLE accounts ADD COLUMN IF NOT EXISTS of_tomorrow TEXT NOT NULL DEFAULT ''; \
                 ALTER TABLE sessions ADD COLUMN IF NOT EXISTS of_tomorrow BIGINT; \
                 CREATE TABLE IF NOT EXISTS of_tomorrow (id BIGINT PRIMARY KEY); \
                 INSERT INTO __diesel_schema_migrations (version) VALUES ('9999') ON CONFLICT DO NOTHING",
            )
            .unwrap();
    }

    /// Writes a backup. PostgreSQL only.
    pub fn dump(&self, file: &Path) {
        postgres_program("pg_dump", &["--format", "custom", "--file", file.to_str().unwrap(), &self.url()]);
    }

    /// Takes a backup back in place of what is there. PostgreSQL only.
    pub fn restore(&self, file: &Path) {
        let Self::Postgres { server, name } = self else { panic!("a file is copied") };
        on_server(server, &format!("DROP DATABASE {name} WITH (FORCE)")).unwrap();
        on_server(server, &format!("CREATE DATABASE {name}")).unwrap();
        postgres_program("pg_restore", &["--exit-on-error", "--dbname", &self.url(), file.to_str().unwrap()]);
    }

    /// Writes until the disk of the tables is full; only where that is a small one of the test's own.
    pub fn fill(&self) {
        let Self::Postgres { server, name } = self else { panic!("a file is on our disk") };
        let mut connection = PgConnection::establish(&at(server, name)).unwrap();
        connection.batch_execute("CREATE TABLE ballast (text TEXT)").unwrap();
        // Smaller and smaller pieces, so that nothing else finds room.
        for rows in [200_000, 20_000, 2_000, 200, 20, 1] {
            let fill = format!(
                "INSERT INTO ballast SELECT md5(random()::TEXT) || md5(random()::TEXT) FROM generate_series(1, {rows})"
            );
            let error =
                (0..1_000).find_map(|_| connection.batch_execute(&fill).err()).expect("the disk is not small");
            assert!(error.to_string().contains("No space left"), "{error}");
        }
    }

    /// Makes room again.
    pub fn make_room(&self) {
        let Self::Postgres { server, name } = self else { panic!("a file is on our disk") };
        PgConnection::establish(&at(server, name)).unwrap().batch_execute("DROP TABLE ballast").unwrap();
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

fn postgres_program(name: &str, args: &[&str]) {
    let program = PathBuf::from(needed("LASTSEEN_TEST_POSTGRES_BIN")).join(name);
    let done = std::process::Command::new(&program).args(args).output().unwrap();
    assert!(done.status.success(), "{}: {}", program.display(), String::from_utf8_lossy(&done.stderr));
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
