//! The packed users beside plain ones, through long random lives; and what a heartbeat moves.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::presence::Reason;
use crate::presence::availability::{Privacy, Profile, Visibility};
use crate::presence::rule::HeldSession;
use crate::timestamp::millis;

const TIMEOUT: i64 = 120_000;

fn session(id: i64, deadline: i64, timeout: i64) -> HeldSession {
    HeldSession {
        session: SessionId(id),
        timeout: Duration::from_millis(timeout.unsigned_abs()),
        deadline: Deadline(Timestamp(deadline)),
        leaving: id % 5 == 0,
        idle: id % 3 == 0,
    }
}

fn plain(sessions: Vec<HeldSession>) -> HeldUser {
    HeldUser { reason: Reason::Login, gone: None, profile: None, sessions }
}

fn beat(user: i64, session: i64) -> Touch {
    Touch { user: UserId(user), session: SessionId(session) }
}

#[test]
fn heartbeats_move_nothing_in_the_wheel() {
    const USERS: i64 = 5_000;
    let mut users = Users::new();
    for user in 1..=USERS {
        users.put(UserId(user), plain(vec![session(1, user + TIMEOUT, TIMEOUT)]));
    }
    users.turn(Timestamp(USERS));
    let (filed, mut now) = (users.wheel.filed, 0);
    for round in 0..20 {
        now += 30_000;
        for user in 1..=USERS {
            let deadline = users.touch(&beat(user, 1), Timestamp(now + user));
            assert_eq!(deadline, Some(Deadline(Timestamp(now + user + TIMEOUT))));
        }
        assert_eq!(users.wheel.filed, filed, "in round {round}");
    }
    // Whoever asks what is overdue files each once, however often it was heard of.
    users.turn(Timestamp(now + USERS));
    assert_eq!(users.overdue(Timestamp(now + USERS)).count(), 0);
    assert_eq!(users.earliest(), Some(Deadline(Timestamp(now + 1 + TIMEOUT))));
    assert_eq!(users.wheel.filed, filed + USERS as usize);
    users.wheel.check(&users.slab);
}

#[test]
fn a_session_of_a_million_takes_at_most_64_bytes() {
    const USERS: i64 = 1_000_000;
    let mut users = Users::new();
    for user in 1..=USERS {
        // Heartbeats each half minute, of users whose timeouts are up to an hour.
        let timeout = if user % 10 == 0 { 3_600_000 } else { TIMEOUT };
        users.put(UserId(user), plain(vec![session(1, user * 3 / 100 + timeout, timeout)]));
    }
    for user in (1..=USERS).step_by(60) {
        users.touch(&beat(user, 1), Timestamp(30_000)).unwrap();
    }
    users.wheel.check(&users.slab);
    let moved = users.moved.as_ref().map_or(0, |moved| moved.capacity() * size_of::<u32>());
    let bytes = users.places.allocation_size() + users.slab.bytes() + users.wheel.bytes() + moved;
    assert!(bytes <= 64 * USERS as usize, "{bytes}");
}

#[test]
fn whoever_comes_and_goes_leaves_nothing_behind() {
    let mut users = Users::new();
    for now in 0..10_000 {
        users.put(UserId(now % 7), plain(vec![session(now, now + TIMEOUT, TIMEOUT)]));
        users.turn(Timestamp(now));
        users.take(UserId(now % 7)).unwrap();
    }
    users.wheel.check(&users.slab);
    assert_eq!((users.slab.end(), users.len(), users.earliest()), (1, 0, None));
}

#[test]
fn a_timeout_that_is_too_long_for_the_record_is_kept() {
    let mut users = Users::new();
    let century = session(1, 1_000, 36_525 * 86_400_000);
    users.put(UserId(1), plain(vec![century]));
    assert_eq!(users.get(UserId(1)).unwrap().held(), plain(vec![century]));
    let deadline = users.touch(&beat(1, 1), Timestamp(10)).unwrap();
    assert_eq!(deadline.0, Timestamp(10).plus(century.timeout));
    let held = users.take(UserId(1)).unwrap();
    assert_eq!(held.sessions, [HeldSession { deadline, ..century }]);
}

#[test]
fn a_place_that_is_used_again_says_nothing_of_whom_it_was() {
    let mut users = Users::new();
    users.put(UserId(1), plain(vec![session(1, TIMEOUT, TIMEOUT)]));
    users.touch(&beat(1, 1), Timestamp(5)).unwrap();
    users.take(UserId(1)).unwrap();
    users.put(UserId(2), plain(vec![session(2, TIMEOUT, TIMEOUT)]));
    let mut moved = Moved::default();
    assert!(!users.take_moved(usize::MAX, &mut moved));
    assert!(moved.is_empty());
}

#[derive(Clone, Debug)]
enum Step {
    /// Puts a user with so many sessions in, or takes it out and puts it back otherwise.
    Put {
        user: i64,
        sessions: Vec<(i64, i64)>,
        private: bool,
        gone: bool,
    },
    Take(i64),
    Touch {
        user: i64,
        session: i64,
    },
    Pass(i64),
    TakeMoved(usize),
    Earliest,
}

fn step() -> impl Strategy<Value = Step> {
    let timeout = prop::sample::select(vec![1, 100, 1_000, 30_000, 120_000, 5_000_000_000]);
    let sessions = prop::collection::vec((1..20_i64, timeout), 1..4);
    // A clock may be set back.
    let pass = prop::sample::select(vec![-200_000, -300, 0, 1, 7, 127, 128, 500, 10_000, 60_000]);
    prop_oneof![
        4 => (1..12_i64, sessions, any::<bool>(), any::<bool>())
            .prop_map(|(user, sessions, private, gone)| Step::Put { user, sessions, private, gone }),
        2 => (1..12_i64).prop_map(Step::Take),
        8 => (1..12_i64, 1..20_i64).prop_map(|(user, session)| Step::Touch { user, session }),
        4 => pass.prop_map(Step::Pass),
        1 => (0..4_usize).prop_map(Step::TakeMoved),
        2 => Just(Step::Earliest),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn long_random_lives(steps in prop::collection::vec(step(), 1..200)) {
        let (mut users, mut model) = (Users::new(), BTreeMap::<UserId, HeldUser>::new());
        // What the journal has been told, and what it is to be told at least.
        let (mut told, mut now) = (HashMap::new(), 1_000_000_i64);
        for step in steps {
            match step {
                Step::Put { user, sessions, private, gone } => {
                    let user = UserId(user);
                    prop_assert_eq!(users.take(user), model.remove(&user));
                    let mut held: Vec<HeldSession> = Vec::new();
                    for (id, timeout) in sessions {
                        if held.iter().all(|held| held.session.0 != id) {
                            held.push(session(id, now + timeout, timeout));
                        }
                    }
                    let privacy = Privacy { online: Visibility::Nobody, last_seen: Visibility::Nobody };
                    let profile = private.then(|| Box::new(Profile { privacy, ..Profile::default() }));
                    let gone = gone.then_some(Timestamp(now));
                    let held = HeldUser { reason: Reason::Heartbeat, gone, profile, sessions: held };
                    for session in &held.sessions {
                        told.insert((user, session.session), session.deadline);
                    }
                    model.insert(user, held.clone());
                    users.put(user, held);
                }
                Step::Take(user) => prop_assert_eq!(users.take(UserId(user)), model.remove(&UserId(user))),
                Step::Touch { user, session } => {
                    let answer = users.touch(&beat(user, session), Timestamp(now));
                    let sessions = model.get_mut(&UserId(user)).map(|held| held.sessions.as_mut_slice());
                    let held = sessions.unwrap_or_default().iter_mut().find(|held| {
                        held.session.0 == session && !held.leaving && held.deadline.0.0 > now
                    });
                    let expected = held.map(|held| {
                        held.deadline = held.deadline.max(Deadline(Timestamp(now + millis(held.timeout))));
                        held.deadline
                    });
                    prop_assert_eq!(answer, expected);
                }
                Step::Pass(by) => now += by,
                Step::TakeMoved(most) => {
                    let mut moved = Moved::default();
                    let more = users.take_moved(most, &mut moved);
                    told.extend(Moved::read(moved.bytes()).map(|(user, session, to)| ((user, session), to)));
                    if !more {
                        for (user, held) in &model {
                            for session in &held.sessions {
                                prop_assert_eq!(told.get(&(*user, session.session)), Some(&session.deadline));
                            }
                        }
                    }
                }
                Step::Earliest => {
                    let expected = model.values().flat_map(|held| &held.sessions).map(|held| held.deadline).min();
                    prop_assert_eq!(users.sessions(), model.values().map(|held| held.sessions.len()).sum::<usize>());
                    prop_assert_eq!(users.earliest(), expected);
                }
            }
            users.turn(Timestamp(now));
            let mut overdue: Vec<_> = model
                .iter()
                .flat_map(|(user, held)| held.sessions.iter().map(|held| (held.deadline, *user, held.session)))
                .filter(|(deadline, ..)| deadline.0.0 <= now)
                .collect();
            overdue.sort_unstable();
            let overdue: Vec<UserId> = overdue.into_iter().map(|(_, user, _)| user).collect();
            prop_assert_eq!(users.overdue(Timestamp(now)).collect::<Vec<_>>(), overdue);
            prop_assert_eq!(users.len(), model.len());
            users.wheel.check(&users.slab);
            for (user, held) in &model {
                prop_assert_eq!(&users.get(*user).unwrap().held(), held);
            }
            let mut all = Moved::default();
            let mut from = Some(0);
            while let Some(place) = from {
                from = users.deadlines(place, 3, &mut all);
            }
            prop_assert_eq!(all.len(), model.values().map(|held| held.sessions.len()).sum::<usize>());
        }
    }
}
