//! Users who change their inactivity timeout.

use lastseen_shared::ids::UserId;
use lastseen_shared::presence::engine::Connect;
use lastseen_shared::presence::transition::{Event, Transition};
use lastseen_shared::presence::{PresenceEngine as _, Reason};
use std::time::Duration;

use crate::harness::{Harness, TIMEOUT, came, live, offline, online, secs, touch, went};

async fn retime(h: &Harness, user: i64, timeout: Duration) {
    h.engine.retime(UserId(user), timeout).await.unwrap();
}

contract! {
    async fn a_new_timeout_counts_from_the_last_sign_of_life(h: &Harness) {
        h.login(1, 11).await;
        h.at(secs(20));
        retime(h, 1, secs(300)).await;
        let until = h.deadline(secs(300));
        assert_eq!(h.known(1).await, online(until, h.start, Reason::Login));
        retime(h, 1, secs(25)).await;
        h.at(secs(25));
        assert_eq!(h.known(1).await, offline(h.moment(secs(25)), h.start, Reason::Timeout));
    }

    async fn an_older_token_still_works_and_gets_the_new_timeout(h: &Harness) {
        h.login(1, 11).await;
        h.login(1, 12).await;
        h.at(secs(10));
        retime(h, 1, secs(300)).await;
        h.at(secs(20));
        let until = Some(h.deadline(secs(320)));
        assert_eq!(h.touch_all(&[touch(1, 11), touch(1, 12), touch(1, 1)]).await, [until, until, None]);
        assert_eq!(h.engine.sessions(UserId(1)).await.unwrap().len(), 2);
        // A session's id that ends like another's is not that other.
        assert_eq!(h.touch(1, 2).await, None);
        // Nor is a deadline overlooked on the way by the older timeout.
        h.at(secs(320));
        assert_eq!(h.touch(1, 11).await, None);
    }

    async fn a_slow_connect_gets_the_new_timeout(h: &Harness) {
        let slow = h.fresh(1, 11, Reason::Login).await;
        h.at(secs(1));
        retime(h, 1, secs(300)).await;
        assert_eq!(live(h.engine.connect(slow).await.unwrap()), h.deadline(secs(301)));
        let fresh = Connect { timeout: secs(300), ..h.fresh(1, 12, Reason::Login).await };
        assert_eq!(live(h.engine.connect(fresh).await.unwrap()), h.deadline(secs(301)));
        assert_eq!(h.touch(1, 11).await, Some(h.deadline(secs(301))));
    }

    async fn a_shorter_timeout_may_end_another_device_at_its_own_deadline(h: &Harness) {
        h.login(1, 11).await;
        h.at(secs(60));
        h.login(1, 12).await;
        h.at(secs(70));
        retime(h, 1, secs(30)).await;
        let (until, last_seen) = (h.deadline(secs(90)), h.moment(secs(60)));
        assert_eq!(h.known(1).await, online(until, last_seen, Reason::Login));
        assert_eq!(h.touch(1, 11).await, None);
        assert!(matches!(h.events(1).await[1], Event::SessionLeft { last_seen, .. } if last_seen == h.start));
    }

    async fn a_timeout_so_short_that_it_has_passed_ends_the_user_at_that_deadline(h: &Harness) {
        h.login(1, 11).await;
        h.at(secs(60));
        retime(h, 1, secs(30)).await;
        let expected =
            [came(1, 11, h.start, Reason::Login), went(1, 11, h.moment(secs(30)), h.start, Reason::Timeout)];
        assert_eq!(h.transitions(1).await, expected);
        assert_eq!(h.known(1).await, offline(h.moment(secs(30)), h.start, Reason::Timeout));
    }

    async fn a_timeout_that_comes_too_late_revives_nobody(h: &Harness) {
        h.login(1, 11).await;
        h.at(TIMEOUT);
        retime(h, 1, secs(3_000)).await;
        assert_eq!(h.known(1).await, offline(h.moment(TIMEOUT), h.start, Reason::Timeout));
        assert_eq!(h.touch(1, 11).await, None);
    }

    async fn a_device_that_left_keeps_its_sign_of_life(h: &Harness) {
        h.login(1, 11).await;
        h.login(1, 12).await;
        let seen = h.at(secs(50));
        h.touch(1, 11).await;
        h.at(secs(55));
        h.logout(1, 11).await;
        h.at(secs(60));
        retime(h, 1, secs(30)).await;
        // By the new timeout session 12 fell silent before session 11 was last seen.
        assert_eq!(h.known(1).await, offline(seen, seen, Reason::Timeout));
        let own = Transition { session_seen: h.start, ..went(1, 12, seen, seen, Reason::Timeout) };
        assert_eq!(h.transitions(1).await[1], own);
    }
}
