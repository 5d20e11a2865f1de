//! Plays steps on an engine as the service would, with a database of its own in a few fields, and beside it on the rule.

use std::collections::HashMap;
use std::time::Duration;

use lastseen_shared::ids::{SessionId, UserId};
use lastseen_shared::presence::availability::{Choice, Privacy, Profile, Shown, Words};
use lastseen_shared::presence::engine::{Connect, Connected, Counts, ROW_FRESHNESS, Touch};
use lastseen_shared::presence::rule::Known;
use lastseen_shared::presence::transition::{Entry, Event};
use lastseen_shared::presence::{PresenceEngine as _, Reason, TransitionId};
use lastseen_shared::timestamp::{Timestamp, millis};

use super::rule::{Chosen, Look, Outcome, Seers, Told, User, View};
use super::{Step, TIMEOUTS};
use crate::harness::{Harness, SHARDS};

/// What the database says of a user, and the tokens and rows that are about.
#[derive(Default)]
struct Account {
    barred: bool,
    profile: Profile,
    slots: [Slot; 3],
}

#[derive(Default)]
struct Slot {
    session: Option<i64>,
    /// The one before, which was ended.
    ended: Option<i64>,
    /// A row that was read.
    row: Option<Connect>,
}

pub struct Driver {
    h: Harness,
    now: Timestamp,
    rules: Vec<User>,
    accounts: [Account; 3],
    newest_session: i64,
    /// The projection: each user's last transition, and how far each shard was followed.
    projected: HashMap<i64, Told>,
    offsets: [TransitionId; SHARDS as usize],
}

fn id_of(user: usize) -> UserId {
    UserId(i64::try_from(user).unwrap() + 1)
}

fn look_of(shown: &Shown) -> Look {
    let words = shown.words.as_ref().and_then(|words| words.text.as_deref());
    (shown.availability.as_str(), words.map_or(0, |words| words.parse().unwrap()))
}

fn seers_of(privacy: Privacy) -> Seers {
    (privacy.online.as_str(), privacy.last_seen.as_str())
}

/// What was chosen, as the engine is told it.
fn profile_of(chosen: Chosen) -> Profile {
    let Chosen { look: (availability, words), until, seers } = chosen;
    let words = Words::of((words > 0).then(|| words.to_string()), None);
    let shown = Shown { availability: availability.parse().unwrap(), words };
    let privacy = Privacy { online: seers.0.parse().unwrap(), last_seen: seers.1.parse().unwrap() };
    Profile { choice: Choice { shown, until: until.map(Timestamp) }, privacy }
}

/// An entry in the rule's words, and whose it is.
fn told(entry: &Entry) -> (i64, Told) {
    match &entry.event {
        Event::Transition(t) => {
            let (at, last_seen, reason) = (t.at.0, t.last_seen.0, t.reason.as_str());
            let (session, look, seers) = (t.session.map(|s| s.0), look_of(&t.shown), seers_of(t.privacy));
            let went = Told::Went { at, last_seen, reason, session, own: t.session_seen.0, seers };
            (t.user.0, if t.online { Told::Came { at, last_seen, reason, session, look, seers } } else { went })
        }
        Event::Shown(t) => {
            assert!(t.online && t.session.is_none(), "{t:?}");
            let (at, last_seen, reason) = (t.at.0, t.last_seen.0, t.reason.as_str());
            let (look, seers) = (look_of(&t.shown), seers_of(t.privacy));
            (t.user.0, Told::Shows { at, last_seen, reason, look, seers })
        }
        Event::Privacy { user, before, after } => {
            (user.0, Told::Privacy { before: seers_of(*before), after: seers_of(*after) })
        }
        Event::Relation { .. } => panic!("nobody said so"),
        Event::SessionLeft { user, session, last_seen } => {
            (user.0, Told::Left { session: session.0, last_seen: last_seen.0 })
        }
    }
}

impl Driver {
    pub async fn new(h: Harness) -> Self {
        h.engine.start().await.unwrap();
        Self {
            now: h.start,
            rules: (0..3).map(|_| User::new(i64::try_from(TIMEOUTS[1]).unwrap())).collect(),
            accounts: Default::default(),
            newest_session: 0,
            projected: HashMap::new(),
            offsets: [TransitionId::START; SHARDS as usize],
            h,
        }
    }

    pub async fn play(&mut self, step: &Step) {
        match *step {
            Step::Connect { user, slot } => {
                if let Some(row) = self.read(user, slot).await {
                    self.connect(user, row).await;
                }
            }
            Step::Read { user, slot } => self.accounts[user].slots[slot].row = self.read(user, slot).await,
            Step::Slow { user, slot } => {
                if let Some(row) = self.accounts[user].slots[slot].row.clone() {
                    self.connect(user, row).await;
                }
            }
            Step::Meanwhile { user, slot, ref happens } => {
                let row = self.read(user, slot).await;
                for step in happens {
                    Box::pin(self.play(step)).await;
                }
                if let Some(row) = row {
                    self.connect(user, row).await;
                }
            }
            Step::Touch(ref beats) => self.touch(beats).await,
            Step::Disconnect { user, slot } => {
                let slot = &self.accounts[user].slots[slot];
                // Logging out twice is allowed.
                if let Some(id) = slot.session.or(slot.ended) {
                    let done = self.h.engine.disconnect(id_of(user), SessionId(id), Reason::Logout).await.unwrap();
                    let expected = self.rules[user].end(&[id], self.now.0, Reason::Logout);
                    assert_eq!(done.went_offline, expected);
                    self.end_rows(user, id, id);
                }
            }
            Step::EvictUpTo { user, slot } => {
                if let Some(id) = self.accounts[user].slots[slot].session {
                    self.evict(user, SessionId(id), Reason::EndedByAdmin).await;
                }
            }
            Step::EvictAll { user } => {
                self.evict(user, SessionId::ALL, Reason::Suspended).await;
                self.accounts[user].barred = true;
            }
            Step::Admit { user } => {
                if std::mem::take(&mut self.accounts[user].barred) {
                    self.h.engine.admit(id_of(user), SessionId(self.newest_session)).await.unwrap();
                }
            }
            Step::Retime { user, timeout } => {
                self.h.engine.retime(id_of(user), Duration::from_millis(timeout)).await.unwrap();
                self.rules[user].retime(i64::try_from(timeout).unwrap(), self.now.0);
            }
            Step::Pass(by) => self.pass_to(self.now.plus(Duration::from_millis(by))),
            Step::PassToDeadline(offset) => {
                let next = self.rules.iter().filter_map(User::next_moment).min();
                self.pass_to(Timestamp(next.map_or(self.now.0, |next| (next + offset).max(self.now.0))));
            }
            Step::Expire { shard, most } => {
                let expired = self.h.engine.expire(shard, most).await.unwrap();
                assert!(expired.taken <= most);
                if expired.taken < most {
                    // Nothing is due any more, and whoever waits so long misses nothing that the rule waits for.
                    let mine = (0..3).filter(|user| id_of(*user).shard(SHARDS) == shard);
                    let held = mine.map(|user| &self.rules[user]).filter(|rule| rule.truth().is_some());
                    let next = held.filter_map(User::next_visible_moment).min().map(|next| next - self.now.0);
                    let waits = expired.next.map(millis);
                    assert!(waits.is_some() == next.is_some() && waits <= next, "{waits:?} {next:?}");
                }
            }
            Step::Choose { user, look, after, seers } => {
                let until = after.map(|after| self.now.plus(Duration::from_millis(after)).0);
                self.choose(user, Chosen { look, until, seers }).await;
            }
            Step::Idle { user, slot, idle } => {
                let slot = &self.accounts[user].slots[slot];
                if let Some(id) = slot.session.or(slot.ended) {
                    let live = self.h.engine.idle(id_of(user), SessionId(id), idle).await.unwrap();
                    assert_eq!(live, self.rules[user].idle(id, idle, self.now.0));
                }
            }
            Step::Snapshot => self.snapshot().await,
            Step::Project { shard } => self.project(shard).await,
            Step::Restart => self.restart().await,
        }
    }

    fn pass_to(&mut self, to: Timestamp) {
        self.now = to;
        self.h.set(to);
        self.rules.iter_mut().for_each(|rule| rule.pass(to.0));
    }

    /// The row first, and then the engine, as the service does it.
    async fn choose(&mut self, user: usize, chosen: Chosen) {
        let after = profile_of(chosen);
        let before = std::mem::replace(&mut self.accounts[user].profile, after.clone());
        self.h.engine.present(id_of(user), &before, &after).await.unwrap();
        self.rules[user].choose(chosen, self.now.0);
    }

    /// What is known at a place in the transitions is what they tell up to there, and nothing after it is known yet.
    async fn snapshot(&self) {
        let users: Vec<UserId> = (0..3).map(id_of).collect();
        let snapshot = self.h.engine.snapshot(&users).await.unwrap();
        self.compare_known(&users, &snapshot.known, &snapshot.hidden);
        assert_eq!(snapshot.places.len(), SHARDS as usize);
        for (shard, place) in snapshot.places {
            let stretch = self.h.engine.transitions(shard, place.id, 10).await.unwrap();
            assert_eq!((stretch.epoch.id, stretch.entries), (place.epoch, vec![]));
        }
    }

    /// Reads a session's row, made where the place has none. Nothing where the account says no.
    async fn read(&mut self, user: usize, slot: usize) -> Option<Connect> {
        if self.accounts[user].barred {
            return None;
        }
        let read_at = self.h.engine.now(id_of(user)).await.unwrap();
        assert_eq!(read_at, self.now);
        let timeout = self.rules[user].timeout.unsigned_abs();
        let session = &mut self.accounts[user].slots[slot].session;
        let reason = if session.is_some() { Reason::Heartbeat } else { Reason::Login };
        let id = *session.get_or_insert_with(|| {
            self.newest_session += 1;
            self.newest_session
        });
        let profile = self.accounts[user].profile.clone();
        let (user, session, timeout) = (id_of(user), SessionId(id), Duration::from_millis(timeout));
        Some(Connect { user, session, timeout, profile, reason, read_at })
    }

    async fn connect(&mut self, user: usize, row: Connect) {
        let answer = self.h.engine.connect(row.clone()).await.unwrap();
        let fresh_for = millis(ROW_FRESHNESS);
        match self.rules[user].connect(row.session.0, self.now.0, row.reason, row.read_at.0, fresh_for) {
            Outcome::Live(deadline) => match answer {
                Connected::Live { now, deadline: got } => assert_eq!((now, got.0.0), (self.now, deadline)),
                other => panic!("{row:?} is to be live, but is {other:?}"),
            },
            Outcome::Ended => assert_eq!(answer, Connected::Ended, "{row:?}"),
            Outcome::Refused => assert!(matches!(answer, Connected::Ended | Connected::Stale), "{row:?} {answer:?}"),
        }
    }

    async fn touch(&mut self, beats: &[(usize, usize)]) {
        for shard in 0..SHARDS {
            let (mut batch, mut expected) = (Vec::new(), Vec::new());
            for &(user, slot) in beats.iter().filter(|(user, ..)| id_of(*user).shard(SHARDS) == shard) {
                let slot = &self.accounts[user].slots[slot];
                let id = slot.session.or(slot.ended).unwrap_or(77_777);
                batch.push(Touch { user: id_of(user), session: SessionId(id) });
                expected.push(self.rules[user].touch(id, self.now.0));
            }
            if !batch.is_empty() {
                let touched = self.h.engine.touch(shard, &batch).await.unwrap();
                let deadlines: Vec<_> = touched.deadlines.iter().map(|deadline| deadline.map(|d| d.0.0)).collect();
                assert_eq!((touched.now, deadlines), (self.now, expected), "{batch:?}");
            }
        }
    }

    async fn evict(&mut self, user: usize, up_to: SessionId, reason: Reason) {
        let done = self.h.engine.evict(id_of(user), up_to, reason).await.unwrap();
        // Those that never connected and those that were ended before are among them.
        let last = up_to.0.min(self.newest_session);
        let ids: Vec<i64> = (1..=last).collect();
        assert_eq!(done.went_offline, self.rules[user].end(&ids, self.now.0, reason));
        self.end_rows(user, 1, last);
    }

    /// The database follows: these rows are ended.
    fn end_rows(&mut self, user: usize, from: i64, to: i64) {
        for slot in &mut self.accounts[user].slots {
            if let Some(id) = slot.session.take_if(|id| (from..=to).contains(id)) {
                slot.ended = Some(id);
            }
        }
    }

    async fn project(&mut self, shard: u32) {
        let place = shard as usize;
        let stretch = self.h.engine.transitions(shard, self.offsets[place], 1_000).await.unwrap();
        let Some(last) = stretch.entries.last() else { return };
        let mut users = Vec::new();
        for (user, told) in stretch.entries.iter().map(told) {
            if matches!(told, Told::Came { .. } | Told::Went { .. }) {
                self.projected.insert(user, told);
            }
            users.push(UserId(user));
        }
        self.offsets[place] = last.id;
        self.h.engine.projected(shard, last.id, &users).await.unwrap();
    }

    async fn restart(&mut self) {
        if !self.h.restart().await {
            return;
        }
        // What the process was about to do is gone with it, and it tells the engine how far the database is.
        for slot in self.accounts.iter_mut().flat_map(|account| &mut account.slots) {
            slot.row = None;
        }
        for shard in 0..SHARDS {
            self.h.engine.projected(shard, self.offsets[shard as usize], &[]).await.unwrap();
        }
    }

    /// Everything that readers see is what the rule says.
    pub async fn compare(&self) {
        let users: Vec<UserId> = (0..3).map(id_of).collect();
        let lookup = self.h.engine.lookup(&users).await.unwrap();
        let delta = self.h.engine.delta().await.unwrap();
        let Counts { online, limited, away, dnd } = lookup.counts;
        let expected =
            self.rules.iter().map(User::counts).fold([0; 4], |all, one| std::array::from_fn(|i| all[i] + one[i]));
        assert_eq!([online, limited, away, dnd], expected);
        assert_eq!(delta.counts, lookup.counts);
        self.compare_known(&users, &lookup.known, &lookup.hidden);
        let changed: HashMap<UserId, Known> = delta.users.into_iter().collect();
        for ((user, known), rule) in users.iter().zip(&lookup.known).zip(&self.rules) {
            match changed.get(user) {
                Some(changed) => assert_eq!(changed, known),
                None => {
                    let says_online = matches!(self.projected.get(&user.0), Some(Told::Came { .. }));
                    assert_eq!(says_online, matches!(rule.view(), View::Online { .. }), "{user} is not in the delta");
                }
            }
            let held = self.h.engine.sessions(*user).await.unwrap();
            let mut live: Vec<_> = held
                .iter()
                .filter(|held| held.deadline.is_ahead(self.now))
                .map(|held| (held.session.0, millis(held.timeout), held.deadline.0.0, held.idle))
                .collect();
            live.sort_unstable();
            assert_eq!(live, rule.live());
        }
    }

    fn compare_known(&self, users: &[UserId], known: &[Known], hidden: &HashMap<UserId, Known>) {
        for ((user, known), rule) in users.iter().zip(known).zip(&self.rules) {
            self.compare_view(*user, known, rule);
            let truth = hidden.get(user).map(|known| match known {
                Known::Online { until, last_seen, reason, shown } => {
                    let (until, last_seen, look) = (until.0.0, last_seen.0, look_of(shown));
                    View::Online { until, last_seen, reason: reason.as_str(), look }
                }
                other => panic!("{other:?} is no truth about an invisible user"),
            });
            assert_eq!(truth, rule.truth().filter(|_| rule.is_hidden()), "user {user} at {}", self.now.0);
        }
    }

    fn compare_view(&self, user: UserId, known: &Known, rule: &User) {
        let seen = match known {
            Known::Online { until, last_seen, reason, shown } => {
                let look = look_of(shown);
                View::Online { until: until.0.0, last_seen: last_seen.0, reason: reason.as_str(), look }
            }
            Known::Offline { at, last_seen, reason } => {
                View::Offline { at: at.0, last_seen: last_seen.0, reason: reason.as_str() }
            }
            Known::Settled => match self.projected.get(&user.0) {
                Some(&Told::Went { at, last_seen, reason, .. }) => View::Offline { at, last_seen, reason },
                Some(other) => panic!("{user} is settled, and the database says {other:?}"),
                None => View::Never,
            },
        };
        assert_eq!(seen, rule.view(), "user {user} at {}", self.now.0);
    }

    /// What was told of each user from first to last is what the rule tells.
    pub async fn compare_stories(&self) {
        self.h.sweep().await;
        let mut stories: HashMap<i64, Vec<Told>> = HashMap::new();
        for shard in 0..SHARDS {
            let stretch = self.h.engine.transitions(shard, TransitionId::START, 10_000).await.unwrap();
            assert!(stretch.entries.windows(2).all(|pair| pair[0].id < pair[1].id));
            for (user, told) in stretch.entries.iter().map(told) {
                stories.entry(user).or_default().push(told);
            }
        }
        for (user, rule) in (0..).map(|user| id_of(user).0).zip(&self.rules) {
            let mut story = in_order(stories.remove(&user).unwrap_or_default());
            let expected = in_order(rule.told.clone());
            story.iter_mut().zip(&expected).for_each(|(told, expected)| as_if_at_once(told, expected));
            assert_eq!(story, expected, "user {user}");
        }
        assert!(stories.is_empty());
    }
}

/// Whoever comes to be seen, or looks otherwise, by time alone was last seen before that, or at that very moment, where
/// a heartbeat came before anybody had noticed; and that session came to be the one that was seen last.
fn as_if_at_once(told: &mut Told, expected: &Told) {
    match (told, expected) {
        (Told::Came { at, last_seen, session, .. }, Told::Came { last_seen: then, session: by, at: came, .. })
            if last_seen == at && then != came =>
        {
            *last_seen = *then;
            *session = *by;
        }
        (Told::Shows { at, last_seen, .. }, Told::Shows { last_seen: then, .. }) if last_seen == at => {
            *last_seen = *then;
        }
        _ => {}
    }
}

/// Sessions that leave between the same two transitions may be told in any order.
fn in_order(mut story: Vec<Told>) -> Vec<Told> {
    let left = |told: &Told| matches!(told, Told::Left { .. });
    story.chunk_by_mut(|a, b| left(a) && left(b)).for_each(<[Told]>::sort);
    story
}
