//! Invisible users: their sessions live on in the engine, and they are offline for every part of the system that there
//! is, whatever happens to them.

use std::time::Duration;

use lastseen_shared::ids::{SessionId, UserId};
use lastseen_shared::presence::availability::{Availability, Profile};
use lastseen_shared::presence::engine::{Counts, Restatement};
use lastseen_shared::presence::rule::Known;
use lastseen_shared::presence::transition::{Event, Transition};
use lastseen_shared::presence::{PresenceEngine as _, Reason};
use lastseen_shared::timestamp::Timestamp;

use crate::harness::{Harness, SHARDS, TIMEOUT, came, choice, left, look, ms, offline, online, secs, touch, went};

fn invisible(until: Option<Timestamp>) -> Profile {
    choice(Availability::Invisible, until)
}

/// The truth: online until then.
fn truly(h: &Harness, until: Duration, last_seen: Timestamp) -> Option<Known> {
    let shown = look(Availability::Invisible, None);
    Some(Known::Online { until: h.deadline(until), last_seen, reason: Reason::Login, shown })
}

/// Came to be seen, as by a log-in of the session that was seen last.
fn appeared(user: i64, session: i64, at: Timestamp, last_seen: Timestamp) -> Transition {
    Transition { last_seen, session_seen: last_seen, ..came(user, session, at, Reason::Login) }
}

/// Went out of sight.
fn vanished(user: i64, at: Timestamp, last_seen: Timestamp) -> Transition {
    Transition { session: None, ..went(user, 0, at, last_seen, Reason::Logout) }
}

async fn project_all(h: &Harness) {
    for shard in 0..SHARDS {
        let newest = h.engine.transitions(shard, Default::default(), 1).await.unwrap().newest;
        h.engine.projected(shard, newest, &[]).await.unwrap();
    }
}

/// Nobody is told anything but of sessions that left.
async fn assert_unseen(h: &Harness, user: i64, known: &Known) {
    assert_eq!(h.known(user).await, *known);
    assert_eq!(h.counts().await, Counts::default());
    let delta = h.engine.delta().await.unwrap().users;
    assert!(delta.iter().all(|(other, of_it)| other.0 != user || of_it == known), "{delta:?}");
    assert!(!delta.contains(&(UserId(user), Known::Settled)));
    let snapshot = h.engine.snapshot(&[UserId(user)]).await.unwrap();
    assert_eq!((&snapshot.known[0], snapshot.hidden.get(&UserId(user)).cloned()), (known, h.hidden(user).await));
}

contract! {
    async fn whoever_logs_in_invisible_lives_unseen(h: &Harness) {
        h.login_as(1, 11, &invisible(None)).await;
        assert_unseen(h, 1, &Known::Settled).await;
        assert_eq!(h.hidden(1).await, truly(h, TIMEOUT, h.start));
        h.at(secs(10));
        assert_eq!(h.touch(1, 11).await, Some(h.deadline(secs(10) + TIMEOUT)));
        assert_eq!(h.hidden(1).await, truly(h, secs(10) + TIMEOUT, h.moment(secs(10))));
        // A second device, a heartbeat on the slow path, a shorter timeout, a reload, an idle device.
        h.login(1, 12).await;
        h.engine.connect(h.fresh(1, 11, Reason::Heartbeat).await).await.unwrap();
        h.engine.retime(UserId(1), TIMEOUT / 2).await.unwrap();
        h.engine.leave(UserId(1), SessionId(11), secs(5)).await.unwrap();
        assert!(h.idle(1, 11, true).await && h.idle(1, 12, true).await);
        assert_unseen(h, 1, &Known::Settled).await;
        assert_eq!(h.entries(1).await, []);
        assert_eq!(h.engine.sessions(UserId(1)).await.unwrap().len(), 2);
        let scanned = h.engine.scan(1, 0).await.unwrap().users.remove(0);
        assert_eq!((scanned.0, scanned.1.len(), scanned.2), (UserId(1), 2, invisible(None)));
        assert!(!h.logout(1, 11).await);
        h.at(secs(20));
        assert!(!h.logout(1, 12).await, "nobody has gone offline");
        assert_eq!(h.hidden(1).await, None);
        assert_unseen(h, 1, &Known::Settled).await;
        assert_eq!(h.events(1).await, [left(1, 11, h.moment(secs(10))), left(1, 12, h.moment(secs(10)))]);
        assert_eq!(h.engine.expire(1, 10).await.unwrap().next, None);
    }

    async fn one_that_falls_silent_is_not_told_of_either(h: &Harness) {
        h.login_as(1, 11, &invisible(None)).await;
        h.at(secs(10));
        h.login(1, 12).await;
        h.at(TIMEOUT + secs(5));
        assert_eq!(h.hidden(1).await, truly(h, secs(10) + TIMEOUT, h.moment(secs(10))));
        h.at(secs(10) + TIMEOUT);
        assert_eq!(h.hidden(1).await, None);
        assert_unseen(h, 1, &Known::Settled).await;
        h.sweep().await;
        assert_unseen(h, 1, &Known::Settled).await;
        assert_eq!(h.events(1).await, [left(1, 11, h.start), left(1, 12, h.moment(secs(10)))]);
    }

    async fn one_that_is_barred_is_not_told_of_either(h: &Harness) {
        h.login_as(1, 11, &invisible(None)).await;
        h.login(1, 12).await;
        assert!(!h.engine.evict(UserId(1), SessionId::ALL, Reason::Banned).await.unwrap().went_offline);
        assert_unseen(h, 1, &Known::Settled).await;
        assert_eq!(h.events(1).await, [left(1, 11, h.start), left(1, 12, h.start)]);
    }

    async fn becoming_invisible_is_going_offline_and_appearing_is_coming_online(h: &Harness) {
        h.login(1, 11).await;
        h.login(3, 31).await;
        let seen = h.at(secs(10));
        h.touch(1, 11).await;
        let gone = h.at(secs(20));
        h.present(1, &Profile::default(), &invisible(None)).await;
        h.present(1, &Profile::default(), &invisible(None)).await;
        let known = offline(gone, seen, Reason::Logout);
        assert_eq!(h.known(1).await, known);
        assert_eq!(h.counts().await, Counts { online: 1, ..Counts::default() });
        h.logout(3, 31).await;
        assert_eq!(h.hidden(1).await, truly(h, secs(10) + TIMEOUT, seen));
        // Whatever it does now, it is known as it was known then.
        let later = h.at(secs(30));
        h.touch(1, 11).await;
        h.login(1, 12).await;
        h.logout(1, 11).await;
        assert_unseen(h, 1, &known).await;
        project_all(h).await;
        assert_unseen(h, 1, &Known::Settled).await;
        assert_eq!(h.hidden(1).await, truly(h, secs(30) + TIMEOUT, later));
        let back = h.at(secs(40));
        h.present(1, &invisible(None), &Profile::default()).await;
        assert_eq!(h.known(1).await, online(h.deadline(secs(30) + TIMEOUT), later, Reason::Login));
        assert_eq!((h.hidden(1).await, h.online().await), (None, 1));
        let expected = [
            Event::Transition(came(1, 11, h.start, Reason::Login)),
            Event::Transition(vanished(1, gone, seen)),
            left(1, 11, later),
            Event::Transition(appeared(1, 12, back, later)),
        ];
        assert_eq!(h.events(1).await, expected);
    }

    async fn what_began_before_it_was_seen_began_by_appearing(h: &Harness) {
        let heartbeat = h.fresh(1, 11, Reason::Heartbeat).await;
        h.engine.connect(lastseen_shared::presence::engine::Connect { profile: invisible(None), ..heartbeat }).await.unwrap();
        assert!(matches!(h.hidden(1).await, Some(Known::Online { reason: Reason::Heartbeat, .. })));
        h.present(1, &invisible(None), &Profile::default()).await;
        assert!(matches!(h.known(1).await, Known::Online { reason: Reason::Login, .. }));
    }

    async fn it_appears_when_its_choice_ends(h: &Harness) {
        let until = h.moment(secs(60));
        h.login_as(1, 11, &invisible(Some(until))).await;
        h.at(secs(30));
        h.touch(1, 11).await;
        h.at(secs(60) - ms(1));
        assert_unseen(h, 1, &Known::Settled).await;
        // To the millisecond, before any sweep.
        h.set(until);
        let known = online(h.deadline(secs(30) + TIMEOUT), h.moment(secs(30)), Reason::Login);
        assert_eq!((h.known(1).await, h.hidden(1).await), (known.clone(), None));
        assert_eq!(h.counts().await, Counts { online: 1, ..Counts::default() });
        assert_eq!(h.engine.delta().await.unwrap().users, [(UserId(1), known.clone())], "the database does not know");
        assert_eq!(h.entries(1).await, []);
        h.at(secs(70));
        h.sweep().await;
        h.sweep().await;
        assert_eq!(h.known(1).await, known);
        assert_eq!(h.transitions(1).await, [appeared(1, 11, until, h.moment(secs(30)))]);
        assert_eq!(h.counts().await, Counts { online: 1, ..Counts::default() });
    }

    async fn an_end_before_the_last_deadline_shows_it_for_that_long(h: &Harness) {
        let until = h.moment(TIMEOUT - ms(1));
        h.login_as(1, 11, &invisible(Some(until))).await;
        h.at(TIMEOUT * 3);
        let known = offline(h.moment(TIMEOUT), h.start, Reason::Timeout);
        assert_eq!((h.known(1).await, h.hidden(1).await), (known.clone(), None));
        assert_eq!(h.counts().await, Counts::default());
        assert_eq!(h.engine.delta().await.unwrap().users, [(UserId(1), known.clone())]);
        h.sweep().await;
        assert_eq!(h.known(1).await, known);
        let expected = [appeared(1, 11, until, h.start), went(1, 11, h.moment(TIMEOUT), h.start, Reason::Timeout)];
        assert_eq!(h.transitions(1).await, expected);
    }

    async fn an_end_at_or_after_the_last_deadline_never_shows_it(h: &Harness) {
        for (user, until) in [(1, TIMEOUT), (3, TIMEOUT + ms(1))] {
            h.login_as(user, user * 10, &invisible(Some(h.moment(until)))).await;
        }
        h.at(TIMEOUT * 3);
        for user in [1, 3] {
            assert_eq!((h.known(user).await, h.hidden(user).await), (Known::Settled, None));
        }
        assert_eq!(h.counts().await, Counts::default());
        assert_eq!(h.engine.delta().await.unwrap().users, []);
        h.sweep().await;
        assert_eq!(h.engine.expire(1, 10).await.unwrap().next, None);
        assert_eq!((h.events(1).await, h.events(3).await), (vec![left(1, 10, h.start)], vec![left(3, 30, h.start)]));
    }

    async fn devices_that_leave_before_the_end_and_after_it_are_told_in_their_order(h: &Harness) {
        h.login_as(1, 11, &invisible(Some(h.moment(TIMEOUT + secs(10))))).await;
        h.at(secs(30));
        h.login(1, 12).await;
        h.idle(1, 12, true).await;
        h.at(TIMEOUT * 3);
        h.sweep().await;
        let (seen, end) = (h.moment(secs(30)), h.moment(secs(30) + TIMEOUT));
        let shown = look(Availability::Away, None);
        let expected = [
            left(1, 11, h.start),
            Event::Transition(Transition { shown, ..appeared(1, 12, h.moment(TIMEOUT + secs(10)), seen) }),
            Event::Transition(went(1, 12, end, seen, Reason::Timeout)),
        ];
        assert_eq!(h.events(1).await, expected);
    }

    async fn a_slow_connect_does_not_show_it(h: &Harness) {
        let slow = h.fresh(1, 11, Reason::Login).await;
        h.present(1, &Profile::default(), &invisible(None)).await;
        h.at(secs(29));
        h.engine.connect(slow).await.unwrap();
        assert_unseen(h, 1, &Known::Settled).await;
        // Also where all sessions left in between.
        let again = h.fresh(1, 12, Reason::Login).await;
        h.logout(1, 11).await;
        h.engine.connect(again).await.unwrap();
        assert_unseen(h, 1, &Known::Settled).await;
        assert_eq!(h.events(1).await, [left(1, 11, h.moment(secs(29)))]);
    }

    async fn it_is_never_restated(h: &Harness) {
        h.login_as(1, 11, &invisible(None)).await;
        let gone = Restatement { at: h.moment(secs(3)), last_seen: h.moment(secs(2)), reason: Reason::Timeout };
        assert!(!h.engine.restate(UserId(1), false, gone).await.unwrap(), "offline is what is to be said of it");
        // Of a database that missed its going, it is said as of anybody who went.
        assert!(h.engine.restate(UserId(1), true, gone).await.unwrap());
        assert_unseen(h, 1, &offline(gone.at, gone.last_seen, Reason::Timeout)).await;
        assert!(h.hidden(1).await.is_some());
    }

    async fn a_clock_that_was_set_back_has_it_go_no_earlier_than_it_was_seen(h: &Harness) {
        let seen = h.at(secs(10));
        h.login(1, 11).await;
        h.at(secs(5));
        h.present(1, &Profile::default(), &invisible(None)).await;
        assert_eq!(h.known(1).await, offline(seen, seen, Reason::Logout));
        let back = h.at(secs(6));
        h.present(1, &invisible(None), &Profile::default()).await;
        assert_eq!(h.transitions(1).await[2], appeared(1, 11, back, back));
    }

    async fn many_heartbeats_of_it_are_one_batch_with_others(h: &Harness) {
        h.login_as(1, 11, &invisible(None)).await;
        h.login(3, 31).await;
        h.at(secs(10));
        let deadline = Some(h.deadline(secs(10) + TIMEOUT));
        assert_eq!(h.touch_all(&[touch(1, 11), touch(3, 31), touch(1, 12)]).await, [deadline, deadline, None]);
        assert_eq!(h.entries(1).await.len(), 1);
    }
}

/// A log-in that races a change to invisible leaves it invisible, and what was told says so.
async fn race(h: &Harness) {
    for round in 0..60 {
        let user = round * 2 + 1;
        let engine = h.engine.clone();
        let slow = h.fresh(user, user, Reason::Login).await;
        let connect = tokio::spawn(async move { engine.connect(slow).await });
        h.present(user, &Profile::default(), &invisible(None)).await;
        connect.await.unwrap().unwrap();
        assert!(!matches!(h.known(user).await, Known::Online { .. }));
        assert!(h.hidden(user).await.is_some());
        let story: Vec<bool> = h.transitions(user).await.iter().map(|t| t.online).collect();
        assert!(story.is_empty() || story == [true, false], "{story:?}");
    }
    assert_eq!(h.online().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_race_in_memory() {
    race(&Harness::memory()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_race_on_a_journal() {
    race(&Harness::journaled().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_race_on_redis() {
    race(&Harness::redis()).await;
}
