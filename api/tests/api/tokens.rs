use reqwest::Method;
use serde_json::json;

use crate::app::{TestApp, in_both_forms};
use lastseen_shared::settings::Form;

in_both_forms!(
    only_our_own_tokens_open_the_door,
    a_session_that_never_was_is_ended,
    refresh_tokens_turn_and_reuse_is_noticed,
    wrong_names_and_wrong_passwords_are_answered_alike,
);

/// A token of this header and payload, signed with HS256 under `secret`.
pub fn sign(header: &serde_json::Value, payload: &serde_json::Value, secret: &str) -> String {
    let key = jsonwebtoken::EncodingKey::from_secret(secret.as_bytes());
    let header = serde_json::from_value(header.clone()).unwrap();
    jsonwebtoken::encode(&header, payload, &key).unwrap()
}

/// What a token of an admin's has, which is over at `exp`, in seconds.
pub fn payload(app_user: i64, exp: i64) -> serde_json::Value {
    json!({ "sub": app_user.to_string(), "sid": 1, "role": "admin", "tmo": 120_000, "iss": "lastseen", "iat": 1,
            "exp": exp, "jti": "x" })
}

async fn only_our_own_tokens_open_the_door(form: Form) {
    let app = TestApp::start(form).await;
    let user = app.user("ann").await;
    let later = 4_000_000_000;
    let hs256 = json!({ "alg": "HS256", "typ": "JWT" });
    let cases = [
        ("foreign", sign(&hs256, &payload(user.id, later), &"x".repeat(32)), "token_invalid"),
        (
            "other algorithm",
            sign(&json!({ "alg": "HS512" }), &payload(user.id, later), crate::app::SECRET),
            "token_invalid",
        ),
        ("expired", sign(&hs256, &payload(user.id, 2), crate::app::SECRET), "token_expired"),
        (
            "other issuer",
            sign(
                &hs256,
                &json!({ "sub": "1", "sid": 1, "role": "user", "tmo": 1, "iss": "x", "iat": 1,
            "exp": later, "jti": "x" }),
                crate::app::SECRET,
            ),
            "token_invalid",
        ),
        (
            "other audience",
            {
                let mut claims = payload(user.id, later);
                claims["aud"] = json!("another-service");
                sign(&hs256, &claims, crate::app::SECRET)
            },
            "token_invalid",
        ),
        ("refresh token", user.refresh.clone(), "token_invalid"),
        ("cut", user.access[..user.access.len() - 4].to_owned(), "token_invalid"),
        ("empty", String::new(), "token_invalid"),
        ("long", "a".repeat(7_000), "token_invalid"),
    ];
    for (what, token, code) in cases {
        let answer = app.post("/api/users/heartbeat/", &token, &json!({})).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (401, code), "{what}");
        assert!(answer.headers.contains_key("www-authenticate"));
    }
    for header in ["", "Bearer", "Basic YTpi", "bearer", "Bearer a b"] {
        let request = app.request(Method::GET, "/api/users/me/").header("Authorization", header);
        assert_eq!(app.send(request).await.code(), "token_invalid", "{header:?}");
    }
    let without = app.send(app.request(Method::GET, "/api/users/me/")).await;
    assert_eq!((without.status.as_u16(), without.code()), (401, "token_invalid"));
    assert_eq!(without.body["field"], "Authorization");
}

async fn a_session_that_never_was_is_ended(form: Form) {
    let app = TestApp::start(form).await;
    let mut claims = payload(1, 4_000_000_000);
    claims["sid"] = json!(999);
    let token = sign(&json!({ "alg": "HS256" }), &claims, crate::app::SECRET);
    assert_eq!(app.get("/api/users/me/", &token).await.code(), "session_ended");
}

async fn refresh_tokens_turn_and_reuse_is_noticed(form: Form) {
    let app = TestApp::start(form).await;
    let user = app.user("ann").await;
    let refresh = async |token: &str| {
        app.send(app.request(Method::POST, "/api/users/token/refresh/").json(&json!({ "refresh": token }))).await
    };
    // Two tabs at the same moment: both get the same successor, and both go on.
    let (one, other) = futures_util::future::join(refresh(&user.refresh), refresh(&user.refresh)).await;
    assert_eq!((one.status.as_u16(), other.status.as_u16()), (200, 200), "{one:?} {other:?}");
    assert_eq!(one.body["refresh"], other.body["refresh"]);
    let second = one.body["refresh"].as_str().unwrap().to_owned();
    assert_eq!(refresh(&second).await.status, 200);
    // A guess with a session's number, but not its family, ends nothing.
    let guess =
        format!("{}.{}", second.split_once('.').unwrap().0, "AAAAAAAAAAAAAAAAAAAAAA.".to_owned() + &"A".repeat(43));
    assert_eq!(refresh(&guess).await.code(), "token_invalid");
    assert_eq!(app.get("/api/users/me/", &user.access).await.status, 200);
    // The first is two turns old by now.
    assert_eq!(refresh(&user.refresh).await.code(), "refresh_reused");
    assert_eq!(app.get("/api/users/me/", &user.access).await.code(), "session_ended");
    assert_eq!(refresh(&second).await.code(), "session_ended");
    for bad in ["", "x", "a.b.c", &"A".repeat(5_000)] {
        assert_eq!(refresh(bad).await.code(), "token_invalid", "{bad}");
    }
}

async fn wrong_names_and_wrong_passwords_are_answered_alike(form: Form) {
    let app = TestApp::start(form).await;
    app.user("ann").await;
    let log_in = async |name: &str, password: &str| {
        let body = json!({ "username": name, "password": password });
        app.send(app.request(Method::POST, "/api/users/login/").json(&body)).await
    };
    let (unknown, wrong) = (log_in("nobody", "x").await, log_in("ann", "x").await);
    assert_eq!((unknown.status, unknown.code(), &unknown.body), (wrong.status, "invalid_credentials", &wrong.body));
    for odd in ["", "\0", &"x".repeat(10_000), "ann\u{202e}", "ANN' OR 1=1"] {
        assert_eq!(log_in(odd, "x").await.code(), "invalid_credentials", "{odd:?}");
    }
    assert_eq!(log_in("ＡＮＮ", crate::app::PASSWORD).await.status, 200, "a name is known in any form");
    assert_eq!(log_in("ann@EXAMPLE.org", crate::app::PASSWORD).await.status, 200, "and by its address");
    for _ in 0..12 {
        log_in("ann", "x").await;
    }
    let limited = log_in("ann", crate::app::PASSWORD).await;
    assert_eq!((limited.status.as_u16(), limited.code()), (429, "too_many_requests"));
    assert!(limited.headers["retry-after"].to_str().unwrap().parse::<u32>().unwrap() > 0);
}
