//! What has changed since a cursor.

use std::collections::HashSet;

use futures_util::future::join_all;

use crate::client::{Session, Transition};
use crate::harness::{Form, NO_SWEEP, PATIENT, Setup};
use crate::time::now;

/// Somebody who follows all changes.
struct Follower {
    session: Session,
    cursor: String,
    ids: HashSet<(String, i64)>,
    all: Vec<Transition>,
}

impl Follower {
    async fn of(session: Session) -> Self {
        let cursor = session.changes(None).await.next_cursor;
        Self { session, cursor, ids: HashSet::new(), all: Vec::new() }
    }

    /// Asks for what is new, which must be in order and new. Answers when it asked.
    async fn poll(&mut self) -> i64 {
        let asked = now();
        let changes = self.session.changes(Some(&self.cursor)).await;
        let places: Vec<(u64, u64)> = changes.transitions.iter().map(|one| place(&one.id)).collect();
        assert!(places.is_sorted(), "{changes:?}");
        for transition in changes.transitions {
            let fresh = self.ids.insert((transition.id.clone(), transition.presence.user_id));
            assert!(fresh, "told twice: {transition:?}");
            self.all.push(transition);
        }
        self.cursor = changes.next_cursor;
        asked
    }

    fn of_user(&self, user: i64) -> Vec<(&str, &str)> {
        let all = self.all.iter().filter(|one| one.presence.user_id == user);
        all.map(|one| (one.presence.online_status.as_str(), one.presence.reason.as_deref().unwrap_or(""))).collect()
    }
}

fn place(id: &str) -> (u64, u64) {
    let (ms, seq) = id.split_once('-').unwrap();
    (ms.parse().unwrap(), seq.parse().unwrap())
}

pub async fn every_transition_is_told_once_and_in_order(form: Form) {
    let system = Setup::new(form).with(NO_SWEEP).with(("LASTSEEN_INACTIVITY_TIMEOUT", "2s")).start().await;
    let admin = system.admin().await;
    let mut follower = Follower::of(admin.clone()).await;
    follower.poll().await;
    assert!(follower.of_user(admin.user).len() <= 1);

    let (ann, bob) = (system.user("ann").await, system.user("bob").await);
    follower.poll().await;
    assert_eq!(follower.of_user(ann.user)[0], ("online", "login"));
    bob.log_out().await.done();
    follower.poll().await;
    assert_eq!(follower.of_user(bob.user).last(), Some(&("offline", "logout")));

    // A silence is told by the first poll after its deadline, no later, dated at the deadline; whatever polls there are.
    let beat = ann.beat().await;
    loop {
        let asked = follower.poll().await;
        let last = follower.of_user(ann.user).last().copied();
        if asked >= beat.online_until.0 {
            assert_eq!(last, Some(("offline", "timeout")), "{:#?}", follower.all);
            break;
        }
        if now() < beat.online_until.0 {
            assert_eq!(last.map(|(status, _)| status), Some("online"), "{:#?}", follower.all);
        }
    }
    let told = follower.all.iter().rfind(|one| one.presence.user_id == ann.user).unwrap();
    assert_eq!((told.at, told.presence.last_seen), (beat.online_until, Some(beat.last_seen)));

    // A heartbeat after the silence, a bar.
    let back = ann.beat().await;
    follower.poll().await;
    assert_eq!(follower.of_user(ann.user).last(), Some(&("online", "heartbeat")));
    assert!(follower.all.iter().any(|one| one.at == back.last_seen));
    admin.act(ann.user, "suspend").await.done();
    follower.poll().await;
    assert_eq!(follower.of_user(ann.user).last(), Some(&("offline", "suspended")));
    for user in [ann.user, bob.user] {
        assert_alternates(&follower, user);
    }
    // Nothing more is told of what has been told.
    let before = follower.all.len();
    for _ in 0..10 {
        follower.poll().await;
    }
    let others = follower.all[before..].iter().filter(|one| one.presence.user_id != admin.user);
    assert_eq!(others.count(), 0);
    admin.try_changes("not-a-cursor").await.refused(400, "invalid_cursor");
}

/// Online and offline in turn. (A bar is told in the place of what came before it, so it may come after an offline.)
fn assert_alternates(follower: &Follower, user: i64) {
    let told = follower.of_user(user);
    let plain: Vec<&str> =
        told.iter().filter(|(_, reason)| *reason != "suspended").map(|(status, _)| *status).collect();
    assert!(plain.windows(2).all(|pair| pair[0] != pair[1]), "{told:?}");
}

pub async fn log_ins_at_the_same_time_are_told_once(form: Form) {
    // None of those who log in falls silent within the test.
    let system = Setup::new(form).with(NO_SWEEP).with(PATIENT).start().await;
    let users = system.database.seed(30);
    let mut follower = Follower::of(system.admin().await).await;
    let client = system.client.clone();
    let log_ins = tokio::spawn(async move {
        let log_ins = (1..=30).map(|i| {
            let client = client.clone();
            async move { (client.log_in(&format!("seed{i}")).await, client.log_in(&format!("seed{i}")).await) }
        });
        join_all(log_ins).await
    });
    while !log_ins.is_finished() {
        follower.poll().await;
    }
    let devices = log_ins.await.unwrap();
    follower.poll().await;
    for user in &users {
        assert_eq!(follower.of_user(*user), [("online", "login")]);
    }
    let log_outs = devices.iter().flat_map(|(one, two)| [one.log_out(), two.log_out()]);
    for answer in join_all(log_outs).await {
        answer.done();
    }
    follower.poll().await;
    for user in &users {
        assert_eq!(follower.of_user(*user), [("online", "login"), ("offline", "logout")]);
    }
}
