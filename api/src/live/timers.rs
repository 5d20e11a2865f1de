//! What a socket waits for beside frames and news, and what these mean for it.

use std::time::{Duration, Instant};

use lastseen_shared::service::Claimed;

use super::FAREWELL;
use super::frames::End;
use super::hub::{Item, Mailbox};
use super::telling::Teller;

/// When to look at the session's row after the engine said that the session was ended: the row follows.
pub(super) const LOOKS: [Duration; 6] = [
    Duration::ZERO,
    Duration::from_millis(50),
    Duration::from_millis(150),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(3),
];

/// What a socket waits for beside frames and news.
pub(super) struct Timers {
    /// The token's end.
    pub(super) expires: Instant,
    pub(super) ping: Instant,
    pub(super) unanswered: u32,
    /// Which look at the session's row is due when.
    pub(super) look: Option<(usize, Instant)>,
    pub(super) farewell: Option<Instant>,
}

impl Timers {
    pub(super) fn next(&self, again: Option<Instant>) -> Instant {
        let optional = [self.look.map(|(_, at)| at), self.farewell, again];
        optional.into_iter().flatten().chain([self.ping]).fold(self.expires, Instant::min)
    }
}

/// Tells all that waits for the socket at this moment.
pub(super) async fn tell_waiting(
    claimed: Claimed,
    teller: &mut Teller<'_>,
    mailbox: &Mailbox,
    timers: &mut Timers,
) -> Result<(), End> {
    while let Some(item) = mailbox.waiting.try_next() {
        note(&item, claimed, timers);
        teller.tell(&item).await?;
    }
    Ok(())
}

/// Notes what an item means for the socket itself.
pub(super) fn note(item: &Item, claimed: Claimed, timers: &mut Timers) {
    match item {
        Item::News(news) if Teller::ends(&news.event, claimed.user, claimed.session) => {
            timers.look = Some((0, Instant::now()));
        }
        Item::Stop => timers.farewell = Some(Instant::now() + FAREWELL.mul_f64(random_part())),
        _ => {}
    }
}

/// A random number from 0 to 1.
pub(super) fn random_part() -> f64 {
    let mut bytes = [0; 4];
    // Without random numbers they come all at once.
    let _ = getrandom::fill(&mut bytes);
    f64::from(u32::from_ne_bytes(bytes)) / f64::from(u32::MAX)
}
