//! The log.

use std::io::Write;
use std::str::FromStr;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use env_logger::fmt::Formatter;
use log::Record;
use log::kv::{Error, Key, Value, VisitSource, VisitValue};
use serde_json::{Map, json};

use crate::timestamp::Timestamp;

/// Without `RUST_LOG`: our own `info`, and of the libraries only what an operator has to know.
const DEFAULT_FILTER: &str = "info,actix_server=warn,apalis_core=warn,tokio_cron_scheduler=warn";

/// It calls an error what a stranger has sent that is no HTTP: anybody could fill a log with that. Whoever wants to see it names
/// `actix_http`.
const STRANGERS: &str = "actix_http::h1::dispatcher";

/// What a line of the log looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One object a line, for programs.
    Json,
}

impl FromStr for LogFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err("must be text or json".to_owned()),
        }
    }
}

/// Starts logging at `info`, or as `filter` (`RUST_LOG`) says, to standard error. A format that is none is told of by whoever
/// checks the settings; until then it is text.
pub fn start_logging(filter: Option<&str>, format: Option<&str>) {
    let filter = filter.unwrap_or(DEFAULT_FILTER);
    let mut logger = env_logger::Builder::new();
    logger.parse_filters(filter).format_timestamp_millis();
    match format.and_then(|format| format.parse().ok()).unwrap_or_default() {
        LogFormat::Text => logger.format_key_values(|formatter, source| {
            source.visit(&mut Words(formatter)).map_err(|error| std::io::Error::other(error.to_string()))
        }),
        LogFormat::Json => logger.format(|formatter, record| writeln!(formatter, "{}", as_json(record))),
    };
    if !filter.contains("actix_http") {
        logger.filter_module(STRANGERS, log::LevelFilter::Off);
    }
    logger.init();
}

/// Writes ` name=value` for each value that there is.
struct Words<'a>(&'a mut Formatter);

impl<'kvs> VisitSource<'kvs> for Words<'_> {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), Error> {
        match of(&value) {
            serde_json::Value::Null => {}
            serde_json::Value::String(text) => write!(self.0, " {key}={text}")?,
            other => write!(self.0, " {key}={other}")?,
        }
        Ok(())
    }
}

/// A line: `at`, `level`, `target`, `message`, and the values that the line was given, under their names.
fn as_json(record: &Record<'_>) -> serde_json::Value {
    struct Fields(Map<String, serde_json::Value>);
    impl<'kvs> VisitSource<'kvs> for Fields {
        fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), Error> {
            self.0.insert(key.as_str().to_owned(), of(&value));
            Ok(())
        }
    }
    let mut fields = Fields(Map::new());
    // Ours never refuses.
    let _ = record.key_values().visit(&mut fields);
    let mut line = fields.0;
    line.insert("at".to_owned(), json!(Timestamp::now().to_string()));
    line.insert("level".to_owned(), json!(record.level().as_str()));
    line.insert("target".to_owned(), json!(record.target()));
    line.insert("message".to_owned(), json!(record.args().to_string()));
    line.into()
}

/// A value as JSON has it.
fn of(value: &Value<'_>) -> serde_json::Value {
    struct Json(serde_json::Value);
    impl<'v> VisitValue<'v> for Json {
        fn visit_any(&mut self, value: Value<'_>) -> Result<(), Error> {
            self.0 = json!(value.to_string());
            Ok(())
        }

        fn visit_null(&mut self) -> Result<(), Error> {
            self.0 = serde_json::Value::Null;
            Ok(())
        }

        fn visit_u64(&mut self, value: u64) -> Result<(), Error> {
            self.0 = json!(value);
            Ok(())
        }

        fn visit_i64(&mut self, value: i64) -> Result<(), Error> {
            self.0 = json!(value);
            Ok(())
        }

        fn visit_f64(&mut self, value: f64) -> Result<(), Error> {
            self.0 = json!(value);
            Ok(())
        }

        fn visit_str(&mut self, value: &str) -> Result<(), Error> {
            self.0 = json!(value);
            Ok(())
        }
    }
    let mut json = Json(serde_json::Value::Null);
    // Ours never refuses.
    let _ = value.visit(&mut json);
    json.0
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
    fn a_line_of_json_has_what_was_given() {
        let (user, nobody): (Option<i64>, Option<i64>) = (Some(7), None);
        let values = [
            ("route", Value::from("/api/users/{id}")),
            ("user", user.map_or_else(Value::null, Value::from)),
            ("nobody", nobody.map_or_else(Value::null, Value::from)),
            ("took_ms", Value::from(1.5)),
        ];
        let mut record = Record::builder();
        record.target("here").level(log::Level::Info).key_values(&values);
        let line = as_json(&record.args(format_args!("a \"message\"\nof two lines")).build());
        assert!(!line.to_string().contains('\n'), "{line}");
        assert_eq!(line["message"], "a \"message\"\nof two lines");
        assert_eq!(line["level"], "INFO");
        assert_eq!(
            (&line["route"], &line["user"], &line["took_ms"]),
            (&json!("/api/users/{id}"), &json!(7), &json!(1.5))
        );
        assert!(line["nobody"].is_null());
    }

    #[test]
    fn one_a_second_is_logged_and_the_others_are_counted() {
        let sparing = Sparing::new();
        let logged: Vec<Option<u64>> = [7, 7, 7, 8, 9, 9, 12].map(|second| sparing.may(second)).into();
        assert_eq!(logged, [Some(0), None, None, Some(2), Some(0), None, Some(1)]);
    }
}
