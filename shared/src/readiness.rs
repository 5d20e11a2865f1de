//! Whether the parts that a program stands on answer.

use serde::Serialize;

use crate::db::Db;
use crate::presence::Engine;

/// Whether a program can do its work, as it tells those who look after it.
#[derive(Clone, Debug, Serialize)]
pub struct Readiness {
    /// `ready` or `not_ready`.
    pub status: &'static str,
    /// What it stands on.
    pub parts: Vec<Part>,
}

/// Whether one part answers.
#[derive(Clone, Debug, Serialize)]
pub struct Part {
    /// Which.
    pub name: &'static str,
    /// Whether it answers.
    pub ok: bool,
}

/// Asks the database and the engine.
pub async fn ask(db: &Db, engine: &Engine) -> Readiness {
    let database = db.run(|connection| {
        use diesel::RunQueryDsl;
        diesel::sql_query("SELECT 1").execute(connection).map_err(crate::db::DbError::from)
    });
    let (database, engine) = futures_util::future::join(database, engine.check()).await;
    let part = |name, error: Option<String>| {
        if let Some(error) = &error {
            log::warn!("not ready: {name}: {error}");
        }
        Part { name, ok: error.is_none() }
    };
    let parts = vec![
        part("database", database.err().map(|error| error.to_string())),
        part("presence", engine.err().map(|error| error.to_string())),
    ];
    Readiness { status: if parts.iter().all(|part| part.ok) { "ready" } else { "not_ready" }, parts }
}

impl Readiness {
    /// Whether all parts answer.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.parts.iter().all(|part| part.ok)
    }
}
