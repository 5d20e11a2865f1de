//! Statistics: what is worked out of online intervals, by pure functions. The queries are in
//! [`crate::models::statistics`].

pub mod calendar;
pub mod lengths;
pub mod minutes;
mod platform;
pub mod series;

pub use platform::Platform;
