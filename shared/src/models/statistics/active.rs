//! Rolls up who was active: of each day the set of users who were online on it, of weeks and months their union.

use std::collections::BTreeMap;

use diesel::prelude::*;
use diesel::sql_types::BigInt;
use roaring::RoaringTreemap;

use super::{ACTIVE, Progress};
use crate::db::schema::{stats_active_days as days, stats_active_users as users, stats_forgotten_users as forgotten};
use crate::db::{AnyConnection, DbError, on_either};
use crate::models::sql::{Statement, Value};
use crate::statistics::calendar::day_of;
use crate::timestamp::Timestamp;

const WEEK: i32 = 7;
const MONTH: i32 = 30;
/// For how many days sets are kept: a month's worth before the first day that might still change.
const KEPT: i32 = 2 * MONTH;
const DAY_MS: i64 = 86_400_000;

/// How many users were active.
#[derive(Queryable, Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActiveDay {
    /// Which day: since 1970, in UTC.
    pub day: i32,
    /// On it.
    pub daily: i64,
    /// In the seven days that end with it.
    pub weekly: i64,
    /// In the thirty days that end with it.
    pub monthly: i64,
}

#[derive(QueryableByName)]
struct Stay {
    #[diesel(sql_type = BigInt)]
    user_id: i64,
    #[diesel(sql_type = BigInt)]
    from_ms: i64,
    #[diesel(sql_type = BigInt)]
    to_ms: i64,
}

impl ActiveDay {
    /// The days from one to another, the oldest first.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn load(connection: &mut AnyConnection, from: i32, to: i32) -> Result<Vec<Self>, DbError> {
        let some = days::table.filter(days::day.ge(from)).filter(days::day.le(to)).order(days::day);
        Ok(some.load(connection)?)
    }
}

/// Rolls up to `now`.
///
/// # Errors
/// [`DbError`]; nothing is rolled up then, and the next roll does it.
pub fn roll_active(connection: &mut AnyConnection, now: Timestamp) -> Result<(), DbError> {
    super::roll(connection, |connection| {
        let progress = Progress::load(connection, ACTIVE)?;
        let Some(from) = progress.from(now) else { return Ok(()) };
        let (first, today) = (day_of(from), day_of(now));
        let gone: Vec<i64> = forgotten::table.select(forgotten::user_id).load(connection)?;
        // Whoever is to be forgotten is in any of them.
        let mut sets = load_sets(connection, if gone.is_empty() { first - MONTH } else { i32::MIN })?;
        // Today only gains users. Of a day before, or where a day has begun, it may come out late that somebody who seemed
        // to be online still had gone before midnight: those days are made anew.
        let anew = first < today || progress.done.is_none_or(|done| day_of(done) < today);
        if anew {
            sets.retain(|day, _| *day < first);
            diesel::delete(users::table.filter(users::day.ge(first))).execute(connection)?;
        }
        for stay in stays(connection, from, now, anew)? {
            // The days before the first were rolled up already.
            let (start, end) = (day_of(Timestamp(stay.from_ms)).max(first), day_of(Timestamp(stay.to_ms)).min(today));
            for day in start..=end {
                sets.entry(day).or_default().insert(stay.user_id.unsigned_abs());
            }
        }
        for (day, set) in &mut sets {
            let before = set.len();
            for user in &gone {
                set.remove(user.unsigned_abs());
            }
            if *day >= first || set.len() != before {
                write_set(connection, *day, set)?;
            }
        }
        let earliest = sets.keys().next().copied().unwrap_or(first);
        let known: BTreeMap<i32, ActiveDay> =
            ActiveDay::load(connection, first, today)?.into_iter().map(|row| (row.day, row)).collect();
        for day in first..=today {
            let within = |length: i32, known: Option<i64>| -> i64 {
                let from = day - length + 1;
                let union = sets.range(from..=day).fold(RoaringTreemap::new(), |all, (_, set)| all | set);
                let n = i64::try_from(union.len()).unwrap_or(i64::MAX);
                // What it was made of may be there only in part by now.
                if from < earliest { n.max(known.unwrap_or(0)) } else { n }
            };
            let known = known.get(&day);
            let row = (
                days::daily.eq(within(1, known.map(|row| row.daily))),
                days::weekly.eq(within(WEEK, known.map(|row| row.weekly))),
                days::monthly.eq(within(MONTH, known.map(|row| row.monthly))),
            );
            on_either!(connection, c => diesel::insert_into(days::table)
                .values((days::day.eq(day), row))
                .on_conflict(days::day)
                .do_update()
                .set(row)
                .execute(c))?;
        }
        diesel::delete(forgotten::table.filter(forgotten::user_id.eq_any(gone))).execute(connection)?;
        diesel::delete(users::table.filter(users::day.lt(today - KEPT))).execute(connection)?;
        Progress::done(connection, ACTIVE, now.max(progress.done.unwrap_or(now)))
    })
}

/// Who was online since: intervals that have begun or ended since; or, where days are made anew, all that touch them.
fn stays(connection: &mut AnyConnection, from: Timestamp, now: Timestamp, anew: bool) -> Result<Vec<Stay>, DbError> {
    let mut statement = Statement::on(connection);
    let first_day = from.0 - from.0.rem_euclid(DAY_MS);
    let (over_since, open_since) = if anew { (first_day, i64::MIN) } else { (from.0, from.0) };
    let [over_since, open_since, now] =
        [over_since, open_since, now.0].map(|number| statement.value(Value::Int(number)));
    statement.push(&format!(
        "SELECT user_id, started_at_ms AS from_ms, ended_at_ms AS to_ms FROM presence_history \
         WHERE ended_at_ms >= {over_since} \
         UNION ALL SELECT user_id, started_at_ms, CAST({now} AS BIGINT) FROM presence_open \
         WHERE started_at_ms >= {open_since}"
    ));
    Ok(statement.load(connection)?)
}

fn load_sets(connection: &mut AnyConnection, from: i32) -> Result<BTreeMap<i32, RoaringTreemap>, DbError> {
    let rows: Vec<(i32, Vec<u8>)> = users::table.filter(users::day.ge(from)).load(connection)?;
    rows.into_iter()
        .map(|(day, bytes)| {
            let broken = |error: std::io::Error| DbError::Content(format!("active users of day {day}: {error}"));
            Ok((day, RoaringTreemap::deserialize_from(bytes.as_slice()).map_err(broken)?))
        })
        .collect()
}

fn write_set(connection: &mut AnyConnection, day: i32, set: &RoaringTreemap) -> Result<(), DbError> {
    let mut bytes = Vec::with_capacity(set.serialized_size());
    set.serialize_into(&mut bytes).map_err(|error| DbError::Content(error.to_string()))?;
    on_either!(connection, c => diesel::insert_into(users::table)
        .values((users::day.eq(day), users::users.eq(&bytes)))
        .on_conflict(users::day)
        .do_update()
        .set(users::users.eq(&bytes))
        .execute(c))?;
    Ok(())
}
