//! When a delivery that failed is tried again.

use std::time::Duration;

use crate::timestamp::Timestamp;

/// The pauses after each attempt that failed, in seconds, each shortened by up to a quarter: a day in all. The first is
/// over within five seconds in any case.
const PAUSES: [u64; 10] = [4, 30, 120, 600, 1_800, 3_600, 7_200, 14_400, 28_800, 28_800];

/// A receiver may ask to be left alone for so long; longer is not heeded.
const LONGEST_ASKED: Duration = Duration::from_secs(3_600);

/// How often a delivery is tried before it is dead.
pub const ATTEMPTS: i32 = 1 + PAUSES.len() as i32;

/// How long an endpoint may fail, without one success, before it is disabled.
pub const FAILING_FOR: Duration = Duration::from_secs(3 * 86_400);

/// How long to wait after attempt number `attempt`, the first being 1; `None` where it was the last. `random` is anything
/// from 0 to 1; `asked` is what the receiver asked for.
#[must_use]
pub fn pause_after(attempt: i32, random: f64, asked: Option<Duration>) -> Option<Duration> {
    let place = usize::try_from(attempt.checked_sub(1)?).ok()?;
    let pause = Duration::from_secs(*PAUSES.get(place)?).mul_f64(1.0 - random.clamp(0.0, 1.0) / 4.0);
    Some(pause.max(asked.unwrap_or_default().min(LONGEST_ASKED)))
}

/// Reads a `Retry-After`: seconds, or a date.
#[must_use]
pub fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let at = time::OffsetDateTime::parse(value, &time::format_description::well_known::Rfc2822).ok()?;
    let ms = i64::try_from(at.unix_timestamp_nanos() / 1_000_000).ok()?;
    Some(Duration::from_millis(u64::try_from(ms.saturating_sub(now.0)).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_over_a_day() {
        let all = |random| (1..ATTEMPTS).map(move |attempt| pause_after(attempt, random, None).unwrap());
        for random in [0.0, 0.5, 1.0] {
            assert!(all(random).next().unwrap() < Duration::from_secs(5));
            assert!(all(random).is_sorted());
        }
        let day = all(0.0).sum::<Duration>();
        assert!((Duration::from_secs(20 * 3_600)..Duration::from_secs(28 * 3_600)).contains(&day), "{day:?}");
        assert_eq!(pause_after(ATTEMPTS, 0.0, None), None);
        assert_eq!(pause_after(0, 0.0, None), None);
    }

    #[test]
    fn receivers_may_ask_for_more_but_not_for_ever() {
        let asked = |seconds| pause_after(1, 0.0, Some(Duration::from_secs(seconds))).unwrap().as_secs();
        assert_eq!([asked(0), asked(2), asked(60), asked(1_000_000)], [4, 4, 60, 3_600]);
    }

    #[test]
    fn retry_after_is_read() {
        let now = Timestamp::parse("1994-11-06T08:49:07Z").unwrap();
        for (text, seconds) in [
            ("120", Some(120)),
            (" 5 ", Some(5)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(30)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("-1", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(retry_after(text, now).map(|after| after.as_secs()), seconds, "{text:?}");
        }
    }
}
