//! The migrations, embedded from the folder `migrations`.

use diesel_migrations::{EmbeddedMigrations, HarnessWithOutput, MigrationHarness, embed_migrations};

use super::{AnyConnection, DbError, LIMITS_OF_TIME};

const POSTGRES: EmbeddedMigrations = embed_migrations!("../migrations/postgres");
const SQLITE: EmbeddedMigrations = embed_migrations!("../migrations/sqlite");

/// Replicas that start together run the migrations one after the other: the number is the lock's name.
const ADVISORY_LOCK: &str = "pg_advisory_lock(7234017283807667)";
const ADVISORY_UNLOCK: &str = "pg_advisory_unlock(7234017283807667)";

pub(crate) fn run(connection: &mut AnyConnection) -> Result<Vec<String>, DbError> {
    use diesel::connection::SimpleConnection;
    let failed = |error: Box<dyn std::error::Error + Send + Sync>| DbError::Migration(error.to_string());
    match connection {
        AnyConnection::Postgresql(pg) => {
            pg.batch_execute(&format!("SET statement_timeout = 0; SET lock_timeout = 0; SELECT {ADVISORY_LOCK}"))?;
            let done = HarnessWithOutput::new(pg, std::io::sink())
                .run_pending_migrations(POSTGRES)
                .map(|versions| versions.iter().map(ToString::to_string).collect())
                .map_err(failed);
            pg.batch_execute(&format!("SELECT {ADVISORY_UNLOCK}; {LIMITS_OF_TIME}"))?;
            done
        }
        AnyConnection::Sqlite(sqlite) => sqlite
            .run_pending_migrations(SQLITE)
            .map(|versions| versions.iter().map(ToString::to_string).collect())
            .map_err(failed),
    }
}

pub(super) fn pending(connection: &mut AnyConnection) -> Result<usize, DbError> {
    let pending = match connection {
        AnyConnection::Postgresql(pg) => pg.pending_migrations(POSTGRES).map(|all| all.len()),
        AnyConnection::Sqlite(sqlite) => sqlite.pending_migrations(SQLITE).map(|all| all.len()),
    };
    pending.map_err(|error| DbError::Migration(error.to_string()))
}
