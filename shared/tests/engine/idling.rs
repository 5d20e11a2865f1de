//! Devices that nobody has touched for long.

use lastseen_shared::ids::{SessionId, UserId};
use lastseen_shared::presence::availability::{Availability, Shown};
use lastseen_shared::presence::engine::Counts;
use lastseen_shared::presence::rule::Known;
use lastseen_shared::presence::transition::Event;
use lastseen_shared::presence::{PresenceEngine as _, Reason};

use crate::harness::{Harness, TIMEOUT, came, choice, left, look, ms, secs, shows, went};

/// What is shown of an online user.
pub async fn shown(h: &Harness, user: i64) -> Shown {
    match h.known(user).await {
        Known::Online { shown, .. } => shown,
        other => panic!("user {user} is not online: {other:?}"),
    }
}

fn away() -> Shown {
    look(Availability::Away, None)
}

contract! {
    async fn a_user_is_away_when_all_its_devices_are_idle(h: &Harness) {
        h.login(1, 11).await;
        h.login(1, 12).await;
        h.login(3, 31).await;
        let at = h.at(secs(10));
        assert!(h.idle(1, 11, true).await);
        assert_eq!(shown(h, 1).await, Shown::default());
        assert_eq!(h.counts().await, Counts { online: 2, ..Counts::default() });
        assert!(h.idle(1, 12, true).await);
        assert!(h.idle(1, 12, true).await, "twice is once");
        assert_eq!((shown(h, 1).await, shown(h, 3).await), (away(), Shown::default()));
        assert_eq!(h.counts().await, Counts { online: 2, away: 1, ..Counts::default() });
        let back = h.at(secs(20));
        h.touch(1, 11).await;
        assert!(h.idle(1, 11, false).await);
        assert_eq!(h.counts().await, Counts { online: 2, ..Counts::default() });
        let expected = [
            Event::Transition(came(1, 11, h.start, Reason::Login)),
            shows(1, at, h.start, Reason::Login, away()),
            shows(1, back, back, Reason::Login, Shown::default()),
        ];
        assert_eq!(h.events(1).await, expected);
    }

    async fn only_a_live_device_is_idle(h: &Harness) {
        assert!(!h.idle(1, 11, true).await);
        h.login(1, 11).await;
        assert!(!h.idle(1, 12, true).await);
        h.at(TIMEOUT);
        assert!(!h.idle(1, 11, true).await);
        assert_eq!(h.transitions(1).await.len(), 2, "it is settled first");
        h.login(1, 11).await;
        assert_eq!(shown(h, 1).await, Shown::default(), "the mark is gone with the session");
    }

    async fn a_device_that_falls_silent_leaves_its_user_away(h: &Harness) {
        h.login(1, 11).await;
        h.login(1, 12).await;
        h.at(secs(60));
        h.touch(1, 12).await;
        h.idle(1, 12, true).await;
        h.at(TIMEOUT - ms(1));
        assert_eq!(shown(h, 1).await, Shown::default());
        // Read so before any sweep.
        h.at(TIMEOUT + secs(10));
        assert_eq!(shown(h, 1).await, away());
        assert_eq!(h.counts().await, Counts { online: 1, away: 1, ..Counts::default() });
        assert_eq!(h.events(1).await.len(), 1);
        h.sweep().await;
        h.sweep().await;
        assert_eq!(h.counts().await, Counts { online: 1, away: 1, ..Counts::default() });
        let expected = [
            Event::Transition(came(1, 11, h.start, Reason::Login)),
            left(1, 11, h.start),
            shows(1, h.moment(TIMEOUT), h.moment(secs(60)), Reason::Login, away()),
        ];
        assert_eq!(h.events(1).await, expected);
    }

    async fn devices_that_fall_silent_together_show_nothing_in_between(h: &Harness) {
        h.login(1, 11).await;
        h.login(1, 12).await;
        h.idle(1, 12, true).await;
        h.at(TIMEOUT * 2);
        h.sweep().await;
        let expected = [
            Event::Transition(came(1, 11, h.start, Reason::Login)),
            left(1, 11, h.start),
            Event::Transition(went(1, 12, h.moment(TIMEOUT), h.start, Reason::Timeout)),
        ];
        assert_eq!(h.events(1).await, expected);
    }

    async fn a_device_that_logs_out_leaves_its_user_away_and_a_new_one_brings_it_back(h: &Harness) {
        h.login(1, 11).await;
        h.login(1, 12).await;
        h.idle(1, 11, true).await;
        let gone = h.at(secs(10));
        assert!(!h.logout(1, 12).await);
        assert_eq!(shown(h, 1).await, away());
        let back = h.at(secs(20));
        h.login(1, 13).await;
        assert_eq!(shown(h, 1).await, Shown::default());
        let again = h.at(secs(30));
        h.idle(1, 13, true).await;
        h.engine.evict(UserId(1), SessionId(12), Reason::EndedByAdmin).await.unwrap();
        assert_eq!(h.counts().await, Counts { online: 1, away: 1, ..Counts::default() });
        let expected = [
            Event::Transition(came(1, 11, h.start, Reason::Login)),
            left(1, 12, h.start),
            shows(1, gone, h.start, Reason::Login, away()),
            shows(1, back, back, Reason::Login, Shown::default()),
            shows(1, again, back, Reason::Login, away()),
            left(1, 11, h.start),
        ];
        assert_eq!(h.events(1).await, expected);
    }

    async fn a_heartbeat_does_not_say_that_anybody_is_there(h: &Harness) {
        h.login(1, 11).await;
        h.idle(1, 11, true).await;
        h.at(secs(10));
        assert_eq!(h.touch(1, 11).await, Some(h.deadline(secs(10) + TIMEOUT)));
        // Nor does one on the slow path, of a token with an old timeout, or after it was about to leave.
        h.engine.connect(h.fresh(1, 11, Reason::Heartbeat).await).await.unwrap();
        assert_eq!(shown(h, 1).await, away());
        h.engine.retime(UserId(1), TIMEOUT * 2).await.unwrap();
        assert_eq!(h.touch(1, 11).await, Some(h.deadline(secs(10) + TIMEOUT * 2)));
        h.engine.leave(UserId(1), SessionId(11), secs(5)).await.unwrap();
        assert_eq!(h.touch(1, 11).await, None);
        assert_eq!(shown(h, 1).await, away());
        h.engine.connect(h.fresh(1, 11, Reason::Heartbeat).await).await.unwrap();
        assert_eq!(h.touch(1, 11).await, Some(h.deadline(secs(10) + TIMEOUT * 2)));
        assert_eq!(shown(h, 1).await, away());
        assert!(h.engine.sessions(UserId(1)).await.unwrap()[0].idle);
        assert_eq!(h.events(1).await.len(), 2);
        h.at(secs(10) + TIMEOUT * 2);
        h.sweep().await;
        assert_eq!(h.counts().await, Counts::default());
        assert_eq!(h.events(1).await.len(), 3, "offline, and nothing else");
    }

    async fn what_the_user_chose_counts_more_than_idle_devices(h: &Harness) {
        h.login_as(1, 11, &choice(Availability::Dnd, None)).await;
        h.login_as(3, 31, &choice(Availability::Away, None)).await;
        for (user, session) in [(1, 11), (3, 31)] {
            h.idle(user, session, true).await;
            h.idle(user, session, false).await;
            assert_eq!(h.events(user).await.len(), 1);
        }
        h.idle(1, 11, true).await;
        assert_eq!(shown(h, 1).await, look(Availability::Dnd, None));
        assert_eq!(h.counts().await, Counts { online: 2, away: 1, dnd: 1, limited: 0 });
        // Until it is taken back.
        let now = h.at(secs(10));
        h.present(1, &choice(Availability::Dnd, None), &choice(Availability::Available, None)).await;
        assert_eq!(h.events(1).await[1], shows(1, now, h.start, Reason::Login, away()));
    }

    async fn words_stay_where_the_user_is_away(h: &Harness) {
        let mut profile = choice(Availability::Available, None);
        profile.choice.shown = look(Availability::Available, Some("in the garden"));
        h.login_as(1, 11, &profile).await;
        h.idle(1, 11, true).await;
        assert_eq!(shown(h, 1).await, look(Availability::Away, Some("in the garden")));
    }
}
