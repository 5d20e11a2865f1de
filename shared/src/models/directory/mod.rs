//! Pages of users: searched, filtered, ordered, by cursor; with how many the filter selects.
//!
//! Whether somebody is online is not the database's to say. Its projection is right for everybody but the few whom the
//! engine's delta names (see [`crate::presence::engine::Delta`]), so a filter by presence takes the projection without
//! those, and of those the ones whom the engine says to be so.
//!
//! A page is a viewer's: whoever it may not see to be online is offline in filters and counts, and whose last seen it may
//! not see was never seen in the order (see [`super::privacy::Conditions`]).

mod page;
mod rows;
mod search;

pub use rows::{Listed, StoredPresence, by_ids, stored};

use crate::account::{Role, Status};
use crate::presence::rule::OnlineStatus;

/// In which order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// By id.
    Id,
    /// By name, without regard to case, by code point.
    Username,
    /// By last seen as the database holds it; never seen, or not for the viewer to see, comes first.
    LastSeen,
}

/// Where a page begins: after this user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum After {
    /// In the order of ids.
    Id(i64),
    /// In the order of names.
    Username(String),
    /// In the order of last seen, then ids.
    LastSeen(i64, i64),
}

/// Which users.
#[derive(Clone, Debug)]
pub struct Filter {
    /// Part of the name, folded; of the address too, where the flag is set.
    pub search: Option<(String, bool)>,
    /// By presence.
    pub online_status: Option<OnlineStatus>,
    /// By account status.
    pub status: Option<Status>,
    /// By role.
    pub role: Option<Role>,
}

/// Whom the projection may be wrong about, by what is true of them.
#[derive(Clone, Debug, Default)]
pub struct Corrections {
    /// Online, as far as the engine goes.
    pub online: Vec<i64>,
    /// Offline.
    pub offline: Vec<i64>,
}

/// A page to be read.
#[derive(Clone, Debug)]
pub struct PageQuery {
    /// Which users.
    pub filter: Filter,
    /// In which order.
    pub sort: Sort,
    /// The other way round.
    pub descending: bool,
    /// Where it begins.
    pub after: Option<After>,
    /// How many users at most.
    pub limit: i64,
}

/// A page, and what is needed to say how many users there are in all.
#[derive(Clone, Debug)]
pub struct Page {
    /// The page's users.
    pub users: Vec<Listed>,
    /// How many there are, presence aside.
    pub kind_total: u64,
    /// How many of those are online, as far as the database counts it.
    pub online: CountedOnline,
    /// Whether there are more, of which neither number knows: a search was not counted to its end.
    pub at_least: bool,
}

/// How many are online, as far as the database counts it. Counting all who are online would be a walk over all of them,
/// and the engine has the number anyway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CountedOnline {
    /// Nothing was counted: it follows from the engine's number.
    No,
    /// The admins who are online, who are few.
    Admins(u64),
    /// Those whom the search finds.
    Found(u64),
}

impl CountedOnline {
    /// How many users of a filter are online, presence aside, where so many are online in all: only accounts that are
    /// active are ever online.
    #[must_use]
    pub fn of(self, filter: &Filter, all: u64) -> u64 {
        match self {
            Self::Found(online) => online,
            _ if filter.status.is_some_and(|status| status != Status::Active) => 0,
            Self::Admins(admins) if filter.role == Some(Role::Admin) => admins,
            Self::Admins(admins) => all.saturating_sub(admins),
            Self::No => all,
        }
    }
}
