//! Hours and days as a time zone has them, with its summer time: a day may have 23 or 25 hours.

use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, Offset, TimeDelta, TimeZone, Timelike, Utc};
use chrono_tz::Tz;

use super::minutes::{MINUTE, QUARTER};
use crate::timestamp::Timestamp;

/// A time zone of the IANA database, such as `Europe/Berlin`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Zone(Tz);

/// How long a point of a chart is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A minute.
    Minute,
    /// An hour of the zone.
    Hour,
    /// A day of the zone.
    Day,
}

impl std::str::FromStr for Zone {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse()
            .map(Self)
            .map_err(|_| "must be a name of the IANA time zone database, such as Europe/Berlin".to_owned())
    }
}

impl std::str::FromStr for Step {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "minute" => Ok(Self::Minute),
            "hour" => Ok(Self::Hour),
            "day" => Ok(Self::Day),
            _ => Err("must be minute, hour or day".to_owned()),
        }
    }
}

impl Step {
    /// Roughly how long one is, in milliseconds: the shortest that there is.
    #[must_use]
    pub fn shortest_ms(self) -> i64 {
        match self {
            Self::Minute => MINUTE,
            Self::Hour => 60 * MINUTE,
            Self::Day => 23 * 60 * MINUTE,
        }
    }
}

fn utc(at: Timestamp) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(at.0).unwrap_or_default()
}

impl Zone {
    /// UTC.
    pub const UTC: Self = Self(Tz::UTC);

    /// When the step begins in which a moment is.
    #[must_use]
    pub fn start(self, step: Step, at: Timestamp) -> Timestamp {
        let local = utc(at).with_timezone(&self.0);
        match step {
            Step::Minute => Timestamp(at.0 - at.0.rem_euclid(MINUTE)),
            // Of the hour that is there twice when the clock is set back, each is one of its own.
            Step::Hour => {
                let offset = self.offset(at);
                let mut start = Timestamp(at.0 - (at.0 + offset).rem_euclid(60 * MINUTE));
                // Where the clock is set by half an hour, the hour begins anew there.
                while self.offset(start) != offset {
                    start = Timestamp(start.0 - start.0.rem_euclid(QUARTER) + QUARTER);
                }
                start
            }
            Step::Day => self.midnight(local.date_naive()),
        }
    }

    /// How far the zone's clocks are ahead of UTC, in milliseconds.
    fn offset(self, at: Timestamp) -> i64 {
        i64::from(utc(at).with_timezone(&self.0).offset().fix().local_minus_utc()) * 1_000
    }

    /// The day's first moment: where the clock is set forward at midnight, that is a later time of the clock.
    fn midnight(self, day: NaiveDate) -> Timestamp {
        let mut local = day.and_time(NaiveTime::MIN);
        // No time zone leaves out a whole day's quarters but where it skips that day, of which nothing is asked then.
        for _ in 0..(24 * 60 * MINUTE / QUARTER) {
            if let Some(at) = self.0.from_local_datetime(&local).earliest() {
                return Timestamp(at.timestamp_millis());
            }
            local += TimeDelta::milliseconds(QUARTER);
        }
        Timestamp(day.and_time(NaiveTime::MIN).and_utc().timestamp_millis())
    }

    /// The day of the week (1 is Monday) and the hour that the zone's clocks show.
    #[must_use]
    pub fn weekday_and_hour(self, at: Timestamp) -> (u32, u32) {
        let local = utc(at).with_timezone(&self.0);
        (local.weekday().number_from_monday(), local.hour())
    }
}

/// Days since 1970, in UTC.
#[must_use]
pub fn day_of(at: Timestamp) -> i32 {
    i32::try_from(at.0.div_euclid(24 * 60 * MINUTE)).unwrap_or(i32::MAX)
}

/// A day as it is written: `2026-11-24`.
#[must_use]
pub fn day_text(day: i32) -> String {
    let date = NaiveDate::from_epoch_days(day).unwrap_or_default();
    date.format("%Y-%m-%d").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[test]
    fn days_and_hours_are_the_zones() {
        let berlin: Zone = "Europe/Berlin".parse().unwrap();
        for (step, moment, expected) in [
            // Winter, summer, and both ends of the day on which the clock is set back.
            (Step::Day, "2026-01-10T22:59:00Z", "2026-01-09T23:00:00.000Z"),
            (Step::Day, "2026-07-10T22:00:00Z", "2026-07-10T22:00:00.000Z"),
            (Step::Day, "2026-10-24T22:00:00Z", "2026-10-24T22:00:00.000Z"),
            (Step::Day, "2026-10-25T22:59:59Z", "2026-10-24T22:00:00.000Z"),
            (Step::Hour, "2026-10-25T00:59:00Z", "2026-10-25T00:00:00.000Z"),
            (Step::Hour, "2026-10-25T01:01:00Z", "2026-10-25T01:00:00.000Z"),
            (Step::Minute, "2026-10-25T01:01:59Z", "2026-10-25T01:01:00.000Z"),
        ] {
            assert_eq!(berlin.start(step, at(moment)).to_string(), expected, "{step:?} {moment}");
        }
        // Half an hour off; and a midnight that there is not.
        let kolkata: Zone = "Asia/Kolkata".parse().unwrap();
        assert_eq!(kolkata.start(Step::Hour, at("2026-01-10T22:15:00Z")).to_string(), "2026-01-10T21:30:00.000Z");
        let beirut: Zone = "Asia/Beirut".parse().unwrap();
        assert_eq!(beirut.start(Step::Day, at("2026-03-29T12:00:00Z")).to_string(), "2026-03-28T22:00:00.000Z");
        assert!("Mars/Olympus".parse::<Zone>().is_err());
    }

    #[test]
    fn every_quarter_is_in_the_step_that_began_before_it() {
        for name in
            ["Europe/Berlin", "America/Sao_Paulo", "Australia/Lord_Howe", "Asia/Kathmandu", "America/St_Johns"]
        {
            let zone: Zone = name.parse().unwrap();
            let mut moment = at("2018-01-01T00:00:00Z");
            let end = at("2019-01-01T00:00:00Z");
            let (mut day, mut hour) = (Timestamp(0), Timestamp(0));
            while moment < end {
                for (step, last, longest) in [(Step::Day, &mut day, 25), (Step::Hour, &mut hour, 1)] {
                    let start = zone.start(step, moment);
                    assert!(
                        start <= moment && moment.0 - start.0 < longest * 60 * MINUTE,
                        "{name} {step:?} {moment}"
                    );
                    assert!(start >= *last, "{name} {step:?} {moment}");
                    assert_eq!(zone.start(step, start), start, "{name} {step:?} {moment}");
                    *last = start;
                }
                moment = Timestamp(moment.0 + QUARTER);
            }
        }
    }

    #[test]
    fn days_are_counted_and_written() {
        assert_eq!(day_text(day_of(at("2026-11-24T23:59:59Z"))), "2026-11-24");
        assert_eq!(day_text(0), "1970-01-01");
    }
}
