//! What can go wrong with the database.

use diesel::result::{DatabaseErrorKind, Error};

/// A database error. Its text is for the log, never for a client.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// No connection within the time.
    #[error("the database is not reachable: {0}")]
    Unavailable(String),
    /// A query failed.
    #[error("database: {0}")]
    Query(#[from] Error),
    /// The thread that ran the query was lost.
    #[error("a database thread was lost: {0}")]
    Lost(String),
    /// A migration failed.
    #[error("migration: {0}")]
    Migration(String),
    /// A row holds what no row of ours holds.
    #[error("the database holds something unknown: {0}")]
    Content(String),
}

impl DbError {
    /// Whether trying again later may help: the database is away, overloaded, or gave up on a lock.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unavailable(_) => true,
            Self::Query(Error::DatabaseError(kind, information)) => {
                let text = information.message();
                matches!(
                    kind,
                    DatabaseErrorKind::ClosedConnection
                        | DatabaseErrorKind::SerializationFailure
                        | DatabaseErrorKind::UnableToSendCommand
                        | DatabaseErrorKind::ReadOnlyTransaction
                ) || [
                    "database is locked",
                    "terminating connection",
                    "server closed the connection",
                    "connection to server",
                    "could not connect",
                    "no connection to the server",
                    "the database system is",
                    "too many clients",
                    "lock timeout",
                    "statement timeout",
                    "deadlock detected",
                    "database or disk is full",
                    "No space left",
                ]
                .iter()
                .any(|known| text.contains(known))
            }
            _ => false,
        }
    }
}

/// Whether an error says that a unique value is taken: `column` is the table's and the column's name, joined by a dot.
#[must_use]
pub fn violates(error: &Error, column: &str) -> bool {
    let Error::DatabaseError(DatabaseErrorKind::UniqueViolation, information) = error else { return false };
    // PostgreSQL names the constraint, which the migrations name after table and column; SQLite names the column.
    let constraint = column.replace('.', "_");
    information.constraint_name() == Some(constraint.as_str()) || information.message().ends_with(column)
}
