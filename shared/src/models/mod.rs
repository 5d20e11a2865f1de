//! The database's rows, and the queries on them as their methods.
//!
//! Rows, inserts, changes and the API's shapes are separate types. Every method takes a connection, blocks, and is
//! called through [`crate::db::Db::run`].

pub mod account;
pub mod attempt;
pub mod audit;
pub mod contact;
pub mod delivery;
pub mod directory;
pub mod history;
pub mod import;
pub mod intervals;
pub mod listening;
pub mod months;
pub mod notification;
pub mod open_counts;
pub mod privacy;
pub mod projection;
pub mod session;
mod sql;
pub mod statistics;
pub mod walk;
pub mod webhook;

pub use account::{Account, AccountChanges, NewAccount};
pub use audit::{Actor, AuditEntry};
pub use delivery::Delivery;
pub use session::{NewSession, Session};
pub use webhook::Webhook;
