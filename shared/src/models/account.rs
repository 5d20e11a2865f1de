//! Accounts.

use std::time::Duration;

use diesel::prelude::*;

use crate::account::{Email, Role, Standing, Status, Username};
use crate::db::schema::{accounts, presence};
use crate::db::{AnyConnection, DbError, on_either, violates, write_transaction};
use crate::ids::UserId;
use crate::presence::availability::{Choice, Privacy, Profile, Shown, Words};
use crate::timestamp::{Timestamp, millis};

/// An account.
#[derive(Clone, Debug)]
pub struct Account {
    /// Its id.
    pub id: UserId,
    /// The name as it is shown.
    pub username: String,
    /// The address as it was typed.
    pub email: String,
    /// bcrypt's hash.
    pub password_hash: String,
    /// What it may do.
    pub role: Role,
    /// Whether it may be online.
    pub standing: Standing,
    /// The user's own inactivity timeout, where one was chosen.
    pub inactivity_timeout: Option<Duration>,
    /// What the user has chosen to show; it may have ended since.
    pub choice: Choice,
    /// Who may see it.
    pub privacy: Privacy,
    /// How long nobody must have touched a device for it to be away, where the user chose that.
    pub away_after: Option<Duration>,
    /// When it was made.
    pub created_at: Timestamp,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = accounts)]
pub(super) struct AccountRow {
    id: i64,
    username: String,
    email: String,
    password_hash: String,
    role: String,
    status: String,
    is_active: bool,
    inactivity_timeout_ms: Option<i64>,
    availability: String,
    availability_text: Option<String>,
    availability_emoji: Option<String>,
    availability_until_ms: Option<i64>,
    online_visibility: String,
    last_seen_visibility: String,
    away_after_ms: Option<i64>,
    created_at_ms: i64,
}

/// An account to be made.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// The name.
    pub username: Username,
    /// The address.
    pub email: Email,
    /// bcrypt's hash.
    pub password_hash: String,
    /// What it may do.
    pub role: Role,
    /// Whether it may be online.
    pub standing: Standing,
}

/// What may change of an account. `None` leaves a field as it is.
#[derive(Clone, Debug, Default)]
pub struct AccountChanges {
    /// The name.
    pub username: Option<Username>,
    /// The address.
    pub email: Option<Email>,
    /// bcrypt's hash.
    pub password_hash: Option<String>,
    /// What it may do.
    pub role: Option<Role>,
    /// Whether it may be online.
    pub standing: Option<Standing>,
    /// The user's own timeout; `Some(None)` goes back to the operator's.
    pub inactivity_timeout: Option<Option<Duration>>,
    /// What the user chooses to show.
    pub choice: Option<Choice>,
    /// Who may see it.
    pub privacy: Option<Privacy>,
    /// The user's own time until a device is away; `Some(None)` goes back to the operator's.
    pub away_after: Option<Option<Duration>>,
}

#[derive(Insertable)]
#[diesel(table_name = accounts)]
pub(super) struct InsertRow<'a> {
    username: &'a str,
    username_key: &'a str,
    email: &'a str,
    email_key: &'a str,
    password_hash: &'a str,
    role: &'a str,
    status: &'a str,
    is_active: bool,
    created_at_ms: i64,
    updated_at_ms: i64,
}

impl<'a> InsertRow<'a> {
    pub(super) fn of(new: &'a NewAccount, created_at: Timestamp) -> Self {
        Self {
            username: new.username.as_str(),
            username_key: new.username.key(),
            email: new.email.as_str(),
            email_key: new.email.key(),
            password_hash: &new.password_hash,
            role: new.role.as_str(),
            status: new.standing.status.as_str(),
            is_active: new.standing.is_active,
            created_at_ms: created_at.0,
            updated_at_ms: Timestamp::now().0,
        }
    }
}

#[derive(AsChangeset)]
#[diesel(table_name = accounts)]
struct ChangeRow<'a> {
    username: Option<&'a str>,
    username_key: Option<&'a str>,
    email: Option<&'a str>,
    email_key: Option<&'a str>,
    password_hash: Option<&'a str>,
    role: Option<&'a str>,
    status: Option<&'a str>,
    is_active: Option<bool>,
    inactivity_timeout_ms: Option<Option<i64>>,
    availability: Option<&'a str>,
    availability_text: Option<Option<&'a str>>,
    availability_emoji: Option<Option<&'a str>>,
    availability_until_ms: Option<Option<i64>>,
    online_visibility: Option<&'a str>,
    last_seen_visibility: Option<&'a str>,
    away_after_ms: Option<Option<i64>>,
    updated_at_ms: i64,
}

/// Why an account was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// Another account has this name.
    #[error("the username is taken")]
    UsernameTaken,
    /// Another account has this address.
    #[error("the e-mail address is taken")]
    EmailTaken,
    /// The database.
    #[error(transparent)]
    Database(#[from] DbError),
}

impl From<diesel::result::Error> for WriteError {
    fn from(error: diesel::result::Error) -> Self {
        if violates(&error, "accounts.username_key") {
            Self::UsernameTaken
        } else if violates(&error, "accounts.email_key") {
            Self::EmailTaken
        } else {
            Self::Database(error.into())
        }
    }
}

impl TryFrom<AccountRow> for Account {
    type Error = DbError;

    fn try_from(row: AccountRow) -> Result<Self, DbError> {
        Ok(Self {
            id: UserId(row.id),
            username: row.username,
            email: row.email,
            password_hash: row.password_hash,
            role: row.role.parse().map_err(DbError::Content)?,
            standing: standing(&row.status, row.is_active)?,
            inactivity_timeout: row.inactivity_timeout_ms.map(|ms| Duration::from_millis(ms.unsigned_abs())),
            choice: choice(
                &row.availability,
                row.availability_text,
                row.availability_emoji,
                row.availability_until_ms.map(Timestamp),
            )?,
            privacy: Privacy {
                online: row.online_visibility.parse().map_err(DbError::Content)?,
                last_seen: row.last_seen_visibility.parse().map_err(DbError::Content)?,
            },
            away_after: row.away_after_ms.map(|ms| Duration::from_millis(ms.unsigned_abs())),
            created_at: Timestamp(row.created_at_ms),
        })
    }
}

pub(super) fn choice(
    availability: &str,
    text: Option<String>,
    emoji: Option<String>,
    until: Option<Timestamp>,
) -> Result<Choice, DbError> {
    let availability = availability.parse().map_err(DbError::Content)?;
    Ok(Choice { shown: Shown { availability, words: Words::of(text, emoji) }, until })
}

pub(super) fn standing(status: &str, is_active: bool) -> Result<Standing, DbError> {
    Ok(Standing { status: status.parse::<Status>().map_err(DbError::Content)?, is_active })
}

impl Account {
    /// What the engine keeps of the user beside its sessions.
    #[must_use]
    pub fn profile(&self) -> Profile {
        Profile { choice: self.choice.clone(), privacy: self.privacy }
    }

    /// The account of this id.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn find(connection: &mut AnyConnection, id: UserId) -> Result<Option<Self>, DbError> {
        let row = accounts::table.find(id.0).select(AccountRow::as_select()).first(connection).optional()?;
        row.map(Self::try_from).transpose()
    }

    /// The account with this name or, where there is none, with this address; both as [`crate::account::names::fold`]
    /// makes them.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn find_for_login(connection: &mut AnyConnection, key: &str) -> Result<Option<Self>, DbError> {
        let by_name = accounts::table.filter(accounts::username_key.eq(key));
        let mut row = by_name.select(AccountRow::as_select()).first(connection).optional()?;
        // A name holds no @, so one query is enough for either.
        if row.is_none() && key.contains('@') {
            let by_email = accounts::table.filter(accounts::email_key.eq(key));
            row = by_email.select(AccountRow::as_select()).first(connection).optional()?;
        }
        row.map(Self::try_from).transpose()
    }

    /// Makes an account, with its row of presence.
    ///
    /// # Errors
    /// [`WriteError`] where name or address is taken.
    pub fn insert(connection: &mut AnyConnection, new: &NewAccount) -> Result<Self, WriteError> {
        write_transaction(connection, |connection| Self::insert_within(connection, new))
    }

    /// As [`Self::insert`], within a transaction of the caller's.
    ///
    /// # Errors
    /// [`WriteError`] where name or address is taken.
    pub fn insert_within(connection: &mut AnyConnection, new: &NewAccount) -> Result<Self, WriteError> {
        let row = InsertRow::of(new, Timestamp::now());
        let row: AccountRow = on_either!(connection, c => diesel::insert_into(accounts::table)
            .values(&row)
            .returning(AccountRow::as_returning())
            .get_result(c))?;
        diesel::insert_into(presence::table).values(presence::user_id.eq(row.id)).execute(connection)?;
        Ok(Self::try_from(row)?)
    }

    /// Changes the account and answers what it is then; `None` where there is none. Within the caller's transaction.
    ///
    /// # Errors
    /// [`WriteError`] where name or address is taken.
    pub fn change(
        connection: &mut AnyConnection,
        id: UserId,
        changes: &AccountChanges,
    ) -> Result<Option<Self>, WriteError> {
        let words = changes.choice.as_ref().map(|choice| choice.shown.words.as_deref());
        let row = ChangeRow {
            username: changes.username.as_ref().map(Username::as_str),
            username_key: changes.username.as_ref().map(Username::key),
            email: changes.email.as_ref().map(Email::as_str),
            email_key: changes.email.as_ref().map(Email::key),
            password_hash: changes.password_hash.as_deref(),
            role: changes.role.map(Role::as_str),
            status: changes.standing.map(|standing| standing.status.as_str()),
            is_active: changes.standing.map(|standing| standing.is_active),
            inactivity_timeout_ms: changes.inactivity_timeout.map(|timeout| timeout.map(millis)),
            availability: changes.choice.as_ref().map(|choice| choice.shown.availability.as_str()),
            availability_text: words.map(|words| words.and_then(|words| words.text.as_deref())),
            availability_emoji: words.map(|words| words.and_then(|words| words.emoji.as_deref())),
            availability_until_ms: changes.choice.as_ref().map(|choice| choice.until.map(|until| until.0)),
            online_visibility: changes.privacy.map(|privacy| privacy.online.as_str()),
            last_seen_visibility: changes.privacy.map(|privacy| privacy.last_seen.as_str()),
            away_after_ms: changes.away_after.map(|after| after.map(millis)),
            updated_at_ms: Timestamp::now().0,
        };
        diesel::update(accounts::table.find(id.0)).set(&row).execute(connection)?;
        Ok(Self::find(connection, id)?)
    }

    /// Puts another hash of the same password in the place of `old`, where it still stands there.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn rehash(connection: &mut AnyConnection, id: UserId, old: &str, new: &str) -> Result<bool, DbError> {
        let row = accounts::table.find(id.0).filter(accounts::password_hash.eq(old));
        Ok(diesel::update(row).set(accounts::password_hash.eq(new)).execute(connection)? > 0)
    }

    /// Deletes the account and what is held of its presence; its sessions go with it. Within the caller's transaction.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn delete(connection: &mut AnyConnection, id: UserId) -> Result<bool, DbError> {
        // The presence first, as the projector does: it writes there before it writes what refers to the account.
        diesel::delete(presence::table.find(id.0)).execute(connection)?;
        let deleted = diesel::delete(accounts::table.find(id.0)).execute(connection)?;
        super::open_counts::delete_of(connection, id)?;
        Ok(deleted > 0)
    }

    /// Locks the account's row against changes until the transaction ends, and answers it. Rows that refer to it may be
    /// written meanwhile.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn lock(connection: &mut AnyConnection, id: UserId) -> Result<Option<Self>, DbError> {
        if let AnyConnection::Postgresql(pg) = connection {
            let locked = accounts::table.find(id.0).select(AccountRow::as_select()).for_no_key_update().first(pg);
            return locked.optional()?.map(Self::try_from).transpose();
        }
        // SQLite's transaction holds the one write lock already.
        Self::find(connection, id)
    }

    /// Locks the account's presence until the transaction ends: before the row is written to in a way that keeps what refers to it
    /// from being written, since the projector does the one after the other.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn lock_presence(connection: &mut AnyConnection, id: UserId) -> Result<(), DbError> {
        if let AnyConnection::Postgresql(pg) = connection {
            presence::table.find(id.0).select(presence::user_id).for_update().first::<i64>(pg).optional()?;
        }
        Ok(())
    }

    /// Keeps the account from being deleted until the transaction ends, and says whether it is there. Only whoever deletes it,
    /// or gives it another name or address, waits.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn keep(connection: &mut AnyConnection, id: UserId) -> Result<bool, DbError> {
        let row = accounts::table.find(id.0).select(accounts::id);
        let kept = match connection {
            AnyConnection::Postgresql(pg) => row.for_key_share().first::<i64>(pg).optional()?,
            AnyConnection::Sqlite(sqlite) => row.first::<i64>(sqlite).optional()?,
        };
        Ok(kept.is_some())
    }

    /// Locks the account's row against changes, but not against others who do the same, and answers it.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn lock_shared(connection: &mut AnyConnection, id: UserId) -> Result<Option<Self>, DbError> {
        if let AnyConnection::Postgresql(pg) = connection {
            let locked = accounts::table.find(id.0).select(AccountRow::as_select()).for_share().first(pg);
            return locked.optional()?.map(Self::try_from).transpose();
        }
        Self::find(connection, id)
    }

    /// Locks all admins who can act, in the order of their ids, and answers who they are: so that two who bar each
    /// other at the same moment do so one after the other.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn lock_acting_admins(connection: &mut AnyConnection) -> Result<Vec<UserId>, DbError> {
        let acting = accounts::table
            .filter(accounts::role.eq("admin"))
            .filter(accounts::status.eq("active"))
            .filter(accounts::is_active.eq(true))
            .order(accounts::id)
            .select(accounts::id);
        let ids: Vec<i64> = match connection {
            AnyConnection::Postgresql(pg) => acting.for_no_key_update().load(pg)?,
            AnyConnection::Sqlite(sqlite) => acting.load(sqlite)?,
        };
        Ok(ids.into_iter().map(UserId).collect())
    }

    /// Whether any admin exists, able to act or not.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn any_admin(connection: &mut AnyConnection) -> Result<bool, DbError> {
        let admin = accounts::table.filter(accounts::role.eq("admin")).select(accounts::id).limit(1);
        Ok(!admin.load::<i64>(connection)?.is_empty())
    }
}
