//! How many users are online.

use std::ops::{AddAssign, SubAssign};

/// How many users are online in all, invisible ones left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All of them.
    pub online: u64,
    /// Those of them whom not everyone may see to be online.
    pub limited: u64,
    /// Those who are away.
    pub away: u64,
    /// Those who are not to be disturbed.
    pub dnd: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.online += other.online;
        self.limited += other.limited;
        self.away += other.away;
        self.dnd += other.dnd;
    }
}

impl SubAssign for Counts {
    fn sub_assign(&mut self, other: Self) {
        self.online -= other.online;
        self.limited -= other.limited;
        self.away -= other.away;
        self.dnd -= other.dnd;
    }
}
