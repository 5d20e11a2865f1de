//! Sessions that are ended, and slow connects that read their rows before.

use lastseen_shared::ids::{SessionId, UserId};
use lastseen_shared::presence::engine::{Connected, ENDED_MEMORY, ROW_FRESHNESS};
use lastseen_shared::presence::rule::Known;
use lastseen_shared::presence::{PresenceEngine as _, Reason};

use crate::harness::{Harness, came, live, ms, offline, secs, went};

async fn evict(h: &Harness, user: i64, up_to: SessionId) -> bool {
    h.engine.evict(UserId(user), up_to, Reason::Suspended).await.unwrap().went_offline
}

contract! {
    async fn a_logout_is_offline_at_once(h: &Harness) {
        h.login(1, 11).await;
        h.at(secs(40));
        h.touch(1, 11).await;
        let now = h.at(secs(47));
        assert!(h.logout(1, 11).await);
        assert_eq!(h.known(1).await, offline(now, h.moment(secs(40)), Reason::Logout));
        assert_eq!(h.touch(1, 11).await, None);
        assert_eq!(h.online().await, 0);
        assert!(!h.logout(1, 11).await, "only once");
        let expected =
            [came(1, 11, h.start, Reason::Login), went(1, 11, now, h.moment(secs(40)), Reason::Logout)];
        assert_eq!(h.transitions(1).await, expected);
    }

    async fn a_logout_after_the_deadline_is_a_timeout(h: &Harness) {
        h.login(1, 11).await;
        h.at(secs(121));
        assert!(!h.logout(1, 11).await);
        assert_eq!(h.known(1).await, offline(h.moment(secs(120)), h.start, Reason::Timeout));
    }

    async fn a_slow_connect_is_refused_after_a_logout(h: &Harness) {
        h.login(1, 11).await;
        let slow = h.fresh(1, 11, Reason::Heartbeat).await;
        h.at(secs(1));
        h.logout(1, 11).await;
        assert_eq!(h.engine.connect(slow).await.unwrap(), Connected::Ended);
        // The row changes only after the engine: one that was read in between says nothing either.
        let between = h.fresh(1, 11, Reason::Heartbeat).await;
        h.at(secs(30));
        assert_eq!(h.engine.connect(between).await.unwrap(), Connected::Ended);
        assert!(matches!(h.known(1).await, Known::Offline { reason: Reason::Logout, .. }));
        // Another session of the same user has nothing to do with it.
        live(h.login(1, 12).await);
    }

    async fn a_session_that_never_connected_can_be_ended(h: &Harness) {
        let slow = h.fresh(1, 11, Reason::Login).await;
        assert!(!h.logout(1, 11).await);
        assert_eq!(h.engine.connect(slow).await.unwrap(), Connected::Ended);
        assert_eq!(h.known(1).await, Known::Settled);
        assert_eq!(h.entries(1).await, []);
    }

    async fn evicting_all_ends_sessions_now_and_to_come(h: &Harness) {
        h.login(1, 11).await;
        h.login(1, 12).await;
        let slow = [h.fresh(1, 12, Reason::Heartbeat).await, h.fresh(1, 13, Reason::Login).await];
        let now = h.at(secs(1));
        assert!(evict(h, 1, SessionId::ALL).await);
        assert_eq!(h.known(1).await, offline(now, h.start, Reason::Suspended));
        for slow in slow {
            assert_eq!(h.engine.connect(slow).await.unwrap(), Connected::Ended);
        }
        assert!(!evict(h, 1, SessionId::ALL).await);
        live(h.login(3, 31).await);
    }

    async fn evicting_up_to_a_session_lets_later_ones_in(h: &Harness) {
        h.login(1, 11).await;
        h.login(1, 12).await;
        let slow = h.fresh(1, 12, Reason::Heartbeat).await;
        assert!(evict(h, 1, SessionId(12)).await);
        assert_eq!(h.engine.connect(slow).await.unwrap(), Connected::Ended);
        live(h.login(1, 13).await);
        assert!(matches!(h.known(1).await, Known::Online { .. }));
    }

    async fn evicting_spares_later_sessions(h: &Harness) {
        h.login(1, 11).await;
        h.login(1, 12).await;
        assert!(!evict(h, 1, SessionId(11)).await);
        assert_eq!(h.touch(1, 11).await, None);
        assert!(h.touch(1, 12).await.is_some());
    }

    async fn of_two_evictions_the_farther_one_holds(h: &Harness) {
        let slow = [h.fresh(1, 11, Reason::Login).await, h.fresh(1, 15, Reason::Login).await];
        let later = h.fresh(1, 16, Reason::Login).await;
        evict(h, 1, SessionId(15)).await;
        evict(h, 1, SessionId(11)).await;
        for slow in slow {
            assert_eq!(h.engine.connect(slow).await.unwrap(), Connected::Ended);
        }
        live(h.engine.connect(later).await.unwrap());
    }

    async fn admitting_ends_an_eviction_but_not_for_the_sessions_it_ended(h: &Harness) {
        h.login(1, 11).await;
        let slow = h.fresh(1, 11, Reason::Heartbeat).await;
        evict(h, 1, SessionId::ALL).await;
        h.engine.admit(UserId(1), SessionId(11)).await.unwrap();
        assert_eq!(h.engine.connect(slow).await.unwrap(), Connected::Ended);
        live(h.login(1, 12).await);
    }

    async fn a_row_that_was_read_long_ago_is_stale(h: &Harness) {
        let slow = h.fresh(1, 11, Reason::Login).await;
        h.at(ROW_FRESHNESS);
        let just = h.engine.connect(slow.clone()).await.unwrap();
        assert_eq!(live(just).0, h.moment(ROW_FRESHNESS + slow.timeout));
        h.logout(1, 11).await;
        let slow = h.fresh(3, 31, Reason::Login).await;
        h.at(ROW_FRESHNESS * 2 + ms(1));
        assert_eq!(h.engine.connect(slow).await.unwrap(), Connected::Stale);
        assert_eq!(h.known(3).await, Known::Settled);
    }

    async fn no_slow_connect_outlives_the_memory_of_what_it_missed(h: &Harness) {
        h.login(1, 11).await;
        let slow = h.fresh(1, 11, Reason::Heartbeat).await;
        h.at(ms(1));
        h.logout(1, 11).await;
        let evicted = h.fresh(3, 31, Reason::Login).await;
        h.at(ms(2));
        evict(h, 3, SessionId::ALL).await;
        for later in [ROW_FRESHNESS, ROW_FRESHNESS + ms(3), ENDED_MEMORY, ENDED_MEMORY + ms(3), ENDED_MEMORY * 10] {
            h.at(later);
            for slow in [slow.clone(), evicted.clone()] {
                // Redis forgets by its own clock, which this test does not move.
                let answer = h.engine.connect(slow).await.unwrap();
                assert!(matches!(answer, Connected::Ended | Connected::Stale), "{answer:?} after {later:?}");
            }
        }
        assert_eq!(h.online().await, 0);
    }
}
