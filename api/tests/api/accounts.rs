use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{ADMIN_PASSWORD, PASSWORD, TestApp, in_both_forms};
use lastseen_shared::settings::Form;

in_both_forms!(
    admins_manage_accounts_and_it_is_written_down,
    activating_whoever_is_active_hinders_nobody,
    an_admin_locks_out_neither_itself_nor_the_last,
    two_admins_who_bar_each_other_leave_one,
    a_new_role_or_password_ends_the_sessions,
    ones_own_account,
    one_device_can_end_another,
    a_change_is_made_whole_or_not_at_all,
    whoever_is_made_an_admin_by_the_operator_has_to_log_in_anew,
);

async fn admins_manage_accounts_and_it_is_written_down(form: Form) {
    let app = TestApp::start(form).await;
    let admin = app.admin().await;
    let body = json!({ "username": "bob", "email": "bob@example.org", "password": PASSWORD, "role": "user" });
    let made = app.post("/api/users/", &admin.access, &body).await;
    assert_eq!(made.status, 201, "{made:?}");
    let id = made.body["user"]["id"].as_i64().unwrap();
    let path = format!("/api/users/{id}/");
    let bob = app.log_in("bob", PASSWORD).await;
    let edit = json!({ "username": "Robert", "email": "rob@example.org", "inactivity_timeout_seconds": 300, "reason": "asked" });
    let edited = app.send(app.request(Method::PATCH, &path).bearer_auth(&admin.access).json(&edit)).await;
    assert_eq!(edited.status, 200, "{edited:?}");
    assert_eq!(edited.body["user"]["username"], "Robert");
    assert_eq!(edited.body["user"]["inactivity_timeout_seconds"], 300);
    assert_eq!(edited.body["user"]["online_status"], "online", "a new name ends no session");
    let suspended = app.post(&format!("{path}suspend/"), &admin.access, &json!({ "reason": "spam" })).await;
    assert_eq!(suspended.body["user"]["status"], "suspended");
    assert_eq!(suspended.body["user"]["online_status"], "offline");
    assert_eq!(suspended.body["user"]["reason"], "suspended");
    assert_eq!(app.get("/api/users/me/", &bob.access).await.code(), "account_suspended");
    let activated = app.post(&format!("{path}activate/"), &admin.access, &json!({})).await;
    assert_eq!(activated.body["user"]["status"], "active");
    assert_eq!(app.get("/api/users/me/", &bob.access).await.code(), "session_ended");
    let deleted = app.send(app.request(Method::DELETE, &path).bearer_auth(&admin.access)).await;
    assert_eq!(deleted.status, 204);
    assert_eq!(app.get(&path, &admin.access).await.code(), "user_not_found");
    let audit = app.get(&format!("{path}audit/"), &admin.access).await;
    let entries = audit.body["entries"].as_array().unwrap();
    let told: Vec<(&str, &str, &Value)> =
        entries.iter().map(|e| (e["actor"].as_str().unwrap(), e["action"].as_str().unwrap(), &e["reason"])).collect();
    let (asked, spam) = (json!("asked"), json!("spam"));
    assert_eq!(
        told,
        [
            ("admin", "delete", &Value::Null),
            ("admin", "activate", &Value::Null),
            ("admin", "suspend", &spam),
            ("admin", "change", &asked),
            ("admin", "create", &Value::Null),
        ]
    );
}

async fn activating_whoever_is_active_hinders_nobody(form: Form) {
    let app = TestApp::start(form).await;
    let (admin, bob) = (app.admin().await, app.user("bob").await);
    for user in [&admin, &bob] {
        let path = format!("/api/users/{}/", user.id);
        assert_eq!(app.post(&format!("{path}activate/"), &admin.access, &json!({})).await.status, 200);
        let edit = app.request(Method::PATCH, &path).bearer_auth(&admin.access).json(&json!({ "status": "active" }));
        assert_eq!(app.send(edit).await.status, 200);
        // The engine has to be asked to take the session back after its page said that it is leaving.
        for body in [json!({ "leaving": true }), json!({})] {
            let beat = app.post("/api/users/heartbeat/", &user.access, &body).await;
            assert_eq!(beat.status, 200, "{beat:?}");
        }
    }
}

async fn an_admin_locks_out_neither_itself_nor_the_last(form: Form) {
    let app = TestApp::start(form).await;
    let admin = app.admin().await;
    let me = format!("/api/users/{}/", admin.id);
    for action in ["suspend", "ban", "deactivate"] {
        let answer = app.post(&format!("{me}{action}/"), &admin.access, &json!({})).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (409, "not_yourself"), "{action}");
    }
    let delete = app.send(app.request(Method::DELETE, &me).bearer_auth(&admin.access)).await;
    assert_eq!(delete.code(), "not_yourself");
    for edit in [json!({ "role": "user" }), json!({ "status": "banned" }), json!({ "is_active": false })] {
        let answer = app.send(app.request(Method::PATCH, &me).bearer_auth(&admin.access).json(&edit)).await;
        assert_eq!(answer.code(), "not_yourself", "{edit}");
    }
    let own = app.send(app.request(Method::DELETE, "/api/users/me/").bearer_auth(&admin.access)).await;
    assert_eq!((own.status.as_u16(), own.code()), (409, "last_admin"));
    assert_eq!(app.get("/api/users/me/", &admin.access).await.status, 200, "still there");
}

async fn two_admins_who_bar_each_other_leave_one(form: Form) {
    let app = TestApp::start(form).await;
    for round in 0..5 {
        let one = app.admin().await;
        let name = format!("second{round}");
        let body =
            json!({ "username": name, "email": format!("{name}@x.org"), "password": PASSWORD, "role": "admin" });
        assert_eq!(app.post("/api/users/", &one.access, &body).await.status, 201);
        let other = app.log_in(&name, PASSWORD).await;
        let nothing = json!({});
        let (a, b) = (format!("/api/users/{}/suspend/", other.id), format!("/api/users/{}/suspend/", one.id));
        let (first, second) =
            futures_util::future::join(app.post(&a, &one.access, &nothing), app.post(&b, &other.access, &nothing))
                .await;
        let succeeded = [first.status, second.status].iter().filter(|status| status.as_u16() == 200).count();
        assert_eq!(succeeded, 1, "{first:?} {second:?}");
        if second.status == 200 {
            let path = format!("/api/users/{}/activate/", one.id);
            assert_eq!(app.post(&path, &other.access, &nothing).await.status, 200);
        }
    }
}

async fn a_new_role_or_password_ends_the_sessions(form: Form) {
    let app = TestApp::start(form).await;
    let admin = app.admin().await;
    let bob = app.user("bob").await;
    let path = format!("/api/users/{}/", bob.id);
    let edit =
        async |body: Value| app.send(app.request(Method::PATCH, &path).bearer_auth(&admin.access).json(&body)).await;
    assert_eq!(edit(json!({ "role": "admin" })).await.status, 200);
    assert_eq!(app.get("/api/users/me/", &bob.access).await.code(), "session_ended");
    let bob = app.log_in("bob", PASSWORD).await;
    assert_eq!(app.get(&format!("{path}audit/"), &bob.access).await.status, 200, "an admin now");
    assert_eq!(edit(json!({ "password": "another good one" })).await.status, 200);
    assert_eq!(app.get("/api/users/me/", &bob.access).await.code(), "session_ended");
    app.log_in("bob", "another good one").await;
}

async fn ones_own_account(form: Form) {
    let app = TestApp::with(form, &[("LASTSEEN_TIMEOUT_MIN", "1m"), ("LASTSEEN_TIMEOUT_MAX", "10m")]).await;
    let ann = app.user("ann").await;
    let phone = app.log_in("ann", PASSWORD).await;
    let change = async |body: Value| {
        app.send(app.request(Method::PATCH, "/api/users/me/").bearer_auth(&ann.access).json(&body)).await
    };
    for bad in [json!(59), json!(601), json!(-1), json!(1e300), json!("60")] {
        let answer = change(json!({ "inactivity_timeout_seconds": bad })).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (422, "invalid_field"), "{bad}");
        assert_eq!(answer.body["field"], "inactivity_timeout_seconds");
    }
    let changed = change(json!({ "inactivity_timeout_seconds": 90.5, "email": "new@example.org" })).await;
    assert_eq!(changed.body["user"]["inactivity_timeout_seconds"], 90.5);
    assert_eq!(changed.body["user"]["email"], "new@example.org");
    let reset = change(json!({ "inactivity_timeout_seconds": null })).await;
    assert_eq!(reset.body["user"]["inactivity_timeout_seconds"], Value::Null);
    assert_eq!(change(json!({ "role": "admin" })).await.body["field"], "role");
    let password = async |old: &str, new: &str| {
        app.post("/api/users/me/password/", &ann.access, &json!({ "old": old, "new": new })).await
    };
    assert_eq!(password("wrong", "a new good one").await.code(), "invalid_credentials");
    assert_eq!(password(PASSWORD, "short").await.code(), "weak_password");
    assert_eq!(password(PASSWORD, "a new good one").await.status, 204);
    assert_eq!(app.get("/api/users/me/", &phone.access).await.code(), "session_ended");
    assert_eq!(app.get("/api/users/me/", &ann.access).await.status, 200);
    let devices = app.get(&format!("/api/users/{}/sessions/", ann.id), &ann.access).await;
    assert_eq!(devices.body["sessions"].as_array().unwrap().len(), 1);
    assert_eq!(devices.body["sessions"][0]["current"], true);
    assert_eq!(app.get("/api/users/1/sessions/", &ann.access).await.code(), "forbidden");
    let delete = app.send(app.request(Method::DELETE, "/api/users/me/").bearer_auth(&ann.access)).await;
    assert_eq!(delete.status, 204);
    assert_eq!(app.get("/api/users/me/", &ann.access).await.code(), "session_ended");
}

async fn one_device_can_end_another(form: Form) {
    let app = TestApp::start(form).await;
    let laptop = app.user("ann").await;
    let phone = app.log_in("ann", PASSWORD).await;
    let admin = app.log_in("admin", ADMIN_PASSWORD).await;
    let path = format!("/api/users/{}/sessions/", laptop.id);
    let devices = app.get(&path, &phone.access).await;
    let other =
        devices.body["sessions"].as_array().unwrap().iter().find(|s| s["current"] == false).unwrap()["id"].clone();
    let end = async |sid: &str, by: &str| {
        app.send(app.request(Method::DELETE, &format!("{path}{sid}/")).bearer_auth(by)).await
    };
    assert_eq!(end("999", &phone.access).await.code(), "session_not_found");
    assert_eq!(end("x", &phone.access).await.code(), "session_not_found");
    assert_eq!(end(&other.to_string(), &phone.access).await.status, 204);
    assert_eq!(app.get("/api/users/me/", &laptop.access).await.code(), "session_ended");
    assert_eq!(end(&other.to_string(), &phone.access).await.code(), "session_not_found");
    let seen = app.get(&format!("/api/users/{}/", laptop.id), &admin.access).await;
    assert_eq!(seen.body["user"]["online_status"], "online");
}

async fn a_change_is_made_whole_or_not_at_all(form: Form) {
    let app = TestApp::start(form).await;
    let admin = app.admin().await;
    let bob = app.user("bob").await;
    app.user("ann").await;
    let changes = async |since: &str| app.get(&format!("/api/users/presence/changes/{since}"), &admin.access).await;
    let cursor = changes("").await.body["next_cursor"].as_str().unwrap().to_owned();
    let path = format!("/api/users/{}/", bob.id);
    for edit in [
        json!({ "status": "suspended", "email": "ann@example.org" }),
        json!({ "role": "admin", "username": "ANN" }),
        json!({ "password": "another good one", "email": "ann@example.org" }),
        json!({ "status": "banned", "email": "no address" }),
    ] {
        let answer = app.send(app.request(Method::PATCH, &path).bearer_auth(&admin.access).json(&edit)).await;
        assert!([409, 422].contains(&answer.status.as_u16()), "{edit}: {answer:?}");
    }
    let own = app.send(app.request(Method::DELETE, "/api/users/me/").bearer_auth(&admin.access)).await;
    assert_eq!(own.code(), "last_admin");
    let seen = app.get(&path, &admin.access).await;
    assert_eq!((&seen.body["user"]["status"], &seen.body["user"]["role"]), (&json!("active"), &json!("user")));
    assert_eq!(app.get("/api/users/me/", &bob.access).await.status, 200);
    let told = changes(&format!("?since={cursor}")).await;
    assert_eq!(told.body["transitions"], json!([]), "nobody went offline for it");
}

async fn whoever_is_made_an_admin_by_the_operator_has_to_log_in_anew(form: Form) {
    use lastseen_shared::account::{Email, Password, Username};
    let app = TestApp::start(form).await;
    let ann = app.user("ann").await;
    let admin = |email: &str| lastseen_shared::settings::FirstAdmin {
        username: Username::parse("ann").unwrap(),
        email: Email::parse(email).unwrap(),
        password: Password::choose("a password of the operator".into(), "ann").unwrap(),
    };
    assert!(app.service.make_admin(admin("ann@localhost"), false).await.is_err(), "not by accident");
    let account = app.service.make_admin(admin("boss@example.org"), true).await.unwrap();
    assert_eq!(account.email, "boss@example.org");
    let refresh = json!({ "refresh": ann.refresh });
    let answer = app.send(app.request(Method::POST, "/api/users/token/refresh/").json(&refresh)).await;
    assert_eq!(answer.code(), "session_ended");
    app.log_in("ann", "a password of the operator").await;
}
