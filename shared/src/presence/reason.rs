//! Why somebody is online or offline.

use serde::{Deserialize, Serialize};

use crate::account::status::texts;

/// Why a presence is as it is, and why an online interval began or ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Online since a log-in.
    Login,
    /// Online since a sign of life after silence.
    Heartbeat,
    /// Logged out.
    Logout,
    /// Silent for longer than the timeout.
    Timeout,
    /// The account is suspended.
    Suspended,
    /// The account is banned.
    Banned,
    /// The account waits for approval.
    Pending,
    /// The account is not active.
    Deactivated,
    /// The account was deleted.
    Deleted,
    /// An admin ended the session.
    EndedByAdmin,
}

texts!(Reason {
    Login => "login",
    Heartbeat => "heartbeat",
    Logout => "logout",
    Timeout => "timeout",
    Suspended => "suspended",
    Banned => "banned",
    Pending => "pending",
    Deactivated => "deactivated",
    Deleted => "deleted",
    EndedByAdmin => "ended_by_admin",
});
