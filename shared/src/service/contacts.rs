//! Contacts: asking, accepting, declining, blocking, removing.
//!
//! The rows first, then the engine is told, then the answer: whoever watches either of the two hears of it after it holds.
//! Where the engine can't be told, that is caught up with as soon as it is there again.

use super::sight::SeenUser;
use super::viewer::Asker;
use super::{Outcome, Service};
use crate::db::{AnyConnection, write_transaction};
use crate::ids::UserId;
use crate::models::Account;
use crate::models::contact::{Contact, ContactState, MOST, Notify, Pair, States, Step};
use crate::models::directory::by_ids;
use crate::presence::{Engine, PresenceEngine};
use crate::privacy::SeenPresence;
use crate::refusal::{Code, Failure, Refusal};
use crate::timestamp::Timestamp;

/// A user's contact, request or block, as it sees it.
#[derive(Clone, Debug)]
pub struct SeenContact {
    /// The row.
    pub row: Contact,
    /// The other's name.
    pub username: String,
    presence: SeenPresence,
}

impl SeenContact {
    fn of(row: Contact, user: &SeenUser) -> Self {
        Self { row, username: user.listed.username.clone(), presence: user.seen().clone() }
    }

    /// The other's presence, as it is seen.
    #[must_use]
    pub fn seen(&self) -> &SeenPresence {
        &self.presence
    }
}

/// Whether a user has room for a row that it has not had.
fn check_room(c: &mut AnyConnection, user: UserId, own: States) -> Result<(), Failure> {
    let counts = |state: Option<ContactState>| state.is_some_and(|state| state != ContactState::Incoming);
    let (before, after) = own;
    if !counts(before) && counts(after) && Pair::count(c, user, false)? >= MOST {
        return Err(Code::TooManyContacts.into());
    }
    Ok(())
}

/// Takes a step in one transaction. Two users who ask each other at the same moment do so one after the other.
fn take(c: &mut AnyConnection, user: UserId, other: UserId, step: Step) -> Result<(), Failure> {
    write_transaction(c, |c| {
        let missing = |id| if id == user { Code::SessionEnded } else { Code::UserNotFound };
        for id in [user.min(other), user.max(other)] {
            if !Account::keep(c, id)? {
                return Err(missing(id).into());
            }
        }
        let pair = Pair::lock(c, user, other)?;
        let before = pair.states(c)?;
        let mut after = step.apply(before)?;
        check_room(c, user, (before.0, after.0))?;
        let asks_anew = before.1 != after.1 && after.1 == Some(ContactState::Incoming);
        // Whoever has too many requests is not told of another, and it looks pending to whoever asks.
        if asks_anew && Pair::count(c, other, true)? >= MOST {
            after.1 = before.1;
        }
        Ok(pair.write(c, before, after, Timestamp::now())?)
    })
}

impl Service {
    /// A user's contacts, requests and blocks, by name.
    ///
    /// # Errors
    /// Where the engine or the database is away.
    pub async fn contacts(&self, asker: Asker) -> Outcome<Vec<SeenContact>> {
        self.contacts_among(asker, None).await
    }

    async fn contacts_among(&self, asker: Asker, other: Option<UserId>) -> Outcome<Vec<SeenContact>> {
        let read = move |c: &mut AnyConnection| {
            let viewer = asker.load(c)?;
            let rows = Contact::of_user(c, asker.user, other)?;
            let ids: Vec<UserId> = rows.iter().map(|row| row.other).collect();
            let listed = if ids.is_empty() { Vec::new() } else { by_ids(c, &ids)? };
            Ok::<_, Failure>((viewer, rows, listed))
        };
        let (viewer, rows, mut listed) = self.db.run(read).await?;
        listed.sort_unstable_by(|a, b| a.username_key.cmp(&b.username_key));
        let rows: std::collections::HashMap<UserId, Contact> = rows.into_iter().map(|row| (row.other, row)).collect();
        let seen = self.see(&viewer, listed).await?;
        Ok(seen.iter().filter_map(|user| Some(SeenContact::of(*rows.get(&user.listed.id)?, user))).collect())
    }

    async fn contact(&self, asker: Asker, other: UserId) -> Outcome<SeenContact> {
        let found = self.contacts_among(asker, Some(other)).await?.pop();
        found.ok_or_else(|| Code::ContactNotFound.into())
    }

    /// Takes a step towards another user, and tells whoever watches.
    async fn step(&self, user: UserId, other: UserId, step: Step) -> Outcome<()> {
        if user == other {
            return Err(Refusal::field("user_id", "must be another user's").into());
        }
        self.db.run(move |c| take(c, user, other, step)).await?;
        let told = self.engine.relate(user, other).await;
        if told.is_err() {
            // The rows hold already: whoever watches is told as soon as that goes, whatever the caller does.
            tokio::spawn(relate_later(self.engine.clone(), user, other));
        }
        Ok(told?)
    }

    /// Asks a user to be a contact; accepts at once where it has asked already. A user who has blocked the asker is not
    /// told, and the asker is not told of that.
    ///
    /// # Errors
    /// `invalid_field` for oneself, `user_not_found`, `already_contact`, `user_blocked`, `too_many_contacts`.
    pub async fn request_contact(&self, asker: Asker, other: UserId) -> Outcome<SeenContact> {
        self.step(asker.user, other, Step::Request).await?;
        self.contact(asker, other).await
    }

    /// Accepts a user's request.
    ///
    /// # Errors
    /// `contact_not_found`, `too_many_contacts`.
    pub async fn accept_contact(&self, asker: Asker, other: UserId) -> Outcome<SeenContact> {
        self.step_if_there(asker.user, other, Step::Accept).await?;
        self.contact(asker, other).await
    }

    /// Declines a user's request.
    ///
    /// # Errors
    /// `contact_not_found`.
    pub async fn decline_contact(&self, user: UserId, other: UserId) -> Outcome<()> {
        self.step_if_there(user, other, Step::Decline).await
    }

    /// Removes a contact, withdraws or declines a request, or unblocks.
    ///
    /// # Errors
    /// `contact_not_found`.
    pub async fn remove_contact(&self, user: UserId, other: UserId) -> Outcome<()> {
        self.step_if_there(user, other, Step::Remove).await
    }

    /// As [`Self::step`], for what nobody is that is no contact: not oneself, and not somebody who is not there.
    async fn step_if_there(&self, user: UserId, other: UserId, step: Step) -> Outcome<()> {
        if user == other {
            return Err(Code::ContactNotFound.into());
        }
        self.step(user, other, step).await.map_err(|failure| match failure {
            Failure::Refused(refusal) if refusal.code == Code::UserNotFound => Code::ContactNotFound.into(),
            other => other,
        })
    }

    /// Blocks a user: neither sees the other online any more.
    ///
    /// # Errors
    /// `invalid_field` for oneself, `user_not_found`, `too_many_contacts`.
    pub async fn block_user(&self, asker: Asker, other: UserId) -> Outcome<SeenContact> {
        self.step(asker.user, other, Step::Block).await?;
        self.contact(asker, other).await
    }

    /// Says whether one wants to be told when a contact comes online.
    ///
    /// # Errors
    /// `contact_not_found`.
    pub async fn notify_of_contact(
        &self,
        asker: Asker,
        other: UserId,
        notify: Option<Notify>,
    ) -> Outcome<SeenContact> {
        let user = asker.user;
        let set = self.db.run(move |c| Contact::set_notify(c, user, other, notify)).await?;
        if !set {
            return Err(Code::ContactNotFound.into());
        }
        self.contact(asker, other).await
    }
}

/// Says that two users have become something else to each other, once the engine is there again: for so long as a
/// socket's token holds, with which it would look by itself.
async fn relate_later(engine: Engine, user: UserId, other: UserId) {
    const PAUSE: std::time::Duration = std::time::Duration::from_secs(1);
    for _ in 0..900 {
        tokio::time::sleep(PAUSE).await;
        if engine.relate(user, other).await.is_ok() {
            return;
        }
    }
}
