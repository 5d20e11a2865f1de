//! Many callers at once: whatever the order, each user's story is one that makes sense.

use lastseen_shared::ids::{SessionId, UserId};
use lastseen_shared::presence::availability::{Availability, Profile};
use lastseen_shared::presence::engine::{Connect, Counts};
use lastseen_shared::presence::rule::Known;
use lastseen_shared::presence::transition::Event;
use lastseen_shared::presence::{Engine, PresenceEngine as _, Reason};

use crate::harness::{Harness, SHARDS, TIMEOUT, choice, ms, touch};

const CALLERS: u64 = 8;
const CALLS: u64 = 150;

/// Numbers without a pattern, the same in every run.
fn next(state: &mut u64) -> i64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    i64::try_from(*state >> 33).unwrap()
}

async fn call_at_random(engine: Engine, seed: u64) {
    let mut state = seed;
    for _ in 0..CALLS {
        let user = UserId(next(&mut state) % 3 + 1);
        let session = SessionId(next(&mut state) % 6 + 1);
        match next(&mut state) % 11 {
            0 => {
                engine.disconnect(user, session, Reason::Logout).await.unwrap();
            }
            1 => {
                engine.admit(user, session).await.unwrap();
            }
            2 => {
                engine.evict(user, SessionId::ALL, Reason::Banned).await.unwrap();
            }
            3 => {
                engine.expire(user.shard(SHARDS), 2).await.unwrap();
            }
            4 => {
                engine.touch(user.shard(SHARDS), &[touch(user.0, session.0)]).await.unwrap();
            }
            5 => {
                engine.lookup(&[user]).await.unwrap();
            }
            6 => {
                let shown = [Availability::Available, Availability::Dnd, Availability::Invisible];
                let shown = shown[usize::try_from(next(&mut state) % 3).unwrap()];
                let until = engine.now(user).await.unwrap().plus(ms(next(&mut state).unsigned_abs() % 9_000));
                engine.present(user, &Profile::default(), &choice(shown, Some(until))).await.unwrap();
            }
            7 => {
                engine.idle(user, session, next(&mut state) % 2 == 0).await.unwrap();
            }
            _ => {
                // Sessions that were ended stay so: the larger ids are of new log-ins.
                let session = SessionId(next(&mut state) + 100);
                let read_at = engine.now(user).await.unwrap();
                let profile = Profile::default();
                let connect = Connect { user, session, timeout: TIMEOUT, profile, reason: Reason::Login, read_at };
                engine.connect(connect).await.unwrap();
                if next(&mut state) % 2 == 0 {
                    engine.disconnect(user, session, Reason::Logout).await.unwrap();
                }
            }
        }
    }
}

async fn make_sense(h: &Harness) {
    let callers: Vec<_> = (1..=CALLERS).map(|seed| tokio::spawn(call_at_random(h.engine.clone(), seed))).collect();
    for step in 0..CALLS {
        h.at(ms(step * 701));
        h.online().await;
        tokio::task::yield_now().await;
    }
    for caller in callers {
        caller.await.unwrap();
    }
    let online = [h.known(1).await, h.known(2).await, h.known(3).await].map(|k| matches!(k, Known::Online { .. }));
    assert_eq!(h.online().await, online.iter().filter(|online| **online).count() as u64);
    h.at(ms(CALLS * 701) + TIMEOUT);
    h.sweep().await;
    assert_eq!(h.counts().await, Counts::default());
    for user in 1..=3 {
        let story = h.transitions(user).await;
        assert!(story.len() > 2);
        assert!(story.iter().zip([true, false].iter().cycle()).all(|(t, online)| t.online == *online));
        assert!(story.windows(2).all(|pair| pair[0].at <= pair[1].at), "{story:?}");
        assert!(story.iter().all(|t| t.last_seen <= t.at));
        assert!(story.last().is_some_and(|last| !last.online));
        assert_eq!(h.engine.sessions(UserId(user)).await.unwrap(), []);
        // Only an online user shows something else.
        let mut online = false;
        for event in h.events(user).await {
            match event {
                Event::Transition(t) => online = t.online,
                Event::Shown(t) => assert!(online && t.online, "{t:?}"),
                _ => {}
            }
        }
    }
    assert!(h.entries(1).await.windows(2).all(|pair| pair[0].id < pair[1].id));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn memory() {
    make_sense(&Harness::memory()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn journaled() {
    make_sense(&Harness::journaled().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn redis() {
    make_sense(&Harness::redis()).await;
}
