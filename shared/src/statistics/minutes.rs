//! From changes to minutes: how many were online, and how many at most.

use super::Platform;
use crate::timestamp::Timestamp;

/// Milliseconds of a minute.
pub const MINUTE: i64 = 60_000;
/// Milliseconds of a quarter of an hour: every time zone's hours and days are made of whole ones.
pub const QUARTER: i64 = 15 * MINUTE;

/// What is counted apart: all together, and each platform.
const CHANNELS: usize = 1 + Platform::ALL.len();

/// How many are online at a moment: all together, and of each platform.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Levels([i64; CHANNELS]);

impl Levels {
    /// So many of a platform more.
    pub fn add(&mut self, platform: Platform, n: i64) {
        self.0[0] += n;
        self.0[1 + platform as usize] += n;
    }
}

/// So many of a platform came online at a moment, or went offline where it is negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// When.
    pub at: Timestamp,
    /// Of which platform.
    pub platform: Platform,
    /// How many more.
    pub delta: i64,
}

/// A minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Minute {
    /// When it begins.
    pub at: Timestamp,
    /// Of which platform; `None` for all together.
    pub platform: Option<Platform>,
    /// For how many milliseconds users were online, added up.
    pub online_ms: i64,
    /// How many there were at most.
    pub peak: i64,
}

/// Rolls the minutes from `from` up to `to` (both whole minutes), of changes in their order within that time. `levels` is how many
/// there were before `from`, and is how many there are at `to` afterwards. A platform of which nobody was there has no
/// minute; all together always have.
pub fn roll(levels: &mut Levels, changes: &[Change], from: Timestamp, to: Timestamp) -> Vec<Minute> {
    let mut changes = changes.iter().peekable();
    let mut minutes = Vec::new();
    let mut start = from.0;
    while start < to.0 {
        let end = start + MINUTE;
        let (mut online_ms, mut peak) = ([0; CHANNELS], [0; CHANNELS]);
        let mut at = start;
        while at < end {
            // What happens at the same moment happens at once: somebody who changes places is not two.
            while let Some(change) = changes.next_if(|change| change.at.0 <= at) {
                levels.add(change.platform, change.delta);
            }
            let until = changes.peek().map_or(end, |next| next.at.0.min(end));
            for channel in 0..CHANNELS {
                online_ms[channel] += levels.0[channel] * (until - at);
                peak[channel] = levels.0[channel].max(peak[channel]);
            }
            at = until;
        }
        for channel in 0..CHANNELS {
            if channel == 0 || peak[channel] > 0 {
                let platform = channel.checked_sub(1).map(|place| Platform::ALL[place]);
                minutes.push(Minute {
                    at: Timestamp(start),
                    platform,
                    online_ms: online_ms[channel],
                    peak: peak[channel],
                });
            }
        }
        start = end;
    }
    minutes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(minutes: &[Minute]) -> Vec<(i64, i64, i64)> {
        let all = minutes.iter().filter(|minute| minute.platform.is_none());
        all.map(|minute| (minute.at.0, minute.online_ms, minute.peak)).collect()
    }

    fn change(at: i64, platform: Platform, delta: i64) -> Change {
        Change { at: Timestamp(at), platform, delta }
    }

    #[test]
    fn a_minute_has_a_mean_and_a_peak() {
        let mut levels = Levels::default();
        levels.add(Platform::Web, 1);
        let changes =
            [change(0, Platform::Ios, 1), change(30_000, Platform::Web, -1), change(90_000, Platform::Ios, -1)];
        let minutes = roll(&mut levels, &changes, Timestamp(0), Timestamp(3 * MINUTE));
        assert_eq!(all(&minutes), [(0, 90_000, 2), (60_000, 30_000, 1), (120_000, 0, 0)]);
        let of = |platform| minutes.iter().filter(|one| one.platform == Some(platform)).count();
        assert_eq!((of(Platform::Web), of(Platform::Ios), of(Platform::Linux)), (1, 2, 0));
        assert_eq!(levels, Levels::default());
    }

    #[test]
    fn who_comes_as_another_goes_makes_no_peak() {
        let mut levels = Levels::default();
        levels.add(Platform::Web, 1);
        let changes = [change(10, Platform::Ios, 1), change(10, Platform::Web, -1)];
        assert_eq!(all(&roll(&mut levels, &changes, Timestamp(0), Timestamp(MINUTE))), [(0, MINUTE, 1)]);
    }

    proptest! {
        /// Held against counting, moment by moment.
        #[test]
        fn is_what_counting_finds(lives in prop::collection::vec((0..6_i64, 0..300_000_i64, 1..200_000_i64), 0..12), cut in 1..4_i64) {
            let mut changes: Vec<Change> = lives.iter().flat_map(|(platform, from, length)| {
                let platform = Platform::ALL[usize::try_from(*platform).unwrap()];
                [change(*from, platform, 1), change(from + length, platform, -1)]
            }).collect();
            changes.sort_by_key(|change| change.at);
            let end = Timestamp(9 * MINUTE);
            let rolled = roll(&mut Levels::default(), &changes, Timestamp(0), end);
            for minute in rolled.iter().filter(|minute| minute.platform.is_none()) {
                let (from, to) = (minute.at.0, minute.at.0 + MINUTE);
                let within = |(_, start, length): &(i64, i64, i64)| ((start + length).min(to) - (*start).max(from)).max(0);
                prop_assert_eq!(minute.online_ms, lives.iter().map(within).sum::<i64>());
                let at = |moment: i64| lives.iter().filter(|(_, start, length)| *start <= moment && moment < start + length).count();
                let moments = lives.iter().map(|(_, start, _)| *start).filter(|start| (from..to).contains(start)).chain([from]);
                prop_assert_eq!(minute.peak, moments.map(|moment| at(moment) as i64).max().unwrap());
            }
            // In two pieces it is the same.
            let (place, mut levels) = (Timestamp(cut * MINUTE), Levels::default());
            let (before, after): (Vec<Change>, Vec<Change>) = changes.iter().partition(|change| change.at < place);
            let mut pieces = roll(&mut levels, &before, Timestamp(0), place);
            pieces.extend(roll(&mut levels, &after, place, end));
            prop_assert_eq!(pieces, rolled);
        }
    }
}
