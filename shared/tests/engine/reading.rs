//! Readers: right at every moment, whether or not anybody has swept.

use std::collections::HashMap;

use lastseen_shared::ids::{SessionId, UserId};
use lastseen_shared::presence::engine::Delta;
use lastseen_shared::presence::rule::Known;
use lastseen_shared::presence::{PresenceEngine as _, Reason, TransitionId};

use crate::harness::{Harness, SHARDS, TIMEOUT, ms, offline, secs};

async fn delta(h: &Harness) -> (u64, HashMap<i64, Known>) {
    let Delta { users, counts } = h.engine.delta().await.unwrap();
    let count = users.len();
    let by_user: HashMap<_, _> = users.into_iter().map(|(user, known)| (user.0, known)).collect();
    assert_eq!(by_user.len(), count, "each user once");
    (counts.online, by_user)
}

/// Says that the database has everything.
async fn project_all(h: &Harness) {
    for shard in 0..SHARDS {
        let newest = h.engine.transitions(shard, TransitionId::START, 1).await.unwrap().newest;
        h.engine.projected(shard, newest, &[]).await.unwrap();
    }
}

contract! {
    async fn readers_are_exact_before_any_sweep(h: &Harness) {
        for user in 1..=6 {
            h.login(user, user * 10).await;
        }
        h.at(secs(60));
        for user in [2, 3] {
            h.touch(user, user * 10).await;
        }
        project_all(h).await;
        assert_eq!(delta(h).await, (6, HashMap::new()));

        h.at(TIMEOUT - ms(1));
        assert_eq!(h.online().await, 6);
        h.at(TIMEOUT);
        assert_eq!(h.online().await, 2);
        let silent = offline(h.moment(TIMEOUT), h.start, Reason::Timeout);
        let users: Vec<UserId> = (1..=7).map(UserId).collect();
        let known = h.engine.lookup(&users).await.unwrap().known;
        for (user, known) in users.iter().zip(known) {
            match user.0 {
                2 | 3 => assert!(matches!(known, Known::Online { .. })),
                7 => assert_eq!(known, Known::Settled),
                _ => assert_eq!(known, silent),
            }
        }
        let (online, users) = delta(h).await;
        assert_eq!((online, users), (2, [1, 4, 5, 6].map(|user| (user, silent.clone())).into()));
        assert_eq!(h.entries(1).await.len() + h.entries(2).await.len(), 6, "reading makes no transitions");
    }

    async fn a_page_may_name_users_of_all_shards_in_any_order_and_twice(h: &Harness) {
        h.login(1, 10).await;
        h.login(4, 40).await;
        let users = [9, 4, 1, 9, 4, 2].map(UserId);
        let lookup = h.engine.lookup(&users).await.unwrap();
        let online: Vec<bool> = lookup.known.iter().map(|known| matches!(known, Known::Online { .. })).collect();
        assert_eq!((lookup.counts.online, online), (2, vec![false, true, true, false, true, false]));
    }

    async fn a_delta_names_whom_the_database_may_be_wrong_about(h: &Harness) {
        for user in [1, 2, 3] {
            h.login(user, user * 10).await;
        }
        project_all(h).await;
        h.at(secs(5));
        h.login(4, 40).await;
        h.logout(2, 20).await;
        let (online, users) = delta(h).await;
        assert_eq!(online, 3);
        assert_eq!(users.len(), 2);
        assert_eq!(users[&2], offline(h.moment(secs(5)), h.start, Reason::Logout));
        assert!(matches!(users[&4], Known::Online { .. }));
        project_all(h).await;
        assert_eq!(delta(h).await, (3, HashMap::new()));
    }

    async fn sessions_are_listed_until_they_are_settled(h: &Harness) {
        h.login(1, 11).await;
        h.at(secs(10));
        h.login(1, 12).await;
        let mut held = h.engine.sessions(UserId(1)).await.unwrap();
        held.sort_by_key(|held| held.session);
        let listed: Vec<_> = held.iter().map(|held| (held.session, held.timeout, held.deadline)).collect();
        let expected = [
            (SessionId(11), TIMEOUT, h.deadline(TIMEOUT)),
            (SessionId(12), TIMEOUT, h.deadline(secs(10) + TIMEOUT)),
        ];
        assert_eq!(listed, expected);
        h.at(secs(10) + TIMEOUT);
        assert_eq!(h.engine.sessions(UserId(1)).await.unwrap().len(), 2);
        h.sweep().await;
        assert_eq!(h.engine.sessions(UserId(1)).await.unwrap(), []);
    }

    async fn the_epoch_tells_the_engines_time(h: &Harness) {
        let (epoch, now) = h.engine.epoch(0).await.unwrap();
        assert_eq!(now, h.start);
        assert!(epoch.id.starts_with(&format!("{SHARDS}:")), "{epoch:?}");
        h.at(secs(10));
        assert_eq!(h.engine.epoch(0).await.unwrap(), (epoch.clone(), h.moment(secs(10))));
        assert_eq!(h.engine.transitions(0, TransitionId::START, 1).await.unwrap().epoch, epoch);
        assert_eq!(h.engine.now(UserId(1)).await.unwrap(), h.moment(secs(10)));
    }
}
