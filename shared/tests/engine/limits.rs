//! What is large: batches, pages, users with thousands of sessions.

use lastseen_shared::ids::{SessionId, UserId};
use lastseen_shared::presence::engine::{Connect, Touch};
use lastseen_shared::presence::rule::Known;
use lastseen_shared::presence::transition::Event;
use lastseen_shared::presence::{Engine, PresenceEngine as _, Reason};

use crate::harness::{Harness, TIMEOUT, offline, online, secs, touch};

/// More than a Lua call takes as arguments.
const MANY: i64 = 9_000;

/// Gives a user of shard 1 all sessions up to `last`.
async fn fill(h: &Harness, user: i64, last: i64) {
    let read = h.fresh(user, 1, Reason::Login).await;
    if let Engine::Memory(engine) = &h.engine {
        let connects = (1..=last).map(|n| engine.connect(Connect { session: SessionId(n), ..read.clone() }));
        futures_util::future::join_all(connects).await;
        return;
    }
    // Thousands of connects beside thousands of sessions would take Redis half a minute: this is what they leave.
    let deadline = format!("{}:{}", h.deadline(TIMEOUT).0.0, TIMEOUT.as_millis());
    let key = |name: &str| h.key(&format!("{{p:1}}:{name}"));
    let listed: Vec<String> = (1..=last).map(|n| n.to_string()).collect();
    let group = (user as f64 * 0.618_033_988_749_894_9 % 1.0 * 32_768.0) as i64;
    let text = format!("\n{user}=l||{}\n", listed.join(","));
    h.command::<()>(&["HSET", &key("groups"), &group.to_string(), &text]).unwrap();
    for some in listed.chunks(1_000) {
        let members: Vec<String> = some.iter().map(|session| format!("{user}:{session}")).collect();
        let pairs = members.iter().flat_map(|member| [member, &*deadline]);
        h.command::<()>(&[&["HSET", &key("deadlines")][..], &pairs.collect::<Vec<_>>()].concat()).unwrap();
    }
}

contract! {
    async fn a_batch_of_any_size_is_answered(h: &Harness) {
        h.login(1, 1).await;
        h.login(1, MANY).await;
        h.at(secs(10));
        let batch: Vec<Touch> = (1..=MANY).map(|session| touch(1, session)).collect();
        let deadlines = h.touch_all(&batch).await;
        assert_eq!(deadlines.len(), batch.len());
        let live: Vec<usize> = deadlines.iter().enumerate().filter_map(|(i, d)| d.map(|_| i)).collect();
        assert_eq!(live, [0, batch.len() - 1]);
    }

    async fn a_page_of_any_size_is_answered(h: &Harness) {
        h.login(MANY, 1).await;
        let users: Vec<UserId> = (1..=MANY).map(UserId).collect();
        let known = h.engine.lookup(&users).await.unwrap().known;
        assert_eq!(known.len(), users.len());
        assert!(matches!(known.last(), Some(Known::Online { .. })));
        assert_eq!(known.iter().filter(|known| **known == Known::Settled).count(), users.len() - 1);
    }

    async fn ids_and_times_are_exact_as_far_as_they_go(h: &Harness) {
        // The largest that a double counts without gaps: the tombstone of all sessions.
        let (user, session) = (UserId(SessionId::ALL.0 - 2), SessionId(SessionId::ALL.0 - 1));
        let timeout = secs(10_000_000) + std::time::Duration::from_millis(1);
        let connect = Connect { user, session, timeout, ..h.fresh(1, 1, Reason::Login).await };
        h.engine.connect(connect).await.unwrap();
        let held = h.engine.sessions(user).await.unwrap();
        assert_eq!((held[0].session, held[0].timeout, held[0].deadline), (session, timeout, h.deadline(timeout)));
        let touched = h.engine.touch(user.shard(2), &[Touch { user, session }]).await.unwrap();
        assert_eq!(touched.deadlines, [Some(h.deadline(timeout))]);
        assert!(!h.engine.evict(user, SessionId(session.0 - 1), Reason::Banned).await.unwrap().went_offline);
        assert!(h.engine.evict(user, SessionId::ALL, Reason::Banned).await.unwrap().went_offline);
        let entries = h.entries(user.0).await;
        assert!(matches!(&entries[1].event, Event::Transition(t) if t.user == user && t.session == Some(session)));
    }

    async fn a_user_with_thousands_of_sessions_hinders_nobody(h: &Harness) {
        h.login(3, MANY * 2).await;
        h.login(1, 1).await;
        fill(h, 1, MANY).await;
        h.login(1, MANY + 1).await;
        let until = h.deadline(TIMEOUT);
        assert_eq!(h.known(1).await, online(until, h.start, Reason::Login));
        assert_eq!(h.engine.sessions(UserId(1)).await.unwrap().len(), usize::try_from(MANY + 1).unwrap());
        h.engine.retime(UserId(1), TIMEOUT * 2).await.unwrap();
        assert_eq!(h.touch(1, 77).await, Some(h.deadline(TIMEOUT * 2)));
        assert_eq!(h.online().await, 2);
        assert!(!h.logout(1, 78).await);
        h.at(TIMEOUT * 2);
        assert_eq!(h.online().await, 0);
        h.sweep().await;
        assert_eq!(h.known(1).await, offline(h.moment(TIMEOUT * 2), h.start, Reason::Timeout));
        assert_eq!(h.engine.sessions(UserId(1)).await.unwrap(), []);
        assert_eq!(h.events(1).await.len(), usize::try_from(MANY + 2).unwrap());
    }
}
