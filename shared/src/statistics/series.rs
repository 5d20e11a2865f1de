//! Points of a chart and cells of a heat map, gathered from minutes or quarters of an hour.

use std::collections::BTreeMap;

use super::calendar::{Step, Zone};
use crate::timestamp::Timestamp;

/// What is known of a minute or of a quarter of an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// When it begins.
    pub at: Timestamp,
    /// How much of it is known, in milliseconds.
    pub known_ms: i64,
    /// For how many milliseconds users were online, added up.
    pub online_ms: i64,
    /// How many there were at most.
    pub peak: i64,
    /// Log-ins.
    pub logins: i64,
}

/// A point of a chart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// When its step begins.
    pub at: Timestamp,
    /// How many were online, in the mean.
    pub online: f64,
    /// How many there were at most.
    pub peak: i64,
    /// Log-ins.
    pub logins: i64,
}

/// Cells of a heat map: the mean number online by day of the week (from Monday) and hour; `None` where nothing is known.
pub type Heatmap = [[Option<f64>; 24]; 7];

fn mean(online_ms: i64, known_ms: i64) -> f64 {
    online_ms as f64 / known_ms.max(1) as f64
}

/// Gathers points. A step of which nothing is known has none.
#[must_use]
pub fn points(known: &[Known], zone: Zone, step: Step) -> Vec<Point> {
    let mut steps: BTreeMap<Timestamp, Known> = BTreeMap::new();
    for one in known {
        let at = zone.start(step, one.at);
        let sum = steps.entry(at).or_insert(Known { at, known_ms: 0, online_ms: 0, peak: 0, logins: 0 });
        sum.known_ms += one.known_ms;
        sum.online_ms += one.online_ms;
        sum.peak = sum.peak.max(one.peak);
        sum.logins += one.logins;
    }
    let point = |sum: Known| Point {
        at: sum.at,
        online: mean(sum.online_ms, sum.known_ms),
        peak: sum.peak,
        logins: sum.logins,
    };
    steps.into_values().map(point).collect()
}

/// Gathers a heat map.
#[must_use]
pub fn heatmap(known: &[Known], zone: Zone) -> Heatmap {
    let mut sums = [[(0, 0); 24]; 7];
    for one in known {
        let (weekday, hour) = zone.weekday_and_hour(one.at);
        let (online_ms, known_ms) = &mut sums[weekday as usize - 1][hour as usize];
        *online_ms += one.online_ms;
        *known_ms += one.known_ms;
    }
    sums.map(|hours| hours.map(|(online_ms, known_ms)| (known_ms > 0).then(|| mean(online_ms, known_ms))))
}

#[cfg(test)]
mod tests {
    use super::super::minutes::QUARTER;
    use super::*;

    fn quarters(from: &str, n: i64, online: impl Fn(i64) -> i64) -> Vec<Known> {
        let from = Timestamp::parse(from).unwrap().0;
        let known = |place: i64| Known {
            at: Timestamp(from + place * QUARTER),
            known_ms: QUARTER,
            online_ms: online(place) * QUARTER,
            peak: online(place),
            logins: 1,
        };
        (0..n).map(known).collect()
    }

    #[test]
    fn a_day_on_which_the_clock_is_set_back_has_25_hours() {
        let berlin: Zone = "Europe/Berlin".parse().unwrap();
        let known = quarters("2026-10-24T22:00:00Z", 25 * 4 + 4, |place| if place < 100 { 4 } else { 40 });
        let days = points(&known, berlin, Step::Day);
        let told: Vec<_> = days.iter().map(|day| (day.at.to_string(), day.online, day.peak, day.logins)).collect();
        let second = ("2026-10-25T23:00:00.000Z".to_owned(), 40.0, 40, 4);
        assert_eq!(told, [("2026-10-24T22:00:00.000Z".to_owned(), 4.0, 4, 100), second]);
        assert_eq!(points(&known, berlin, Step::Hour).len(), 26);
        // Two o'clock was there twice.
        let twice = quarters("2026-10-25T00:00:00Z", 8, |place| if place < 4 { 10 } else { 20 });
        assert_eq!(heatmap(&twice, berlin)[6][2], Some(15.0));
    }

    #[test]
    fn what_is_not_known_has_no_point() {
        let mut known = quarters("2026-01-05T00:00:00Z", 1, |_| 2);
        known.extend(quarters("2026-01-05T02:00:00Z", 2, |place| place));
        let hours = points(&known, Zone::UTC, Step::Hour);
        assert_eq!(hours.iter().map(|hour| (hour.online, hour.peak)).collect::<Vec<_>>(), [(2.0, 2), (0.5, 1)]);
        let cells = heatmap(&known, Zone::UTC);
        assert_eq!((cells[0][0], cells[0][1], cells[0][2]), (Some(2.0), None, Some(0.5)));
    }
}
