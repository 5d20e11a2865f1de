//! Reads settings and gathers what is wrong with them.

use std::collections::HashMap;
use std::str::FromStr;

use super::Form;
use super::table::SETTINGS;

/// What was given: values by variable, the empty ones left out.
#[derive(Clone, Default)]
pub struct Raw(HashMap<String, String>);

/// Everything that is wrong with the settings.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .problems.join("\n"))]
pub struct SettingsError {
    /// A sentence each, that begins with the variable.
    pub problems: Vec<String>,
}

impl Raw {
    /// Of values by variable.
    #[must_use]
    pub fn new(values: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(values.into_iter().filter(|(_, value)| !value.trim().is_empty()).collect())
    }

    /// What was given for a variable.
    #[must_use]
    pub fn get(&self, variable: &str) -> Option<&str> {
        self.0.get(variable).map(|value| value.trim())
    }
}

pub(super) struct Reader<'a> {
    raw: &'a Raw,
    pub(super) form: Form,
    problems: Vec<String>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(raw: &'a Raw, form: Form) -> Self {
        Self { raw, form, problems: Vec::new() }
    }

    /// Notes that a setting is wrong; `problem` goes on where the variable's name ends.
    pub(super) fn wrong(&mut self, variable: &str, problem: &str) {
        self.problems.push(format!("{variable} {problem}"));
    }

    pub(super) fn given(&self, variable: &str) -> Option<&'a str> {
        self.raw.get(variable)
    }

    fn text(&self, variable: &str) -> Option<&'a str> {
        let default = || SETTINGS.iter().find(|setting| setting.variable == variable).and_then(|s| s.default);
        self.given(variable).or_else(default)
    }

    /// A setting that has a value, or none at all; `None` is also answered, and noted, where the value is wrong.
    pub(super) fn optional<T>(&mut self, variable: &str, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        match parse(self.text(variable)?) {
            Ok(value) => Some(value),
            Err(problem) => {
                self.wrong(variable, &problem);
                None
            }
        }
    }

    /// A setting that must have a value.
    pub(super) fn required<T>(&mut self, variable: &str, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        if self.text(variable).is_none() {
            self.wrong(variable, "is required");
        }
        self.optional(variable, parse)
    }

    /// A whole number within bounds.
    pub(super) fn number<T: FromStr + PartialOrd + Copy + std::fmt::Display>(
        &mut self,
        variable: &str,
        least: T,
        most: T,
    ) -> Option<T> {
        self.required(variable, |text| match text.parse::<T>() {
            Ok(number) if number >= least && number <= most => Ok(number),
            _ => Err(format!("must be a whole number from {least} to {most}, not {text:?}")),
        })
    }

    pub(super) fn duration(&mut self, variable: &str) -> Option<std::time::Duration> {
        self.required(variable, super::duration::parse)
    }

    /// The settings, if nothing was wrong.
    pub(super) fn finish<T>(self, settings: Option<T>) -> Result<T, SettingsError> {
        match settings {
            Some(settings) if self.problems.is_empty() => Ok(settings),
            _ => Err(SettingsError { problems: self.problems }),
        }
    }
}
