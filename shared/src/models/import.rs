//! Accounts that were made elsewhere, as they are written: under their ids there.

use std::collections::HashMap;

use diesel::prelude::*;

use super::account::InsertRow;
use super::{Account, NewAccount};
use crate::db::schema::{accounts, presence};
use crate::db::{AnyConnection, DbError, on_either};
use crate::ids::UserId;
use crate::timestamp::Timestamp;

/// An account that was made elsewhere.
#[derive(Clone, Debug)]
pub struct ImportedAccount {
    /// Its id there, and here.
    pub id: UserId,
    /// The rest of it.
    pub account: NewAccount,
    /// When it was made there.
    pub created_at: Timestamp,
    /// When its user was last seen there.
    pub last_seen: Option<Timestamp>,
}

/// Who has an imported account's id, name or address already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nobody: it was made.
    Nobody,
    /// An account of the same id and name: it was left alone.
    Itself,
    /// Another account, as a sentence for the operator: nothing was written.
    Another(String),
}

/// Ids, names and addresses that are somebody's.
#[derive(Default)]
struct Taken<'a> {
    names_by_id: HashMap<i64, &'a str>,
    by_name: HashMap<&'a str, i64>,
    by_email: HashMap<&'a str, i64>,
}

impl<'a> Taken<'a> {
    fn take(&mut self, id: i64, name: &'a str, email: &'a str) {
        self.names_by_id.insert(id, name);
        self.by_name.insert(name, id);
        self.by_email.insert(email, id);
    }

    fn by(&self, id: i64, name: &str, email: &str) -> Found {
        let another = |other: i64, what: &str| Found::Another(format!("account {other} has this {what} already"));
        match (self.names_by_id.get(&id), self.by_name.get(name), self.by_email.get(email)) {
            (Some(there), _, _) if *there == name => Found::Itself,
            (Some(_), _, _) => another(id, "id"),
            (_, Some(other), _) => another(*other, "username"),
            (_, _, Some(other)) => another(*other, "email"),
            (None, None, None) => Found::Nobody,
        }
    }
}

#[derive(Insertable)]
#[diesel(table_name = accounts)]
struct ImportRow<'a> {
    id: i64,
    #[diesel(embed)]
    row: InsertRow<'a>,
}

impl Account {
    /// Makes accounts that were made elsewhere, under their ids there, and answers for each who has its place already. Some
    /// hundred at a time: each statement counts accounts anew. Within the caller's transaction, which begins with
    /// [`Self::begin_import`] and ends with [`Self::count_ids_on`].
    ///
    /// # Errors
    /// [`DbError`].
    pub fn import_within(connection: &mut AnyConnection, new: &[ImportedAccount]) -> Result<Vec<Found>, DbError> {
        let ids = || new.iter().map(|one| one.id.0).collect::<Vec<_>>();
        let names = || new.iter().map(|one| one.account.username.key()).collect::<Vec<_>>();
        let emails = || new.iter().map(|one| one.account.email.key()).collect::<Vec<_>>();
        let there: Vec<(i64, String, String)> = on_either!(connection, c => accounts::table
            .filter(accounts::id.eq_any(ids()).or(accounts::username_key.eq_any(names())).or(accounts::email_key.eq_any(emails())))
            .select((accounts::id, accounts::username_key, accounts::email_key))
            .load(c))?;
        let mut taken = Taken::default();
        for (id, name, email) in &there {
            taken.take(*id, name, email);
        }
        let (mut found, mut rows, mut seen) = (vec![], vec![], vec![]);
        for ImportedAccount { id, account, created_at, last_seen } in new {
            let (name, email) = (account.username.key(), account.email.key());
            let who = taken.by(id.0, name, email);
            if who == Found::Nobody {
                taken.take(id.0, name, email);
                rows.push(ImportRow { id: id.0, row: InsertRow::of(account, *created_at) });
                let at = last_seen.map_or(0, |at| at.0);
                seen.push((presence::user_id.eq(id.0), presence::last_seen_ms.eq(at)));
            }
            found.push(who);
        }
        match connection {
            AnyConnection::Postgresql(pg) => {
                diesel::insert_into(accounts::table).values(&rows).execute(pg)?;
                diesel::insert_into(presence::table).values(seen).execute(pg)?;
            }
            AnyConnection::Sqlite(sqlite) => {
                for row in rows {
                    diesel::insert_into(accounts::table).values(row).execute(sqlite)?;
                }
                for seen in seen {
                    diesel::insert_into(presence::table).values(seen).execute(sqlite)?;
                }
            }
        }
        Ok(found)
    }

    /// Has PostgreSQL plan each statement of the transaction for what the tables hold by then: a plan that was made for empty
    /// ones would be kept, and read all of them each time.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn begin_import(connection: &mut AnyConnection) -> Result<(), DbError> {
        if let AnyConnection::Postgresql(pg) = connection {
            diesel::sql_query("SET LOCAL plan_cache_mode = force_custom_plan").execute(pg)?;
        }
        Ok(())
    }

    /// Has PostgreSQL know what the tables hold now: other programs' plans are made anew by it.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn end_import(connection: &mut AnyConnection) -> Result<(), DbError> {
        if let AnyConnection::Postgresql(pg) = connection {
            diesel::sql_query("ANALYZE accounts, presence").execute(pg)?;
        }
        Ok(())
    }

    /// Has the next id be one above all that there are. SQLite sees to that by itself.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn count_ids_on(connection: &mut AnyConnection) -> Result<(), DbError> {
        if let AnyConnection::Postgresql(pg) = connection {
            diesel::sql_query(
                "SELECT setval(pg_get_serial_sequence('accounts', 'id'), GREATEST(max(id), \
                 (SELECT last_value FROM pg_sequences WHERE sequencename = 'accounts_id_seq' AND schemaname = current_schema()))) \
                 FROM accounts HAVING max(id) IS NOT NULL",
            )
            .execute(pg)?;
        }
        Ok(())
    }
}
