//! Reads rollups.

use std::collections::BTreeMap;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Text};

use super::online::ALL;
use crate::db::{AnyConnection, DbError};
use crate::models::sql::{Statement, Value};
use crate::statistics::Platform;
use crate::statistics::calendar::Step;
use crate::statistics::lengths::Lengths;
use crate::statistics::minutes::{MINUTE, QUARTER};
use crate::statistics::series::Known;
use crate::timestamp::Timestamp;

/// From when to when, and of which platform.
#[derive(Clone, Copy, Debug)]
pub struct Range {
    /// From the quarter of an hour (or the minute) in which this is.
    pub from: Timestamp,
    /// Up to this, without it.
    pub to: Timestamp,
    /// Of which platform; `None` for all.
    pub platform: Option<Platform>,
}

/// Intervals that ended.
#[derive(Clone, Debug, Default)]
pub struct Sessions {
    /// How many.
    pub count: i64,
    /// How long they were together, in milliseconds.
    pub total_ms: i64,
    /// How many of which length.
    pub lengths: Lengths,
}

/// What there was of a platform.
#[derive(Clone, Debug, Default)]
pub struct PlatformSum {
    /// For how many milliseconds users were online, added up.
    pub online_ms: i64,
    /// How many there were at most.
    pub peak: i64,
    /// Log-ins.
    pub logins: i64,
    /// Intervals that ended.
    pub sessions: Sessions,
}

#[derive(QueryableByName)]
struct KnownRow {
    #[diesel(sql_type = BigInt)]
    at_ms: i64,
    #[diesel(sql_type = BigInt)]
    known_ms: i64,
    #[diesel(sql_type = BigInt)]
    online_ms: i64,
    #[diesel(sql_type = BigInt)]
    peak: i64,
    #[diesel(sql_type = BigInt)]
    logins: i64,
}

#[derive(QueryableByName)]
struct SumRow {
    #[diesel(sql_type = Text)]
    platform: String,
    #[diesel(sql_type = BigInt)]
    online_ms: i64,
    #[diesel(sql_type = BigInt)]
    peak: i64,
    #[diesel(sql_type = BigInt)]
    logins: i64,
}

#[derive(QueryableByName)]
struct EndedRow {
    #[diesel(sql_type = Text)]
    platform: String,
    #[diesel(sql_type = BigInt)]
    sessions: i64,
    #[diesel(sql_type = BigInt)]
    session_ms: i64,
    #[diesel(sql_type = Binary)]
    lengths: Vec<u8>,
}

impl Range {
    pub(super) fn first_quarter(&self) -> i64 {
        self.from.0 - self.from.0.rem_euclid(QUARTER)
    }

    fn word(&self) -> &'static str {
        self.platform.map_or(ALL, Platform::as_str)
    }

    /// Minutes, for [`Step::Minute`], or else quarters of an hour, of which something is known; in their order.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn known(&self, connection: &mut AnyConnection, step: Step) -> Result<Vec<Known>, DbError> {
        let (table, known_ms, from) = match step {
            Step::Minute => ("stats_minutes", MINUTE.to_string(), self.from.0 - self.from.0.rem_euclid(MINUTE)),
            Step::Hour | Step::Day => ("stats_quarters", "k.known_ms".to_owned(), self.first_quarter()),
        };
        let mut statement = Statement::on(connection);
        let (from, to) = (statement.value(Value::Int(from)), statement.value(Value::Int(self.to.0)));
        let range = format!("k.platform = '{ALL}' AND k.at_ms >= {from} AND k.at_ms < {to} ORDER BY k.at_ms");
        let text = match self.platform {
            None => format!(
                "SELECT k.at_ms, CAST({known_ms} AS BIGINT) AS known_ms, k.online_ms, k.peak, k.logins \
                 FROM {table} k WHERE {range}"
            ),
            // Where all together are known and a platform has no row, there was nobody of it.
            Some(platform) => format!(
                "SELECT k.at_ms, CAST({known_ms} AS BIGINT) AS known_ms, COALESCE(p.online_ms, 0) AS online_ms, \
                     COALESCE(p.peak, 0) AS peak, COALESCE(p.logins, 0) AS logins \
                 FROM {table} k LEFT JOIN {table} p ON p.at_ms = k.at_ms AND p.platform = {} WHERE {range}",
                statement.value(Value::Text(platform.as_str().to_owned()))
            ),
        };
        statement.push(&text);
        let known = |row: KnownRow| Known {
            at: Timestamp(row.at_ms),
            known_ms: row.known_ms,
            online_ms: row.online_ms,
            peak: row.peak,
            logins: row.logins,
        };
        Ok(statement.load(connection)?.into_iter().map(known).collect())
    }

    /// The intervals that ended in the range.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn sessions(&self, connection: &mut AnyConnection) -> Result<Sessions, DbError> {
        Ok(self.ended(connection, false)?.remove(self.word()).unwrap_or_default())
    }

    /// What there was of each platform, and for how many milliseconds of the range something is known.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn by_platform(
        &self,
        connection: &mut AnyConnection,
    ) -> Result<(i64, BTreeMap<Platform, PlatformSum>), DbError> {
        let mut statement = Statement::on(connection);
        let (from, to) = (statement.value(Value::Int(self.first_quarter())), statement.value(Value::Int(self.to.0)));
        statement.push(&format!(
            "SELECT platform, CAST(SUM(CASE WHEN platform = '{ALL}' THEN known_ms ELSE online_ms END) AS BIGINT) AS online_ms, \
                 MAX(peak) AS peak, CAST(SUM(logins) AS BIGINT) AS logins \
             FROM stats_quarters WHERE at_ms >= {from} AND at_ms < {to} GROUP BY platform"
        ));
        let rows: Vec<SumRow> = statement.load(connection)?;
        let mut sessions = self.ended(connection, true)?;
        let known_ms = rows.iter().find(|row| row.platform == ALL).map_or(0, |row| row.online_ms);
        let sum = |row: SumRow| {
            let platform: Platform = row.platform.parse().ok()?;
            let sessions = sessions.remove(row.platform.as_str()).unwrap_or_default();
            Some((platform, PlatformSum { online_ms: row.online_ms, peak: row.peak, logins: row.logins, sessions }))
        };
        Ok((known_ms, rows.into_iter().filter_map(sum).collect()))
    }

    /// By platform, of each or of the one that is asked for.
    fn ended(&self, connection: &mut AnyConnection, each: bool) -> Result<BTreeMap<String, Sessions>, DbError> {
        let mut statement = Statement::on(connection);
        let (from, to) = (statement.value(Value::Int(self.first_quarter())), statement.value(Value::Int(self.to.0)));
        statement.push(&format!(
            "SELECT platform, sessions, session_ms, lengths FROM stats_quarters \
             WHERE at_ms >= {from} AND at_ms < {to} AND sessions > 0"
        ));
        if !each {
            let word = statement.value(Value::Text(self.word().to_owned()));
            statement.push(&format!(" AND platform = {word}"));
        }
        let mut all: BTreeMap<String, Sessions> = BTreeMap::new();
        for row in statement.load::<EndedRow>(connection)? {
            let sum = all.entry(row.platform).or_default();
            sum.count += row.sessions;
            sum.total_ms += row.session_ms;
            sum.lengths.merge(&row.lengths).map_err(DbError::Content)?;
        }
        Ok(all)
    }
}
