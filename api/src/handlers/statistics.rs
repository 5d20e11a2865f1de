//! Statistics, for admins: as JSON, or as CSV.

use std::collections::BTreeMap;
use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use lastseen_shared::models::statistics::{Range, Sessions, Statuses, WORDS};
use lastseen_shared::refusal::Refusal;
use lastseen_shared::service::{Now, Service};
use lastseen_shared::statistics::calendar::{Step, Zone, day_text};
use lastseen_shared::statistics::series::Point;
use lastseen_shared::timestamp::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::query::pairs;
use crate::auth::Admin;
use crate::csv;
use crate::problem::{Answer, Problem, ProblemBody};

/// What charts of the last time begin with, where nothing else is asked for.
const A_DAY: Duration = Duration::from_secs(86_400);
/// What means are taken of, where nothing else is asked for.
const FOUR_WEEKS: Duration = Duration::from_secs(28 * 86_400);
/// Bands of lengths, in seconds: the last has no end.
const BANDS: [u32; 7] = [0, 60, 300, 900, 3_600, 14_400, 43_200];

/// How many there are now.
#[derive(Debug, Serialize, ToSchema)]
pub struct NowAnswer {
    /// Accounts.
    total: u64,
    /// Users whom the caller sees online.
    online: u64,
    /// Accounts by status; `inactive` are those that were deactivated.
    by_status: BTreeMap<&'static str, u64>,
    /// Users who are online, by availability.
    by_availability: BTreeMap<&'static str, u64>,
}

/// A point of a chart.
#[derive(Debug, Serialize, ToSchema)]
pub struct PointShape {
    /// When the step begins, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// How many users were online, in the mean.
    online: f64,
    /// How many there were at most.
    peak: i64,
    /// Log-ins.
    logins: i64,
}

/// The most users that were online at once.
#[derive(Debug, Serialize, ToSchema)]
pub struct PeakShape {
    /// The step in which they were, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// How many.
    online: i64,
}

/// How many were online over time.
#[derive(Debug, Serialize, ToSchema)]
pub struct OnlineAnswer {
    /// In their order; a step of which nothing is known has none.
    points: Vec<PointShape>,
    /// The highest; null where there is no point.
    peak: Option<PeakShape>,
}

/// How many users were active.
#[derive(Debug, Serialize, ToSchema)]
pub struct ActiveShape {
    /// The day, in UTC: `2026-11-24`.
    #[schema(format = Date)]
    day: String,
    /// On that day.
    daily: i64,
    /// In the seven days that end with it.
    weekly: i64,
    /// In the thirty days that end with it.
    monthly: i64,
}

/// How many users were active, day by day.
#[derive(Debug, Serialize, ToSchema)]
pub struct ActiveAnswer {
    /// The oldest first; the last day is not over yet.
    points: Vec<ActiveShape>,
}

/// How many sessions were of which length.
#[derive(Debug, Serialize, ToSchema)]
pub struct BandShape {
    /// From this length on, in seconds.
    from_seconds: u32,
    /// Up to this; null for the last.
    to_seconds: Option<u32>,
    /// How many.
    count: u64,
}

/// How long users stay online.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionsAnswer {
    /// How many stretches of being online ended in the range.
    count: i64,
    /// How long they were in the mean; null where there were none.
    mean_seconds: Option<f64>,
    /// Their median, to within one percent.
    median_seconds: Option<f64>,
    /// By length, to within one percent.
    lengths: Vec<BandShape>,
}

/// A cell of the heat map.
#[derive(Debug, Serialize, ToSchema)]
pub struct CellShape {
    /// The day of the week: 1 is Monday.
    weekday: usize,
    /// The hour, 0 to 23.
    hour: usize,
    /// How many users were online then, in the mean; null where nothing is known.
    mean_online: Option<f64>,
}

/// How many users are online at which hour of which weekday.
#[derive(Debug, Serialize, ToSchema)]
pub struct HeatmapAnswer {
    /// Each hour of each weekday.
    cells: Vec<CellShape>,
}

/// What there was of one platform.
#[derive(Debug, Serialize, ToSchema)]
pub struct PlatformShape {
    /// `web`, `ios`, `android`, `windows`, `macos`, `linux` or `other`.
    platform: &'static str,
    /// How many users were online, in the mean.
    mean_online: f64,
    /// How many there were at most.
    peak: i64,
    /// Log-ins.
    logins: i64,
    /// How many stretches of being online ended.
    sessions: i64,
    /// How long they were in the mean; null where there were none.
    mean_seconds: Option<f64>,
    /// Their median, to within one percent.
    median_seconds: Option<f64>,
}

/// Where users are online.
#[derive(Debug, Serialize, ToSchema)]
pub struct PlatformsAnswer {
    /// Those of which there was something.
    platforms: Vec<PlatformShape>,
}

/// Means of a step, of samples.
#[derive(Debug, Serialize, ToSchema)]
pub struct StatusesShape {
    /// When the step begins, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// Online users by availability.
    by_availability: BTreeMap<&'static str, f64>,
    /// Accounts by status; `inactive` are those that were deactivated.
    by_status: BTreeMap<&'static str, f64>,
}

/// Statuses over time.
#[derive(Debug, Serialize, ToSchema)]
pub struct StatusesAnswer {
    /// In their order; a step of which there is no sample has none.
    points: Vec<StatusesShape>,
}

/// What statistics are asked for.
struct Asked {
    range: Range,
    step: Step,
    zone: Zone,
}

/// Reads the query; `names` are those that the path knows.
fn asked(request: &HttpRequest, names: &[&str], usual: Duration) -> Result<Asked, Problem> {
    let now = Timestamp::now();
    let (mut from, mut to, mut platform) = (None, now, None);
    let (mut step, mut zone) = (Step::Hour, Zone::UTC);
    for (name, value) in pairs(request, names)? {
        let bad = |problem: String| Refusal::query(&name, &problem);
        let time = || Timestamp::parse(&value).map_err(|_| bad("must be a time in RFC 3339".to_owned()));
        match name.as_str() {
            "from" => from = Some(time()?),
            "to" => to = time()?,
            "step" => step = value.parse().map_err(bad)?,
            "tz" => zone = value.parse().map_err(bad)?,
            _ => platform = Some(value.parse().map_err(bad)?),
        }
    }
    Ok(Asked { range: Range { from: from.unwrap_or(to.minus(usual)), to, platform }, step, zone })
}

/// How many accounts there are, and how many users the caller sees online.
#[utoipa::path(get, path = "/api/stats/now/", tag = "stats", security(("bearer" = [])), responses(
    (status = 200, body = NowAnswer, description = "As CSV where `Accept` is `text/csv`"), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
    (status = 503, body = ProblemBody)))]
pub async fn now(admin: Admin, service: web::Data<Service>, request: HttpRequest) -> Answer {
    let Now { total, online, by_availability, by_status } = service.now(admin.0.asker(&service)).await?;
    if csv::wanted(&request) {
        let total = [("total", "", total), ("online", "", online)].into_iter();
        let by = |what, counts: BTreeMap<&'static str, u64>| counts.into_iter().map(move |(name, n)| (what, name, n));
        let rows = total.chain(by("status", by_status)).chain(by("availability", by_availability));
        let rows = rows.map(|(what, name, n)| [what.to_owned(), name.to_owned(), n.to_string()]);
        return Ok(csv::answer(&request, &csv::table(["what", "name", "users"], rows), None));
    }
    Ok(HttpResponse::Ok().json(NowAnswer { total, online, by_status, by_availability }))
}

/// How many users were online, step by step.
#[utoipa::path(get, path = "/api/stats/online/", tag = "stats", security(("bearer" = [])), params(
    ("from" = Option<String>, Query, description = "RFC 3339; without it a day before `to`"),
    ("to" = Option<String>, Query, description = "RFC 3339; without it now"),
    ("step" = Option<String>, Query, description = "`minute`, `hour` or `day`; `hour` without it"),
    ("tz" = Option<String>, Query, description = "Whose hours and days: a name such as `Europe/Berlin`; UTC without it"),
    ("platform" = Option<String>, Query, description = "Of one platform alone")), responses(
    (status = 200, body = OnlineAnswer, description = "As CSV where `Accept` is `text/csv`"),
    (status = 400, body = ProblemBody), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
    (status = 503, body = ProblemBody)))]
pub async fn online(_admin: Admin, service: web::Data<Service>, request: HttpRequest) -> Answer {
    let Asked { range, step, zone } = asked(&request, &["from", "to", "step", "tz", "platform"], A_DAY)?;
    let points = service.online_over_time(range, step, zone).await?;
    if csv::wanted(&request) {
        let row =
            |one: &Point| [one.at.to_string(), one.online.to_string(), one.peak.to_string(), one.logins.to_string()];
        let text = csv::table(["at", "online", "peak", "logins"], points.iter().map(row));
        return Ok(csv::answer(&request, &text, None));
    }
    // The first of those that are equal.
    let highest = points.iter().rev().max_by_key(|point| point.peak);
    let peak = highest.map(|point| PeakShape { at: point.at, online: point.peak });
    let shape = |Point { at, online, peak, logins }| PointShape { at, online, peak, logins };
    Ok(HttpResponse::Ok().json(OnlineAnswer { points: points.into_iter().map(shape).collect(), peak }))
}

/// Online users by availability and accounts by status, step by step: means of samples.
#[utoipa::path(get, path = "/api/stats/statuses/", tag = "stats", security(("bearer" = [])), params(
    ("from" = Option<String>, Query, description = "RFC 3339; without it a day before `to`"),
    ("to" = Option<String>, Query, description = "RFC 3339; without it now"),
    ("step" = Option<String>, Query, description = "`hour` or `day`; `hour` without it"),
    ("tz" = Option<String>, Query, description = "Whose hours and days: a name such as `Europe/Berlin`; UTC without it")),
    responses((status = 200, body = StatusesAnswer, description = "As CSV where `Accept` is `text/csv`"),
    (status = 400, body = ProblemBody), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
    (status = 503, body = ProblemBody)))]
pub async fn statuses(_admin: Admin, service: web::Data<Service>, request: HttpRequest) -> Answer {
    let Asked { range, step, zone } = asked(&request, &["from", "to", "step", "tz"], A_DAY)?;
    let points = service.statuses_over_time(range, step, zone).await?;
    if csv::wanted(&request) {
        let mut names = ["at"; 1 + WORDS.len()];
        names[1..].copy_from_slice(&WORDS);
        let row = |point: Statuses| {
            let mut row = [const { String::new() }; 1 + WORDS.len()];
            row[0] = point.at.to_string();
            row[1..].iter_mut().zip(point.means).for_each(|(field, mean)| *field = mean.to_string());
            row
        };
        return Ok(csv::answer(&request, &csv::table(names, points.into_iter().map(row)), None));
    }
    let shape = |point: Statuses| {
        let mut words = WORDS.into_iter().zip(point.means);
        let by_availability = words.by_ref().take(3).collect();
        StatusesShape { at: point.at, by_availability, by_status: words.collect() }
    };
    Ok(HttpResponse::Ok().json(StatusesAnswer { points: points.into_iter().map(shape).collect() }))
}

/// How many users were active, day by day.
#[utoipa::path(get, path = "/api/stats/active/", tag = "stats", security(("bearer" = [])), params(
    ("days" = Option<i32>, Query, description = "How many days, 1 to 366; 30 without it")), responses(
    (status = 200, body = ActiveAnswer, description = "As CSV where `Accept` is `text/csv`"),
    (status = 400, body = ProblemBody), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
    (status = 503, body = ProblemBody)))]
pub async fn active(_admin: Admin, service: web::Data<Service>, request: HttpRequest) -> Answer {
    let mut days = 30;
    for (_, value) in pairs(&request, &["days"])? {
        let number = value.parse().ok().filter(|days| (1..=366).contains(days));
        days = number.ok_or_else(|| Refusal::query("days", "must be a whole number from 1 to 366"))?;
    }
    let days = service.active_users(days).await?;
    if csv::wanted(&request) {
        let row = |day: lastseen_shared::models::statistics::ActiveDay| {
            [day_text(day.day), day.daily.to_string(), day.weekly.to_string(), day.monthly.to_string()]
        };
        let text = csv::table(["day", "daily", "weekly", "monthly"], days.into_iter().map(row));
        return Ok(csv::answer(&request, &text, None));
    }
    let points = days.into_iter().map(|one| ActiveShape {
        day: day_text(one.day),
        daily: one.daily,
        weekly: one.weekly,
        monthly: one.monthly,
    });
    Ok(HttpResponse::Ok().json(ActiveAnswer { points: points.collect() }))
}

fn mean_seconds(sessions: &Sessions) -> Option<f64> {
    (sessions.count > 0).then(|| sessions.total_ms as f64 / sessions.count as f64 / 1_000.0)
}

/// How long users stay online.
#[utoipa::path(get, path = "/api/stats/sessions/", tag = "stats", security(("bearer" = [])), params(
    ("from" = Option<String>, Query, description = "RFC 3339; without it four weeks before `to`"),
    ("to" = Option<String>, Query, description = "RFC 3339; without it now"),
    ("platform" = Option<String>, Query, description = "Of one platform alone")), responses(
    (status = 200, body = SessionsAnswer, description = "As CSV where `Accept` is `text/csv`"),
    (status = 400, body = ProblemBody), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
    (status = 503, body = ProblemBody)))]
pub async fn sessions(_admin: Admin, service: web::Data<Service>, request: HttpRequest) -> Answer {
    let asked = asked(&request, &["from", "to", "platform"], FOUR_WEEKS)?;
    let sessions = service.session_lengths(asked.range).await?;
    let (mean_seconds, median_seconds) = (mean_seconds(&sessions), sessions.lengths.median_seconds());
    if csv::wanted(&request) {
        let row = [sessions.count.to_string(), csv::or_empty(mean_seconds), csv::or_empty(median_seconds)];
        let text = csv::table(["count", "mean_seconds", "median_seconds"], std::iter::once(row));
        return Ok(csv::answer(&request, &text, None));
    }
    let counts = sessions.lengths.bands(&BANDS);
    let band = |(place, count): (usize, u64)| BandShape {
        from_seconds: BANDS[place],
        to_seconds: BANDS.get(place + 1).copied(),
        count,
    };
    let lengths = counts.into_iter().enumerate().map(band).collect();
    Ok(HttpResponse::Ok().json(SessionsAnswer { count: sessions.count, mean_seconds, median_seconds, lengths }))
}

/// How many users are online at which hour of which weekday.
#[utoipa::path(get, path = "/api/stats/heatmap/", tag = "stats", security(("bearer" = [])), params(
    ("from" = Option<String>, Query, description = "RFC 3339; without it four weeks before `to`"),
    ("to" = Option<String>, Query, description = "RFC 3339; without it now"),
    ("tz" = Option<String>, Query, description = "Whose hours: a name such as `Europe/Berlin`; UTC without it"),
    ("platform" = Option<String>, Query, description = "Of one platform alone")), responses(
    (status = 200, body = HeatmapAnswer, description = "As CSV where `Accept` is `text/csv`"),
    (status = 400, body = ProblemBody), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
    (status = 503, body = ProblemBody)))]
pub async fn heatmap(_admin: Admin, service: web::Data<Service>, request: HttpRequest) -> Answer {
    let Asked { range, zone, .. } = asked(&request, &["from", "to", "tz", "platform"], FOUR_WEEKS)?;
    let heatmap = service.heatmap(range, zone).await?;
    let cells: Vec<CellShape> = heatmap
        .iter()
        .zip(1..)
        .flat_map(|(hours, weekday)| {
            let cell = move |(hour, cell): (usize, &Option<f64>)| CellShape { weekday, hour, mean_online: *cell };
            hours.iter().enumerate().map(cell)
        })
        .collect();
    if csv::wanted(&request) {
        let row =
            |cell: CellShape| [cell.weekday.to_string(), cell.hour.to_string(), csv::or_empty(cell.mean_online)];
        let text = csv::table(["weekday", "hour", "mean_online"], cells.into_iter().map(row));
        return Ok(csv::answer(&request, &text, None));
    }
    Ok(HttpResponse::Ok().json(HeatmapAnswer { cells }))
}

/// Where users are online: by platform.
#[utoipa::path(get, path = "/api/stats/platforms/", tag = "stats", security(("bearer" = [])), params(
    ("from" = Option<String>, Query, description = "RFC 3339; without it four weeks before `to`"),
    ("to" = Option<String>, Query, description = "RFC 3339; without it now")), responses(
    (status = 200, body = PlatformsAnswer, description = "As CSV where `Accept` is `text/csv`"),
    (status = 400, body = ProblemBody), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
    (status = 503, body = ProblemBody)))]
pub async fn platforms(_admin: Admin, service: web::Data<Service>, request: HttpRequest) -> Answer {
    let asked = asked(&request, &["from", "to"], FOUR_WEEKS)?;
    let (known_ms, by_platform) = service.by_platform(asked.range).await?;
    let platforms: Vec<PlatformShape> = by_platform
        .into_iter()
        .map(|(platform, sum)| PlatformShape {
            platform: platform.as_str(),
            mean_online: sum.online_ms as f64 / known_ms.max(1) as f64,
            peak: sum.peak,
            logins: sum.logins,
            sessions: sum.sessions.count,
            mean_seconds: mean_seconds(&sum.sessions),
            median_seconds: sum.sessions.lengths.median_seconds(),
        })
        .collect();
    if csv::wanted(&request) {
        let names = ["platform", "mean_online", "peak", "logins", "sessions", "mean_seconds", "median_seconds"];
        let row = |one: PlatformShape| {
            let (mean, median) = (csv::or_empty(one.mean_seconds), csv::or_empty(one.median_seconds));
            let counts = [one.peak, one.logins, one.sessions].map(|n| n.to_string());
            let [peak, logins, sessions] = counts;
            [one.platform.to_owned(), one.mean_online.to_string(), peak, logins, sessions, mean, median]
        };
        return Ok(csv::answer(&request, &csv::table(names, platforms.into_iter().map(row)), None));
    }
    Ok(HttpResponse::Ok().json(PlatformsAnswer { platforms }))
}
