//! The sweep, counts with much of it to do, and going through everybody.

use std::collections::HashMap;

use lastseen_shared::ids::{SessionId, UserId};
use lastseen_shared::presence::rule::Known;
use lastseen_shared::presence::{PresenceEngine as _, Reason};

use crate::harness::{Harness, TIMEOUT, ms, offline, secs, touch};

/// Users of shard 1, each with one session.
async fn crowd(h: &Harness, users: std::ops::Range<i64>) {
    let read = h.fresh(1, 1, Reason::Login).await;
    let connect = |user| {
        let connect = lastseen_shared::presence::engine::Connect {
            user: UserId(user * 2 + 1),
            session: SessionId(user + 1),
            ..read.clone()
        };
        async move { h.engine.connect(connect).await.unwrap() }
    };
    futures_util::future::join_all(users.map(connect)).await;
}

contract! {
    async fn a_sweep_takes_no_more_than_it_is_told(h: &Harness) {
        crowd(h, 0..20).await;
        h.at(secs(60));
        crowd(h, 20..25).await;
        h.at(TIMEOUT - ms(1));
        assert_eq!(h.engine.expire(1, 100).await.unwrap().taken, 0);
        h.at(TIMEOUT);
        assert_eq!(h.engine.expire(0, 100).await.unwrap().taken, 0, "another shard");
        for (most, taken) in [(8, 8), (0, 0), (8, 8), (8, 4), (8, 0)] {
            let before = h.entries(1).await.len();
            assert_eq!(h.engine.expire(1, most).await.unwrap().taken, taken);
            assert_eq!(h.entries(1).await.len(), before + taken);
        }
        assert_eq!(h.online().await, 5);
        assert_eq!(h.known(1).await, offline(h.moment(TIMEOUT), h.start, Reason::Timeout));
    }

    async fn counts_are_exact_with_thousands_unswept(h: &Harness) {
        crowd(h, 0..2_500).await;
        h.at(secs(60));
        crowd(h, 2_500..2_600).await;
        assert_eq!(h.online().await, 2_600);
        h.at(TIMEOUT);
        assert_eq!(h.online().await, 100);
        // Between two sessions of the same user, only one of which is silent.
        let known = h.engine.lookup(&[UserId(1), UserId(5_001)]).await.unwrap();
        assert_eq!(known.known[0], offline(h.moment(TIMEOUT), h.start, Reason::Timeout));
        assert!(matches!(known.known[1], Known::Online { .. }));
        let delta = h.engine.delta().await.unwrap();
        assert_eq!(delta.counts.online, 100);
        assert_eq!(delta.users.iter().filter(|(_, known)| matches!(known, Known::Offline { .. })).count(), 2_500);
        h.sweep().await;
        assert_eq!(h.online().await, 100);
        assert_eq!(h.entries(1).await.len(), 5_100);
    }

    async fn heartbeats_of_thousands_move_everybody_past_what_was_waited_for(h: &Harness) {
        crowd(h, 0..2_600).await;
        h.at(secs(60));
        let batch: Vec<_> = (0..2_599).map(|user| touch(user * 2 + 1, user + 1)).collect();
        assert!(h.touch_all(&batch).await.iter().all(Option::is_some));
        h.at(TIMEOUT);
        assert_eq!(h.online().await, 2_599);
        let expired = h.engine.expire(1, 10_000).await.unwrap();
        assert!(expired.taken <= 1 && expired.next == Some(secs(60)), "{expired:?}");
        assert_eq!(h.engine.expire(1, 10_000).await.unwrap().taken, 0, "nobody is taken for expired twice");
        assert_eq!(h.online().await, 2_599);
        h.at(TIMEOUT + secs(60));
        assert_eq!(h.online().await, 0);
        h.sweep().await;
        assert_eq!(h.entries(1).await.len(), 5_200);
    }

    async fn a_session_that_a_clock_set_back_brought_to_life_is_swept_in_its_time(h: &Harness) {
        h.login(1, 11).await;
        h.at(TIMEOUT);
        assert_eq!(h.online().await, 0, "it was found ended");
        h.at(TIMEOUT - ms(1));
        let until = h.deadline(TIMEOUT * 2 - ms(1));
        assert_eq!(h.touch(1, 11).await, Some(until));
        assert_eq!(h.online().await, 1);
        h.at(TIMEOUT);
        assert_eq!(h.engine.expire(1, 10).await.unwrap().taken, 0);
        assert_eq!(h.online().await, 1);
        h.at(TIMEOUT * 2);
        assert_eq!(h.online().await, 0);
        assert_eq!(h.engine.expire(1, 10).await.unwrap().taken, 1);
        assert_eq!(h.known(1).await, offline(until.0, h.moment(TIMEOUT - ms(1)), Reason::Timeout));
    }

    async fn users_with_a_silent_device_beside_another_count_once(h: &Harness) {
        crowd(h, 0..5).await;
        h.at(secs(60));
        h.login(1, 1_000).await;
        h.login(3, 1_001).await;
        h.at(TIMEOUT);
        assert_eq!(h.online().await, 2);
        h.sweep().await;
        assert_eq!(h.online().await, 2);
    }

    async fn a_scan_visits_everybody(h: &Harness) {
        crowd(h, 0..1_700).await;
        h.at(TIMEOUT);
        crowd(h, 1_000..1_001).await;
        let (mut from, mut met) = (0, HashMap::new());
        loop {
            let page = h.engine.scan(1, from).await.unwrap();
            for (user, sessions, _) in page.users {
                assert_eq!(sessions.len(), 1);
                met.insert(user, sessions[0]);
            }
            let Some(next) = page.next else { break };
            from = next;
        }
        assert_eq!(met.len(), 1_700);
        assert_eq!(met[&UserId(2_001)].deadline, h.deadline(TIMEOUT * 2));
        assert_eq!(met[&UserId(1)].deadline, h.deadline(TIMEOUT));
        assert_eq!(h.engine.scan(0, 0).await.unwrap().users, []);
    }
}
