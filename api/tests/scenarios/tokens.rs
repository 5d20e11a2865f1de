//! Refresh tokens.

use crate::client::{Pair, Session};
use crate::harness::{Form, System};
use crate::sight::{all_offline, sights};

pub async fn a_refresh_token_is_turned_and_reuse_ends_the_session(form: Form) {
    let system = System::patient(form).await;
    let (watcher, ann) = (system.admin().await, system.user("ann").await);
    let client = &system.client;

    // Two tabs race, on the same token: whoever is second is told the same successor.
    let (one, two) = tokio::join!(client.try_refresh(&ann.refresh), client.try_refresh(&ann.refresh));
    let (one, two): (Pair, Pair) = (one.ok(), two.ok());
    assert_eq!(one.refresh, two.refresh);
    assert_ne!(one.refresh, ann.refresh);
    let late: Pair = client.try_refresh(&ann.refresh).await.ok();
    assert_eq!(late.refresh, one.refresh, "within five seconds");
    for pair in [&one, &two, &late] {
        let session = Session { access: pair.access.clone(), ..ann.clone() };
        assert_eq!(session.id(), ann.id());
    }

    // A refresh is no sign of life; a request with the new token is.
    let before = watcher.presences(&[ann.user]).await.remove(0).last_seen;
    let next: Pair = client.try_refresh(&one.refresh).await.ok();
    assert_eq!(watcher.presences(&[ann.user]).await.remove(0).last_seen, before);
    let turned = Session { access: next.access.clone(), refresh: next.refresh.clone(), ..ann.clone() };
    let last = turned.beat().await;

    // The first token is now neither the current one nor the one before: somebody else has it.
    client.try_refresh(&ann.refresh).await.refused(401, "refresh_reused");
    turned.heartbeat().await.refused(401, "session_ended");
    ann.heartbeat().await.refused(401, "session_ended");
    client.try_refresh(&next.refresh).await.refused(401, "session_ended");
    all_offline(&sights(&watcher, ann.user).await, last.last_seen.0, "logout");
    client.try_refresh("not.a.token").await.refused(401, "token_invalid");

    // The theft of one session is not the others' end.
    let other = client.log_in("ann").await;
    let pair: Pair = client.try_refresh(&other.refresh).await.ok();
    Session { access: pair.access, ..other }.beat().await;
}
