//! Rolls up who was online: minutes from history's beginnings and ends, quarters of an hour from minutes.

use std::collections::BTreeMap;
use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Binary, Text};

use super::{ONLINE, Progress};
use crate::db::schema::stats_minutes;
use crate::db::{AnyConnection, DbError};
use crate::models::sql::{Statement, Value};
use crate::statistics::Platform;
use crate::statistics::lengths::Lengths;
use crate::statistics::minutes::{Change, Levels, MINUTE, QUARTER, roll};
use crate::timestamp::Timestamp;

/// How much is worked out at a time: what is held in memory is that stretch's changes.
const STRETCH: i64 = 6 * 60 * MINUTE;
/// Log-ins are dated by the engine's clock before they are committed: a minute is looked at again.
const AGAIN: i64 = MINUTE;
/// A change that lies further back has its whole quarter of an hour made anew, since its minutes may be gone.
const LONG_AGO: i64 = 60 * MINUTE;

/// The word for all platforms together.
pub(super) const ALL: &str = "all";

#[derive(QueryableByName)]
struct ChangeRow {
    #[diesel(sql_type = BigInt)]
    at_ms: i64,
    #[diesel(sql_type = Text)]
    platform: String,
    #[diesel(sql_type = BigInt)]
    n: i64,
}

#[derive(QueryableByName)]
struct Ended {
    #[diesel(sql_type = BigInt)]
    started_at_ms: i64,
    #[diesel(sql_type = BigInt)]
    ended_at_ms: i64,
    #[diesel(sql_type = Text)]
    platform: String,
}

fn platform(text: &str) -> Platform {
    // A newer version may know more.
    text.parse().unwrap_or(Platform::Other)
}

/// Rolls up to the last whole minute before `now`. Answers from when to when minutes were made.
///
/// # Errors
/// [`DbError`]; nothing is rolled up then, and the next roll does it.
pub fn roll_online(connection: &mut AnyConnection, now: Timestamp) -> Result<(Timestamp, Timestamp), DbError> {
    super::roll(connection, |connection| {
        let progress = Progress::load(connection, ONLINE)?;
        let to = Timestamp(now.0 - now.0.rem_euclid(MINUTE));
        let Some(from) = progress.from(now) else { return Ok((to, to)) };
        let from = from.0.min(progress.done.map_or(i64::MAX, |done| done.0 - AGAIN));
        let first: Option<i64> =
            stats_minutes::table.select(diesel::dsl::min(stats_minutes::at_ms)).first(connection)?;
        let begins = first.is_none_or(|first| from < first);
        let whole = if begins || from < to.0 - LONG_AGO { QUARTER } else { MINUTE };
        let from = from - from.rem_euclid(whole);
        let mut levels = levels_before(connection, from)?;
        let mut start = from;
        while start < to.0 {
            let end = (start - start.rem_euclid(STRETCH) + STRETCH).min(to.0);
            let changes = changes(connection, start, Some(end))?;
            let minutes = roll(&mut levels, &changes, Timestamp(start), Timestamp(end));
            let mut rows: BTreeMap<(i64, &str), [i64; 3]> = minutes
                .iter()
                .map(|one| ((one.at.0, one.platform.map_or(ALL, Platform::as_str)), [one.online_ms, one.peak, 0]))
                .collect();
            for log_in in log_ins(connection, start, end)? {
                for platform in [ALL, platform(&log_in.platform).as_str()] {
                    rows.entry((log_in.at_ms, platform)).or_default()[2] += log_in.n;
                }
            }
            write_minutes(connection, start, end, &rows)?;
            write_quarters(connection, start - start.rem_euclid(QUARTER), end)?;
            start = end;
        }
        Progress::done(connection, ONLINE, to.max(progress.done.unwrap_or(to)))?;
        Ok((Timestamp(from), to))
    })
}

/// How many were online before a moment: those who are now, less those who came since, and those who went since.
fn levels_before(connection: &mut AnyConnection, from: i64) -> Result<Levels, DbError> {
    let mut statement = Statement::on(connection);
    statement.push(
        "SELECT CAST(0 AS BIGINT) AS at_ms, platform, CAST(SUM(open) AS BIGINT) AS n \
         FROM presence_open_counts GROUP BY platform",
    );
    let mut levels = Levels::default();
    for row in statement.load::<ChangeRow>(connection)? {
        levels.add(platform(&row.platform), row.n);
    }
    for row in summed(connection, "0", from, None)? {
        levels.add(platform(&row.platform), -row.n);
    }
    Ok(levels)
}

fn changes(connection: &mut AnyConnection, from: i64, to: Option<i64>) -> Result<Vec<Change>, DbError> {
    let rows = summed(connection, "at_ms", from, to)?;
    let change =
        |row: ChangeRow| Change { at: Timestamp(row.at_ms), platform: platform(&row.platform), delta: row.n };
    Ok(rows.into_iter().map(change).collect())
}

/// Who came and went, summed by `at`. A beginning from `from` on belongs to an interval that ends later still: so the index
/// on the ends, or the months, narrow that down too.
fn summed(connection: &mut AnyConnection, at: &str, from: i64, to: Option<i64>) -> Result<Vec<ChangeRow>, DbError> {
    let mut statement = Statement::on(connection);
    let (from, to) = (statement.value(Value::Int(from)), statement.value(Value::Int(to.unwrap_or(i64::MAX))));
    statement.push(&format!(
        "SELECT CAST({at} AS BIGINT) AS at_ms, platform, CAST(SUM(delta) AS BIGINT) AS n FROM ( \
             SELECT started_at_ms AS at_ms, platform, 1 AS delta FROM presence_history \
             WHERE ended_at_ms >= {from} AND started_at_ms >= {from} AND started_at_ms < {to} \
             UNION ALL SELECT started_at_ms, platform, 1 FROM presence_open \
             WHERE started_at_ms >= {from} AND started_at_ms < {to} \
             UNION ALL SELECT ended_at_ms, platform, -1 FROM presence_history \
             WHERE ended_at_ms >= {from} AND ended_at_ms < {to} \
         ) AS changes GROUP BY 1, platform ORDER BY 1"
    ));
    Ok(statement.load(connection)?)
}

fn log_ins(connection: &mut AnyConnection, from: i64, to: i64) -> Result<Vec<ChangeRow>, DbError> {
    let mut statement = Statement::on(connection);
    statement.push(&format!(
        "SELECT created_at_ms - created_at_ms % {MINUTE} AS at_ms, platform, COUNT(*) AS n FROM sessions \
         WHERE created_at_ms >= {from} AND created_at_ms < {to} GROUP BY 1, platform"
    ));
    Ok(statement.load(connection)?)
}

/// Log-ins are never fewer than they were: their sessions' rows are deleted sooner than history.
fn write_minutes(
    connection: &mut AnyConnection,
    from: i64,
    to: i64,
    rows: &BTreeMap<(i64, &str), [i64; 3]>,
) -> Result<(), DbError> {
    diesel::update(stats_minutes::table.filter(stats_minutes::at_ms.ge(from)).filter(stats_minutes::at_ms.lt(to)))
        .set((stats_minutes::online_ms.eq(0), stats_minutes::peak.eq(0)))
        .execute(connection)?;
    const CONFLICT: &str = "ON CONFLICT (at_ms, platform) DO UPDATE SET online_ms = excluded.online_ms, \
         peak = excluded.peak, logins = CASE WHEN stats_minutes.logins > excluded.logins \
             THEN stats_minutes.logins ELSE excluded.logins END";
    match connection {
        AnyConnection::Postgresql(pg) => {
            let column = |place: usize| rows.values().map(|numbers| numbers[place]).collect::<Vec<i64>>();
            diesel::sql_query(format!(
                "INSERT INTO stats_minutes (at_ms, platform, online_ms, peak, logins) \
                 SELECT * FROM unnest($1, $2, $3, $4, $5) {CONFLICT}"
            ))
            .bind::<Array<BigInt>, _>(rows.keys().map(|(at, _)| *at).collect::<Vec<_>>())
            .bind::<Array<Text>, _>(rows.keys().map(|(_, platform)| *platform).collect::<Vec<_>>())
            .bind::<Array<BigInt>, _>(column(0))
            .bind::<Array<BigInt>, _>(column(1))
            .bind::<Array<BigInt>, _>(column(2))
            .execute(pg)?;
        }
        AnyConnection::Sqlite(sqlite) => {
            let text = format!(
                "INSERT INTO stats_minutes (at_ms, platform, online_ms, peak, logins) VALUES (?, ?, ?, ?, ?) {CONFLICT}"
            );
            for ((at, platform), [online_ms, peak, logins]) in rows {
                diesel::sql_query(&text)
                    .bind::<BigInt, _>(at)
                    .bind::<Text, _>(*platform)
                    .bind::<BigInt, _>(online_ms)
                    .bind::<BigInt, _>(peak)
                    .bind::<BigInt, _>(logins)
                    .execute(sqlite)?;
            }
        }
    }
    Ok(())
}

/// Makes the quarters of an hour from their minutes, and of the intervals that ended in them.
fn write_quarters(connection: &mut AnyConnection, from: i64, to: i64) -> Result<(), DbError> {
    let mut statement = Statement::on(connection);
    statement.push(&format!(
        "INSERT INTO stats_quarters (at_ms, platform, known_ms, online_ms, peak, logins) \
         SELECT at_ms - at_ms % {QUARTER}, platform, CAST(COUNT(*) * {MINUTE} AS BIGINT), \
             CAST(SUM(online_ms) AS BIGINT), MAX(peak), CAST(SUM(logins) AS BIGINT) \
         FROM stats_minutes WHERE at_ms >= {from} AND at_ms < {to} GROUP BY 1, platform \
         ON CONFLICT (at_ms, platform) DO UPDATE SET known_ms = excluded.known_ms, online_ms = excluded.online_ms, \
             peak = excluded.peak, logins = excluded.logins"
    ));
    statement.execute(connection)?;
    let mut statement = Statement::on(connection);
    statement.push(&format!(
        "UPDATE stats_quarters SET sessions = 0, session_ms = 0, lengths = {} WHERE at_ms >= {from} AND at_ms < {to}",
        if statement.is_postgres() { "''" } else { "x''" }
    ));
    statement.execute(connection)?;
    let ended = ended(connection, from, to)?;
    write_ended(connection, &ended)
}

fn write_ended(connection: &mut AnyConnection, ended: &EndedIn) -> Result<(), DbError> {
    const INSERT: &str =
        "INSERT INTO stats_quarters (at_ms, platform, online_ms, peak, logins, sessions, session_ms, lengths)";
    const CONFLICT: &str = "ON CONFLICT (at_ms, platform) DO UPDATE SET sessions = excluded.sessions, \
         session_ms = excluded.session_ms, lengths = excluded.lengths";
    match connection {
        AnyConnection::Postgresql(pg) => {
            diesel::sql_query(format!(
                "{INSERT} SELECT n.at_ms, n.platform, 0, 0, 0, n.sessions, n.session_ms, n.lengths \
                 FROM unnest($1, $2, $3, $4, $5) AS n(at_ms, platform, sessions, session_ms, lengths) {CONFLICT}"
            ))
            .bind::<Array<BigInt>, _>(ended.keys().map(|(at, _)| *at).collect::<Vec<_>>())
            .bind::<Array<Text>, _>(ended.keys().map(|(_, platform)| *platform).collect::<Vec<_>>())
            .bind::<Array<BigInt>, _>(ended.values().map(|(sessions, ..)| *sessions).collect::<Vec<_>>())
            .bind::<Array<BigInt>, _>(ended.values().map(|(_, ms, _)| *ms).collect::<Vec<_>>())
            .bind::<Array<Binary>, _>(ended.values().map(|(.., lengths)| lengths.encode()).collect::<Vec<_>>())
            .execute(pg)?;
        }
        AnyConnection::Sqlite(sqlite) => {
            for ((at, platform), (sessions, session_ms, lengths)) in ended {
                diesel::sql_query(format!("{INSERT} VALUES (?, ?, 0, 0, 0, ?, ?, ?) {CONFLICT}"))
                    .bind::<BigInt, _>(at)
                    .bind::<Text, _>(*platform)
                    .bind::<BigInt, _>(sessions)
                    .bind::<BigInt, _>(session_ms)
                    .bind::<Binary, _>(lengths.encode())
                    .execute(sqlite)?;
            }
        }
    }
    Ok(())
}

/// Of a quarter and a platform: how many intervals ended, how long they were together, and how many of which length.
type EndedIn = BTreeMap<(i64, &'static str), (i64, i64, Lengths)>;

fn ended(connection: &mut AnyConnection, from: i64, to: i64) -> Result<EndedIn, DbError> {
    let mut statement = Statement::on(connection);
    statement.push(&format!(
        "SELECT started_at_ms, ended_at_ms, platform FROM presence_history \
         WHERE ended_at_ms >= {from} AND ended_at_ms < {to}"
    ));
    let mut all = EndedIn::new();
    for row in statement.load::<Ended>(connection)? {
        let length = row.ended_at_ms - row.started_at_ms;
        let at = row.ended_at_ms - row.ended_at_ms.rem_euclid(QUARTER);
        for platform in [ALL, platform(&row.platform).as_str()] {
            let (sessions, session_ms, lengths) = all.entry((at, platform)).or_default();
            *sessions += 1;
            *session_ms += length;
            lengths.add(Duration::from_millis(length.unsigned_abs()));
        }
    }
    Ok(all)
}

/// Deletes minutes before a moment. Quarters of an hour stay: they are few.
///
/// # Errors
/// [`DbError`].
pub fn delete_old_minutes(connection: &mut AnyConnection, before: Timestamp) -> Result<usize, DbError> {
    let before = before.0 - before.0.rem_euclid(QUARTER);
    Ok(diesel::delete(stats_minutes::table.filter(stats_minutes::at_ms.lt(before))).execute(connection)?)
}
