//! What may be tried only so often.

use lastseen_shared::settings::Form;
use reqwest::Method;
use serde_json::json;

use crate::app::{Answered, PASSWORD, TestApp, in_both_forms};

in_both_forms!(
    a_session_that_sends_heartbeats_without_a_pause_is_slowed_down,
    refreshes_of_a_session_are_limited,
    tries_are_counted_by_the_clients_address,
    limits_can_be_turned_off,
);

fn assert_limited(answer: &Answered) {
    assert_eq!((answer.status.as_u16(), answer.code()), (429, "too_many_requests"), "{answer:?}");
    assert!(answer.headers["retry-after"].to_str().unwrap().parse::<u32>().unwrap() > 0);
}

async fn a_session_that_sends_heartbeats_without_a_pause_is_slowed_down(form: Form) {
    let app = TestApp::start(form).await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let beat = async |access: &str, body: Option<serde_json::Value>| {
        let request = app.request(Method::POST, "/api/users/heartbeat/").bearer_auth(access);
        app.send(body.iter().fold(request, |request, body| request.json(body))).await
    };
    let mut refused = None;
    // A slow machine gives one back every tenth of a second.
    for _ in 0..2_000 {
        let answer = beat(&ann.access, None).await;
        if answer.status != 200 {
            refused = Some(answer);
            break;
        }
    }
    assert_limited(&refused.expect("nobody was refused"));
    // With a body as well, and nobody else.
    let mut answers = Vec::new();
    for _ in 0..20 {
        answers.push(beat(&ann.access, Some(json!({ "idle_seconds": 0 }))).await.status.as_u16());
    }
    assert!(answers.contains(&429), "{answers:?}");
    assert_eq!(beat(&bob.access, None).await.status, 200);
    assert_eq!(app.get("/api/users/me/", &ann.access).await.status, 200, "other requests are not heartbeats");
}

async fn refreshes_of_a_session_are_limited(form: Form) {
    let app = TestApp::start(form).await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let refresh = async |token: &str| {
        app.send(app.request(Method::POST, "/api/users/token/refresh/").json(&json!({ "refresh": token }))).await
    };
    let mut token = ann.refresh.clone();
    let limited = loop {
        let answer = refresh(&token).await;
        if answer.status != 200 {
            break answer;
        }
        token = answer.body["refresh"].as_str().unwrap().to_owned();
    };
    assert_limited(&limited);
    assert_eq!(refresh(&bob.refresh).await.status, 200);
    // The token is none the worse: in a second there is one more.
    let begun = std::time::Instant::now();
    while refresh(&token).await.status != 200 {
        assert!(begun.elapsed() < std::time::Duration::from_secs(10), "it stays refused");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

async fn tries_are_counted_by_the_clients_address(form: Form) {
    let app = TestApp::with(form, &[("LASTSEEN_TRUSTED_PROXIES", "127.0.0.0/8")]).await;
    app.user("ann").await;
    let log_in = async |from: &str, password: &str| {
        let request = app.request(Method::POST, "/api/users/login/").header("X-Forwarded-For", from);
        app.send(request.json(&json!({ "username": "ann", "password": password }))).await
    };
    for _ in 0..10 {
        assert_eq!(log_in("198.51.100.1", "wrong").await.code(), "invalid_credentials");
    }
    assert_limited(&log_in("198.51.100.1", PASSWORD).await);
    assert_limited(&log_in("203.0.113.9, 198.51.100.1", PASSWORD).await);
    assert_eq!(log_in("198.51.100.2", PASSWORD).await.status, 200, "nobody is locked out from elsewhere");
    let untrusting = TestApp::start(form).await;
    untrusting.user("ann").await;
    let log_in = async |from: &str| {
        let request = untrusting.request(Method::POST, "/api/users/login/").header("X-Forwarded-For", from);
        untrusting.send(request.json(&json!({ "username": "ann", "password": "wrong" }))).await
    };
    for n in 0..10 {
        assert_eq!(log_in(&format!("198.51.100.{n}")).await.code(), "invalid_credentials");
    }
    assert_limited(&log_in("198.51.100.77").await);
}

async fn limits_can_be_turned_off(form: Form) {
    let app = TestApp::with(form, &[("LASTSEEN_RATE_LIMITS", "off")]).await;
    let ann = app.user("ann").await;
    for _ in 0..12 {
        let body = json!({ "username": "ann", "password": "wrong" });
        let answer = app.send(app.request(Method::POST, "/api/users/login/").json(&body)).await;
        assert_eq!(answer.code(), "invalid_credentials");
    }
    for _ in 0..250 {
        assert_eq!(app.post("/api/users/heartbeat/", &ann.access, &json!({})).await.status, 200);
    }
}
