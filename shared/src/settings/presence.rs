//! The settings of presence.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::reader::Reader;
use super::{Form, duration};
use crate::models::notification::Telling;
use crate::privacy::AdminSight;

/// After how long a device that nobody touches may be away: less is a pause for thought, more is another day.
pub const AWAY_AFTER: RangeInclusive<Duration> = Duration::from_secs(30)..=Duration::from_secs(86_400);

/// Presence.
#[derive(Clone, Copy, Debug)]
pub struct PresenceSettings {
    /// What clients are told.
    pub heartbeat_interval: Duration,
    /// Silence before offline, unless a user chose its own.
    pub inactivity_timeout: Duration,
    /// The shortest timeout that a user may choose.
    pub timeout_min: Duration,
    /// The longest.
    pub timeout_max: Duration,
    /// How many shards presence is kept in.
    pub shards: u32,
    /// How long transitions are kept for clients that ask what changed.
    pub resume_window: Duration,
    /// How often the page asks.
    pub admin_refresh: Duration,
    /// After how long without anybody touching it a device is away, unless a user chose its own.
    pub away_after: Duration,
    /// What admins see whatever users say.
    pub admin_sight: AdminSight,
    /// How long nobody is told again that the same contact has come online.
    pub notify_again: Duration,
}

impl PresenceSettings {
    /// What decides who is told that somebody has come online.
    #[must_use]
    pub fn telling(&self) -> Telling {
        Telling { again: self.notify_again, policy: self.admin_sight }
    }
}

pub(super) fn presence(r: &mut Reader<'_>) -> Option<PresenceSettings> {
    let heartbeat_interval = r.duration("LASTSEEN_HEARTBEAT_INTERVAL");
    let inactivity_timeout = r.duration("LASTSEEN_INACTIVITY_TIMEOUT");
    let min = r.optional("LASTSEEN_TIMEOUT_MIN", duration::parse);
    let max = r.optional("LASTSEEN_TIMEOUT_MAX", duration::parse);
    let shards = match (r.form, r.given("LASTSEEN_SHARDS")) {
        (Form::StandAlone, None) => Some(1),
        _ => r.number("LASTSEEN_SHARDS", 1, 1_024),
    };
    let resume_window = r.duration("LASTSEEN_RESUME_WINDOW");
    let admin_refresh = r.duration("LASTSEEN_ADMIN_REFRESH");
    let away_after = r.required("LASTSEEN_AWAY_AFTER", |text| {
        let after = duration::parse(text)?;
        match AWAY_AFTER.contains(&after) {
            true => Ok(after),
            false => Err("must be from 30s to 24h".to_owned()),
        }
    });
    let admin_sight = r.required("LASTSEEN_HIDDEN_FROM_ADMINS", AdminSight::parse);
    let notify_again = r.required("LASTSEEN_NOTIFY_AGAIN", |text| match duration::parse(text)? {
        again if again < Duration::from_secs(1) => Err("must be 1s at least".to_owned()),
        again => Ok(again),
    });
    let (interval, timeout) = heartbeat_interval.zip(inactivity_timeout)?;
    let timeout_min = min.unwrap_or(timeout);
    let timeout_max = max.unwrap_or(timeout * 30);
    if timeout < interval * 2 {
        r.wrong(
            "LASTSEEN_INACTIVITY_TIMEOUT",
            &format!("must be at least two heartbeat intervals, {:?}", interval * 2),
        );
    }
    if timeout_min < interval * 2 {
        r.wrong("LASTSEEN_TIMEOUT_MIN", &format!("must be at least two heartbeat intervals, {:?}", interval * 2));
    }
    if timeout_max < timeout_min {
        r.wrong("LASTSEEN_TIMEOUT_MAX", "must not be shorter than LASTSEEN_TIMEOUT_MIN");
    }
    Some(PresenceSettings {
        heartbeat_interval: interval,
        inactivity_timeout: timeout,
        timeout_min,
        timeout_max,
        shards: shards?,
        resume_window: resume_window?,
        admin_refresh: admin_refresh?,
        away_after: away_after?,
        admin_sight: admin_sight?,
        notify_again: notify_again?,
    })
}
