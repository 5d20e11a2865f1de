//! Moments in milliseconds since 1970 in UTC: the one form of time in Redis, in the database and on the wire.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use time::{Date, Month, OffsetDateTime};

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

/// The Julian day of 1970-01-01.
const EPOCH: i32 = 2_440_588;

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
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let month = Month::try_from(month as u8).ok()?;
    let date = Date::from_calendar_date(year as i32, month, day as u8).ok()?;
    let days = i64::from(date.to_julian_day() - EPOCH);
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

/// Of the length of every moment's text.
const PATTERN: [u8; 24] = *b"0000-00-00T00:00:00.000Z";
/// What is written for moments that RFC 3339 has no text for.
const FARTHEST: &str = "9999-12-31T23:59:59.999Z";

/// RFC 3339 in UTC with milliseconds, or `None` past the year 9999. Every heartbeat's answer has two of them, so the digits
/// are put in place by hand.
fn rfc3339(at: Timestamp) -> Option<[u8; 24]> {
    let moment = OffsetDateTime::from_unix_timestamp(at.0.div_euclid(1_000)).ok()?;
    let (year, month, day) = moment.to_calendar_date();
    let year = u32::try_from(year).ok().filter(|year| *year <= 9_999)?;
    let mut text = PATTERN;
    let mut put = |place: usize, digits: usize, mut number: u32| {
        for slot in text[place..place + digits].iter_mut().rev() {
            *slot = b'0' + (number % 10) as u8;
            number /= 10;
        }
    };
    put(0, 4, year);
    put(5, 2, u8::from(month).into());
    put(8, 2, day.into());
    put(11, 2, moment.hour().into());
    put(14, 2, moment.minute().into());
    put(17, 2, moment.second().into());
    put(20, 3, at.0.rem_euclid(1_000) as u32);
    Some(text)
}

impl Timestamp {
    fn with_text<T>(self, then: impl FnOnce(&str) -> T) -> T {
        let text = rfc3339(self);
        let text = text.as_ref().and_then(|text| std::str::from_utf8(text).ok());
        then(text.unwrap_or(FARTHEST))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with_text(|text| f.write_str(text))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.with_text(|text| serializer.serialize_str(text))
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
        assert_eq!(Timestamp(-1).to_string(), "1969-12-31T23:59:59.999Z");
    }

    #[test]
    fn is_written_as_the_library_writes_it() {
        let format =
            time::macros::format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
        for n in -2_000..20_000_i64 {
            let ms = n * 12_345_678_901;
            let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000).unwrap();
            assert_eq!(Timestamp(ms).to_string(), at.format(format).unwrap());
        }
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
