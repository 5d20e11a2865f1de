//! What users show of themselves, and to whom.
//!
//! The row first, then the engine, then the answer: what is hidden by it is hidden everywhere before anybody is told that
//! it is. Reads over HTTP decide by the row; the engine tells whoever watches.

use std::time::Duration;

use super::signs::Claimed;
use super::{Outcome, Service};
use crate::account::words;
use crate::db::{AnyConnection, write_transaction};
use crate::ids::UserId;
use crate::models::{Account, AccountChanges};
use crate::presence::PresenceEngine;
use crate::presence::availability::{Availability, Choice, Privacy, Profile, Shown, Visibility, Words};
use crate::refusal::{Code, Failure, Refusal};
use crate::settings::AWAY_AFTER;
use crate::timestamp::Timestamp;

/// The farthest end of a choice.
const LONGEST_CHOICE: Duration = Duration::from_secs(366 * 86_400);

/// How often the row is read again before the client is told to come back.
const TRIES: usize = 5;

/// What changes of what a user shows. `None` leaves a field as it is, `Some(None)` clears it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AvailabilityChange {
    /// How available it is; also clears the end, unless that is named as well.
    pub availability: Option<Availability>,
    /// Its text.
    pub text: Option<Option<String>>,
    /// Its emoji.
    pub emoji: Option<Option<String>>,
    /// From when on it does not hold any more.
    pub until: Option<Option<Timestamp>>,
}

/// What changes of who may see it. `None` leaves a field as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PrivacyChange {
    /// Whether it is online.
    pub online: Option<Visibility>,
    /// When it was last seen.
    pub last_seen: Option<Visibility>,
}

impl AvailabilityChange {
    /// Whether nothing changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Checks the words and the end.
    pub(super) fn check(self, now: Timestamp) -> Result<Self, Refusal> {
        let text = match self.text {
            Some(Some(text)) => Some(words::text(&text).map_err(|problem| Refusal::field("text", &problem))?),
            other => other,
        };
        if let Some(Some(emoji)) = &self.emoji {
            words::emoji(emoji).map_err(|problem| Refusal::field("emoji", &problem))?;
        }
        if let Some(Some(until)) = self.until
            && (until <= now || until > now.plus(LONGEST_CHOICE))
        {
            return Err(Refusal::field("until", "must be ahead, and not farther than a year"));
        }
        Ok(Self { text, ..self })
    }

    /// What becomes of a choice. One that has ended is none any more, so nothing of it comes back.
    fn of(self, choice: &Choice, now: Timestamp) -> Choice {
        let ended = choice.until.is_some_and(|until| until <= now);
        let Shown { availability, words } = choice.at(now);
        let (text, emoji) = words.map_or((None, None), |words| (words.text.clone(), words.emoji.clone()));
        let until = match (self.until, self.availability) {
            (Some(until), _) => until,
            (None, Some(_)) => None,
            (None, None) => choice.until.filter(|_| !ended),
        };
        let shown = Shown {
            availability: self.availability.unwrap_or(availability),
            words: Words::of(self.text.unwrap_or(text), self.emoji.unwrap_or(emoji)),
        };
        // An end of nothing is none.
        let until = until.filter(|_| shown != Shown::default());
        Choice { shown, until }
    }
}

impl PrivacyChange {
    /// Whether nothing changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn of(self, privacy: Privacy) -> Privacy {
        Privacy {
            online: self.online.unwrap_or(privacy.online),
            last_seen: self.last_seen.unwrap_or(privacy.last_seen),
        }
    }
}

/// Writes what changes of the profile with the row locked; answers the profile before, and the account.
pub(super) fn write_profile(
    c: &mut AnyConnection,
    user: UserId,
    availability: AvailabilityChange,
    privacy: PrivacyChange,
    rest: AccountChanges,
    now: Timestamp,
) -> Result<(Profile, Account), Failure> {
    write_transaction(c, |c| {
        let before = Account::lock(c, user)?.ok_or(Code::UserNotFound)?;
        let changes = AccountChanges {
            choice: (!availability.is_empty()).then(|| availability.of(&before.choice, now)),
            privacy: (!privacy.is_empty()).then(|| privacy.of(before.privacy)),
            ..rest
        };
        let account = Account::change(c, user, &changes)?.ok_or(Code::UserNotFound)?;
        Ok((before.profile(), account))
    })
}

impl Service {
    /// Changes what a user shows. Holds everywhere when this answers.
    ///
    /// # Errors
    /// `invalid_field`.
    pub async fn set_availability(&self, user: UserId, change: AvailabilityChange) -> Outcome<Account> {
        let now = Timestamp::now();
        let change = change.check(now)?;
        let write = move |c: &mut AnyConnection| {
            write_profile(c, user, change, PrivacyChange::default(), AccountChanges::default(), now)
        };
        let (before, account) = self.db.run(write).await?;
        self.present(user, before, account).await
    }

    /// Has the engine show what the row says, and answers the row. The row is read again afterwards: of two changes at the
    /// same moment whoever is late in telling the engine has it show what was written last.
    pub(super) async fn present(&self, user: UserId, mut before: Profile, mut account: Account) -> Outcome<Account> {
        for _ in 0..TRIES {
            let shown = account.profile();
            self.engine.present(user, &before, &shown).await?;
            account = self.account(user).await?;
            if account.profile() == shown {
                return Ok(account);
            }
            before = shown;
        }
        Err(Code::Conflicting.into())
    }

    /// A device says for how long nobody has touched it. The user is away once all of its live devices are.
    ///
    /// # Errors
    /// The engine's.
    pub async fn report_idle(&self, claimed: Claimed, idle: Duration) -> Outcome<()> {
        // Nobody is away sooner than this: the row need not say.
        let away = idle >= *AWAY_AFTER.start() && idle >= self.away_after_of(&self.account(claimed.user).await?);
        // A session that has ended meanwhile is nobody's device.
        self.engine.idle(claimed.user, claimed.session, away).await?;
        Ok(())
    }

    /// How long nobody must have touched a user's device for it to be away.
    #[must_use]
    pub fn away_after_of(&self, account: &Account) -> Duration {
        account.away_after.unwrap_or(self.inner.presence.away_after)
    }
}

/// Holds a user's own time to the bounds.
pub(super) fn check_away_after(after: Option<Option<Duration>>) -> Result<(), Refusal> {
    match after {
        Some(Some(after)) if !AWAY_AFTER.contains(&after) => {
            let (least, most) = (AWAY_AFTER.start().as_secs(), AWAY_AFTER.end().as_secs());
            Err(Refusal::field("away_after_seconds", &format!("must be from {least} to {most}")))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000);

    fn choice(availability: Availability, text: Option<&str>, until: Option<i64>) -> Choice {
        let words = Words::of(text.map(str::to_owned), None);
        Choice { shown: Shown { availability, words }, until: until.map(Timestamp) }
    }

    #[test]
    fn only_what_is_named_changes() {
        use Availability::{Available, Away, Dnd};
        let nothing = AvailabilityChange::default();
        let set = AvailabilityChange { availability: Some(Away), ..nothing.clone() };
        let text = AvailabilityChange { text: Some(Some("b".into())), ..nothing.clone() };
        let clear = AvailabilityChange { text: Some(None), ..nothing.clone() };
        let end = AvailabilityChange { until: Some(Some(Timestamp(9_000))), ..nothing.clone() };
        let no_end = AvailabilityChange { until: Some(None), ..nothing.clone() };
        let dnd = || choice(Dnd, Some("a"), Some(5_000));
        let ended = || choice(Dnd, Some("a"), Some(1_000));
        let rows = [
            (dnd(), nothing.clone(), dnd()),
            (dnd(), set.clone(), choice(Away, Some("a"), None)),
            (dnd(), AvailabilityChange { until: end.until, ..set.clone() }, choice(Away, Some("a"), Some(9_000))),
            (dnd(), text.clone(), choice(Dnd, Some("b"), Some(5_000))),
            (dnd(), clear, choice(Dnd, None, Some(5_000))),
            (dnd(), no_end, choice(Dnd, Some("a"), None)),
            // Nothing of a choice that has ended comes back.
            (ended(), nothing, choice(Available, None, None)),
            (ended(), set, choice(Away, None, None)),
            (ended(), text, choice(Available, Some("b"), None)),
            (ended(), end.clone(), choice(Available, None, None)),
            (choice(Dnd, None, None), end, choice(Dnd, None, Some(9_000))),
        ];
        for (before, change, expected) in rows {
            assert_eq!(change.clone().of(&before, NOW), expected, "{before:?} {change:?}");
        }
    }
}
