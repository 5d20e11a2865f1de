//! The jobs, a file each. Each is safe to run twice; [`crate::registry`] lists them with their policies.

pub mod clean_deliveries;
pub mod clean_history;
pub mod clean_notifications;
pub mod clean_sessions;
pub mod clean_tasks;
pub mod deliver;
pub mod reconcile;
pub mod roll_active;
pub mod roll_online;
pub mod sample_statuses;
pub mod sweep;
pub mod trim_transitions;
