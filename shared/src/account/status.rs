//! Account status, and what it means for presence and log-in.

use serde::{Deserialize, Serialize};

use crate::presence::Reason;

/// What an account may do beyond its own affairs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Sees others' presence, manages itself.
    User,
    /// Manages accounts too.
    Admin,
}

/// The account status that an admin sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// May log in.
    Active,
    /// Registered, not yet approved.
    Pending,
    /// Barred for a time.
    Suspended,
    /// Barred for good.
    Banned,
}

/// An account's status and its `is_active` flag together: what decides whether it may be online at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Standing {
    /// What an admin set.
    pub status: Status,
    /// Cleared by deactivating; outranked by every status but `active`.
    pub is_active: bool,
}

/// Why an account is barred from being online.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Bar {
    /// `status` is suspended.
    Suspended,
    /// `status` is banned.
    Banned,
    /// `status` is pending.
    Pending,
    /// `is_active` is false.
    Inactive,
}

impl Standing {
    /// An account that may log in.
    pub const ACTIVE: Self = Self { status: Status::Active, is_active: true };

    /// The words of [`Self::word`].
    pub const WORDS: [&'static str; 5] = ["active", "pending", "suspended", "banned", "inactive"];

    /// The status; or `inactive`, where that would be active but for being deactivated.
    #[must_use]
    pub fn word(self) -> &'static str {
        if self.bar() == Some(Bar::Inactive) { "inactive" } else { self.status.as_str() }
    }

    /// Why an account of this standing may not be online; `None` where it may.
    #[must_use]
    pub fn bar(self) -> Option<Bar> {
        match self.status {
            Status::Suspended => Some(Bar::Suspended),
            Status::Banned => Some(Bar::Banned),
            Status::Pending => Some(Bar::Pending),
            Status::Active if !self.is_active => Some(Bar::Inactive),
            Status::Active => None,
        }
    }
}

impl Bar {
    /// The reason that readers of the presence see.
    #[must_use]
    pub fn reason(self) -> Reason {
        match self {
            Self::Suspended => Reason::Suspended,
            Self::Banned => Reason::Banned,
            Self::Pending => Reason::Pending,
            Self::Inactive => Reason::Deactivated,
        }
    }
}

/// Text forms of an enum as the database and the API have them.
macro_rules! texts {
    ($name:ident { $($variant:ident => $text:literal),+ $(,)? }) => {
        impl $name {
            /// The word for it in the database and on the wire.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    other => Err(format!("unknown value {other:?}")),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
pub(crate) use texts;

texts!(Role { User => "user", Admin => "admin" });
texts!(Status { Active => "active", Pending => "pending", Suspended => "suspended", Banned => "banned" });

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_standing_but_plainly_active_is_barred() {
        let rows = [
            (Status::Active, true, None),
            (Status::Active, false, Some(Bar::Inactive)),
            (Status::Pending, true, Some(Bar::Pending)),
            (Status::Pending, false, Some(Bar::Pending)),
            (Status::Suspended, true, Some(Bar::Suspended)),
            (Status::Suspended, false, Some(Bar::Suspended)),
            (Status::Banned, true, Some(Bar::Banned)),
            (Status::Banned, false, Some(Bar::Banned)),
        ];
        for (status, is_active, bar) in rows {
            assert_eq!(Standing { status, is_active }.bar(), bar, "{status} {is_active}");
        }
    }
}
