//! Samples of what only the moment shows: how many online users are available, away or not to be disturbed, and how many
//! accounts have which status.

use std::collections::BTreeMap;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

use super::Range;
use crate::db::schema::stats_samples as samples;
use crate::db::{AnyConnection, DbError, on_either};
use crate::models::history::accounts_by_standing;
use crate::models::sql::{Statement, Value};
use crate::presence::availability::Availability;
use crate::presence::engine::Counts;
use crate::statistics::calendar::{Step, Zone};
use crate::statistics::minutes::QUARTER;
use crate::timestamp::Timestamp;

/// What is sampled, each in its order: availability of online users, then status of accounts.
pub const WORDS: [&str; 8] = ["available", "away", "dnd", "active", "pending", "suspended", "banned", "inactive"];

/// Means of a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Statuses {
    /// When the step begins.
    pub at: Timestamp,
    /// In the order of [`WORDS`].
    pub means: [f64; WORDS.len()],
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = BigInt)]
    at_ms: i64,
    #[diesel(sql_type = Text)]
    word: String,
    #[diesel(sql_type = BigInt)]
    total: i64,
    #[diesel(sql_type = BigInt)]
    samples: i64,
}

/// Adds a sample to its quarter of an hour.
///
/// # Errors
/// [`DbError`].
pub fn sample(connection: &mut AnyConnection, at: Timestamp, counts: Counts) -> Result<(), DbError> {
    let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let mut now: BTreeMap<&str, i64> = WORDS.iter().map(|word| (*word, 0)).collect();
    let available = counts.online.saturating_sub(counts.away).saturating_sub(counts.dnd);
    now.insert(Availability::Available.as_str(), signed(available));
    now.insert(Availability::Away.as_str(), signed(counts.away));
    now.insert(Availability::Dnd.as_str(), signed(counts.dnd));
    for (standing, n) in accounts_by_standing(connection)? {
        *now.entry(standing.word()).or_default() += signed(n);
    }
    let at_ms = at.0 - at.0.rem_euclid(QUARTER);
    for (word, n) in now {
        let row = (samples::at_ms.eq(at_ms), samples::word.eq(word), samples::total.eq(n), samples::samples.eq(1));
        on_either!(connection, c => diesel::insert_into(samples::table)
            .values(row)
            .on_conflict((samples::at_ms, samples::word))
            .do_update()
            .set((samples::total.eq(samples::total + n), samples::samples.eq(samples::samples + 1)))
            .execute(c))?;
    }
    Ok(())
}

impl Range {
    /// The means of each step of which there are samples.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn statuses(&self, connection: &mut AnyConnection, step: Step, zone: Zone) -> Result<Vec<Statuses>, DbError> {
        let mut statement = Statement::on(connection);
        let (from, to) = (statement.value(Value::Int(self.first_quarter())), statement.value(Value::Int(self.to.0)));
        statement.push(&format!(
            "SELECT at_ms, word, total, samples FROM stats_samples WHERE at_ms >= {from} AND at_ms < {to} ORDER BY at_ms"
        ));
        let mut steps: BTreeMap<Timestamp, [(i64, i64); WORDS.len()]> = BTreeMap::new();
        for row in statement.load::<Row>(connection)? {
            let Some(place) = WORDS.iter().position(|word| *word == row.word) else { continue };
            let sums = steps.entry(zone.start(step, Timestamp(row.at_ms))).or_default();
            sums[place].0 += row.total;
            sums[place].1 += row.samples;
        }
        let means = |(at, sums): (Timestamp, [(i64, i64); WORDS.len()])| Statuses {
            at,
            means: sums.map(|(total, samples)| total as f64 / samples.max(1) as f64),
        };
        Ok(steps.into_iter().map(means).collect())
    }
}
