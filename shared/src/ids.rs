//! Identifiers as types of their own, so that a user's id is never taken for a session's.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id! {
    /// An account's id, as the database gave it: positive, never used again.
    UserId
}
id! {
    /// A session's id, as the database gave it: positive, growing, never used again.
    SessionId
}

id! {
    /// A webhook's id, as the database gave it.
    WebhookId
}
id! {
    /// The id of an event on its way to a webhook, as the database gave it: growing.
    DeliveryId
}

impl UserId {
    /// The shard, of `shards`, that holds this user's presence.
    #[must_use]
    pub fn shard(self, shards: u32) -> u32 {
        // rem_euclid of a positive divisor below 2^32 fits into a u32.
        u32::try_from(self.0.rem_euclid(i64::from(shards.max(1)))).unwrap_or(0)
    }
}

impl SessionId {
    /// Larger than any session's id and exact as a double, which is how Lua counts: "all sessions, now and later".
    pub const ALL: Self = Self((1 << 53) - 1);
}
