//! Who watches whom in this process. The followers of the transitions hand each entry to the hub once, and it wakes
//! the sockets concerned, and no other.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use actix_web::web::Bytes;
use lastseen_shared::ids::UserId;
use lastseen_shared::presence::cursor::{Cursor, Place};
use lastseen_shared::presence::transition::{Entry, Event, TransitionId};
use lastseen_shared::privacy::SeenPresence;
use lastseen_shared::signals::Signal;

use super::mailbox::Waiting;

/// Sockets of one user in one process at most.
const MOST_OF_A_USER: usize = 100;

/// A socket's number in this process.
pub type SocketId = u64;

/// Something for a socket.
#[derive(Clone, Debug)]
pub enum Item {
    /// An entry of the transitions.
    News(Arc<News>),
    /// Something that is kept nowhere.
    Signal(Arc<Signal>),
    /// The place in the transitions was lost: whatever is watched has to be looked at anew.
    Anew,
    /// The server stops.
    Stop,
}

/// An entry of the transitions.
#[derive(Debug)]
pub struct News {
    /// Of which shard.
    pub shard: u32,
    /// Its place there.
    pub id: TransitionId,
    /// What it tells.
    pub event: Event,
    /// The place of whoever has seen it.
    pub cursor: Arc<str>,
    /// The frames that tell it, each by what it shows: most watchers are shown the same.
    frames: Mutex<Vec<(SeenPresence, Bytes)>>,
}

impl News {
    /// The frame that shows this, made where no other socket has asked for it.
    ///
    /// # Errors
    /// Those of `make`.
    pub fn frame<E>(
        &self,
        seen: SeenPresence,
        make: impl FnOnce(&SeenPresence) -> Result<Bytes, E>,
    ) -> Result<Bytes, E> {
        let mut frames = self.frames.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, frame)) = frames.iter().find(|(shown, _)| *shown == seen) {
            return Ok(frame.clone());
        }
        let frame = make(&seen)?;
        frames.push((seen, frame.clone()));
        Ok(frame)
    }
}

/// A registered socket's end of its mailbox.
pub struct Mailbox {
    /// The socket's number.
    pub id: SocketId,
    /// What comes for it.
    pub waiting: Arc<Waiting>,
    hub: Arc<Hub>,
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        self.hub.state().forget(self.id);
    }
}

/// The sockets of a process, by whom they watch.
pub struct Hub {
    next: AtomicU64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// How far each shard's transitions were handed out.
    places: Vec<Place>,
    sockets: HashMap<SocketId, Registered>,
    /// Whose sockets they are.
    of_user: HashMap<UserId, Vec<SocketId>>,
    watchers: HashMap<UserId, Vec<SocketId>>,
    watching_all: HashSet<SocketId>,
    stopping: bool,
}

struct Registered {
    user: UserId,
    waiting: Arc<Waiting>,
    watched: HashSet<UserId>,
}

/// Why a socket was not registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotRegistered {
    /// The server stops.
    Stopping,
    /// The user has too many already.
    TooMany,
}

impl Hub {
    /// A hub that begins at these places.
    #[must_use]
    pub fn new(places: Vec<Place>) -> Arc<Self> {
        Arc::new(Self { next: AtomicU64::new(1), state: Mutex::new(State { places, ..State::default() }) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that holds the lock leaves the state half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Registers a user's socket.
    ///
    /// # Errors
    /// [`NotRegistered`].
    pub fn register(self: &Arc<Self>, user: UserId) -> Result<Mailbox, NotRegistered> {
        let waiting = Arc::new(Waiting::default());
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let mut state = self.state();
        if state.stopping {
            return Err(NotRegistered::Stopping);
        }
        let own = state.of_user.entry(user).or_default();
        if own.len() >= MOST_OF_A_USER {
            return Err(NotRegistered::TooMany);
        }
        own.push(id);
        let registered = Registered { user, waiting: Arc::clone(&waiting), watched: HashSet::new() };
        state.sockets.insert(id, registered);
        drop(state);
        Ok(Mailbox { id, waiting, hub: Arc::clone(self) })
    }

    /// Has a socket be told of these users, from the cursor of now on.
    pub fn watch(&self, socket: SocketId, users: impl IntoIterator<Item = UserId>) {
        let state = &mut *self.state();
        if let Some(registered) = state.sockets.get_mut(&socket) {
            for user in users {
                if registered.watched.insert(user) {
                    state.watchers.entry(user).or_default().push(socket);
                }
            }
        }
    }

    /// Has a socket not be told of these users any more.
    pub fn unwatch(&self, socket: SocketId, users: impl IntoIterator<Item = UserId>) {
        let state = &mut *self.state();
        if let Some(registered) = state.sockets.get_mut(&socket) {
            for user in users {
                if registered.watched.remove(&user) {
                    remove(&mut state.watchers, user, socket);
                }
            }
        }
    }

    /// Has a socket be told of everybody, or not any more.
    pub fn watch_all(&self, socket: SocketId, all: bool) {
        let mut state = self.state();
        if all && state.sockets.contains_key(&socket) {
            state.watching_all.insert(socket);
        } else {
            state.watching_all.remove(&socket);
        }
    }

    /// How far everything was handed out.
    #[must_use]
    pub fn cursor(&self) -> String {
        self.state().cursor()
    }

    /// As [`Self::cursor`], once that is no less than these places; a shard whose data began anew counts as such.
    #[must_use]
    pub fn cursor_from(&self, places: &[Place]) -> Option<String> {
        let state = self.state();
        let reached = |(kept, asked): (&Place, &Place)| kept.epoch != asked.epoch || kept.id >= asked.id;
        state.places.iter().zip(places).all(reached).then(|| state.cursor())
    }

    /// How many sockets there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.state().sockets.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the server stops.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.state().stopping
    }

    /// Hands out a stretch of a shard's entries.
    pub fn deliver(&self, shard: u32, entries: Vec<Entry>) {
        let state = &mut *self.state();
        for entry in entries {
            state.deliver(shard, entry);
        }
    }

    /// The follower of a shard begins at another place: what lay in between is lost.
    pub fn begin_anew(&self, shard: u32, place: Place) {
        let state = &mut *self.state();
        if let Some(kept) = state.places.get_mut(shard as usize) {
            *kept = place;
        }
        let all: Vec<SocketId> = state.sockets.keys().copied().collect();
        for socket in all {
            state.send(socket, Item::Anew);
        }
    }

    /// Hands out a signal.
    pub fn signal(&self, signal: &Arc<Signal>) {
        let state = &mut *self.state();
        for socket in state.of_user.get(&signal.to()).cloned().unwrap_or_default() {
            state.send(socket, Item::Signal(Arc::clone(signal)));
        }
    }

    /// Tells all sockets that the server stops, and lets no other in.
    pub fn stop(&self) {
        let state = &mut *self.state();
        state.stopping = true;
        let all: Vec<SocketId> = state.sockets.keys().copied().collect();
        for socket in all {
            state.send(socket, Item::Stop);
        }
    }
}

impl State {
    fn cursor(&self) -> String {
        Cursor { places: self.places.clone() }.encode()
    }

    fn deliver(&mut self, shard: u32, entry: Entry) {
        let Some(place) = self.places.get_mut(shard as usize) else { return };
        if entry.id <= place.id {
            return;
        }
        place.id = entry.id;
        let mut concerned: Vec<SocketId> = Vec::new();
        let (user, other) = subjects(&entry.event);
        for user in std::iter::once(user).chain(other) {
            concerned.extend(self.of_user.get(&user).into_iter().flatten());
            // What two are to each other is nobody else's business, and a device that left beside others neither.
            if !matches!(entry.event, Event::Relation { .. } | Event::SessionLeft { .. }) {
                concerned.extend(self.watchers.get(&user).into_iter().flatten());
                concerned.extend(&self.watching_all);
            }
        }
        if concerned.is_empty() {
            return;
        }
        concerned.sort_unstable();
        concerned.dedup();
        let cursor = self.cursor().into();
        let news = Arc::new(News { shard, id: entry.id, event: entry.event, cursor, frames: Mutex::default() });
        for socket in concerned {
            self.send(socket, Item::News(Arc::clone(&news)));
        }
    }

    fn send(&mut self, socket: SocketId, item: Item) {
        let Some(registered) = self.sockets.get(&socket) else { return };
        if !registered.waiting.put(item) {
            // Full: it does not slow the others. What it misses it asks for when it comes back, by its cursor.
            self.forget(socket);
        }
    }

    fn forget(&mut self, socket: SocketId) {
        let Some(registered) = self.sockets.remove(&socket) else { return };
        remove(&mut self.of_user, registered.user, socket);
        for user in registered.watched {
            remove(&mut self.watchers, user, socket);
        }
        self.watching_all.remove(&socket);
    }
}

fn remove(map: &mut HashMap<UserId, Vec<SocketId>>, user: UserId, socket: SocketId) {
    if let Some(sockets) = map.get_mut(&user) {
        sockets.retain(|other| *other != socket);
        if sockets.is_empty() {
            map.remove(&user);
        }
    }
}

fn subjects(event: &Event) -> (UserId, Option<UserId>) {
    match event {
        Event::Transition(transition) | Event::Shown(transition) => (transition.user, None),
        Event::Privacy { user, .. } | Event::SessionLeft { user, .. } => (*user, None),
        Event::Relation { user, other } => (*user, Some(*other)),
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use lastseen_shared::ids::SessionId;
    use lastseen_shared::presence::availability::Privacy;
    use lastseen_shared::timestamp::Timestamp;

    use super::super::mailbox::MOST_WAITING;
    use super::*;

    const ME: UserId = UserId(1);

    fn place(ms: u64) -> Place {
        Place { epoch: "1:1".to_owned(), id: TransitionId { ms, seq: 0 } }
    }

    fn entry(ms: u64, event: Event) -> Entry {
        Entry { id: TransitionId { ms, seq: 0 }, event }
    }

    fn privacy(user: i64) -> Event {
        Event::Privacy { user: UserId(user), before: Privacy::default(), after: Privacy::default() }
    }

    fn waiting(mailbox: &Mailbox) -> usize {
        std::iter::from_fn(|| mailbox.waiting.try_next()).count()
    }

    #[test]
    fn an_entry_wakes_those_concerned_and_once() {
        let hub = Hub::new(vec![place(0)]);
        let (own, watcher, other) =
            (hub.register(UserId(7)).unwrap(), hub.register(ME).unwrap(), hub.register(ME).unwrap());
        hub.watch(watcher.id, [UserId(7), UserId(8)]);
        hub.watch_all(watcher.id, true);
        hub.deliver(0, vec![entry(1, privacy(7)), entry(1, privacy(7)), entry(2, privacy(8))]);
        assert_eq!((waiting(&own), waiting(&watcher), waiting(&other)), (1, 2, 0));
        // What two are to each other, and a device that left, is their own.
        let left = Event::SessionLeft { user: UserId(7), session: SessionId(1), last_seen: Timestamp(0) };
        hub.deliver(0, vec![entry(3, Event::Relation { user: UserId(8), other: UserId(7) }), entry(4, left)]);
        assert_eq!((waiting(&own), waiting(&watcher)), (2, 0));
        hub.unwatch(watcher.id, [UserId(7)]);
        hub.watch_all(watcher.id, false);
        hub.deliver(0, vec![entry(5, privacy(7))]);
        assert_eq!(waiting(&watcher), 0);
    }

    #[test]
    fn a_full_mailbox_is_dropped_and_slows_nobody() {
        let hub = Hub::new(vec![place(0)]);
        let (reading, stalled) = (hub.register(ME).unwrap(), hub.register(ME).unwrap());
        for mailbox in [&reading, &stalled] {
            hub.watch(mailbox.id, [UserId(7)]);
        }
        for ms in 1..=MOST_WAITING as u64 + 1 {
            hub.deliver(0, vec![entry(ms, privacy(7))]);
            assert_eq!(waiting(&reading), 1);
        }
        assert_eq!(hub.len(), 1);
        assert_eq!(waiting(&stalled), MOST_WAITING);
        assert!(matches!(stalled.waiting.next().now_or_never(), Some(None)));
        drop(reading);
        assert!(hub.is_empty());
        assert!(hub.state().watchers.is_empty() && hub.state().of_user.is_empty());
    }

    #[test]
    fn a_cursor_counts_once_all_is_handed_out_up_to_it() {
        let hub = Hub::new(vec![place(0), place(5)]);
        let up_to = [place(2), place(5)];
        assert_eq!(hub.cursor_from(&up_to), None);
        hub.deliver(0, vec![entry(3, privacy(7))]);
        assert_eq!(hub.cursor_from(&up_to), Some(hub.cursor()));
        assert_eq!(hub.cursor(), Cursor { places: vec![place(3), place(5)] }.encode());
        // Nobody waits for what is lost.
        hub.begin_anew(0, Place { epoch: "1:2".to_owned(), ..place(0) });
        assert_eq!(hub.cursor_from(&up_to), Some(hub.cursor()));
    }

    #[test]
    fn a_hub_that_stops_tells_all_and_lets_nobody_in() {
        let hub = Hub::new(vec![place(0)]);
        let there = hub.register(ME).unwrap();
        hub.stop();
        assert!(matches!(there.waiting.try_next(), Some(Item::Stop)));
        assert_eq!(hub.register(ME).err(), Some(NotRegistered::Stopping));
    }

    #[test]
    fn one_user_has_so_many_sockets_and_no_more() {
        let hub = Hub::new(vec![place(0)]);
        let all: Vec<Mailbox> = (0..MOST_OF_A_USER).map(|_| hub.register(ME).unwrap()).collect();
        assert_eq!(hub.register(ME).err(), Some(NotRegistered::TooMany));
        assert!(hub.register(UserId(2)).is_ok());
        drop(all);
        assert!(hub.register(ME).is_ok());
    }
}
