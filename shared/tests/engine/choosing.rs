//! What users choose to show, and when that ends.

use lastseen_shared::ids::{SessionId, UserId};
use lastseen_shared::presence::availability::{Availability, Profile, Shown, Words};
use lastseen_shared::presence::engine::Counts;
use lastseen_shared::presence::rule::Known;
use lastseen_shared::presence::transition::Event;
use lastseen_shared::presence::{PresenceEngine as _, Reason};

use crate::harness::{Harness, SHARDS, TIMEOUT, came, choice, look, ms, offline, secs, shows, touch, went};
use crate::idling::shown;

const DND: Availability = Availability::Dnd;

async fn due(h: &Harness, shard: u32) -> Option<std::time::Duration> {
    h.engine.expire(shard, 100).await.unwrap().next
}

contract! {
    async fn a_choice_is_shown_at_once_and_told_once(h: &Harness) {
        h.login(1, 11).await;
        h.engine.projected(1, h.entries(1).await[0].id, &[]).await.unwrap();
        let now = h.at(secs(10));
        let chosen = choice(DND, None);
        h.present(1, &Profile::default(), &chosen).await;
        h.present(1, &Profile::default(), &chosen).await;
        assert_eq!(shown(h, 1).await, look(DND, None));
        assert_eq!(h.engine.delta().await.unwrap().users, [], "the database still says what is true");
        assert_eq!(h.counts().await, Counts { online: 1, dnd: 1, ..Counts::default() });
        let back = h.at(secs(20));
        h.touch(1, 11).await;
        h.present(1, &chosen, &Profile::default()).await;
        assert_eq!(h.counts().await, Counts { online: 1, ..Counts::default() });
        let expected = [
            Event::Transition(came(1, 11, h.start, Reason::Login)),
            shows(1, now, h.start, Reason::Login, look(DND, None)),
            shows(1, back, back, Reason::Login, Shown::default()),
        ];
        assert_eq!(h.events(1).await, expected);
    }

    async fn a_log_in_shows_what_was_chosen_before(h: &Harness) {
        h.present(1, &Profile::default(), &choice(DND, None)).await;
        assert_eq!(h.events(1).await, [], "there is nobody to show it");
        assert_eq!(h.counts().await, Counts::default());
        h.login_as(1, 11, &choice(DND, None)).await;
        let mut expected = came(1, 11, h.start, Reason::Login);
        expected.shown = look(DND, None);
        assert_eq!(h.transitions(1).await, [expected]);
        // The next device's row is no newer than what the engine has.
        h.login_as(1, 12, &Profile::default()).await;
        assert_eq!(shown(h, 1).await, look(DND, None));
        assert_eq!(h.events(1).await.len(), 1);
        h.logout(1, 11).await;
        h.logout(1, 12).await;
        assert_eq!(h.counts().await, Counts::default());
        let last = h.transitions(1).await.remove(1);
        assert_eq!(last, went(1, 12, h.start, h.start, Reason::Logout), "offline there is nothing to show");
    }

    async fn a_choice_ends_by_itself_exactly_and_once(h: &Harness) {
        let until = h.moment(secs(60));
        h.login_as(1, 11, &choice(DND, Some(until))).await;
        h.at(secs(50));
        h.touch(1, 11).await;
        h.at(secs(60) - ms(1));
        assert_eq!(due(h, 1).await, Some(ms(1)));
        assert_eq!(shown(h, 1).await, look(DND, None));
        assert_eq!(h.counts().await, Counts { online: 1, dnd: 1, ..Counts::default() });
        // Before any sweep, and with no event.
        h.set(until);
        assert_eq!(shown(h, 1).await, Shown::default());
        assert_eq!(h.counts().await, Counts { online: 1, ..Counts::default() });
        assert_eq!(h.events(1).await.len(), 1);
        h.at(secs(70));
        let expired = h.engine.expire(1, 100).await.unwrap();
        assert_eq!((expired.taken, expired.next), (1, Some(secs(100))));
        assert_eq!(h.engine.expire(1, 100).await.unwrap().taken, 0);
        h.present(1, &choice(DND, Some(until)), &choice(DND, Some(until))).await;
        assert_eq!(h.counts().await, Counts { online: 1, ..Counts::default() });
        assert_eq!(h.events(1).await[1..], [shows(1, until, h.moment(secs(50)), Reason::Login, Shown::default())]);
    }

    async fn a_heartbeat_after_the_end_does_not_move_it(h: &Harness) {
        let until = h.moment(secs(60));
        h.login_as(1, 11, &choice(DND, Some(until))).await;
        h.at(secs(90));
        h.touch(1, 11).await;
        h.sweep().await;
        // At the end it was seen last no later than that.
        assert_eq!(h.events(1).await[1..], [shows(1, until, until, Reason::Login, Shown::default())]);
    }

    async fn an_end_that_its_user_did_not_live_to_see_is_none(h: &Harness) {
        for (user, until) in [(1, TIMEOUT), (3, TIMEOUT + secs(1)), (5, TIMEOUT - secs(1))] {
            h.login_as(user, user * 10, &choice(DND, Some(h.moment(until)))).await;
        }
        h.at(TIMEOUT * 3);
        assert_eq!(h.counts().await, Counts::default());
        assert_eq!(h.known(1).await, offline(h.moment(TIMEOUT), h.start, Reason::Timeout));
        h.sweep().await;
        assert_eq!(due(h, 1).await, None, "nothing of it is left");
        assert_eq!([h.events(1).await.len(), h.events(3).await.len(), h.events(5).await.len()], [2, 2, 3]);
        let ended = shows(5, h.moment(TIMEOUT - secs(1)), h.start, Reason::Login, Shown::default());
        assert_eq!(h.events(5).await[1], ended);
    }

    async fn one_that_has_ended_before_it_is_heard_of_is_none(h: &Harness) {
        let now = h.at(secs(10));
        h.login_as(1, 11, &choice(DND, Some(now))).await;
        assert_eq!(h.known(1).await, crate::harness::online(h.deadline(secs(10) + TIMEOUT), now, Reason::Login));
        h.present(1, &Profile::default(), &choice(DND, Some(h.start))).await;
        assert_eq!(h.events(1).await.len(), 1);
        assert_eq!(due(h, 1).await, Some(TIMEOUT));
    }

    async fn a_new_choice_takes_the_end_of_the_one_before_with_it(h: &Harness) {
        let first = choice(DND, Some(h.moment(secs(60))));
        let second = choice(DND, Some(h.moment(secs(90))));
        h.login_as(1, 11, &first).await;
        h.present(1, &first, &second).await;
        assert_eq!(h.events(1).await.len(), 1, "it looks the same");
        h.at(secs(60));
        h.sweep().await;
        assert_eq!(shown(h, 1).await, look(DND, None));
        assert_eq!(due(h, 1).await, Some(secs(30)));
        h.present(1, &second, &choice(DND, None)).await;
        h.at(secs(100));
        h.sweep().await;
        assert_eq!(shown(h, 1).await, look(DND, None));
        assert_eq!(h.events(1).await.len(), 1);
    }

    async fn devices_and_choices_are_taken_in_the_order_of_their_times(h: &Harness) {
        // The device that is touched leaves, then the choice ends, then the other one leaves.
        h.login_as(1, 11, &choice(DND, Some(h.moment(TIMEOUT + secs(10))))).await;
        h.at(secs(30));
        h.login(1, 12).await;
        h.idle(1, 12, true).await;
        h.at(TIMEOUT * 5);
        h.sweep().await;
        let away = look(Availability::Away, None);
        let last_seen = h.moment(secs(30));
        let expected = [
            crate::harness::left(1, 11, h.start),
            shows(1, h.moment(TIMEOUT + secs(10)), last_seen, Reason::Login, away),
            Event::Transition(went(1, 12, last_seen.plus(TIMEOUT), last_seen, Reason::Timeout)),
        ];
        assert_eq!(h.events(1).await[1..], expected);
    }

    async fn words_are_told_as_they_were_said(h: &Harness) {
        // As if a session with a timeout of its own stood in them.
        let said = ["|12:5000l", ",12:5000", "\"}|i\\", "ä\n🌴", "x|y,z|1|2"];
        h.login(1, 11).await;
        let mut before = Profile::default();
        for text in said {
            let mut after = choice(Availability::Available, None);
            after.choice.shown.words = Words::of(Some(text.to_owned()), Some("🌴,|".to_owned()));
            h.present(1, &before, &after).await;
            assert_eq!(shown(h, 1).await, after.choice.shown);
            assert_eq!(h.touch_all(&[touch(1, 12), touch(1, 11)]).await, [None, Some(h.deadline(TIMEOUT))]);
            let told = h.events(1).await.pop();
            assert!(matches!(&told, Some(Event::Shown(t)) if t.shown == after.choice.shown), "{told:?}");
            let scanned = h.engine.scan(1, 0).await.unwrap().users.remove(0);
            assert_eq!((scanned.0, scanned.1.len(), &scanned.2), (UserId(1), 1, &after));
            before = after;
        }
        assert_eq!(h.events(1).await.len(), 1 + said.len());
    }

    async fn a_slow_connect_does_not_bring_back_what_was_shown_before(h: &Harness) {
        let slow = h.fresh(1, 11, Reason::Login).await;
        h.present(1, &Profile::default(), &choice(DND, None)).await;
        h.at(secs(29));
        h.engine.connect(slow).await.unwrap();
        assert_eq!(shown(h, 1).await, look(DND, None));
    }

    async fn a_sweep_takes_choices_too_and_no_more_than_it_is_told(h: &Harness) {
        let profile = choice(DND, Some(h.moment(secs(60))));
        for user in 0..10 {
            h.login_as(user * 2 + 1, user + 1, &profile).await;
        }
        for user in 10..15 {
            h.login(user * 2 + 1, user + 1).await;
        }
        h.at(secs(50));
        for user in 0..5 {
            h.touch(user * 2 + 1, user + 1).await;
        }
        h.at(TIMEOUT);
        assert_eq!(h.counts().await, Counts { online: 5, ..Counts::default() });
        assert_eq!(h.engine.expire(0, 100).await.unwrap().taken, 0, "another shard");
        // Ten sessions, and the choices of those five who are still there: the others' went with their sessions.
        let mut taken = 0;
        loop {
            let expired = h.engine.expire(1, 4).await.unwrap();
            assert!(expired.taken <= 4);
            taken += expired.taken;
            if expired.taken < 4 {
                assert_eq!(expired.next, Some(secs(50)));
                break;
            }
        }
        assert_eq!(taken, 15);
        assert_eq!(h.counts().await, Counts { online: 5, ..Counts::default() });
        h.at(secs(50) + TIMEOUT);
        assert_eq!(h.counts().await, Counts::default());
    }

    async fn counts_are_exact_with_thousands_of_choices_overdue(h: &Harness) {
        let profile = choice(DND, Some(h.moment(secs(60))));
        let read = h.fresh(1, 1, Reason::Login).await;
        let connects = (0..1_500_i64).map(|user| {
            let (user, session) = (UserId(user * i64::from(SHARDS) + 1), SessionId(user + 1));
            let connect = lastseen_shared::presence::engine::Connect {
                user, session, profile: profile.clone(), ..read.clone()
            };
            async move { h.engine.connect(connect).await.unwrap() }
        });
        futures_util::future::join_all(connects).await;
        assert_eq!(h.counts().await, Counts { online: 1_500, dnd: 1_500, ..Counts::default() });
        h.at(secs(60));
        assert_eq!(h.counts().await, Counts { online: 1_500, ..Counts::default() });
        assert!(matches!(h.known(1).await, Known::Online { shown, .. } if shown == Shown::default()));
    }
}
