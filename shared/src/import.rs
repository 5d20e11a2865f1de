//! Accounts of a Django project, from its table of users as CSV: with their ids, so that whatever else holds them goes on
//! doing so, and with their passwords.

use std::collections::HashMap;
use std::fmt;
use std::io::Read;

use csv::{ErrorKind, StringRecord};

use crate::account::{Email, Role, Standing, Status, Username, django};
use crate::db::{Db, DbError, write_transaction};
use crate::ids::UserId;
use crate::models::import::{Found, ImportedAccount};
use crate::models::{Account, NewAccount};
use crate::timestamp::Timestamp;

/// Columns without which there is nothing to import.
const REQUIRED: [&str; 3] = ["id", "username", "password"];
/// Columns that are read where they are there; all others are left alone.
const OPTIONAL: [&str; 8] =
    ["email", "is_active", "is_superuser", "role", "status", "date_joined", "last_login", "last_seen"];
/// Accounts of one statement.
const AT_A_TIME: usize = 500;
/// The largest id that is taken: it leaves room for those to come, and all of them are exact in JavaScript, which ends at 2^53.
const LARGEST_ID: i64 = 1 << 52;
/// So many refused rows are shown.
const SHOWN: usize = 20;

/// Why nothing was imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file is no such table.
    #[error("{0}")]
    File(String),
    /// The database.
    #[error("the database: {0}")]
    Database(#[from] DbError),
}

impl From<diesel::result::Error> for ImportError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Database(error.into())
    }
}

/// What came of an import.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Accounts that were made.
    pub made: usize,
    /// Rows whose account was there already, with the same id and name: they were left as they are.
    pub there: usize,
    /// Rows that were refused: the line in the file, and why.
    pub refused: Vec<(u64, String)>,
}

impl fmt::Display for Imported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (line, why) in self.refused.iter().take(SHOWN) {
            writeln!(f, "line {line}: {why}")?;
        }
        if let Some(more) = self.refused.len().checked_sub(SHOWN).filter(|more| *more > 0) {
            writeln!(f, "and {more} more")?;
        }
        let Self { made, there, refused } = self;
        write!(f, "{made} accounts made, {there} were there already, {} rows refused.", refused.len())
    }
}

/// Imports accounts. A row that is refused stops all, and nothing is written then, unless `skip` leaves such rows out.
///
/// Columns: `id`, `username` and `password`; and where they are there `email` (made up of the name where it is empty),
/// `is_active`, `is_superuser` (an admin), `role` and `status` in our own words, `date_joined`, and `last_seen` or else
/// `last_login`. Truths are `t`, `true` or `1`, times as PostgreSQL or RFC 3339 writes them.
///
/// # Errors
/// [`ImportError`].
pub async fn from_django(db: &Db, file: impl Read + Send + 'static, skip: bool) -> Result<Imported, ImportError> {
    db.run(move |connection| {
        let mut outcome = Imported::default();
        let done = write_transaction(connection, |connection| {
            Account::begin_import(connection)?;
            let mut table = Table::open(file)?;
            let mut goes_on = true;
            while goes_on {
                let (mut lines, mut accounts) = (vec![], vec![]);
                while goes_on && accounts.len() < AT_A_TIME {
                    match table.next()? {
                        Some((line, Ok(account))) => {
                            lines.push(line);
                            accounts.push(account);
                        }
                        Some((line, Err(why))) => outcome.refused.push((line, why)),
                        None => goes_on = false,
                    }
                }
                for (line, found) in lines.into_iter().zip(Account::import_within(connection, &accounts)?) {
                    match found {
                        Found::Nobody => outcome.made += 1,
                        Found::Itself => outcome.there += 1,
                        Found::Another(why) => outcome.refused.push((line, why)),
                    }
                }
            }
            outcome.refused.sort_by_key(|(line, _)| *line);
            if !outcome.refused.is_empty() && !skip {
                return Err(Stop::Refused);
            }
            Account::count_ids_on(connection)?;
            Account::end_import(connection)?;
            Ok(())
        });
        match done {
            Ok(()) => Ok(outcome),
            Err(Stop::Refused) => Ok(Imported { made: 0, ..outcome }),
            Err(Stop::Failed(error)) => Err(error),
        }
    })
    .await
}

/// Why the transaction is rolled back.
enum Stop {
    Refused,
    Failed(ImportError),
}

impl<E: Into<ImportError>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// The file.
struct Table<R> {
    reader: csv::Reader<R>,
    /// Where each column stands.
    columns: HashMap<&'static str, usize>,
    record: StringRecord,
}

type Row = Result<ImportedAccount, String>;

impl<R: Read> Table<R> {
    fn open(file: R) -> Result<Self, ImportError> {
        let mut reader = csv::ReaderBuilder::new().from_reader(file);
        let header = reader.headers().map_err(|error| ImportError::File(error.to_string()))?;
        let place = |name: &&'static str| Some((*name, header.iter().position(|column| column.trim() == *name)?));
        let columns: HashMap<&str, usize> = REQUIRED.iter().chain(&OPTIONAL).filter_map(place).collect();
        if let Some(missing) = REQUIRED.iter().find(|name| !columns.contains_key(*name)) {
            return Err(ImportError::File(format!("the header names no column {missing}")));
        }
        Ok(Self { reader, columns, record: StringRecord::new() })
    }

    /// The next row, with its line.
    fn next(&mut self) -> Result<Option<(u64, Row)>, ImportError> {
        match self.reader.read_record(&mut self.record) {
            Ok(true) => {}
            Ok(false) => return Ok(None),
            Err(error) if matches!(error.kind(), ErrorKind::UnequalLengths { .. } | ErrorKind::Utf8 { .. }) => {
                let line = error.position().map_or(0, csv::Position::line);
                return Ok(Some((line, Err(error.to_string()))));
            }
            Err(error) => return Err(ImportError::File(error.to_string())),
        }
        let line = self.record.position().map_or(0, csv::Position::line);
        Ok(Some((line, self.row())))
    }

    fn value(&self, name: &str) -> Option<&str> {
        let text = self.record.get(*self.columns.get(name)?)?.trim();
        (!text.is_empty()).then_some(text)
    }

    fn row(&self) -> Row {
        let wrong = |name: &'static str| move |problem: String| format!("{name} {problem}");
        let id = self.value("id").and_then(|id| id.parse().ok()).filter(|id| (1..=LARGEST_ID).contains(id));
        let id = id.map(UserId).ok_or_else(|| format!("id must be a whole number from 1 to {LARGEST_ID}"))?;
        let username = Username::parse(self.value("username").unwrap_or_default()).map_err(wrong("username"))?;
        let email = match self.value("email") {
            Some(email) => Email::parse(email).map_err(wrong("email"))?,
            None => crate::settings::default_email(&username).ok_or("email is needed for such a name")?,
        };
        // Spaces around a hash would be part of no hash.
        let password_hash = django::kept(self.value("password").unwrap_or_default()).map_err(wrong("password"))?;
        let role = match self.value("role") {
            Some(role) => role.parse().map_err(|_| "role must be user or admin")?,
            None if self.truth("is_superuser")?.unwrap_or(false) => Role::Admin,
            None => Role::User,
        };
        let status = match self.value("status") {
            Some(status) => status.parse().map_err(|_| "status must be active, pending, suspended or banned")?,
            None => Status::Active,
        };
        let standing = Standing { status, is_active: self.truth("is_active")?.unwrap_or(true) };
        let last_seen = match self.time("last_seen")? {
            Some(at) => Some(at),
            None => self.time("last_login")?,
        };
        let created_at = self.time("date_joined")?.unwrap_or_else(Timestamp::now);
        let account = NewAccount { username, email, password_hash, role, standing };
        Ok(ImportedAccount { id, account, created_at, last_seen })
    }

    fn truth(&self, name: &'static str) -> Result<Option<bool>, String> {
        match self.value(name).map(str::to_ascii_lowercase).as_deref() {
            None => Ok(None),
            Some("t" | "true" | "1") => Ok(Some(true)),
            Some("f" | "false" | "0") => Ok(Some(false)),
            Some(_) => Err(format!("{name} must be t or f")),
        }
    }

    fn time(&self, name: &'static str) -> Result<Option<Timestamp>, String> {
        let Some(text) = self.value(name) else { return Ok(None) };
        // PostgreSQL writes 2026-01-01 12:00:00.5+00.
        let mut text = text.replacen(' ', "T", 1);
        let zone = text.rfind(['+', '-']).filter(|place| *place > "2026-01-01".len());
        match zone {
            Some(place) if text.len() - place == 3 => text.push_str(":00"),
            None if !text.ends_with('Z') => text.push('Z'),
            _ => {}
        }
        let at =
            Timestamp::parse(&text).map_err(|_| format!("{name} must be a time such as 2026-01-01 12:00:00+00"))?;
        Ok(Some(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &'static str) -> Vec<Row> {
        let mut table = Table::open(text.as_bytes()).unwrap();
        std::iter::from_fn(|| table.next().unwrap().map(|(_, row)| row)).collect()
    }

    #[test]
    fn times_are_read_as_they_are_written() {
        let rows = rows(
            "id,username,password,date_joined,last_login,last_seen\n\
             1,ann,!,2026-01-01 12:00:00.5+00,2026-01-02 12:00:00+02:00,\n\
             2,bob,!,2026-01-01T12:00:00Z,,2026-01-03 00:00:00-05\n\
             3,eve,!,2026-01-01 12:00:00,,\n\
             4,dan,!,yesterday,,\n",
        );
        let times = |row: &Row| {
            let row = row.as_ref().unwrap();
            (row.created_at.to_string(), row.last_seen.map(|at| at.to_string()))
        };
        let noon = "2026-01-01T12:00:00.000Z".to_owned();
        assert_eq!(
            times(&rows[0]),
            ("2026-01-01T12:00:00.500Z".to_owned(), Some("2026-01-02T10:00:00.000Z".to_owned()))
        );
        assert_eq!(times(&rows[1]), (noon.clone(), Some("2026-01-03T05:00:00.000Z".to_owned())));
        assert_eq!(times(&rows[2]), (noon, None));
        assert!(rows[3].as_ref().unwrap_err().starts_with("date_joined"));
    }

    #[test]
    fn a_row_says_what_is_wrong_with_it() {
        let rows = rows(
            "password,id,username,email,is_active,is_superuser,role,status,unknown\n\
             !,x,ann,,,,,,\n!,1,a b,,,,,,\n!,1,ann,nobody,,,,,\nplain,1,ann,,,,,,\n!,1,ann,,perhaps,,,,\n\
             !,1,ann,,,,king,,\n!,1,ann,,,,,away,\n!,1,ann,,t,t,,,ignored\n",
        );
        let names = ["id", "username", "email", "password", "is_active", "role", "status"];
        for (row, name) in rows.iter().zip(names) {
            assert!(row.as_ref().unwrap_err().starts_with(name), "{row:?}");
        }
        let last = rows[7].as_ref().unwrap();
        assert_eq!((last.account.role, last.account.email.as_str()), (Role::Admin, "ann@localhost"));
        assert!(
            matches!(Table::open("id,username\n".as_bytes()), Err(ImportError::File(why)) if why.contains("password"))
        );
    }
}
