//! A database of its own, an engine in memory with a clock that is moved by hand.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};
use lastseen_shared::account::{Email, Role, Standing, Username};
use lastseen_shared::db::schema::presence;
use lastseen_shared::db::{Address, AnyConnection, Db, DbError, write_transaction};
use lastseen_shared::ids::{SessionId, UserId};
use lastseen_shared::models::{Account, NewAccount, NewSession, Session};
use lastseen_shared::presence::availability::Profile;
use lastseen_shared::presence::clock::{Clock, ManualClock};
use lastseen_shared::presence::engine::{Connect, Connected};
use lastseen_shared::presence::memory::MemoryEngine;
use lastseen_shared::presence::{Engine, PresenceEngine, Reason};
use lastseen_shared::queue::Queue;
use lastseen_shared::settings::{Form, Raw, Settings};
use lastseen_shared::statistics::Platform;
use lastseen_shared::telemetry::Metrics;
use lastseen_shared::timestamp::Timestamp;
use lastseen_worker::context::Context;
use lastseen_worker::deliver::{Deliverer, Sender, SystemResolver};

/// What the tests need from outside: `make test` sets it.
pub fn required(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| panic!("{variable} is not set: run the tests with `make test`"))
}

pub enum Database {
    Sqlite,
    Postgres,
}

pub struct World {
    pub context: Context,
    pub clock: ManualClock,
    drop: Dropped,
}

enum Dropped {
    Folder(PathBuf),
    Database(String, String),
}

/// An interval of history: from, to, why it began, why it ended.
pub type Interval = (i64, Option<i64>, String, Option<String>);

pub const TIMEOUT: Duration = Duration::from_secs(120);

impl World {
    pub async fn new(database: Database) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("lastseen_jobs_{}_{count}_{}", std::process::id(), Timestamp::now().0);
        let (address, drop) = match database {
            Database::Sqlite => {
                let folder = std::env::temp_dir().join(name);
                (Address::Sqlite(folder.join("test.db")), Dropped::Folder(folder))
            }
            Database::Postgres => {
                let server = required("TEST_DATABASE_URL");
                let mut connection = PgConnection::establish(&server).unwrap();
                connection.batch_execute(&format!("CREATE DATABASE {name}")).unwrap();
                let (base, _) = server.rsplit_once('/').unwrap();
                (Address::Postgres(format!("{base}/{name}")), Dropped::Database(server, name))
            }
        };
        let db = Db::new(address, 6).unwrap();
        db.migrate().await.unwrap();
        // Near the real time, since rows are dated by it.
        let clock = ManualClock::at(Timestamp::now());
        let settings = Settings::check(&Raw::default(), Form::StandAlone).unwrap();
        let metrics = Arc::new(Metrics::new());
        let sender = Sender::new(SystemResolver, true).unwrap();
        let context = Context {
            deliverer: Deliverer::new(db.clone(), Arc::clone(&metrics), sender),
            engine: Engine::Memory(MemoryEngine::volatile(1, Clock::Manual(clock.clone()))),
            db,
            signals: lastseen_shared::signals::Signals::local(),
            queue: Queue::memory(Duration::from_secs(60)),
            presence: settings.presence,
            sessions_kept: Duration::from_secs(60),
            history_kept: Duration::from_secs(60),
            metrics,
        };
        Self { context, clock, drop }
    }

    pub fn is_postgres(&self) -> bool {
        matches!(self.drop, Dropped::Database(..))
    }

    /// Waits until so many of the database's transactions wait for others. SQLite has one writer at a time, and nothing to see.
    pub async fn until_so_many_wait_for_locks(&self, number: i64) {
        #[derive(QueryableByName)]
        struct Waiting {
            #[diesel(sql_type = BigInt)]
            n: i64,
        }
        let waiting = |c: &mut AnyConnection| {
            let AnyConnection::Postgresql(pg) = c else { return Ok(i64::MAX) };
            diesel::sql_query(
                "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
            )
            .get_result(pg)
            .map(|row: Waiting| row.n)
            .map_err(DbError::from)
        };
        for _ in 0..1_000 {
            if self.context.db.run(waiting).await.unwrap() >= number {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{number} transactions never waited");
    }

    pub fn pass(&self, time: Duration) {
        self.clock.set(self.clock.now().plus(time));
    }

    /// The engine loses everything.
    pub fn lose_engine(&mut self) {
        self.pass(Duration::from_millis(1));
        self.context.engine = Engine::Memory(MemoryEngine::volatile(1, Clock::Manual(self.clock.clone())));
    }

    /// A user with a session that is not online yet.
    pub async fn user(&self, name: &str) -> (UserId, SessionId) {
        let new = NewAccount {
            username: Username::parse(name).unwrap(),
            email: Email::parse(&format!("{name}@example.org")).unwrap(),
            password_hash: String::new(),
            role: Role::User,
            standing: Standing::ACTIVE,
        };
        let user = self.context.db.run(move |c| Account::insert(c, &new)).await.unwrap().id;
        (user, self.session(user).await)
    }

    pub async fn session(&self, user: UserId) -> SessionId {
        self.session_on(user, Platform::Web).await
    }

    /// A session on a device of a platform.
    pub async fn session_on(&self, user: UserId, platform: Platform) -> SessionId {
        let now = self.clock.now();
        let (family_hash, refresh_hash) = (vec![1], vec![2]);
        let expires_at = now.plus(Duration::from_secs(1_000_000));
        let new = NewSession {
            user,
            device: Some(platform.as_str().to_owned()),
            platform,
            family_hash,
            refresh_hash,
            created_at: now,
            expires_at,
        };
        let insert = move |c: &mut _| write_transaction(c, |c| Session::insert(c, &new));
        self.context.db.run(insert).await.unwrap()
    }

    pub async fn connect(&self, user: UserId, session: SessionId, reason: Reason) {
        self.connect_as(user, session, reason, Profile::default()).await;
    }

    pub async fn connect_as(&self, user: UserId, session: SessionId, reason: Reason, profile: Profile) {
        let read_at = self.clock.now();
        let connect = Connect { user, session, timeout: TIMEOUT, profile, reason, read_at };
        let connected = self.context.engine.connect(connect).await.unwrap();
        assert!(matches!(connected, Connected::Live { .. }), "{connected:?}");
    }

    /// What the database says: online, last seen, why.
    pub async fn projected(&self, user: UserId) -> (bool, i64, Option<String>) {
        let row = presence::table.find(user.0).select((presence::online, presence::last_seen_ms, presence::reason));
        self.context.db.run(move |c| row.first(c).map_err(lastseen_shared::db::DbError::from)).await.unwrap()
    }

    pub async fn history(&self, user: UserId) -> Vec<Interval> {
        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = BigInt)]
            started_at_ms: i64,
            #[diesel(sql_type = Nullable<BigInt>)]
            ended_at_ms: Option<i64>,
            #[diesel(sql_type = Text)]
            start_reason: String,
            #[diesel(sql_type = Nullable<Text>)]
            end_reason: Option<String>,
        }
        let text = format!("SELECT * FROM online_intervals WHERE user_id = {} ORDER BY started_at_ms, id", user.0);
        let rows = diesel::sql_query(text);
        let read = move |c: &mut AnyConnection| match c {
            AnyConnection::Postgresql(pg) => rows.load::<Row>(pg),
            AnyConnection::Sqlite(sqlite) => rows.load::<Row>(sqlite),
        };
        let rows = self.context.db.run(move |c| read(c).map_err(DbError::from)).await.unwrap();
        rows.into_iter().map(|row| (row.started_at_ms, row.ended_at_ms, row.start_reason, row.end_reason)).collect()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        match &self.drop {
            Dropped::Folder(folder) => drop(std::fs::remove_dir_all(folder)),
            Dropped::Database(server, name) => {
                if let Ok(mut connection) = PgConnection::establish(server) {
                    let _ = connection.batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)"));
                }
            }
        }
    }
}

/// Makes a test of each function, on each database.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod sqlite { $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name(crate::world::World::new(crate::world::Database::Sqlite).await).await; })+ }
        mod postgres { $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name(crate::world::World::new(crate::world::Database::Postgres).await).await; })+ }
    };
}
pub(crate) use on_both;
