//! Users with several devices.

use lastseen_shared::presence::Reason;
use lastseen_shared::presence::transition::{Event, Transition};

use crate::harness::{Harness, TIMEOUT, came, left, offline, online, secs, touch, went};

contract! {
    async fn one_of_two_logs_out_and_the_user_stays_online(h: &Harness) {
        h.login(1, 11).await;
        h.at(secs(10));
        h.login(1, 12).await;
        h.at(secs(20));
        assert!(!h.logout(1, 11).await);
        let until = h.deadline(secs(10) + TIMEOUT);
        let last_seen = h.moment(secs(10));
        assert_eq!(h.known(1).await, online(until, last_seen, Reason::Login));
        assert_eq!(h.touch(1, 11).await, None);
        let came = Event::Transition(came(1, 11, h.start, Reason::Login));
        assert_eq!(h.events(1).await, [came, left(1, 11, h.start)]);
    }

    async fn sessions_are_counted_until_they_are_swept(h: &Harness) {
        let held = async || h.engine.held().await.unwrap();
        assert_eq!(held().await, 0);
        for (user, session) in [(1, 11), (1, 12), (2, 21), (3, 31)] {
            h.login(user, session).await;
        }
        assert_eq!(held().await, 4);
        h.logout(1, 11).await;
        h.touch(1, 12).await;
        assert_eq!(held().await, 3);
        h.at(TIMEOUT);
        assert_eq!(held().await, 3, "nothing was swept");
        h.sweep().await;
        assert_eq!(held().await, 0);
    }

    async fn the_last_device_decides(h: &Harness) {
        h.login(1, 11).await;
        h.at(secs(10));
        h.login(1, 12).await;
        h.at(secs(70));
        h.touch(1, 11).await;
        h.at(secs(10) + TIMEOUT);
        let (until, last_seen) = (h.deadline(secs(70) + TIMEOUT), h.moment(secs(70)));
        assert_eq!(h.known(1).await, online(until, last_seen, Reason::Login));
        h.at(secs(70) + TIMEOUT);
        assert_eq!(h.known(1).await, offline(until.0, last_seen, Reason::Timeout));
        h.sweep().await;
        assert_eq!(h.known(1).await, offline(until.0, last_seen, Reason::Timeout));
        let expected = [
            Event::Transition(came(1, 11, h.start, Reason::Login)),
            left(1, 12, h.moment(secs(10))),
            Event::Transition(went(1, 11, until.0, last_seen, Reason::Timeout)),
        ];
        assert_eq!(h.events(1).await, expected);
    }

    async fn last_seen_remembers_a_device_that_left(h: &Harness) {
        h.login(1, 11).await;
        h.login(1, 12).await;
        let last_seen = h.at(secs(60));
        assert_eq!(h.touch_all(&[touch(1, 11)]).await, [Some(h.deadline(secs(60) + TIMEOUT))]);
        h.at(secs(80));
        assert!(!h.logout(1, 11).await);
        let until = h.deadline(TIMEOUT);
        assert_eq!(h.known(1).await, online(until, last_seen, Reason::Login));
        h.at(TIMEOUT);
        assert_eq!(h.known(1).await, offline(until.0, last_seen, Reason::Timeout));
        h.sweep().await;
        assert_eq!(h.known(1).await, offline(until.0, last_seen, Reason::Timeout));
        // Of the device itself it is told when it was seen, too.
        let expected = Transition { session_seen: h.start, ..went(1, 12, until.0, last_seen, Reason::Timeout) };
        assert_eq!(h.transitions(1).await[1], expected);
    }

    async fn a_new_interval_begins_without_the_memory_of_the_one_before(h: &Harness) {
        h.login(1, 11).await;
        h.at(secs(50));
        h.logout(1, 11).await;
        let again = h.at(secs(60));
        h.login(1, 12).await;
        h.at(secs(60) + TIMEOUT);
        assert_eq!(h.known(1).await, offline(again.plus(TIMEOUT), again, Reason::Timeout));
    }

    async fn a_logout_beside_a_silent_device_is_the_users_logout(h: &Harness) {
        h.login(1, 11).await;
        h.at(secs(10));
        h.login(1, 12).await;
        // Session 11 is past its deadline and unsettled.
        let now = h.at(secs(5) + TIMEOUT);
        assert!(h.logout(1, 12).await);
        let last_seen = h.moment(secs(10));
        let expected = [
            Event::Transition(came(1, 11, h.start, Reason::Login)),
            left(1, 11, h.start),
            Event::Transition(went(1, 12, now, last_seen, Reason::Logout)),
        ];
        assert_eq!(h.events(1).await, expected);
    }

    async fn devices_that_fall_silent_together_leave_together(h: &Harness) {
        for session in [11, 12, 13] {
            h.login(1, session).await;
        }
        h.at(TIMEOUT + secs(1));
        h.sweep().await;
        // Of equal deadlines the newest session's is named.
        let expected = [
            Event::Transition(came(1, 11, h.start, Reason::Login)),
            left(1, 11, h.start),
            left(1, 12, h.start),
            Event::Transition(went(1, 13, h.moment(TIMEOUT), h.start, Reason::Timeout)),
        ];
        assert_eq!(h.events(1).await, expected);
    }
}
