//! Contacts: what one user is to another, a row for each side.
//!
//! [`Step::apply`] is the table of what may become of two rows; [`Pair`] reads and writes them.

use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Nullable, Text};

use super::sql::{Statement, Value};
use crate::account::status::texts;
use crate::db::{AnyConnection, DbError};
use crate::ids::UserId;
use crate::refusal::Code;
use crate::timestamp::Timestamp;

/// How many contacts, requests of its own and blocks a user may have; and, apart from those, how many others' requests.
pub const MOST: i64 = 5_000;

/// What one user is to another, as the first has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ContactState {
    /// Each is the other's contact.
    Accepted,
    /// The first has asked.
    Requested,
    /// The other has asked.
    Incoming,
    /// The first has blocked the other.
    Blocked,
}
texts!(ContactState {
    Accepted => "accepted",
    Requested => "requested",
    Incoming => "incoming",
    Blocked => "blocked",
});

/// Whether a user wants to be told when a contact comes online.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Notify {
    /// The next time.
    Once,
    /// Each time.
    Always,
}
texts!(Notify { Once => "once", Always => "always" });

/// What a user does about another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Asks it to be a contact.
    Request,
    /// Says yes.
    Accept,
    /// Says no.
    Decline,
    /// Wants nothing of it any more.
    Block,
    /// Removes a contact, withdraws a request, unblocks.
    Remove,
}

/// The two rows: one's own about the other, and the other's about oneself.
pub type States = (Option<ContactState>, Option<ContactState>);

impl Step {
    /// What becomes of the two rows.
    ///
    /// Whoever is blocked is not told: its request looks like any other, and is one, but the other has no row of it.
    ///
    /// # Errors
    /// `already_contact`, `user_blocked`, `contact_not_found`.
    pub fn apply(self, (own, theirs): States) -> Result<States, Code> {
        use ContactState::{Accepted, Blocked, Incoming, Requested};
        let not_theirs_to_lose = |kept: &[ContactState]| theirs.filter(|state| kept.contains(state));
        match (self, own) {
            (Self::Request, Some(Accepted)) => Err(Code::AlreadyContact),
            (Self::Request, Some(Blocked)) => Err(Code::UserBlocked),
            (Self::Request, _) => Ok(match theirs {
                Some(Requested) => (Some(Accepted), Some(Accepted)),
                Some(Blocked) => (Some(Requested), theirs),
                _ => (Some(Requested), Some(Incoming)),
            }),
            (Self::Accept, Some(Incoming)) if theirs == Some(Requested) => Ok((Some(Accepted), Some(Accepted))),
            // The answer of the first time was lost.
            (Self::Accept, Some(Accepted)) => Ok((own, theirs)),
            (Self::Decline, Some(Incoming)) => Ok((None, not_theirs_to_lose(&[Blocked]))),
            // A request to whoever blocks stays: it looks pending.
            (Self::Block, _) => Ok((Some(Blocked), not_theirs_to_lose(&[Blocked, Requested]))),
            (Self::Remove, Some(Blocked)) => Ok((None, theirs)),
            (Self::Remove, Some(_)) => Ok((None, not_theirs_to_lose(&[Blocked]))),
            (Self::Accept | Self::Decline, _) | (Self::Remove, None) => Err(Code::ContactNotFound),
        }
    }
}

/// A user's row about another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contact {
    /// Who the other is.
    pub other: UserId,
    /// What it is.
    pub state: ContactState,
    /// Since when.
    pub since: Timestamp,
    /// Whether the user wants to be told when the other comes online.
    pub notify: Option<Notify>,
}

#[derive(QueryableByName)]
struct ContactRow {
    #[diesel(sql_type = BigInt)]
    other_id: i64,
    #[diesel(sql_type = Text)]
    state: String,
    #[diesel(sql_type = BigInt)]
    since_ms: i64,
    #[diesel(sql_type = Nullable<Text>)]
    notify: Option<String>,
}

impl TryFrom<ContactRow> for Contact {
    type Error = DbError;

    fn try_from(row: ContactRow) -> Result<Self, DbError> {
        Ok(Self {
            other: UserId(row.other_id),
            state: row.state.parse().map_err(DbError::Content)?,
            since: Timestamp(row.since_ms),
            notify: row.notify.map(|word| word.parse()).transpose().map_err(DbError::Content)?,
        })
    }
}

impl Contact {
    /// A user's rows; of one other where it is named.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn of_user(
        connection: &mut AnyConnection,
        user: UserId,
        other: Option<UserId>,
    ) -> Result<Vec<Self>, DbError> {
        let mut statement = Statement::on(connection);
        let id = statement.value(Value::Int(user.0));
        let one = match other {
            Some(other) => format!(" AND other_id = {}", statement.value(Value::Int(other.0))),
            None => String::new(),
        };
        statement.push(&format!("SELECT other_id, state, since_ms, notify FROM contacts WHERE user_id = {id}{one}"));
        let rows: Vec<ContactRow> = statement.load(connection)?;
        rows.into_iter().map(Self::try_from).collect()
    }

    /// Says whether a user wants to be told when a contact comes online. Answers whether the other is a contact.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn set_notify(
        connection: &mut AnyConnection,
        user: UserId,
        other: UserId,
        notify: Option<Notify>,
    ) -> Result<bool, DbError> {
        let mut statement = Statement::on(connection);
        let (user, other) = (statement.value(Value::Int(user.0)), statement.value(Value::Int(other.0)));
        let notify = match notify {
            Some(notify) => statement.value(Value::Text(notify.as_str().to_owned())),
            None => "NULL".to_owned(),
        };
        statement.push(&format!(
            "UPDATE contacts SET notify = {notify} WHERE user_id = {user} AND other_id = {other} AND state = 'accepted'"
        ));
        Ok(statement.execute(connection)? > 0)
    }
}

/// Two users, locked against others who change what they are to each other.
#[derive(Clone, Copy, Debug)]
pub struct Pair {
    user: UserId,
    other: UserId,
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

impl Pair {
    /// Locks the pair until the transaction ends: both rows at once, since those that are not there yet can't be locked.
    /// Within a transaction that keeps both accounts.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn lock(connection: &mut AnyConnection, user: UserId, other: UserId) -> Result<Self, DbError> {
        let mut statement = Statement::on(connection);
        // SQLite's transaction holds the one write lock already.
        if statement.is_postgres() {
            // Two pairs of the same number only wait for each other.
            let (low, high) = (user.0.min(other.0), user.0.max(other.0));
            let number = low.wrapping_mul(0x9E37_79B9_7F4A_7C15_u64.cast_signed()) ^ high;
            let number = statement.value(Value::Int(number));
            statement.push(&format!("SELECT pg_advisory_xact_lock({number})"));
            statement.execute(connection)?;
        }
        Ok(Self { user, other })
    }

    /// The two rows as they are.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn states(self, connection: &mut AnyConnection) -> Result<States, DbError> {
        let mut one = |user, other| {
            Ok::<_, DbError>(Contact::of_user(connection, user, Some(other))?.pop().map(|row| row.state))
        };
        Ok((one(self.user, self.other)?, one(self.other, self.user)?))
    }

    /// Makes the two rows what they shall be.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn write(
        self,
        connection: &mut AnyConnection,
        before: States,
        after: States,
        now: Timestamp,
    ) -> Result<(), DbError> {
        let mut rows = [(self.user, self.other, before.0, after.0), (self.other, self.user, before.1, after.1)];
        // In this order everywhere, so that nobody waits in a circle.
        rows.sort_unstable_by_key(|(user, ..)| *user);
        for (user, other, before, after) in rows {
            if before == after {
                continue;
            }
            let mut statement = Statement::on(connection);
            let (user, other) = (statement.value(Value::Int(user.0)), statement.value(Value::Int(other.0)));
            match after {
                None => {
                    statement.push(&format!("DELETE FROM contacts WHERE user_id = {user} AND other_id = {other}"));
                }
                Some(state) => {
                    let state = statement.value(Value::Text(state.as_str().to_owned()));
                    let now = statement.value(Value::Int(now.0));
                    statement.push(&format!(
                        "INSERT INTO contacts (user_id, other_id, state, since_ms)                          VALUES ({user}, {other}, {state}, {now}) ON CONFLICT (user_id, other_id) DO UPDATE                          SET state = excluded.state, since_ms = excluded.since_ms, notify = NULL, notified_at_ms = NULL"
                    ));
                }
            }
            statement.execute(connection)?;
        }
        Ok(())
    }

    /// How many rows a user has: those of others' requests, or all the others.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn count(connection: &mut AnyConnection, user: UserId, incoming: bool) -> Result<i64, DbError> {
        let mut statement = Statement::on(connection);
        let user = statement.value(Value::Int(user.0));
        let which = if incoming { "=" } else { "<>" };
        statement
            .push(&format!("SELECT count(*) AS n FROM contacts WHERE user_id = {user} AND state {which} 'incoming'"));
        let rows: Vec<Count> = statement.load(connection)?;
        Ok(rows.first().map_or(0, |row| row.n))
    }
}

#[cfg(test)]
mod tests {
    use ContactState::{Accepted, Blocked, Incoming, Requested};

    use super::*;

    /// All pairs of rows that there can be, one's own first.
    const PAIRS: [States; 11] = [
        (None, None),
        (Some(Requested), Some(Incoming)),
        (Some(Incoming), Some(Requested)),
        (Some(Accepted), Some(Accepted)),
        (Some(Blocked), None),
        (None, Some(Blocked)),
        (Some(Blocked), Some(Blocked)),
        (Some(Blocked), Some(Requested)),
        (Some(Requested), Some(Blocked)),
        (Some(Requested), None),
        (None, Some(Requested)),
    ];

    const STEPS: [Step; 5] = [Step::Request, Step::Accept, Step::Decline, Step::Block, Step::Remove];

    #[test]
    fn every_step_from_every_pair() {
        let accepted = Ok((Some(Accepted), Some(Accepted)));
        let asked = Ok((Some(Requested), Some(Incoming)));
        let nothing = Ok((None, None));
        let blocked = Ok((Some(Blocked), None));
        let missing = Err(Code::ContactNotFound);
        // In the order of PAIRS and STEPS.
        let rows: [[Result<States, Code>; 5]; 11] = [
            [asked, missing, missing, blocked, missing],
            [asked, missing, missing, blocked, nothing],
            [accepted, accepted, nothing, Ok((Some(Blocked), Some(Requested))), nothing],
            [Err(Code::AlreadyContact), accepted, missing, blocked, nothing],
            [Err(Code::UserBlocked), missing, missing, blocked, nothing],
            [Ok((Some(Requested), Some(Blocked))), missing, missing, Ok((Some(Blocked), Some(Blocked))), missing],
            [Err(Code::UserBlocked), missing, missing, Ok((Some(Blocked), Some(Blocked))), Ok((None, Some(Blocked)))],
            [
                Err(Code::UserBlocked),
                missing,
                missing,
                Ok((Some(Blocked), Some(Requested))),
                Ok((None, Some(Requested))),
            ],
            [
                Ok((Some(Requested), Some(Blocked))),
                missing,
                missing,
                Ok((Some(Blocked), Some(Blocked))),
                Ok((None, Some(Blocked))),
            ],
            [asked, missing, missing, blocked, nothing],
            [accepted, missing, missing, Ok((Some(Blocked), Some(Requested))), missing],
        ];
        for (pair, expected) in PAIRS.into_iter().zip(rows) {
            for (step, expected) in STEPS.into_iter().zip(expected) {
                assert_eq!(step.apply(pair), expected, "{step:?} {pair:?}");
                if let Ok(after) = expected {
                    assert!(PAIRS.contains(&after), "{step:?} {pair:?} makes {after:?}");
                }
            }
        }
    }

    /// Whoever is blocked by another is answered to each of its own steps as if it were not.
    #[test]
    fn nobody_learns_that_it_is_blocked() {
        let own = |result: Result<States, Code>| result.map(|after| after.0);
        for step in STEPS {
            let (blocked, free) = ((None, Some(Blocked)), (None, None));
            assert_eq!(own(step.apply(blocked)), own(step.apply(free)), "{step:?}");
            let (blocked, free) = ((Some(Requested), Some(Blocked)), (Some(Requested), Some(Incoming)));
            assert_eq!(own(step.apply(blocked)), own(step.apply(free)), "{step:?}");
        }
    }
}
