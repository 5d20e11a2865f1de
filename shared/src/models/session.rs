//! Sessions: one log-in on one device.

use diesel::prelude::*;

use super::account::{Account, AccountRow};
use crate::db::schema::{accounts, sessions};
use crate::db::{AnyConnection, DbError, on_either};
use crate::ids::{SessionId, UserId};
use crate::presence::Reason;
use crate::statistics::Platform;
use crate::timestamp::Timestamp;

/// A session's row.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = sessions)]
pub struct Session {
    id: i64,
    user_id: i64,
    /// The device's name, as the client gave it.
    pub device: Option<String>,
    /// SHA-256 of the part of the refresh token that stays.
    pub family_hash: Vec<u8>,
    /// SHA-256 of its turning part.
    pub refresh_hash: Vec<u8>,
    /// SHA-256 of the turning part before.
    pub previous_refresh_hash: Option<Vec<u8>>,
    /// What the turning part was made with from the one before.
    pub rotation_salt: Option<Vec<u8>>,
    rotated_at_ms: Option<i64>,
    created_at_ms: i64,
    expires_at_ms: i64,
    last_seen_ms: i64,
    ended_at_ms: Option<i64>,
    end_reason: Option<String>,
    /// What kind of device it is on, in a word of [`Platform`].
    pub platform: String,
}

/// A session to be made.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// Whose.
    pub user: UserId,
    /// The device's name.
    pub device: Option<String>,
    /// What kind of device.
    pub platform: Platform,
    /// See [`Session::family_hash`].
    pub family_hash: Vec<u8>,
    /// See [`Session::refresh_hash`].
    pub refresh_hash: Vec<u8>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its refresh token expires.
    pub expires_at: Timestamp,
}

#[derive(Insertable)]
#[diesel(table_name = sessions)]
struct InsertRow<'a> {
    user_id: i64,
    device: Option<&'a str>,
    platform: &'static str,
    family_hash: &'a [u8],
    refresh_hash: &'a [u8],
    created_at_ms: i64,
    expires_at_ms: i64,
    last_seen_ms: i64,
}

impl Session {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> SessionId {
        SessionId(self.id)
    }

    /// Whose.
    #[must_use]
    pub fn user(&self) -> UserId {
        UserId(self.user_id)
    }

    /// When it was made.
    #[must_use]
    pub fn created_at(&self) -> Timestamp {
        Timestamp(self.created_at_ms)
    }

    /// Its last sign of life, as of the moment when it last left the engine.
    #[must_use]
    pub fn last_seen(&self) -> Timestamp {
        Timestamp(self.last_seen_ms)
    }

    /// When its refresh token was last turned.
    #[must_use]
    pub fn rotated_at(&self) -> Option<Timestamp> {
        self.rotated_at_ms.map(Timestamp)
    }

    /// Whether it was ended, or its refresh token has expired.
    #[must_use]
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.ended_at_ms.is_some() || self.expires_at_ms <= now.0
    }

    /// When and why it was ended.
    #[must_use]
    pub fn ended(&self) -> Option<(Timestamp, Option<Reason>)> {
        let reason = self.end_reason.as_deref().and_then(|reason| reason.parse().ok());
        self.ended_at_ms.map(|at| (Timestamp(at), reason))
    }

    /// Makes a session. Within a transaction that has locked the account with [`Account::lock_shared`].
    ///
    /// # Errors
    /// [`DbError`].
    pub fn insert(connection: &mut AnyConnection, new: &NewSession) -> Result<SessionId, DbError> {
        let row = InsertRow {
            user_id: new.user.0,
            device: new.device.as_deref(),
            platform: new.platform.as_str(),
            family_hash: &new.family_hash,
            refresh_hash: &new.refresh_hash,
            created_at_ms: new.created_at.0,
            expires_at_ms: new.expires_at.0,
            last_seen_ms: new.created_at.0,
        };
        let id: i64 = on_either!(connection, c => diesel::insert_into(sessions::table)
            .values(&row)
            .returning(sessions::id)
            .get_result(c))?;
        Ok(SessionId(id))
    }

    /// The session of this id with its account.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn find(connection: &mut AnyConnection, id: SessionId) -> Result<Option<(Self, Account)>, DbError> {
        Ok(Self::find_many(connection, &[id])?.pop())
    }

    /// The sessions of these ids that there are, each with its account, in no order.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn find_many(connection: &mut AnyConnection, ids: &[SessionId]) -> Result<Vec<(Self, Account)>, DbError> {
        let ids: Vec<i64> = ids.iter().map(|id| id.0).collect();
        let query = sessions::table.inner_join(accounts::table);
        let columns = (Self::as_select(), AccountRow::as_select());
        let rows: Vec<(Self, AccountRow)> =
            query.filter(sessions::id.eq_any(ids)).select(columns).load(connection)?;
        rows.into_iter().map(|(session, account)| Ok((session, account.try_into()?))).collect()
    }

    /// A user's sessions that are not over, the newest first.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn of_user(connection: &mut AnyConnection, user: UserId, now: Timestamp) -> Result<Vec<Self>, DbError> {
        Ok(sessions::table
            .filter(sessions::user_id.eq(user.0))
            .filter(sessions::ended_at_ms.is_null())
            .filter(sessions::expires_at_ms.gt(now.0))
            .order(sessions::id.desc())
            .select(Self::as_select())
            .load(connection)?)
    }

    /// All rows of a user, the newest first.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn all_of_user(connection: &mut AnyConnection, user: UserId) -> Result<Vec<Self>, DbError> {
        let all = sessions::table.filter(sessions::user_id.eq(user.0)).order(sessions::id.desc());
        Ok(all.select(Self::as_select()).load(connection)?)
    }

    /// The newest session of a user, ended or not; 0 where there is none. With the account locked by
    /// [`Account::lock`], later sessions have larger ids.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn newest_of(connection: &mut AnyConnection, user: UserId) -> Result<SessionId, DbError> {
        let newest: Option<i64> = sessions::table
            .filter(sessions::user_id.eq(user.0))
            .order(sessions::id.desc())
            .select(sessions::id)
            .first(connection)
            .optional()?;
        Ok(SessionId(newest.unwrap_or(0)))
    }

    /// Ends one session. Answers whether it was not ended before.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn end(
        connection: &mut AnyConnection,
        id: SessionId,
        reason: Reason,
        at: Timestamp,
    ) -> Result<bool, DbError> {
        let ended = diesel::update(sessions::table.find(id.0).filter(sessions::ended_at_ms.is_null()))
            .set((sessions::ended_at_ms.eq(at.0), sessions::end_reason.eq(reason.as_str())))
            .execute(connection)?;
        Ok(ended > 0)
    }

    /// Ends a user's sessions with ids up to `up_to`, but for `except`. Answers how many.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn end_all(
        connection: &mut AnyConnection,
        user: UserId,
        up_to: SessionId,
        reason: Reason,
        at: Timestamp,
    ) -> Result<usize, DbError> {
        let live = sessions::table
            .filter(sessions::user_id.eq(user.0))
            .filter(sessions::id.le(up_to.0))
            .filter(sessions::ended_at_ms.is_null());
        Ok(diesel::update(live)
            .set((sessions::ended_at_ms.eq(at.0), sessions::end_reason.eq(reason.as_str())))
            .execute(connection)?)
    }

    /// Turns the refresh token, if its turning part is still `from`. Answers whether it was.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn rotate(connection: &mut AnyConnection, id: SessionId, from: &[u8], turn: &Turn) -> Result<bool, DbError> {
        let current = sessions::table
            .find(id.0)
            .filter(sessions::refresh_hash.eq(from))
            .filter(sessions::ended_at_ms.is_null());
        let turned = diesel::update(current)
            .set((
                sessions::refresh_hash.eq(&turn.refresh_hash),
                sessions::previous_refresh_hash.eq(Some(from)),
                sessions::rotation_salt.eq(Some(&turn.salt)),
                sessions::rotated_at_ms.eq(Some(turn.at.0)),
                sessions::expires_at_ms.eq(turn.expires_at.0),
            ))
            .execute(connection)?;
        Ok(turned > 0)
    }

    /// Deletes sessions that were ended or expired before `before`, at most `most`. Answers how many.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn delete_over(connection: &mut AnyConnection, before: Timestamp, most: i64) -> Result<usize, DbError> {
        let over: Vec<i64> = sessions::table
            .filter(sessions::ended_at_ms.lt(before.0).or(sessions::expires_at_ms.lt(before.0)))
            .select(sessions::id)
            .limit(most)
            .load(connection)?;
        Ok(diesel::delete(sessions::table.filter(sessions::id.eq_any(over))).execute(connection)?)
    }
}

/// One turn of a refresh token.
#[derive(Clone, Debug)]
pub struct Turn {
    /// SHA-256 of the new turning part.
    pub refresh_hash: Vec<u8>,
    /// What it was made with.
    pub salt: Vec<u8>,
    /// When.
    pub at: Timestamp,
    /// When the new token expires.
    pub expires_at: Timestamp,
}
