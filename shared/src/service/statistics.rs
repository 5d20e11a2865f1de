//! Statistics, as they have been rolled up. They count everybody who was online, whoever may see that, and name nobody.

use std::collections::BTreeMap;

use super::{Outcome, Service};
use crate::db::AnyConnection;
use crate::models::statistics::{ActiveDay, PlatformSum, Range, Sessions, Statuses};
use crate::refusal::{Failure, Refusal};
use crate::statistics::Platform;
use crate::statistics::calendar::{Step, Zone, day_of};
use crate::statistics::series::{Heatmap, Known, Point, heatmap, points};
use crate::timestamp::Timestamp;

/// More points than this are no chart: a week of minutes is less.
const MOST_POINTS: i64 = 11_000;
/// Quarters of an hour of more time than this, in milliseconds, are not gathered in one answer.
const LONGEST: i64 = 3 * 366 * 86_400_000;

fn check(range: &Range) -> Result<(), Refusal> {
    if range.to <= range.from {
        return Err(Refusal::query("to", "must be after from"));
    }
    if range.to.0.saturating_sub(range.from.0) > LONGEST {
        return Err(Refusal::query("from", "must be at most three years before to"));
    }
    Ok(())
}

impl Service {
    /// How many were online, step by step, of which something is known.
    ///
    /// # Errors
    /// `invalid_query` for a range that is none, or has too many steps.
    pub async fn online_over_time(&self, mut range: Range, step: Step, zone: Zone) -> Outcome<Vec<Point>> {
        check(&range)?;
        if (range.to.0 - range.from.0) / step.shortest_ms() > MOST_POINTS {
            return Err(Refusal::query("step", "is too short for so long a range").into());
        }
        // Whole steps: the first would be told by half otherwise.
        range.from = zone.start(step, range.from);
        let known = self.known(range, step).await?;
        Ok(points(&known, zone, step))
    }

    /// Online users by availability and accounts by status, step by step, of which there are samples.
    ///
    /// # Errors
    /// `invalid_query` for a range that is none, and for steps of a minute: samples are kept by the quarter of an hour.
    pub async fn statuses_over_time(&self, mut range: Range, step: Step, zone: Zone) -> Outcome<Vec<Statuses>> {
        check(&range)?;
        if step == Step::Minute {
            return Err(Refusal::query("step", "must be hour or day").into());
        }
        range.from = zone.start(step, range.from);
        self.db.run(move |c: &mut AnyConnection| Ok::<_, Failure>(range.statuses(c, step, zone)?)).await
    }

    /// How many are online at which hour of which weekday, in the mean.
    ///
    /// # Errors
    /// `invalid_query` for a range that is none.
    pub async fn heatmap(&self, range: Range, zone: Zone) -> Outcome<Heatmap> {
        check(&range)?;
        Ok(heatmap(&self.known(range, Step::Hour).await?, zone))
    }

    async fn known(&self, range: Range, step: Step) -> Outcome<Vec<Known>> {
        self.db.run(move |c: &mut AnyConnection| Ok::<_, Failure>(range.known(c, step)?)).await
    }

    /// How long the intervals were that ended in a range.
    ///
    /// # Errors
    /// `invalid_query` for a range that is none.
    pub async fn session_lengths(&self, range: Range) -> Outcome<Sessions> {
        check(&range)?;
        self.db.run(move |c: &mut AnyConnection| Ok::<_, Failure>(range.sessions(c)?)).await
    }

    /// What there was of each platform, and for how many milliseconds of the range something is known.
    ///
    /// # Errors
    /// `invalid_query` for a range that is none.
    pub async fn by_platform(&self, range: Range) -> Outcome<(i64, BTreeMap<Platform, PlatformSum>)> {
        check(&range)?;
        self.db.run(move |c: &mut AnyConnection| Ok::<_, Failure>(range.by_platform(c)?)).await
    }

    /// How many users were active on the last `days` days, the oldest first; today is one of them.
    ///
    /// # Errors
    /// Where the database is away.
    pub async fn active_users(&self, days: i32) -> Outcome<Vec<ActiveDay>> {
        let today = day_of(Timestamp::now());
        let read = move |c: &mut AnyConnection| Ok::<_, Failure>(ActiveDay::load(c, today - days + 1, today)?);
        self.db.run(read).await
    }
}
