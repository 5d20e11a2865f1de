use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{PASSWORD, TestApp, in_both_forms};
use lastseen_shared::settings::Form;

in_both_forms!(
    bodies_are_refused_with_what_is_wrong,
    fields_are_refused_by_name,
    queries_are_refused_by_name,
    ids_paths_and_methods,
    whether_one_may_is_decided_before_the_body_is_read,
);

async fn bodies_are_refused_with_what_is_wrong(form: Form) {
    let app = TestApp::start(form).await;
    let deep = format!("{}{}", "[".repeat(500), "]".repeat(500));
    let large = format!("{{\"username\":\"{}\"}}", "x".repeat(100_000));
    let rows: &[(&str, &str, u16, &str, Option<&str>)] = &[
        ("", "application/json", 400, "malformed_json", None),
        ("{", "application/json", 400, "malformed_json", None),
        ("not json", "application/json", 400, "malformed_json", None),
        (&deep, "application/json", 422, "invalid_field", None),
        (r#"["admin","x",null]"#, "application/json", 422, "invalid_field", None),
        (r#"{"username":"a","password":"x"} {}"#, "application/json", 400, "malformed_json", None),
        ("{\"username\":\"\u{0}\"}", "application/json", 400, "malformed_json", None),
        (&large, "application/json", 413, "body_too_large", None),
        ("username=ann", "application/x-www-form-urlencoded", 415, "unsupported_media_type", None),
        ("{}", "text/plain", 415, "unsupported_media_type", None),
        ("[]", "application/json", 422, "invalid_field", None),
        ("null", "application/json", 422, "invalid_field", None),
        ("{}", "application/json", 422, "invalid_field", Some("username")),
        (r#"{"username":5,"password":"x"}"#, "application/json", 422, "invalid_field", Some("username")),
        (r#"{"username":"a","username":"b"}"#, "application/json", 422, "invalid_field", Some("username")),
        (r#"{"username":"a","password":null}"#, "application/json", 422, "invalid_field", Some("password")),
        (r#"{"username":"a","password":"x","devcie":"y"}"#, "application/json", 422, "invalid_field", Some("devcie")),
        (r#"{"username":"a","password":"x","device":{}}"#, "application/json", 422, "invalid_field", Some("device")),
        (
            r#"{"username":"a","password":"x","device":"\u0000"}"#,
            "application/json",
            422,
            "invalid_field",
            Some("device"),
        ),
    ];
    for (body, kind, status, code, field) in rows {
        let request =
            app.request(Method::POST, "/api/users/login/").header("Content-Type", *kind).body((*body).to_owned());
        let answer = app.send(request).await;
        let shown = &body[..body.len().min(60)];
        assert_eq!((answer.status.as_u16(), answer.code()), (*status, *code), "{shown}: {answer:?}");
        if let Some(field) = field {
            assert_eq!(answer.body["field"], *field, "{shown}: {answer:?}");
        }
    }
}

async fn fields_are_refused_by_name(form: Form) {
    let app = TestApp::start(form).await;
    let good = json!({ "username": "ann", "email": "ann@example.org", "password": PASSWORD });
    let rows: Vec<(&str, Value, u16, &str)> = vec![
        ("username", json!("ab"), 422, "invalid_field"),
        ("username", json!("x".repeat(10_000)), 422, "invalid_field"),
        ("username", json!("a b c"), 422, "invalid_field"),
        ("username", json!("ann\u{0}"), 422, "invalid_field"),
        ("username", json!("ann\u{202e}"), 422, "invalid_field"),
        ("username", json!("ann\u{200d}"), 422, "invalid_field"),
        ("username", json!("ann\u{ffff}"), 422, "invalid_field"),
        ("username", json!("\u{301}\u{301}\u{301}"), 422, "invalid_field"),
        ("email", json!(""), 422, "invalid_field"),
        ("email", json!("nobody"), 422, "invalid_field"),
        ("email", json!("a@b\u{0}"), 422, "invalid_field"),
        ("email", json!(format!("{}@x.org", "x".repeat(300))), 422, "invalid_field"),
        ("password", json!("short"), 422, "weak_password"),
        ("password", json!("x1".repeat(37)), 422, "weak_password"),
        ("password", json!("ä1".repeat(25)), 422, "weak_password"),
        ("password", json!("nul\u{0}nul-nul"), 422, "weak_password"),
        ("password", json!("aaaaaaaaaaaa"), 422, "weak_password"),
    ];
    for (field, value, status, code) in rows {
        let mut body = good.clone();
        body[field] = value.clone();
        let answer = app.send(app.request(Method::POST, "/api/users/register/").json(&body)).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (status, code), "{field} {value}");
        assert_eq!(answer.body["field"], field);
    }
    assert_eq!(app.register("Ann").await.status, 201);
    for same in ["ann", "ANN", "ａｎｎ", "aNn"] {
        let body = json!({ "username": same, "email": "other@example.org", "password": PASSWORD });
        let answer = app.send(app.request(Method::POST, "/api/users/register/").json(&body)).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (409, "username_taken"), "{same}");
    }
    let body = json!({ "username": "bob", "email": "aNN@Example.ORG", "password": PASSWORD });
    let answer = app.send(app.request(Method::POST, "/api/users/register/").json(&body)).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (409, "email_taken"));
    for name in ["用户名", "Ünïcode", "ΣΊΣΥΦΟΣ", "a.b-c_d"] {
        assert_eq!(app.register(name).await.status, 201, "{name}");
    }
}

async fn queries_are_refused_by_name(form: Form) {
    let app = TestApp::start(form).await;
    let admin = app.admin().await;
    let rows = [
        ("all-users/?limit=0", 400, "invalid_query", "limit"),
        ("all-users/?limit=1001", 400, "invalid_query", "limit"),
        ("all-users/?limit=1000000000", 400, "invalid_query", "limit"),
        ("all-users/?limit=99999999999999999999", 400, "invalid_query", "limit"),
        ("all-users/?limit=-1", 400, "invalid_query", "limit"),
        ("all-users/?limit=ten", 400, "invalid_query", "limit"),
        ("all-users/?limit=1&limit=2", 400, "invalid_query", "limit"),
        ("all-users/?online_status=maybe", 400, "invalid_query", "online_status"),
        ("all-users/?status=inactive", 400, "invalid_query", "status"),
        ("all-users/?role=root", 400, "invalid_query", "role"),
        ("all-users/?order=name", 400, "invalid_query", "order"),
        ("all-users/?order=--id", 400, "invalid_query", "order"),
        ("all-users/?page=2", 400, "invalid_query", "page"),
        ("all-users/?search=%00", 400, "invalid_query", "search"),
        ("all-users/?search=%E2%80%AE", 400, "invalid_query", "search"),
        ("all-users/?cursor=x", 400, "invalid_cursor", "cursor"),
        ("all-users/?cursor=%00", 400, "invalid_cursor", "cursor"),
        // {"o":"id","i":1} is of another order; {"o":"username","i":1} has no name, and one a NUL.
        ("all-users/?order=username&cursor=eyJvIjoiaWQiLCJpIjoxfQ", 400, "invalid_cursor", "cursor"),
        ("all-users/?order=username&cursor=eyJvIjoidXNlcm5hbWUiLCJpIjoxfQ", 400, "invalid_cursor", "cursor"),
        (
            "all-users/?order=username&cursor=eyJvIjoidXNlcm5hbWUiLCJpIjoxLCJuIjoiXHUwMDAwIn0",
            400,
            "invalid_cursor",
            "cursor",
        ),
        ("presence/", 400, "invalid_query", "ids"),
        ("presence/?ids=", 400, "invalid_query", "ids"),
        ("presence/?ids=1,x", 400, "invalid_query", "ids"),
        ("presence/?ids=99999999999999999999", 400, "invalid_query", "ids"),
        ("presence/changes/?since=x", 400, "invalid_cursor", "since"),
        ("presence/changes/?since=%00", 400, "invalid_cursor", "since"),
        ("presence/changes/?since=eHhA", 400, "invalid_cursor", "since"),
    ];
    for (path, status, code, field) in rows {
        let answer = app.get(&format!("/api/users/{path}"), &admin.access).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (status, code), "{path}");
        assert_eq!(answer.body["field"], field, "{path}");
    }
    // A cursor of another life of the engine, or of another number of shards: "1:1@0-0".
    let expired = app.get("/api/users/presence/changes/?since=MToxQDAtMA", &admin.access).await;
    assert_eq!((expired.status.as_u16(), expired.code()), (410, "cursor_expired"));
    let many: Vec<String> = (0..1_001).map(|n| n.to_string()).collect();
    let answer = app.get(&format!("/api/users/presence/?ids={}", many.join(",")), &admin.access).await;
    assert_eq!(answer.code(), "invalid_query");
    let ids: Vec<i64> = (0..1_001).collect();
    let answer = app.post("/api/users/presence/", &admin.access, &json!({ "ids": ids })).await;
    assert_eq!(answer.code(), "invalid_field");
}

async fn ids_paths_and_methods(form: Form) {
    let app = TestApp::start(form).await;
    let admin = app.admin().await;
    for id in ["0", "-1", "999", "99999999999999999999", "abc", "1.5", "%00", "%F0%9F%92%A9"] {
        for (method, tail) in
            [(Method::GET, ""), (Method::PATCH, ""), (Method::DELETE, ""), (Method::POST, "suspend/")]
        {
            let request = app.request(method, &format!("/api/users/{id}/{tail}")).bearer_auth(&admin.access);
            let answer = app.send(request).await;
            assert_eq!((answer.status.as_u16(), answer.code()), (404, "user_not_found"), "{id}");
        }
    }
    let rows = [
        (Method::GET, "/api/users/login/", "POST"),
        (Method::DELETE, "/api/users/heartbeat/", "POST"),
        (Method::PUT, "/api/users/me/", "GET, PATCH, DELETE, HEAD"),
        (Method::POST, "/api/users/all-users/", "GET, HEAD"),
        (Method::GET, "/api/users/1/suspend/", "POST"),
        (Method::PATCH, "/healthz", "GET, HEAD"),
    ];
    for (method, path, allow) in rows {
        let answer = app.send(app.request(method, path).bearer_auth(&admin.access)).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (405, "method_not_allowed"), "{path}");
        assert_eq!(answer.headers["allow"], allow);
    }
    for path in ["/api/", "/api/users/1/nothing/", "/nothing", "/api/users/me/x/y", "/..%2f..%2fetc/passwd"] {
        let answer = app.get(path, &admin.access).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (404, "not_found"), "{path}");
    }
    // With or without the slash, and with several: the same answer, no redirect.
    for path in ["/api/users/me", "/api/users/me/", "/api/users/all-users", "/healthz", "/healthz/"] {
        assert_eq!(app.get(path, &admin.access).await.status, 200, "{path}");
    }
    let head = app.send(app.request(Method::HEAD, "/healthz")).await;
    assert_eq!((head.status.as_u16(), head.body), (200, Value::Null));
}

async fn whether_one_may_is_decided_before_the_body_is_read(form: Form) {
    let app = TestApp::start(form).await;
    let user = app.user("ann").await;
    let rubbish = |method: Method, path: &str| app.request(method, path).body("rubbish");
    for (method, path) in
        [(Method::POST, "/api/users/"), (Method::PATCH, "/api/users/1/"), (Method::POST, "/api/users/1/ban/")]
    {
        let nobody = app.send(rubbish(method.clone(), path)).await;
        assert_eq!(nobody.code(), "token_invalid", "{path}");
        let other = app.send(rubbish(method, path).bearer_auth(&user.access)).await;
        assert_eq!(other.code(), "forbidden", "{path}");
    }
}
