//! The transitions: their order, who waits for them, and when they are forgotten.

use std::time::{Duration, Instant};

use lastseen_shared::ids::UserId;
use lastseen_shared::presence::rule::Known;
use lastseen_shared::presence::transition::{Entry, Event};
use lastseen_shared::presence::{PresenceEngine as _, Reason, TransitionId};

use crate::harness::{Harness, TIMEOUT, ms, offline, secs};

/// Makes entries in shard 1 until one stands in a later millisecond than the one before. Redis numbers them by its own
/// clock, so there is no other way to tell.
pub async fn entries_of_two_milliseconds(h: &Harness) -> Vec<Entry> {
    for session in 1..100_000_i64 {
        h.at(ms(session.unsigned_abs()));
        h.login(1, session).await;
        h.logout(1, session).await;
        let entries = h.entries(1).await;
        if session > 3 && entries[entries.len() - 2].id.ms > entries[0].id.ms {
            return entries;
        }
    }
    panic!("the clock of the ids stands still");
}

contract! {
    async fn entries_have_growing_ids_and_alternate_for_each_user(h: &Harness) {
        for round in 0..3_i64 {
            h.at(TIMEOUT * 2 * u32::try_from(round).unwrap());
            for user in [1, 3, 5] {
                h.login(user, user * 100 + round).await;
                h.login(user, user * 100 + round + 10).await;
            }
            h.logout(1, 100 + round).await;
            h.logout(1, 110 + round).await;
            h.logout(3, 300 + round).await;
        }
        h.at(TIMEOUT * 20);
        h.sweep().await;
        let entries = h.entries(1).await;
        assert!(entries.windows(2).all(|pair| pair[0].id < pair[1].id));
        for user in [1, 3, 5] {
            let transitions = h.transitions(user).await;
            assert_eq!(transitions.len(), 6, "{transitions:?}");
            assert!(transitions.iter().zip([true, false].iter().cycle()).all(|(t, online)| t.online == *online));
            assert!(transitions.windows(2).all(|pair| pair[0].at <= pair[1].at), "{transitions:?}");
            assert!(transitions.iter().all(|t| t.last_seen <= t.at));
            let left = h.events(user).await.iter().filter(|e| matches!(e, Event::SessionLeft { .. })).count();
            assert_eq!(left, 3);
        }
    }

    async fn a_stretch_goes_on_after_the_place_it_is_asked_for(h: &Harness) {
        let empty = h.engine.transitions(1, TransitionId::START, 10).await.unwrap();
        assert_eq!((empty.entries.len(), empty.newest, empty.trimmed), (0, TransitionId::START, TransitionId::START));
        for user in [1, 3, 5, 7] {
            h.login(user, user * 10).await;
        }
        let all = h.entries(1).await;
        let (mut read, mut after) = (Vec::new(), TransitionId::START);
        loop {
            let stretch = h.engine.transitions(1, after, 3).await.unwrap();
            assert_eq!(stretch.newest, all[3].id);
            let Some(last) = stretch.entries.last() else { break };
            after = last.id;
            read.extend(stretch.entries);
        }
        assert_eq!(read, all);
        let beyond = TransitionId { ms: u64::MAX, seq: u64::MAX };
        assert_eq!(h.engine.transitions(1, beyond, 3).await.unwrap().entries, []);
        assert_eq!(h.entries(2).await, [], "the other shard's are its own");
    }

    async fn ids_grow_where_the_clock_is_set_back(h: &Harness) {
        h.at(secs(100));
        h.login(1, 10).await;
        h.at(secs(50));
        h.login(3, 30).await;
        h.logout(3, 30).await;
        let entries = h.entries(1).await;
        assert_eq!(entries.len(), 3);
        assert!(entries.windows(2).all(|pair| pair[0].id < pair[1].id));
    }

    async fn a_waiting_follower_is_woken(h: &Harness) {
        let started = Instant::now();
        let (waited, ()) = tokio::join!(h.engine.wait(1, TransitionId::START, secs(9)), async {
            // The wait is under way by the time that all of these are answered.
            for _ in 0..20 {
                h.online().await;
            }
            h.login(1, 10).await;
        });
        waited.unwrap();
        assert!(started.elapsed() < secs(5));
        // What has already happened is not waited for.
        h.engine.wait(1, TransitionId::START, secs(9)).await.unwrap();
        assert!(started.elapsed() < secs(5));
        // And nobody waits for ever.
        let newest = h.entries(1).await[0].id;
        h.engine.wait(1, newest, ms(20)).await.unwrap();
        assert!(started.elapsed() < secs(5));
    }

    async fn followers_of_one_shard_wait_each_for_itself(h: &Harness) {
        let patient = std::pin::pin!(h.engine.wait(1, TransitionId::START, secs(9)));
        let both = async {
            h.online().await;
            h.engine.wait(1, TransitionId::START, ms(20)).await.unwrap();
        };
        match futures_util::future::select(patient, std::pin::pin!(both)).await {
            futures_util::future::Either::Left(_) => panic!("nothing has happened"),
            futures_util::future::Either::Right(((), patient)) => {
                h.login(1, 10).await;
                patient.await.unwrap();
            }
        }
    }

    async fn what_is_not_projected_is_known_and_afterwards_settled(h: &Harness) {
        h.login(1, 10).await;
        h.login(3, 30).await;
        h.at(secs(5));
        h.logout(1, 10).await;
        h.logout(3, 30).await;
        let gone = offline(h.moment(secs(5)), h.start, Reason::Logout);
        let entries = h.entries(1).await;
        let of = |user: i64, online: bool| {
            let found = entries.iter().find(|entry| {
                matches!(&entry.event, Event::Transition(t) if t.user == UserId(user) && t.online == online)
            });
            found.unwrap().id
        };
        // The database is at the log-ins: what came after is still the engine's to tell.
        h.engine.projected(1, of(3, true), &[UserId(1), UserId(3)]).await.unwrap();
        assert_eq!((h.known(1).await, h.known(3).await), (gone.clone(), gone.clone()));
        h.engine.projected(1, of(1, false), &[UserId(1), UserId(3)]).await.unwrap();
        assert_eq!((h.known(1).await, h.known(3).await), (Known::Settled, gone.clone()));
        // Named or not at all, which means everybody.
        h.engine.projected(1, of(3, false), &[UserId(1)]).await.unwrap();
        assert_eq!(h.known(3).await, gone);
        h.engine.projected(1, of(3, false), &[]).await.unwrap();
        assert_eq!(h.known(3).await, Known::Settled);
    }

    async fn projecting_forgets_thousands(h: &Harness) {
        for user in 0..1_500 {
            h.login(user * 2 + 1, user + 1).await;
        }
        let newest = h.entries(1).await.last().unwrap().id;
        assert_eq!(h.engine.delta().await.unwrap().users.len(), 1_500);
        h.engine.projected(1, newest, &[]).await.unwrap();
        assert_eq!(h.engine.delta().await.unwrap().users, []);
        assert_eq!(h.online().await, 1_500);
    }

    async fn only_what_is_projected_and_old_is_trimmed(h: &Harness) {
        let entries = entries_of_two_milliseconds(h).await;
        let newest = entries.last().unwrap().id;
        let projected = entries[entries.len() - 2].id;
        let total = entries.len() as u64;
        let keep = Duration::from_secs(600);
        assert_eq!(h.engine.trim(1, newest, keep).await.unwrap(), 0, "all of it is recent");
        h.at(secs(3_600));
        assert_eq!(h.engine.trim(1, TransitionId::START, keep).await.unwrap(), 0, "none of it is projected");
        assert_eq!(h.engine.transitions(1, TransitionId::START, 1).await.unwrap().trimmed, TransitionId::START);

        let forgotten = h.engine.trim(1, projected, keep).await.unwrap();
        let left = h.engine.transitions(1, TransitionId::START, 100_000).await.unwrap();
        assert!(forgotten > 0);
        assert_eq!(forgotten + left.entries.len() as u64, total);
        assert_eq!(left.entries, entries[usize::try_from(forgotten).unwrap()..], "from the oldest on");
        assert!(left.trimmed >= entries[usize::try_from(forgotten).unwrap() - 1].id);
        assert!(left.trimmed <= projected && left.trimmed < left.entries[0].id);
        assert_eq!(left.newest, newest);
        assert_eq!(h.engine.trim(1, projected, keep).await.unwrap(), 0);
    }
}
