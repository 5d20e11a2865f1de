//! What one socket is told: how the users it watches are, and each change from then on, once and in order.

mod looking;
mod relations;

use std::collections::HashSet;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use actix_web::web::{Bytes, Data};
use lastseen_shared::account::Standing;
use lastseen_shared::ids::{SessionId, UserId};
use lastseen_shared::presence::cursor::Place;
use lastseen_shared::presence::transition::{Event, Transition};
use lastseen_shared::presence::{PresenceEngine, Reason};
use lastseen_shared::privacy::{SeenPresence, Viewer};
use lastseen_shared::refusal::{Code, Failure, Refusal};
use lastseen_shared::service::{Asker, Service};
use lastseen_shared::signals::Signal;
use lastseen_shared::timestamp::Timestamp;
use tokio::time::timeout;

use super::frames::{End, Subscribe, ToClient, Unsubscribe};
use super::hub::{Hub, Item, Mailbox, News, SocketId};
use super::mailbox::Waiting;
use super::watching::{MOST_WATCHED, Watching};
use super::wire::{self, Wire};
use crate::shapes::{NotificationShape, PresenceShape};

/// How long the client may leave what is sent to it unread before it counts as too slow.
const UNREAD: Duration = Duration::from_secs(15);
/// How long typing is shown unless it is said again.
const TYPING: u64 = 5;
/// How long to wait for other shards that begin anew.
const TOGETHER: Duration = Duration::from_millis(100);
/// When to look again, after a look failed.
const AGAIN: Duration = Duration::from_secs(1);

/// Everybody is being told of.
struct Walk {
    /// The place from which on changes are told.
    cursor: String,
    /// Up to whom all were told of.
    after: UserId,
}

/// What became of telling what has changed since a cursor.
enum Replayed {
    /// All of it was told, up to these places; `None` where it failed, and all will be looked at again.
    Told(Option<Vec<Place>>),
    /// The cursor is none, or too old: a snapshot has to do.
    Not,
}

/// What a subscription is to be answered with.
pub struct Answer {
    users: Vec<UserId>,
    contacts: bool,
    all: bool,
    since: Option<String>,
    /// The place from which on the socket is told.
    cursor: String,
}

/// One socket's side that talks.
pub struct Teller<'a> {
    service: Data<Service>,
    hub: Arc<Hub>,
    socket: SocketId,
    /// What it talks over.
    pub wire: &'a mut Wire,
    waiting: Arc<Waiting>,
    asker: Asker,
    /// Who is told.
    pub viewer: Viewer,
    watching: Watching,
    walk: Option<Walk>,
    /// When all that is watched has to be looked at again, because a look failed. Nothing is told before.
    pub again: Option<Instant>,
}

impl<'a> Teller<'a> {
    /// Talks to a viewer who watches nobody yet.
    #[must_use]
    pub fn new(
        service: Data<Service>,
        hub: Arc<Hub>,
        mailbox: &Mailbox,
        wire: &'a mut Wire,
        (asker, viewer): (Asker, Viewer),
    ) -> Self {
        let (socket, waiting) = (mailbox.id, Arc::clone(&mailbox.waiting));
        let watching = Watching::default();
        Self { service, hub, socket, wire, waiting, asker, viewer, watching, walk: None, again: None }
    }

    /// Sends a frame.
    ///
    /// # Errors
    /// [`End::Slow`] where the client does not read, [`End::Gone`].
    pub async fn send(&mut self, frame: &ToClient<'_>) -> Result<(), End> {
        self.hand_over(wire::text(frame)?).await
    }

    /// Sends a frame that is made.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn hand_over(&mut self, frame: Bytes) -> Result<(), End> {
        if self.wire.send(frame)? {
            return Ok(());
        }
        // Rare, and its timer large: an idle socket has no room for it.
        Box::pin(self.taken()).await
    }

    /// Waits until the client takes what was sent, as long as it takes anything at all.
    async fn taken(&mut self) -> Result<(), End> {
        loop {
            let taking = poll_fn(|context| match self.wire.poll_send(context) {
                Poll::Pending => self.waiting.poll_slow(context).map(|()| Err(End::Slow)),
                sent => sent,
            });
            match timeout(UNREAD, taking).await {
                Ok(sent) if sent? => return Ok(()),
                Ok(_) => {}
                Err(_) => return Err(End::Slow),
            }
        }
    }

    /// Says that something was refused.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn refuse(&mut self, refusal: &Refusal) -> Result<(), End> {
        self.send(&ToClient::Error { code: refusal.code.word(), detail: &refusal.detail }).await
    }

    /// Says that something failed; whatever is watched is looked at again a moment later.
    async fn fail(&mut self, failure: Failure) -> Result<(), End> {
        match failure {
            Failure::Refused(refusal) => {
                if let Some(end) = End::of(&refusal) {
                    return Err(end);
                }
                self.again = Some(Instant::now() + AGAIN);
                self.refuse(&refusal).await
            }
            Failure::Internal(cause) => {
                log::error!("a socket ends: {cause}");
                Err(End::Internal)
            }
        }
    }

    /// Begins to watch. Answers what is to be told of it by [`Self::answer`], once all is told that waits for the socket:
    /// the place that the answer names is after that.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn subscribe(&mut self, wanted: Subscribe) -> Result<Option<Answer>, End> {
        if wanted.all && !self.viewer.admin {
            self.refuse(&Refusal::new(Code::Forbidden, "to watch everybody is for admins")).await?;
            return Ok(None);
        }
        let mut met = HashSet::new();
        let mut users: Vec<UserId> = wanted.users.into_iter().map(UserId).filter(|user| met.insert(*user)).collect();
        let named = users.len();
        if wanted.contacts {
            users.extend(self.viewer.contacts.iter().copied().filter(|user| met.insert(*user)));
        }
        if !self.watching.has_room(users.len()) {
            let detail = format!("one socket watches {MOST_WATCHED} users at most");
            self.refuse(&Refusal::new(Code::InvalidField, detail).about("users")).await?;
            return Ok(None);
        }
        for user in &users[..named] {
            self.watching.add(*user, false);
        }
        if wanted.contacts {
            self.watching.contacts = true;
            for contact in &self.viewer.contacts {
                self.watching.add(*contact, true);
            }
        }
        // Registered before anything is looked at: what comes meanwhile waits in the mailbox.
        self.hub.watch(self.socket, users.iter().copied());
        if wanted.all {
            self.hub.watch_all(self.socket, true);
        }
        let cursor = self.hub.cursor();
        let Subscribe { contacts, all, since, .. } = wanted;
        Ok(Some(Answer { users, contacts, all, since, cursor }))
    }

    /// Tells how things are, or what has changed since. Answers up to where it told what has changed: to be followed by
    /// [`Self::caught_up`], once the hub has come as far and all is told that waits for the socket.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn answer(&mut self, answer: &Answer) -> Result<Option<Vec<Place>>, End> {
        if let Some(since) = &answer.since
            && let Replayed::Told(up_to) = self.replay(since, answer).await?
        {
            return Ok(up_to);
        }
        if answer.all {
            self.begin_walk(answer.cursor.clone());
        } else {
            self.snapshot(&answer.users, &answer.cursor).await?;
        }
        Ok(None)
    }

    /// Says that all that came since a subscription's cursor was told: with a cursor of which that is true for all others.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn caught_up(&mut self, answer: &Answer, cursor: &str) -> Result<(), End> {
        self.send(&ToClient::CaughtUp { cursor }).await?;
        // Whoever has become a contact, or is none any more, meanwhile.
        if answer.contacts { self.send(&ToClient::Contacts).await } else { Ok(()) }
    }

    /// Ends subscriptions.
    pub fn unsubscribe(&mut self, unwanted: Unsubscribe) {
        let mut gone: Vec<UserId> = Vec::new();
        gone.extend(unwanted.users.into_iter().map(UserId).filter(|user| self.watching.remove(*user, false)));
        if unwanted.contacts {
            self.watching.contacts = false;
            let contacts = self.watching.watched_contacts();
            gone.extend(contacts.into_iter().filter(|user| self.watching.remove(*user, true)));
        }
        self.hub.unwatch(self.socket, gone);
        if unwanted.all {
            self.walk = None;
            self.watching.watch_everybody(false);
            self.hub.watch_all(self.socket, false);
        }
    }

    /// Tells an entry of the transitions, where it is this viewer's to know.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn news(&mut self, news: &News) -> Result<(), End> {
        if self.again.is_some() {
            // Who looks may not be known, and all will be looked at again.
            return Ok(());
        }
        if let Event::Transition(transition) | Event::Shown(transition) = &news.event {
            let user = transition.user;
            return if !self.watching.wants(user, news.shard, news.id) {
                Ok(())
            } else if user == self.viewer.id || (self.viewer.overrules().invisible && may_hide(transition)) {
                // Oneself, and whoever else sees behind being invisible: the entry does not say that.
                Box::pin(self.tell_now(user, news)).await
            } else if self.viewer.sight(user, transition.privacy).online {
                let frame = news.frame(as_seen(&self.viewer, transition), |seen| {
                    let presence = PresenceShape::of(seen);
                    wire::text(&ToClient::Transition { cursor: &news.cursor, at: transition.at, presence })
                })?;
                self.hand_over(frame).await
            } else {
                Ok(())
            };
        }
        Box::pin(self.other_news(news)).await
    }

    /// What is no transition, and asks for more than the entry.
    async fn other_news(&mut self, news: &News) -> Result<(), End> {
        match &news.event {
            Event::Privacy { user, after, .. } if *user == self.viewer.id => {
                self.viewer.privacy = *after;
                // What one hides one does not see: everybody may look different.
                self.look_again().await
            }
            Event::Privacy { user, before, after } => {
                let changed = self.viewer.sight(*user, *before) != self.viewer.sight(*user, *after);
                // Whatever was told already: a look may have read the row before this, and the engine after it.
                if changed && self.watching.concerns(*user) { self.tell_now(*user, news).await } else { Ok(()) }
            }
            Event::Relation { user, other } if *user == self.viewer.id => self.relation(*other, true, news).await,
            Event::Relation { user, other } if *other == self.viewer.id => self.relation(*user, false, news).await,
            Event::Relation { .. } | Event::SessionLeft { .. } | Event::Transition(_) | Event::Shown(_) => Ok(()),
        }
    }

    /// Tells how a user is now.
    async fn tell_now(&mut self, user: UserId, news: &News) -> Result<(), End> {
        let watched = match self.service.watch(&self.viewer, &[user]).await {
            Ok(watched) => watched,
            Err(failure) => return self.fail(failure).await,
        };
        self.watching.told(&[user], self.service.engine.shards(), &watched.places);
        let Some(seen) = watched.presences.first() else { return Ok(()) };
        let (at, presence) = (Timestamp(news.id.ms.cast_signed()), PresenceShape::of(seen));
        self.send(&ToClient::Transition { cursor: &news.cursor, at, presence }).await
    }

    async fn load_viewer(&mut self) -> Result<(), Failure> {
        self.viewer = self.service.viewer(self.asker).await?;
        Ok(())
    }

    /// Tells a signal, where it is this viewer's to know.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn signal(&mut self, signal: &Signal) -> Result<(), End> {
        match signal {
            Signal::Typing { from, privacy, .. } if self.viewer.sight(*from, *privacy).online => {
                self.send(&ToClient::Typing { from: from.0, seconds: TYPING }).await
            }
            Signal::Typing { .. } => Ok(()),
            Signal::Notification(notification) => {
                let notification = NotificationShape::of(notification.clone());
                self.send(&ToClient::Notification { notification }).await
            }
        }
    }

    /// Tells what came for the socket.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn tell(&mut self, item: &Item) -> Result<(), End> {
        match item {
            Item::News(news) => self.news(news).await,
            Item::Signal(signal) => Box::pin(self.signal(signal)).await,
            Item::Anew => {
                // One look for all shards that begin anew together.
                self.again.get_or_insert_with(|| Instant::now() + TOGETHER);
                Ok(())
            }
            Item::Stop => Ok(()),
        }
    }

    /// Whether an entry says that a session was ended, other than by silence.
    #[must_use]
    pub fn ends(event: &Event, user: UserId, session: SessionId) -> bool {
        match event {
            Event::SessionLeft { user: whose, session: which, .. } => *whose == user && *which == session,
            Event::Transition(transition) => {
                transition.user == user
                    && !transition.online
                    && transition.session.is_some()
                    && transition.reason != Reason::Timeout
            }
            _ => false,
        }
    }
}

/// Whether a user may have become invisible by this: a log-out without a session that logs out.
fn may_hide(transition: &Transition) -> bool {
    !transition.online && transition.session.is_none() && transition.reason == Reason::Logout
}

/// What a viewer is shown of a transition. The account's standing is as of then: a barring is a transition of its own.
fn as_seen(viewer: &Viewer, transition: &Transition) -> SeenPresence {
    SeenPresence::of(viewer, transition.user, transition.privacy, Standing::ACTIVE, transition.presence())
}
