//! A plain heartbeat is answered before the application, every other one by it: nobody is to tell the one from the other.

use lastseen_shared::settings::Form;
use reqwest::Method;
use serde_json::json;

use crate::app::{Answered, TestApp, in_both_forms};

in_both_forms!(plain_and_special_heartbeats_are_answered_alike, what_a_plain_heartbeat_is_refused,);

const ORIGIN: &str = "https://page.example.org";

fn allowed(answer: &Answered) -> Option<&str> {
    answer.headers.get("access-control-allow-origin").map(|origin| origin.to_str().unwrap())
}

async fn plain_and_special_heartbeats_are_answered_alike(form: Form) {
    let app = TestApp::with(form, &[("LASTSEEN_CORS_ORIGINS", ORIGIN)]).await;
    let ann = app.user("ann").await;
    let beat = |path: &str| app.request(Method::POST, path).bearer_auth(&ann.access);
    let counted = async || {
        let text = app.send(app.request(Method::GET, "/metrics")).await.body;
        let line = |name: &str| {
            let lines = text.as_str().unwrap().lines().filter(|line| line.starts_with(name) && line.contains("2xx"));
            lines.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum::<u64>()
        };
        (line("lastseen_heartbeats_total{"), line("lastseen_http_requests_total{"))
    };
    for (request, origin) in [
        (beat("/api/users/heartbeat/"), None),
        (beat("/api/users/heartbeat"), None),
        (beat("/api/users/heartbeat//"), None),
        (beat("/api/users/heartbeat/?x=1"), None),
        (beat("/api/users/heartbeat/").header("origin", "https://elsewhere.example.org"), None),
        (beat("/api/users/heartbeat/").header("origin", ORIGIN), Some(ORIGIN)),
        (beat("/api/users/heartbeat/").json(&json!({})), None),
        (beat("/api/users/heartbeat/").json(&json!({ "idle_seconds": 1 })).header("origin", ORIGIN), Some(ORIGIN)),
    ] {
        let before = counted().await;
        let answer = app.send(request).await;
        let after = counted().await;
        assert_eq!((answer.status.as_u16(), allowed(&answer)), (200, origin), "{answer:?}");
        assert_eq!(answer.headers["content-type"], "application/json");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
        assert_eq!(answer.body["online_status"], "online");
        assert!(answer.body["last_seen"].as_str() < answer.body["online_until"].as_str(), "{answer:?}");
        assert_eq!(answer.body.as_object().unwrap().len(), 3);
        // The look at the metrics before is the other request.
        assert_eq!((after.0 - before.0, after.1 - before.1), (1, 2), "{answer:?}");
    }
}

async fn what_a_plain_heartbeat_is_refused(form: Form) {
    let app = TestApp::start(form).await;
    let (admin, ann) = (app.admin().await, app.user("ann").await);
    let beat = || app.request(Method::POST, "/api/users/heartbeat/");
    assert_eq!(app.send(beat()).await.code(), "token_invalid");
    assert_eq!(app.send(beat().bearer_auth("a.b.c")).await.code(), "token_invalid");
    assert_eq!(app.send(beat().basic_auth("ann", Some("x"))).await.code(), "token_invalid");
    let other = app.request(Method::GET, "/api/users/heartbeat/").bearer_auth(&ann.access);
    let refused = app.send(other).await;
    assert_eq!((refused.code(), &refused.headers["allow"]), ("method_not_allowed", &"POST".parse().unwrap()));
    app.send(app.request(Method::POST, &format!("/api/users/{}/suspend/", ann.id)).bearer_auth(&admin.access)).await;
    assert_eq!(app.send(beat().bearer_auth(&ann.access)).await.code(), "account_suspended");
}
