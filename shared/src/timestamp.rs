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
        let at = OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339)?;
        Ok(Self(i64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)))
    }
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
    fn reads_what_it_writes_and_other_zones() {
        let at = Timestamp(1_700_000_000_007);
        assert_eq!(Timestamp::parse(&at.to_string()).ok(), Some(at));
        assert_eq!(Timestamp::parse("2023-11-14T23:13:20.007+01:00").ok(), Some(at));
        assert!(Timestamp::parse("yesterday").is_err());
    }
}
