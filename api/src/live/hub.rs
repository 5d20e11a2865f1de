//! Who watches whom in this process. The followers of the transitions hand each entry to the hub once, and it wakes
//! the sockets concerned, and no other.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lastseen_shared::ids::UserId;
use lastseen_shared::presence::cursor::{Cursor, Place};
use lastseen_shared::presence::transition::{Entry, Event, TransitionId};
use lastseen_shared::signals::Signal;
use tokio::sync::{Notify, mpsc};

/// What may wait for a socket before it counts as too slow.
const MAILBOX: usize = 1_024;
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
}

/// A registered socket's end of its mailbox.
pub struct Mailbox {
    /// The socket's number.
    pub id: SocketId,
    /// What comes for it. Ends where it was too slow.
    pub items: mpsc::Receiver<Item>,
    /// Rung when it was too slow.
    pub slow: Arc<Notify>,
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
    sender: mpsc::Sender<Item>,
    slow: Arc<Notify>,
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
        let (sender, items) = mpsc::channel(MAILBOX);
        let slow = Arc::new(Notify::new());
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
        let registered = Registered { user, sender, slow: Arc::clone(&slow), watched: HashSet::new() };
        state.sockets.insert(id, registered);
        drop(state);
        Ok(Mailbox { id, items, slow, hub: Arc::clone(self) })
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
        let news = Arc::new(News { shard, id: entry.id, event: entry.event, cursor: self.cursor().into() });
        for socket in concerned {
            self.send(socket, Item::News(Arc::clone(&news)));
        }
    }

    fn send(&mut self, socket: SocketId, item: Item) {
        let Some(registered) = self.sockets.get(&socket) else { return };
        if registered.sender.try_send(item).is_err() {
            // Full: it does not slow the others. What it misses it asks for when it comes back, by its cursor.
            registered.slow.notify_one();
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
    use lastseen_shared::ids::SessionId;
    use lastseen_shared::presence::availability::Privacy;
    use lastseen_shared::timestamp::Timestamp;

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

    fn waiting(mailbox: &mut Mailbox) -> usize {
        std::iter::from_fn(|| mailbox.items.try_recv().ok()).count()
    }

    #[test]
    fn an_entry_wakes_those_concerned_and_once() {
        let hub = Hub::new(vec![place(0)]);
        let (mut own, mut watcher, mut other) =
            (hub.register(UserId(7)).unwrap(), hub.register(ME).unwrap(), hub.register(ME).unwrap());
        hub.watch(watcher.id, [UserId(7), UserId(8)]);
        hub.watch_all(watcher.id, true);
        hub.deliver(0, vec![entry(1, privacy(7)), entry(1, privacy(7)), entry(2, privacy(8))]);
        assert_eq!((waiting(&mut own), waiting(&mut watcher), waiting(&mut other)), (1, 2, 0));
        // What two are to each other, and a device that left, is their own.
        let left = Event::SessionLeft { user: UserId(7), session: SessionId(1), last_seen: Timestamp(0) };
        hub.deliver(0, vec![entry(3, Event::Relation { user: UserId(8), other: UserId(7) }), entry(4, left)]);
        assert_eq!((waiting(&mut own), waiting(&mut watcher)), (2, 0));
        hub.unwatch(watcher.id, [UserId(7)]);
        hub.watch_all(watcher.id, false);
        hub.deliver(0, vec![entry(5, privacy(7))]);
        assert_eq!(waiting(&mut watcher), 0);
    }

    #[test]
    fn a_full_mailbox_is_dropped_and_slows_nobody() {
        let hub = Hub::new(vec![place(0)]);
        let (mut reading, mut stalled) = (hub.register(ME).unwrap(), hub.register(ME).unwrap());
        for mailbox in [&reading, &stalled] {
            hub.watch(mailbox.id, [UserId(7)]);
        }
        for ms in 1..=MAILBOX as u64 + 1 {
            hub.deliver(0, vec![entry(ms, privacy(7))]);
            assert_eq!(waiting(&mut reading), 1);
        }
        assert_eq!(hub.len(), 1);
        assert_eq!(waiting(&mut stalled), MAILBOX);
        assert!(stalled.items.is_closed());
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
        let mut there = hub.register(ME).unwrap();
        hub.stop();
        assert!(matches!(there.items.try_recv(), Ok(Item::Stop)));
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
