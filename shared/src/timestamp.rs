//! Moments in milliseconds since 1970 in UTC: the one form of time in Redis, in the database and on the wire.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::FormatItem;
use time::macros::format_description;

const RFC3339_MILLIS: &[FormatItem<'static>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

/// A moment: milliseconds since 1970-01-01T00:00:00Z. Serialised as RFC 3339 in UTC with milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(pub i64);

/// The moment from which on a session no longer counts as live, unless a sign of life moves it.
///
/// A type of its own, since it is never a time at which something happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Deadline(pub Timestamp);

impl Timestamp {
    /// This process's clock. Presence is never decided by it: the engine's own clock does that.
    #[must_use]
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    /// The moment `duration` later, to the millisecond.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(millis(duration)))
    }

    /// The moment `duration` earlier, to the millisecond.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(millis(duration)))
    }

    /// `None` for the zero that stands for "never" in the database.
    #[must_use]
    pub fn nonzero(self) -> Option<Self> {
        (self.0 > 0).then_some(self)
    }

    /// Reads RFC 3339.
    ///
    /// # Errors
    /// A text that is no RFC 3339 time.
    pub fn parse(text: &str) -> Result<Self, time::error::Parse> {
        // As it is always written here: a start reads a million of them.
        if let Some(at) = text.as_bytes().try_into().ok().and_then(canonical) {
            return Ok(at);
        }
        let at = OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339)?;
        Ok(Self(i64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)))
    }
}

/// Reads `2026-01-31T12:00:00.000Z`; `None` for everything else.
fn canonical(text: &[u8; 24]) -> Option<Timestamp> {
    let [_, _, _, _, b'-', _, _, b'-', _, _, b'T', _, _, b':', _, _, b':', _, _, b'.', _, _, _, b'Z'] = text else {
        return None;
    };
    let number = |from: usize, to: usize| {
        text[from..to]
            .iter()
            .try_fold(0, |sum: i64, digit| digit.is_ascii_digit().then(|| sum * 10 + i64::from(digit - b'0')))
    };
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second, ms) = (number(11, 13)?, number(14, 16)?, number(17, 19)?, number(20, 23)?);
    // Days that not all months have are left to others.
    if !(1..=12).contains(&month) || !(1..=28).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    // Years begin in March here, so that the day that some have more is a year's last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let days = year * 365 + leap_days + (month * 153 + 2) / 5 + day - 719_469;
    Some(Timestamp((((days * 24 + hour) * 60 + minute) * 60 + second) * 1_000 + ms))
}

impl Deadline {
    /// Whether a session with this deadline is live at `now`.
    #[must_use]
    pub fn is_ahead(self, now: Timestamp) -> bool {
        self.0 > now
    }
}

/// A duration in whole milliseconds, as the engine and the database keep it.
#[must_use]
pub fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000_000)
            .ok()
            .and_then(|at| at.format(RFC3339_MILLIS).ok());
        match text {
            Some(text) => f.write_str(&text),
            None => f.write_str("9999-12-31T23:59:59.999Z"),
        }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_written_in_utc_with_milliseconds() {
        assert_eq!(Timestamp(0).to_string(), "1970-01-01T00:00:00.000Z");
        assert_eq!(Timestamp(1_700_000_000_007).to_string(), "2023-11-14T22:13:20.007Z");
        assert_eq!(Timestamp(i64::MAX).to_string(), "9999-12-31T23:59:59.999Z");
    }

    #[test]
    fn reads_days_of_a_thousand_years_as_they_were_written() {
        for day in (-200_000..200_000_i64).step_by(13) {
            let at = Timestamp(day * 86_400_000 + day.rem_euclid(86_400_000));
            assert_eq!(Timestamp::parse(&at.to_string()).ok(), Some(at), "{at}");
        }
        for wrong in ["2023-02-30", "2023-13-01", "2023-00-01", "2023-01-00", "2023-01-0a", "2023-02-29"] {
            assert!(Timestamp::parse(&format!("{wrong}T00:00:00.000Z")).is_err(), "{wrong}");
        }
        assert!(Timestamp::parse("2023-01-01T24:00:00.000Z").is_err());
        assert_eq!(Timestamp::parse("2024-02-29T00:00:00.000Z").ok(), Some(Timestamp(1_709_164_800_000)));
    }

    #[test]
    fn reads_what_it_writes_and_other_zones() {
        let at = Timestamp(1_700_000_000_007);
        assert_eq!(Timestamp::parse(&at.to_string()).ok(), Some(at));
        assert_eq!(Timestamp::parse("2023-11-14T23:13:20.007+01:00").ok(), Some(at));
        assert!(Timestamp::parse("yesterday").is_err());
    }
}
