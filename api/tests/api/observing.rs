//! Every answer has an id, and is counted and timed under its route.

use lastseen_shared::settings::Form;
use reqwest::Method;
use serde_json::json;

use crate::app::{TestApp, in_both_forms};

in_both_forms!(every_answer_has_an_id, requests_are_timed_by_route, heartbeats_are_counted_by_their_way,);

async fn every_answer_has_an_id(form: Form) {
    let app = TestApp::start(form).await;
    let ann = app.user("ann").await;
    for (method, path, status) in [
        (Method::GET, "/api/users/me/", 200),
        (Method::GET, "/api/nowhere/", 404),
        (Method::PUT, "/api/users/me/", 405),
        (Method::GET, "/healthz", 200),
        (Method::GET, "/api/ws/", 426),
    ] {
        let plain = app.send(app.request(method.clone(), path).bearer_auth(&ann.access)).await;
        assert_eq!(plain.status.as_u16(), status, "{path}");
        assert_eq!(plain.headers["x-request-id"].len(), 16, "{path}");
        let named = app.request(method, path).bearer_auth(&ann.access).header("x-request-id", "mine-1");
        assert_eq!(app.send(named).await.headers["x-request-id"], "mine-1", "{path}");
    }
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let traced =
        app.request(Method::GET, "/healthz").header("traceparent", format!("00-{trace}-00f067aa0ba902b7-01"));
    assert_eq!(app.send(traced).await.headers["x-request-id"], trace);
    let bad = app.request(Method::GET, "/healthz").header("x-request-id", "two words");
    assert_ne!(app.send(bad).await.headers["x-request-id"], "two words");
    // A plain heartbeat is given no id, and has its own back.
    let beat = || app.request(Method::POST, "/api/users/heartbeat/").bearer_auth(&ann.access);
    assert!(app.send(beat()).await.headers.get("x-request-id").is_none());
    assert_eq!(app.send(beat().header("x-request-id", "beat-1")).await.headers["x-request-id"], "beat-1");
}

async fn sample(app: &TestApp, line: &str) -> f64 {
    let text = app.send(app.request(Method::GET, "/metrics")).await.body;
    let found = text.as_str().unwrap().lines().find_map(|l| l.strip_prefix(line)?.trim().parse().ok());
    found.unwrap_or(0.0)
}

async fn requests_are_timed_by_route(form: Form) {
    let app = TestApp::start(form).await;
    let ann = app.user("ann").await;
    for id in [ann.id, 999_999] {
        app.get(&format!("/api/users/{id}/"), &ann.access).await;
    }
    for (route, status) in [("/api/users/{id}", "2xx"), ("/api/users/{id}", "4xx")] {
        let line =
            format!(r#"lastseen_http_request_seconds_count{{route="{route}",method="GET",status="{status}"}}"#);
        assert!(sample(&app, &line).await >= 1.0, "{line}");
    }
    let text = app.send(app.request(Method::GET, "/metrics")).await.body;
    assert!(!text.as_str().unwrap().contains("/999999"), "a path is no label");
    assert_eq!(
        sample(&app, &format!(r#"lastseen_build_info{{version="{}"}}"#, env!("CARGO_PKG_VERSION"))).await,
        1.0
    );
}

async fn heartbeats_are_counted_by_their_way(form: Form) {
    let app = TestApp::start(form).await;
    let ann = app.user("ann").await;
    let counted =
        async |way: &str| sample(&app, &format!(r#"lastseen_heartbeats_total{{path="{way}",outcome="2xx"}}"#)).await;
    let (fast, slow) = (counted("fast").await, counted("slow").await);
    let beat = || app.request(Method::POST, "/api/users/heartbeat/").bearer_auth(&ann.access);
    app.send(beat()).await;
    app.send(beat().json(&json!({}))).await;
    app.send(beat().json(&json!({}))).await;
    assert_eq!((counted("fast").await - fast, counted("slow").await - slow), (1.0, 2.0));
    if form == Form::Distributed {
        assert!(sample(&app, "lastseen_heartbeat_batch_size_count").await >= 1.0);
    }
    assert!(sample(&app, r#"lastseen_database_connections{state="idle"}"#).await >= 1.0);
}
