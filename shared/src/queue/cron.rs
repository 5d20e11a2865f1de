//! Cron expressions: the check at start, and the scheduled moment that a firing belongs to.
//!
//! An expression has six fields, seconds first, and is read in UTC. It is read exactly as the scheduler reads it, so what
//! passes here runs there.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::{DateTime, Utc};
use croner::Cron;
use croner::errors::CronError as ParseError;
use croner::parser::{CronParser, Seconds};

/// How far before its moment a firing may be and still belong to it. The scheduler does not fire early, but the clock may
/// have been set back a little between its look at the clock and ours.
const EARLY: Duration = Duration::from_millis(100);

/// Why a cron expression is refused.
#[derive(Debug, thiserror::Error)]
pub enum CronError {
    /// It cannot be parsed.
    #[error("'{text}' is not a cron expression of six fields (seconds first): {reason}")]
    Invalid {
        /// The expression.
        text: String,
        /// What the parser says.
        reason: String,
    },
    /// It can be parsed, but names no moment to come, like the 30th of February.
    #[error("the cron expression '{text}' never comes due")]
    NeverDue {
        /// The expression.
        text: String,
    },
}

/// A cron expression that has been checked.
#[derive(Clone, Debug)]
pub struct CronSchedule {
    text: String,
    cron: Cron,
}

impl CronSchedule {
    /// Parses an expression.
    ///
    /// # Errors
    ///
    /// [`CronError`] when it is not a cron expression with seconds, or has no occurrence to come.
    pub fn parse(text: &str) -> Result<Self, CronError> {
        let cron =
            CronParser::builder().seconds(Seconds::Required).dom_and_dow(true).build().parse(text).map_err(
                |error: ParseError| CronError::Invalid { text: text.to_owned(), reason: error.to_string() },
            )?;
        cron.find_next_occurrence(&Utc::now(), false).map_err(|_| CronError::NeverDue { text: text.to_owned() })?;
        Ok(Self { text: text.to_owned(), cron })
    }

    /// The expression as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The scheduled moment, in Unix milliseconds, that a firing at `now` belongs to.
    ///
    /// A scheduler looks at the clock twice a second, so replicas fire at different times after the same moment. This is the
    /// number they agree on: the latest occurrence that is not after `now`.
    #[must_use]
    pub fn occurrence_at(&self, now: SystemTime) -> i64 {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default() + EARLY;
        let second = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        let occurrence = DateTime::<Utc>::from_timestamp(second, 0)
            .and_then(|at| self.cron.find_previous_occurrence(&at, true).ok());
        occurrence.map_or(second, |at| at.timestamp()).saturating_mul(1000)
    }
}

/// Checks a cron expression, for the settings: `Err` says what is wrong with it.
///
/// # Errors
///
/// The message of a [`CronError`].
pub fn validate_cron(text: &str) -> Result<(), String> {
    CronSchedule::parse(text).map(|_| ()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: i64 = 1_767_268_800_000; // 2026-01-01T12:00:00Z

    fn at(offset_ms: i64) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(u64::try_from(NOON + offset_ms).unwrap())
    }

    #[test]
    fn replicas_that_fire_apart_agree_on_the_moment() {
        let minutely = CronSchedule::parse("0 * * * * *").unwrap();
        for offset in [-2, -100, 0, 5, 499, 998, 1_002, 30_000, 59_899] {
            assert_eq!(minutely.occurrence_at(at(offset)), NOON, "{offset} ms");
        }
        assert_eq!(minutely.occurrence_at(at(-101)), NOON - 60_000);
        assert_eq!(minutely.occurrence_at(at(59_900)), NOON + 60_000);
    }

    #[test]
    fn a_firing_within_the_second_belongs_to_that_second() {
        let every_second = CronSchedule::parse("* * * * * *").unwrap();
        for offset in [-2, 0, 5, 510, 899] {
            assert_eq!(every_second.occurrence_at(at(offset)), NOON, "{offset} ms");
        }
        assert_eq!(every_second.occurrence_at(at(1_000)), NOON + 1_000);
    }

    #[test]
    fn a_late_firing_takes_the_latest_moment() {
        let every_ten_minutes = CronSchedule::parse("0 */10 * * * *").unwrap();
        assert_eq!(every_ten_minutes.occurrence_at(at(599_000)), NOON);
        assert_eq!(every_ten_minutes.occurrence_at(at(1_250_000)), NOON + 1_200_000);
        let nightly = CronSchedule::parse("30 15 3 * * *").unwrap();
        assert_eq!(nightly.occurrence_at(at(0)), NOON - (8 * 3600 + 44 * 60 + 30) * 1000);
    }

    #[test]
    fn expressions_are_checked() {
        for text in ["0 * * * * *", "*/5 * * * * *", "0 0 3 * * SUN"] {
            assert_eq!(validate_cron(text), Ok(()), "{text}");
        }
        for text in ["", "* * * * *", "61 * * * * *", "nightly", "0 0 0 30 2 *"] {
            let message = validate_cron(text).unwrap_err();
            assert!(message.contains(&format!("'{text}'")), "{message}");
        }
    }
}
