//! A user's own timeout, within the operator's bounds.

use serde_json::json;

use crate::client::Session;
use crate::harness::{Form, NO_SWEEP, Setup, System};
use crate::sight::{all_offline, compare, sights};
use crate::time::{Timeline, now};

async fn start(form: Form) -> System {
    let setup = Setup::new(form).with(NO_SWEEP);
    let setup = setup.with(("LASTSEEN_TIMEOUT_MIN", "600ms")).with(("LASTSEEN_TIMEOUT_MAX", "5s"));
    setup.start().await
}

/// The timeout by which a heartbeat of this session counts, in ms.
async fn counts(session: &Session) -> i64 {
    let (from, until) = session.beat().await.span();
    until - from
}

pub async fn a_timeout_of_ones_own(form: Form) {
    let system = start(form).await;
    let ann = system.user("ann").await;
    assert_eq!(counts(&ann).await, 1_000);
    // The access token was made under the old timeout, and the new one holds all the same.
    for (seconds, ms) in [(json!(2.5), 2_500), (json!(5), 5_000), (json!(0.6), 600), (json!(null), 1_000)] {
        let answer = ann.change_me(json!({ "inactivity_timeout_seconds": seconds })).await;
        assert_eq!(answer.body["user"]["inactivity_timeout_seconds"].as_f64(), seconds.as_f64(), "{answer:?}");
        assert_eq!(counts(&ann).await, ms);
    }
    for wrong in [json!(0.599), json!(5.001), json!(0), json!(-1), json!(1e300)] {
        let body = json!({ "inactivity_timeout_seconds": wrong });
        let answer = ann.change_me(body).await.refused(422, "invalid_field");
        assert_eq!(answer.body["field"], "inactivity_timeout_seconds", "{answer:?}");
    }
    assert_eq!(counts(&ann).await, 1_000);
    // It outlives the session.
    ann.change_me(json!({ "inactivity_timeout_seconds": 3 })).await.done();
    ann.log_out().await.done();
    let again = system.client.log_in("ann").await;
    assert_eq!(again.online.1 - again.online.0, 3_000);
    assert_eq!(counts(&again).await, 3_000);
}

pub async fn different_timeouts_end_at_different_times(form: Form) {
    let system = start(form).await;
    let watcher = system.admin().await;
    let (ann, bob) = (system.user("ann").await, system.user("bob").await);
    ann.change_me(json!({ "inactivity_timeout_seconds": 0.6 })).await.done();
    bob.change_me(json!({ "inactivity_timeout_seconds": 1.5 })).await.done();
    let (short, long) = (ann.beat().await, bob.beat().await);
    let mut truths = [Timeline::default(), Timeline::default()];
    truths[0].add(short.span());
    truths[1].add(long.span());
    let (mut of_ann, mut of_bob) = (Vec::new(), Vec::new());
    while now() <= long.online_until.0 {
        of_ann.extend(sights(&watcher, ann.user).await);
        of_bob.extend(sights(&watcher, bob.user).await);
    }
    of_ann.extend(sights(&watcher, ann.user).await);
    let (_, ann_offline) = compare(&of_ann, &truths[0]);
    let (bob_online, _) = compare(&of_bob, &truths[1]);
    assert!(ann_offline > 0 && bob_online > 0);
    all_offline(&sights(&watcher, ann.user).await, short.last_seen.0, "timeout");
    all_offline(&sights(&watcher, bob.user).await, long.last_seen.0, "timeout");

    // A timeout that gets shorter counts from the last sign of life, which may be too long ago by it.
    let ann = system.client.log_in("ann").await;
    let change = json!({ "inactivity_timeout_seconds": 5 });
    ann.change_me(change).await.done();
    let long = ann.beat().await;
    assert_eq!(long.online_until.0 - long.last_seen.0, 5_000);
    let admin_change = json!({ "inactivity_timeout_seconds": 0.6 });
    let path = format!("/api/users/{}/", ann.user);
    watcher.send(reqwest::Method::PATCH, &path, Some(admin_change)).await.done();
    crate::time::until(long.last_seen.0 + 600).await;
    all_offline(&sights(&watcher, ann.user).await, long.last_seen.0, "timeout");
}
