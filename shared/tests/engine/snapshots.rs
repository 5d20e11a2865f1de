//! Snapshots: what is known, and of which place in the transitions that is true.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lastseen_shared::ids::UserId;
use lastseen_shared::presence::availability::{Availability, Profile, Shown};
use lastseen_shared::presence::engine::{Connect, Snapshot};
use lastseen_shared::presence::rule::Known;
use lastseen_shared::presence::transition::Event;
use lastseen_shared::presence::{Engine, PresenceEngine as _, Reason, TransitionId};

use crate::harness::{Harness, SHARDS, TIMEOUT, choice, look, offline, secs};
use crate::stream::entries_of_two_milliseconds;

async fn snapshot(h: &Harness, users: &[i64]) -> Snapshot {
    let users: Vec<UserId> = users.iter().copied().map(UserId).collect();
    h.engine.snapshot(&users).await.unwrap()
}

contract! {
    async fn a_snapshot_settles_first(h: &Harness) {
        h.login(1, 11).await;
        h.login_as(3, 31, &choice(Availability::Invisible, Some(h.moment(secs(90))))).await;
        h.at(secs(60));
        h.touch(3, 31).await;
        h.at(TIMEOUT + secs(10));
        let taken = snapshot(h, &[3, 5, 1, 3]).await;
        let online = &taken.known[0];
        assert!(matches!(online, Known::Online { reason: Reason::Login, .. }), "{online:?}");
        let gone = offline(h.moment(TIMEOUT), h.start, Reason::Timeout);
        assert_eq!(taken.known, [online.clone(), Known::Settled, gone, online.clone()]);
        let entries = h.entries(1).await;
        assert_eq!(entries.len(), 3, "both transitions are made by it");
        let epoch = h.engine.epoch(1).await.unwrap().0.id;
        let places: Vec<_> = taken.places.into_iter().map(|(shard, place)| (shard, place.epoch, place.id)).collect();
        assert_eq!(places, [(1, epoch, entries[2].id)]);
    }

    async fn it_has_a_place_in_each_shard_that_was_asked(h: &Harness) {
        assert_eq!(snapshot(h, &[]).await.places.len(), 0);
        let places = snapshot(h, &[1, 2]).await.places;
        let ids: Vec<_> = places.iter().map(|(shard, place)| (*shard, place.id)).collect();
        assert_eq!(ids, [(0, TransitionId::START), (1, TransitionId::START)]);
        // What was trimmed is no place to go on from before.
        let newest = entries_of_two_milliseconds(h).await.last().unwrap().id;
        h.at(secs(3_600));
        h.engine.trim(1, newest, secs(60)).await.unwrap();
        let stretch = h.engine.transitions(1, TransitionId::START, 1).await.unwrap();
        assert!(stretch.trimmed > TransitionId::START);
        assert_eq!(snapshot(h, &[1]).await.places[0].1.id, stretch.newest);
    }

    async fn it_tells_the_truth_of_invisible_users_apart(h: &Harness) {
        h.login_as(1, 11, &choice(Availability::Invisible, None)).await;
        h.login(2, 21).await;
        let taken = snapshot(h, &[1, 2]).await;
        assert_eq!(taken.known[0], Known::Settled);
        assert_eq!(taken.hidden.len(), 1);
        let hidden = &taken.hidden[&UserId(1)];
        assert!(matches!(hidden, Known::Online { shown, .. } if *shown == look(Availability::Invisible, None)));
    }

    async fn a_snapshot_of_any_size_is_answered(h: &Harness) {
        h.login(1, 1).await;
        h.login(8_999, 2).await;
        let users: Vec<i64> = (1..=9_000).collect();
        let taken = snapshot(h, &users).await;
        assert_eq!(taken.known.len(), 9_000);
        assert_eq!(taken.known.iter().filter(|known| matches!(known, Known::Online { .. })).count(), 2);
        assert_eq!(taken.places.len(), SHARDS as usize);
    }
}

const USERS: i64 = 8;
/// What each writer does at least, and how many snapshots are taken at least while all of them write.
const ROUNDS: i64 = 120;
const SNAPSHOTS: usize = 20;

/// Everything that changes what is told of users, again and again, until it has been looked at often enough.
async fn change_at_random(engine: Engine, seed: i64, enough: Arc<AtomicBool>) {
    let profiles = [Availability::Available, Availability::Dnd, Availability::Invisible].map(|a| choice(a, None));
    let mut state = seed.unsigned_abs();
    let mut next = |below: i64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        i64::try_from(state >> 33).unwrap() % below
    };
    for round in 0.. {
        if round >= ROUNDS {
            if enough.load(Ordering::Relaxed) {
                return;
            }
            // The machine is busy elsewhere: what is written meanwhile stays within bounds.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let user = UserId(next(USERS) + 1);
        // Each session's id is used once, and kept in mind by its user's number.
        let session = lastseen_shared::ids::SessionId(seed * 1_000_000 + round);
        match next(4) {
            0 => {
                let read_at = engine.now(user).await.unwrap();
                let profile = Profile::default();
                let connect = Connect { user, session, timeout: TIMEOUT, profile, reason: Reason::Login, read_at };
                engine.connect(connect).await.unwrap();
            }
            1 => {
                for held in engine.sessions(user).await.unwrap() {
                    engine.disconnect(user, held.session, Reason::Logout).await.unwrap();
                }
            }
            2 => {
                let after = &profiles[usize::try_from(next(3)).unwrap()];
                engine.present(user, &Profile::default(), after).await.unwrap();
            }
            _ => {
                for held in engine.sessions(user).await.unwrap() {
                    engine.idle(user, held.session, next(2) == 0).await.unwrap();
                }
            }
        }
    }
}

/// Whatever the order: what a snapshot knows is what the transitions up to its place tell, no more and no less.
async fn agree(h: &Harness) {
    let users: Vec<UserId> = (1..=USERS).map(UserId).collect();
    let enough = Arc::new(AtomicBool::new(false));
    let writer = |seed| tokio::spawn(change_at_random(h.engine.clone(), seed, Arc::clone(&enough)));
    let writers: Vec<_> = (1..=6).map(writer).collect();
    let mut taken = Vec::new();
    while !writers.iter().all(tokio::task::JoinHandle::is_finished) {
        taken.push(h.engine.snapshot(&users).await.unwrap());
        // Its transitions can be read at once.
        for (shard, place) in &taken[taken.len() - 1].places {
            let stretch = h.engine.transitions(*shard, TransitionId::START, 1).await.unwrap();
            assert!(stretch.newest >= place.id);
        }
        enough.store(taken.len() >= SNAPSHOTS, Ordering::Relaxed);
        tokio::task::yield_now().await;
    }
    for writer in writers {
        writer.await.unwrap();
    }
    taken.push(h.engine.snapshot(&users).await.unwrap());
    let mut stories = HashMap::new();
    for shard in 0..SHARDS {
        stories.insert(shard, h.engine.transitions(shard, TransitionId::START, 100_000).await.unwrap().entries);
    }
    for snapshot in taken {
        let places: HashMap<u32, TransitionId> = snapshot.places.iter().map(|(s, place)| (*s, place.id)).collect();
        for (user, known) in users.iter().zip(&snapshot.known) {
            let shard = user.shard(SHARDS);
            let mut told: Option<Shown> = None;
            for entry in stories[&shard].iter().take_while(|entry| entry.id <= places[&shard]) {
                match &entry.event {
                    Event::Transition(t) | Event::Shown(t) if t.user == *user => {
                        assert_eq!(matches!(entry.event, Event::Shown(_)), t.online && told.is_some(), "{entry:?}");
                        told = t.online.then(|| t.shown.clone());
                    }
                    _ => {}
                }
            }
            let seen = match known {
                Known::Online { shown, .. } => Some(shown.clone()),
                _ => None,
            };
            assert_eq!(seen, told, "user {user} at {}", places[&shard]);
            assert!(seen.is_none() || !snapshot.hidden.contains_key(user));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_race_in_memory() {
    agree(&Harness::memory()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_race_on_a_journal() {
    agree(&Harness::journaled().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_race_on_redis() {
    agree(&Harness::redis()).await;
}
