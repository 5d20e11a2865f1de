//! Log-ins and heartbeats: what makes a session live, and for how long.

use lastseen_shared::ids::UserId;
use lastseen_shared::presence::rule::Known;
use lastseen_shared::presence::{PresenceEngine as _, Reason};
use lastseen_shared::timestamp::Deadline;

use crate::harness::{Harness, TIMEOUT, came, live, ms, offline, online, secs, touch, went};

contract! {
    async fn is_online_when_connect_answers(h: &Harness) {
        assert_eq!(h.known(1).await, Known::Settled);
        assert_eq!(live(h.login(1, 11).await), h.deadline(TIMEOUT));
        let (until, last_seen) = (h.deadline(TIMEOUT), h.start);
        assert_eq!(h.known(1).await, online(until, last_seen, Reason::Login));
        assert_eq!(h.online().await, 1);
    }

    async fn is_offline_from_the_deadline_on(h: &Harness) {
        h.login(1, 11).await;
        let deadline = h.moment(TIMEOUT);
        h.at(TIMEOUT - ms(1));
        assert!(matches!(h.known(1).await, Known::Online { .. }));
        h.at(TIMEOUT);
        assert_eq!(h.known(1).await, offline(deadline, h.start, Reason::Timeout));
        assert_eq!(h.touch(1, 11).await, None);
        h.at(TIMEOUT + secs(1_000));
        assert_eq!(h.known(1).await, offline(deadline, h.start, Reason::Timeout));
    }

    async fn a_heartbeat_moves_the_deadline(h: &Harness) {
        h.login(1, 11).await;
        for beat in [30, 60, 179, 298] {
            let now = h.at(secs(beat));
            let until = h.deadline(secs(beat) + TIMEOUT);
            assert_eq!(h.touch(1, 11).await, Some(until));
            assert_eq!(h.known(1).await, online(until, now, Reason::Login));
        }
        h.at(secs(298) + TIMEOUT);
        assert_eq!(h.known(1).await, offline(h.moment(secs(298) + TIMEOUT), h.moment(secs(298)), Reason::Timeout));
        assert_eq!(h.transitions(1).await, [came(1, 11, h.start, Reason::Login)], "heartbeats make no transitions");
    }

    async fn a_batch_answers_each_heartbeat_in_its_place(h: &Harness) {
        h.login(1, 11).await;
        h.login(1, 12).await;
        h.login(3, 31).await;
        let now = h.at(secs(30));
        // Another user's session, a session that never was, a user who never was.
        let batch = [touch(5, 31), touch(3, 31), touch(1, 13), touch(1, 12), touch(7, 71), touch(1, 11)];
        let touched = h.engine.touch(1, &batch).await.unwrap();
        let until = Some(h.deadline(secs(30) + TIMEOUT));
        assert_eq!((touched.now, touched.deadlines), (now, vec![None, until, None, until, None, until]));
    }

    async fn the_same_session_twice_in_a_batch_counts_once(h: &Harness) {
        h.login(1, 11).await;
        h.at(secs(30));
        let until = Some(h.deadline(secs(30) + TIMEOUT));
        assert_eq!(h.touch_all(&[touch(1, 11), touch(1, 11), touch(1, 11)]).await, [until; 3]);
        assert_eq!(h.engine.sessions(UserId(1)).await.unwrap().len(), 1);
        assert_eq!(h.online().await, 1);
    }

    async fn heartbeats_among_few_and_among_many_that_wait_for_the_sweep(h: &Harness) {
        for silent in [3, 99, 100, 101, 250] {
            // No sweep has come by: those of the rounds before wait as well.
            let base = 10_000 * silent;
            let began = h.engine.now(UserId(1)).await.unwrap();
            let batch: Vec<_> = (0..silent + 20).map(|n| touch(base + n * 2 + 1, base + n)).collect();
            for touch in &batch {
                h.login(touch.user.0, touch.session.0).await;
            }
            h.set(began.plus(secs(60)));
            assert!(h.touch_all(&batch[silent as usize..]).await.iter().all(Option::is_some));
            let late = began.plus(TIMEOUT);
            h.set(late);
            let answers = h.touch_all(&batch).await;
            let (expired, live) = answers.split_at(silent as usize);
            assert!(expired.iter().all(Option::is_none), "{silent}");
            assert!(live.iter().all(|until| *until == Some(Deadline(late.plus(TIMEOUT)))), "{silent}");
            let held = h.engine.sessions(batch[0].user).await.unwrap();
            assert_eq!(held[0].deadline.0, late, "a heartbeat that came too late moves nothing");
        }
    }

    async fn sessions_of_different_timeouts_share_a_batch(h: &Harness) {
        let timeouts: [(i64, u64); 4] = [(1, 30), (3, 120), (5, 3_600), (7, 30)];
        let mut batch = Vec::new();
        for (user, timeout) in timeouts {
            h.login(user, user).await;
            h.engine.retime(UserId(user), secs(timeout)).await.unwrap();
            batch.push(touch(user, user));
        }
        // One is nobody's.
        batch.insert(2, touch(9, 9));
        h.at(secs(10));
        let until = |timeout: u64| Some(h.deadline(secs(10 + timeout)));
        let expected = vec![until(30), until(120), None, until(3_600), until(30)];
        assert_eq!(h.engine.touch(1, &batch).await.unwrap().deadlines, expected);
        h.at(secs(40));
        let expected = vec![None, Some(h.deadline(secs(160))), None, Some(h.deadline(secs(3_640))), None];
        assert_eq!(h.engine.touch(1, &batch).await.unwrap().deadlines, expected);
    }

    async fn an_empty_batch_is_none_at_all(h: &Harness) {
        let touched = h.engine.touch(0, &[]).await.unwrap();
        assert_eq!((touched.now, touched.deadlines), (h.start, vec![]));
    }

    async fn a_heartbeat_after_the_deadline_is_not_known_and_its_connect_settles_first(h: &Harness) {
        h.login(1, 11).await;
        let late = h.at(TIMEOUT + secs(7));
        assert_eq!(h.touch(1, 11).await, None, "no sweep has come by yet");
        let connect = h.fresh(1, 11, Reason::Heartbeat).await;
        assert_eq!(live(h.engine.connect(connect).await.unwrap()).0, late.plus(TIMEOUT));
        let expected = [
            came(1, 11, h.start, Reason::Login),
            went(1, 11, h.moment(TIMEOUT), h.start, Reason::Timeout),
            came(1, 11, late, Reason::Heartbeat),
        ];
        assert_eq!(h.transitions(1).await, expected);
        let until = h.deadline(TIMEOUT * 2 + secs(7));
        assert_eq!(h.known(1).await, online(until, late, Reason::Heartbeat));
    }

    async fn connecting_a_live_session_again_is_a_heartbeat(h: &Harness) {
        h.login(1, 11).await;
        let now = h.at(secs(30));
        assert_eq!(live(h.login(1, 11).await), h.deadline(secs(30) + TIMEOUT));
        assert_eq!(h.events(1).await.len(), 1);
        let held = h.engine.sessions(UserId(1)).await.unwrap();
        assert_eq!((held.len(), held[0].last_seen()), (1, now));
    }

    async fn a_batch_that_arrives_late_moves_no_deadline_back(h: &Harness) {
        h.login(1, 11).await;
        h.at(secs(60));
        let until = h.deadline(secs(60) + TIMEOUT);
        assert_eq!(h.touch(1, 11).await, Some(until));
        // As where a server whose clock is behind takes over.
        h.at(secs(50));
        assert_eq!(h.touch(1, 11).await, Some(until));
        assert_eq!(live(h.login(1, 11).await), until);
        let last_seen = h.moment(secs(60));
        assert_eq!(h.known(1).await, online(until, last_seen, Reason::Login));
    }

    async fn nobody_goes_offline_before_the_last_sign_of_life(h: &Harness) {
        h.login(1, 11).await;
        h.at(secs(60));
        h.touch(1, 11).await;
        let set_back = h.at(secs(50));
        assert!(h.logout(1, 11).await);
        let last_seen = h.moment(secs(60));
        assert_eq!(h.known(1).await, offline(last_seen, last_seen, Reason::Logout));
        // The same with another device that stays, and falls silent by the clock that was set back.
        h.at(secs(60));
        h.login(3, 31).await;
        h.set(set_back);
        h.login(3, 32).await;
        let short = ms(1_000);
        h.engine.retime(UserId(3), short).await.unwrap();
        assert!(!h.logout(3, 31).await);
        h.at(secs(52));
        let expected = offline(last_seen, last_seen, Reason::Timeout);
        assert_eq!(h.known(3).await, expected);
        h.sweep().await;
        assert_eq!(h.known(3).await, expected);
        assert!(h.transitions(3).await.last().is_some_and(|last| last.at == last_seen));
    }
}
