//! The database: one set of queries over PostgreSQL and SQLite.
//!
//! Calls block, so they run on threads made for that ([`Db::run`]), never on an event loop. Every wait is bounded: for
//! a connection, for a lock, for a statement.

mod connection;
mod errors;
mod gate;
pub(crate) mod migrations;
pub mod schema;

use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use diesel::connection::InstrumentationEvent;
use diesel::prelude::*;
use diesel::r2d2::{ManageConnection, Pool};

use gate::Gate;

pub use connection::AnyConnection;
pub use errors::{DbError, violates};

/// Runs the same expression on the connection that there is: for what only the databases themselves have in common,
/// such as RETURNING and ON CONFLICT.
macro_rules! on_either {
    ($connection:expr, $inner:ident => $body:expr) => {
        match $connection {
            $crate::db::AnyConnection::Postgresql($inner) => $body,
            $crate::db::AnyConnection::Sqlite($inner) => $body,
        }
    };
}
pub(crate) use on_either;

/// What sets PostgreSQL's limits of time for a connection: how long a statement may take, and wait for a lock.
pub(crate) const LIMITS_OF_TIME: &str = "SET statement_timeout = '10s'; SET lock_timeout = '5s'";
/// What PostgreSQL does not do for a statement that somebody waits for: start other processes to share the work, or compile
/// it. Both take longer than such a statement does.
const AT_ONCE: &str = "SET max_parallel_workers_per_gather = 0; SET jit = off";
/// How long a caller waits for a connection.
const CONNECTION_WITHIN: Duration = Duration::from_secs(3);
/// What is left of that at least where one is free.
const AT_LEAST: Duration = Duration::from_millis(100);

/// Which database.
#[derive(Clone, PartialEq, Eq)]
pub enum Address {
    /// `postgres://…`
    Postgres(String),
    /// `sqlite://path`
    Sqlite(PathBuf),
}

impl Address {
    /// Reads `DATABASE_URL`.
    ///
    /// # Errors
    /// A sentence that says what it should look like.
    pub fn parse(url: &str) -> Result<Self, String> {
        if let Some(path) = url.strip_prefix("sqlite://") {
            if path.is_empty() {
                return Err("needs a path, such as sqlite://data/lastseen.db".to_owned());
            }
            return Ok(Self::Sqlite(PathBuf::from(path)));
        }
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(Self::Postgres(url.to_owned()));
        }
        Err("must begin with postgres:// or sqlite://".to_owned())
    }
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            // It may hold a password.
            Self::Postgres(_) => f.write_str("Postgres(…)"),
            Self::Sqlite(path) => f.debug_tuple("Sqlite").field(path).finish(),
        }
    }
}

/// Makes connections for the pool.
#[derive(Debug)]
pub struct Manager {
    address: Address,
    at_once: bool,
    queries: Arc<AtomicU64>,
}

/// A pooled connection, with when it was last known to be good.
pub struct Pooled {
    connection: AnyConnection,
    good_at: Instant,
}

impl Deref for Pooled {
    type Target = AnyConnection;

    fn deref(&self) -> &AnyConnection {
        &self.connection
    }
}

impl DerefMut for Pooled {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        &mut self.connection
    }
}

/// A connection that was good so lately is handed out untested: a test is a query.
const TRUSTED_FOR: Duration = Duration::from_secs(2);

impl ManageConnection for Manager {
    type Connection = Pooled;
    type Error = diesel::r2d2::Error;

    fn connect(&self) -> Result<Pooled, Self::Error> {
        let mut connection = match &self.address {
            Address::Postgres(url) => AnyConnection::Postgresql(postgres_connection(url, self.at_once)?),
            Address::Sqlite(path) => AnyConnection::Sqlite(sqlite_connection(path)?),
        };
        let queries = Arc::clone(&self.queries);
        connection.set_instrumentation(move |event: InstrumentationEvent<'_>| {
            if matches!(event, InstrumentationEvent::StartQuery { .. }) {
                queries.fetch_add(1, Ordering::Relaxed);
            }
        });
        Ok(Pooled { connection, good_at: Instant::now() })
    }

    fn is_valid(&self, pooled: &mut Pooled) -> Result<(), Self::Error> {
        if pooled.good_at.elapsed() > TRUSTED_FOR {
            on_either!(&mut pooled.connection, c => diesel::r2d2::R2D2Connection::ping(c))
                .map_err(diesel::r2d2::Error::QueryError)?;
        }
        pooled.good_at = Instant::now();
        Ok(())
    }

    fn has_broken(&self, pooled: &mut Pooled) -> bool {
        std::thread::panicking()
            || on_either!(&mut pooled.connection, c => diesel::r2d2::R2D2Connection::is_broken(c))
    }
}

fn postgres_connection(url: &str, at_once: bool) -> Result<PgConnection, diesel::r2d2::Error> {
    use diesel::connection::SimpleConnection;
    // libpq waits without end for a host that does not answer unless it is told not to.
    let separator = if url.contains('?') { '&' } else { '?' };
    let url = if url.contains("connect_timeout") {
        url.to_owned()
    } else {
        format!("{url}{separator}connect_timeout=3&tcp_user_timeout=5000&keepalives_idle=10")
    };
    let mut connection = PgConnection::establish(&url).map_err(diesel::r2d2::Error::ConnectionError)?;
    let at_once = if at_once { AT_ONCE } else { "" };
    connection
        .batch_execute(&format!("{LIMITS_OF_TIME}; SET idle_in_transaction_session_timeout = '15s'; {at_once}"))
        .map_err(diesel::r2d2::Error::QueryError)?;
    Ok(connection)
}

/// A connection to a SQLite file, made where it is missing, its folder too. WAL, so that readers and the one writer
/// don't wait for each other; FULL, so that what is committed survives a power cut.
///
/// # Errors
/// A file that can't be opened.
pub fn sqlite_connection(path: &Path) -> Result<SqliteConnection, diesel::r2d2::Error> {
    use diesel::connection::SimpleConnection;
    let bad = |text: String| diesel::r2d2::Error::ConnectionError(ConnectionError::BadConnection(text));
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(|error| bad(format!("{}: {error}", folder.display())))?;
    }
    let name = path.to_str().ok_or_else(|| bad("the path is not UTF-8".to_owned()))?;
    let mut connection = SqliteConnection::establish(name).map_err(diesel::r2d2::Error::ConnectionError)?;
    connection
        .batch_execute(
            "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
             PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY",
        )
        .map_err(diesel::r2d2::Error::QueryError)?;
    Ok(connection)
}

/// How a pool's connections are at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Connections that somebody works with.
    pub busy: u32,
    /// Connections that nobody works with.
    pub idle: u32,
    /// Callers who wait for one.
    pub waiting: usize,
}

/// The database, through a pool. Cheap to clone.
#[derive(Clone)]
pub struct Db {
    pool: Pool<Manager>,
    gate: Gate,
    address: Address,
    queries: Arc<AtomicU64>,
}

impl Db {
    /// A pool of at most `connections` connections, made as they are needed.
    ///
    /// # Errors
    /// Never in practice: connecting is tried at the first call.
    pub fn new(address: Address, connections: u32) -> Result<Self, DbError> {
        Self::pool(address, connections, false)
    }

    /// The same for short statements that somebody waits for: each is done by one process, as it is written.
    ///
    /// # Errors
    /// Never in practice: connecting is tried at the first call.
    pub fn for_requests(address: Address, connections: u32) -> Result<Self, DbError> {
        Self::pool(address, connections, true)
    }

    fn pool(address: Address, connections: u32, at_once: bool) -> Result<Self, DbError> {
        let queries = Arc::new(AtomicU64::new(0));
        let manager = Manager { address: address.clone(), at_once, queries: Arc::clone(&queries) };
        let pool = Pool::builder()
            .max_size(connections.max(1))
            .min_idle(Some(1))
            .connection_timeout(CONNECTION_WITHIN)
            .error_handler(Box::new(diesel::r2d2::LoggingErrorHandler))
            .build_unchecked(manager);
        Ok(Self { pool, gate: Gate::new(connections), address, queries })
    }

    /// How its connections are.
    #[must_use]
    pub fn load(&self) -> Load {
        let state = self.pool.state();
        let idle = state.idle_connections;
        Load { busy: state.connections.saturating_sub(idle), idle, waiting: self.gate.waiting() }
    }

    /// Which database this is.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// How many queries this pool's connections have sent.
    #[must_use]
    pub fn queries(&self) -> u64 {
        self.queries.load(Ordering::Relaxed)
    }

    /// Runs `work` with a connection on a blocking thread, once a connection is free.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] where no connection can be had in time or too many wait already, and whatever `work` answers.
    pub async fn run<T, E>(
        &self,
        work: impl FnOnce(&mut AnyConnection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
    {
        let place = self.gate.enter(CONNECTION_WITHIN).await?;
        let pool = self.pool.clone();
        // The place is the work's, also where nobody waits for the answer any more.
        let done = tokio::task::spawn_blocking(move || {
            let left = place.left.max(AT_LEAST);
            let mut pooled = pool.get_timeout(left).map_err(|error| DbError::Unavailable(error.to_string()))?;
            let done = work(&mut pooled);
            drop((pooled, place));
            done
        });
        done.await.map_err(|error| E::from(DbError::Lost(error.to_string())))?
    }

    /// A connection, waited for on this thread.
    ///
    /// # Errors
    /// [`DbError::Unavailable`].
    pub fn get(&self) -> Result<diesel::r2d2::PooledConnection<Manager>, DbError> {
        self.pool.get().map_err(|error| DbError::Unavailable(error.to_string()))
    }

    /// Runs the migrations that have not been run.
    ///
    /// # Errors
    /// [`DbError`] with the migration's error.
    pub async fn migrate(&self) -> Result<Vec<String>, DbError> {
        self.run(migrations::run).await
    }

    /// How many migrations are still to be run.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn pending_migrations(&self) -> Result<usize, DbError> {
        self.run(migrations::pending).await
    }
}

/// Runs `work` in a transaction that takes SQLite's write lock at its start: a transaction that reads first and writes
/// later would otherwise fail, instead of waiting, where another has written in between.
///
/// # Errors
/// Whatever `work` answers; it is rolled back then.
pub fn write_transaction<T, E>(
    connection: &mut AnyConnection,
    work: impl FnOnce(&mut AnyConnection) -> Result<T, E>,
) -> Result<T, E>
where
    E: From<diesel::result::Error>,
{
    use diesel::connection::TransactionManager;
    type Transactions = <AnyConnection as Connection>::TransactionManager;
    if let AnyConnection::Sqlite(sqlite) = connection {
        use diesel::connection::AnsiTransactionManager;
        AnsiTransactionManager::begin_transaction_sql(sqlite, "BEGIN IMMEDIATE")?;
    } else {
        Transactions::begin_transaction(connection)?;
    }
    match work(connection) {
        Ok(done) => {
            Transactions::commit_transaction(connection)?;
            Ok(done)
        }
        Err(error) => {
            // The work's own error says more than that of rolling back.
            if let Err(rollback) = Transactions::rollback_transaction(connection) {
                log::warn!("a transaction could not be rolled back: {rollback}");
            }
            Err(error)
        }
    }
}
