//! Deadlines that heartbeats moved, as the journal keeps them.

use crate::ids::{SessionId, UserId};
use crate::timestamp::{Deadline, Timestamp};

/// Deadlines by user and session, packed. A later one of the same session counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Moved(Vec<u8>);

impl Moved {
    /// The bytes of one: user, session and deadline, each as 8, the lowest first.
    pub const LENGTH: usize = 24;

    /// Adds one.
    pub fn push(&mut self, user: UserId, session: SessionId, deadline: Deadline) {
        for number in [user.0, session.0, deadline.0.0] {
            self.0.extend_from_slice(&number.to_le_bytes());
        }
    }

    /// Adds all of another's.
    pub fn append(&mut self, other: &mut Self) {
        self.0.append(&mut other.0);
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len() / Self::LENGTH
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As they are written.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Reads what [`Moved::bytes`] gave.
    pub fn read(bytes: &[u8]) -> impl Iterator<Item = (UserId, SessionId, Deadline)> {
        bytes.chunks_exact(Self::LENGTH).filter_map(|one| {
            let (numbers, _) = one.as_chunks::<8>();
            let [user, session, deadline] = <[_; 3]>::try_from(numbers).ok()?.map(i64::from_le_bytes);
            Some((UserId(user), SessionId(session), Deadline(Timestamp(deadline))))
        })
    }
}
