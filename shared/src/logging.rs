//! The log.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use crate::timestamp::Timestamp;

/// Without `RUST_LOG`: our own `info`, and of the libraries only what an operator has to know.
const DEFAULT_FILTER: &str = "info,actix_server=warn,apalis_core=warn,tokio_cron_scheduler=warn";

/// It calls an error what a stranger has sent that is no HTTP: anybody could fill a log with that. Whoever wants to see it names
/// `actix_http`.
const STRANGERS: &str = "actix_http::h1::dispatcher";

/// Starts logging at `info`, or as `filter` (`RUST_LOG`) says.
pub fn start_logging(filter: Option<&str>) {
    let filter = filter.unwrap_or(DEFAULT_FILTER);
    let mut logger = env_logger::Builder::new();
    logger.parse_filters(filter).format_timestamp_millis();
    if !filter.contains("actix_http") {
        logger.filter_module(STRANGERS, log::LevelFilter::Off);
    }
    logger.init();
}

/// A warning that every request would bring while something is away: one a second is logged, with how many were not.
#[derive(Debug)]
pub struct Sparing {
    /// The second of the last one, since 1970; 0 before the first.
    last: AtomicI64,
    left_out: AtomicU64,
}

impl Sparing {
    /// One that has not been logged yet.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it stands in statics")]
    pub const fn new() -> Self {
        Self { last: AtomicI64::new(0), left_out: AtomicU64::new(0) }
    }

    /// Logs the warning, unless one was within this second.
    pub fn warn(&self, warning: &dyn std::fmt::Display) {
        if let Some(left_out) = self.may(Timestamp::now().0 / 1_000) {
            match left_out {
                0 => log::warn!("{warning}"),
                more => log::warn!("{warning} (and {more} more since the last)"),
            }
        }
    }

    /// Whether one may be logged in this second, and how many were not since the last.
    fn may(&self, second: i64) -> Option<u64> {
        if self.last.swap(second, Ordering::Relaxed) == second {
            self.left_out.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        Some(self.left_out.swap(0, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_a_second_is_logged_and_the_others_are_counted() {
        let sparing = Sparing::new();
        let logged: Vec<Option<u64>> = [7, 7, 7, 8, 9, 9, 12].map(|second| sparing.may(second)).into();
        assert_eq!(logged, [Some(0), None, None, Some(2), Some(0), None, Some(1)]);
    }
}
