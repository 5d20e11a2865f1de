//! Tokens, and the keys that sign them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::client::{Pair, Session};
use crate::harness::{Form, PATIENT, Setup, System};
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

/// The key of RFC 8410, section 10.3.
const ED25519: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
                       -----END PRIVATE KEY-----\n";
const SECRET: &str = "the secret before there was a pair of keys";

fn algorithm(token: &str) -> Value {
    let header = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
    serde_json::from_slice::<Value>(&header).unwrap()["alg"].clone()
}

pub async fn keys_are_rotated_and_nobody_is_logged_out(form: Form) {
    let mut system = Setup::new(form).with(PATIENT).with(("LASTSEEN_JWT_SECRET", SECRET)).start().await;
    let ann = system.user("ann").await;
    assert_eq!(algorithm(&ann.access), "HS256");
    assert_eq!(system.client.text("/.well-known/jwks.json").await, r#"{"keys":[]}"#);

    // First the new key is known to all that read; then it signs; then the old one goes.
    for (signs, reads) in [(SECRET, ED25519), (ED25519, SECRET)] {
        system.set("LASTSEEN_JWT_SECRET", signs);
        system.set("LASTSEEN_JWT_PREVIOUS_SECRETS", reads);
        system.stop().await;
        system.start_api_again().await;
        system.start_workers_again().await;
        ann.beat().await;
        let keys: Value = serde_json::from_str(&system.client.text("/.well-known/jwks.json").await).unwrap();
        // Its public half, as the same section has it.
        assert_eq!(keys["keys"][0]["x"], "Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE", "{keys}");
    }
    let turned: Pair = system.client.try_refresh(&ann.refresh).await.ok();
    assert_eq!(algorithm(&turned.access), "EdDSA");
    let now = Session { access: turned.access, refresh: turned.refresh, ..ann.clone() };
    now.beat().await;
    ann.beat().await;

    system.set("LASTSEEN_JWT_PREVIOUS_SECRETS", "");
    system.stop().await;
    system.start_api_again().await;
    system.start_workers_again().await;
    ann.heartbeat().await.refused(401, "token_invalid");
    now.beat().await;
}
