//! What users show of themselves: what is taken, what is refused, and how long it holds.

use std::time::Duration;

use futures_util::future::join;
use serde_json::{Value, json};

use crate::app::{PASSWORD, TestApp, User, in_both_forms};
use lastseen_shared::settings::Form;
use lastseen_shared::timestamp::Timestamp;

in_both_forms!(
    what_is_set_is_shown,
    what_is_wrong_is_named,
    a_choice_ends_by_itself,
    a_user_is_away_when_all_of_its_devices_are,
    an_invisible_user_is_offline_for_all_but_itself,
    of_two_changes_at_once_the_last_written_is_shown,
);

fn in_an_hour() -> String {
    Timestamp::now().plus(Duration::from_secs(3_600)).to_string()
}

async fn what_is_set_is_shown(form: Form) {
    let app = TestApp::start(form).await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let fresh = app.get("/api/users/me/", &ann.access).await.body["user"].clone();
    for (field, value) in [
        ("availability", json!("available")),
        ("chosen_availability", json!("available")),
        ("text", Value::Null),
        ("emoji", Value::Null),
        ("until", Value::Null),
        ("online_visibility", json!("everyone")),
        ("last_seen_visibility", json!("everyone")),
        ("away_after_seconds", Value::Null),
    ] {
        assert_eq!(fresh.get(field), Some(&value), "{field}");
    }
    let until = in_an_hour();
    let body = json!({ "availability": "dnd", "text": " in a meeting ", "emoji": "☕️", "until": until,
                       "away_after_seconds": 90 });
    let set = app.patch_me(&ann.access, &body).await;
    assert_eq!(set.status, 200, "{set:?}");
    for user in [&set.body["user"], &app.get("/api/users/me/", &ann.access).await.body["user"]] {
        assert_eq!((&user["availability"], &user["chosen_availability"]), (&json!("dnd"), &json!("dnd")));
        assert_eq!((&user["text"], &user["emoji"]), (&json!("in a meeting"), &json!("☕️")));
        assert_eq!((&user["until"], &user["away_after_seconds"]), (&json!(until), &json!(90)));
    }
    let seen = app.get(&format!("/api/users/{}/", ann.id), &bob.access).await.body["user"].clone();
    assert_eq!((&seen["availability"], &seen["text"]), (&json!("dnd"), &json!("in a meeting")));
    for private in ["chosen_availability", "until", "online_visibility", "away_after_seconds", "email"] {
        assert_eq!(seen.get(private), None, "{private} is nobody else's");
    }
    let words = app.patch_me(&ann.access, &json!({ "text": null })).await.body["user"].clone();
    assert_eq!((&words["text"], &words["emoji"], &words["until"]), (&Value::Null, &json!("☕️"), &json!(until)));
    let away = app.patch_me(&ann.access, &json!({ "availability": "away" })).await.body["user"].clone();
    assert_eq!((&away["availability"], &away["emoji"], &away["until"]), (&json!("away"), &json!("☕️"), &Value::Null));
    let again = app.log_in("ann", PASSWORD).await;
    let me = app.get("/api/users/me/", &again.access).await.body["user"].clone();
    assert_eq!(me["availability"], "away", "it holds for the next device, too");
    let login = app
        .send(
            app.request(reqwest::Method::POST, "/api/users/login/")
                .json(&json!({ "username": "ann", "password": PASSWORD })),
        )
        .await;
    assert_eq!(
        (&login.body["away_after_seconds"], &login.body["user"]["availability"]),
        (&json!(90), &json!("away"))
    );
    let reset = app.patch_me(&ann.access, &json!({ "away_after_seconds": null })).await;
    assert_eq!(reset.body["user"]["away_after_seconds"], Value::Null);
    let config = app.get("/api/config/", &ann.access).await;
    assert_eq!(config.body["away_after_seconds"], 300);
}

async fn what_is_wrong_is_named(form: Form) {
    let app = TestApp::start(form).await;
    let ann = app.user("ann").await;
    let in_two_years = Timestamp::now().plus(Duration::from_secs(2 * 366 * 86_400)).to_string();
    let rows = [
        ("availability", json!("busy")),
        ("availability", json!(5)),
        ("availability", json!("Available")),
        ("text", json!("x".repeat(141))),
        ("text", json!("a\nb")),
        ("text", json!("a\u{0}b")),
        ("text", json!("a\u{202e}b")),
        ("text", json!(7)),
        ("emoji", json!("")),
        ("emoji", json!("a")),
        ("emoji", json!("1")),
        ("emoji", json!("☕☕")),
        ("emoji", json!("☕ ")),
        ("emoji", json!("☕".repeat(20))),
        ("until", json!("tomorrow")),
        ("until", json!(5)),
        ("until", json!("2020-01-01T00:00:00Z")),
        ("until", json!(in_two_years)),
        ("online_visibility", json!("friends")),
        ("last_seen_visibility", json!("Everyone")),
        ("away_after_seconds", json!(29)),
        ("away_after_seconds", json!(86_401)),
        ("away_after_seconds", json!(-1)),
        ("away_after_seconds", json!("60")),
        ("chosen_availability", json!("dnd")),
    ];
    for (field, value) in rows {
        let mut body = json!({ "text": "kept out" });
        body[field] = value.clone();
        let answer = app.patch_me(&ann.access, &body).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (422, "invalid_field"), "{field} {value}");
        assert_eq!(answer.body["field"], field, "{field} {value}");
    }
    assert_eq!(app.get("/api/users/me/", &ann.access).await.body["user"]["text"], Value::Null);
    for bad in [json!(-1), json!("60"), json!(1e300)] {
        let answer = app.post("/api/users/heartbeat/", &ann.access, &json!({ "idle_seconds": bad })).await;
        assert_eq!((answer.code(), &answer.body["field"]), ("invalid_field", &json!("idle_seconds")), "{bad}");
    }
}

async fn a_choice_ends_by_itself(form: Form) {
    let app = TestApp::start(form).await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let until = Timestamp::now().plus(Duration::from_millis(700));
    let body = json!({ "availability": "invisible", "text": "gone", "until": until.to_string() });
    assert_eq!(app.patch_me(&ann.access, &body).await.status, 200);
    let seen = async || app.get(&format!("/api/users/{}/", ann.id), &bob.access).await.body["user"].clone();
    assert_eq!(seen().await["online_status"], "offline");
    while Timestamp::now() <= until.plus(Duration::from_millis(20)) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let now = seen().await;
    assert_eq!((&now["online_status"], &now["availability"]), (&json!("online"), &json!("available")));
    assert_eq!(now["text"], Value::Null);
    let me = app.get("/api/users/me/", &ann.access).await.body["user"].clone();
    assert_eq!(
        (&me["chosen_availability"], &me["text"], &me["until"]),
        (&json!("available"), &Value::Null, &Value::Null)
    );
    // Nothing of what has ended comes back with the next words.
    let set = app.patch_me(&ann.access, &json!({ "emoji": "☕" })).await.body["user"].clone();
    assert_eq!(
        (&set["availability"], &set["text"], &set["emoji"]),
        (&json!("available"), &Value::Null, &json!("☕"))
    );
}

async fn a_user_is_away_when_all_of_its_devices_are(form: Form) {
    let app = TestApp::start(form).await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let phone = app.log_in("ann", PASSWORD).await;
    let idle = async |access: &str, seconds: u32| {
        let answer = app.post("/api/users/heartbeat/", access, &json!({ "idle_seconds": seconds })).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let seen = app.get(&format!("/api/users/{}/", ann.id), &bob.access).await;
        seen.body["user"]["availability"].as_str().unwrap().to_owned()
    };
    assert_eq!(idle(&ann.access, 299).await, "available");
    assert_eq!(idle(&ann.access, 300).await, "available", "there is the phone");
    assert_eq!(idle(&phone.access, 300).await, "away");
    app.post("/api/users/heartbeat/", &ann.access, &json!({})).await;
    assert_eq!(idle(&phone.access, 10_000).await, "away", "a heartbeat alone is nobody's touch");
    assert_eq!(idle(&ann.access, 0).await, "available");
    app.patch_me(&ann.access, &json!({ "away_after_seconds": 60 })).await;
    assert_eq!(idle(&ann.access, 60).await, "away", "by one's own time");
    let me = app.get("/api/users/me/", &ann.access).await.body["user"].clone();
    assert_eq!((&me["availability"], &me["chosen_availability"]), (&json!("away"), &json!("available")));
}

async fn an_invisible_user_is_offline_for_all_but_itself(form: Form) {
    let app = TestApp::start(form).await;
    let (ann, bob, admin) = (app.user("ann").await, app.user("bob").await, app.admin().await);
    app.befriend(&ann, &bob).await;
    let tablet = app.log_in("ann", PASSWORD).await;
    let beat = async |user: &User| app.post("/api/users/heartbeat/", &user.access, &json!({})).await.body;
    // The tablet was seen before she goes, by the engine's clock.
    let seen = beat(&tablet).await["last_seen"].clone();
    while beat(&ann).await["last_seen"] == seen {}
    let set = app.patch_me(&ann.access, &json!({ "availability": "invisible" })).await.body["user"].clone();
    assert_eq!((&set["online_status"], &set["availability"]), (&json!("online"), &json!("invisible")));
    let path = format!("/api/users/{}/", ann.id);
    for viewer in [&bob, &admin] {
        let seen = app.get(&path, &viewer.access).await.body["user"].clone();
        assert_eq!((&seen["online_status"], &seen["availability"]), (&json!("offline"), &json!("available")));
        assert_eq!(seen["reason"], "logout");
        let list = app.get("/api/users/all-users/", &viewer.access).await;
        assert_eq!(list.body["online"], 2, "{list:?}");
    }
    let list = app.get("/api/users/all-users/?online_status=online", &ann.access).await;
    assert_eq!((&list.body["online"], list.body["users"].as_array().unwrap().len()), (&json!(3), 3), "{list:?}");
    // As after a log-out there is no device: not one that logs in meanwhile, nor what the older ones do.
    let devices = async |access: &str| {
        app.get(&format!("{path}sessions/"), access).await.body["sessions"].as_array().unwrap().clone()
    };
    assert_eq!(devices(&admin.access).await, [json!(null); 0]);
    let phone = app.log_in("ann", PASSWORD).await;
    for device in [&ann, &tablet] {
        beat(device).await;
        assert_eq!(devices(&admin.access).await, [json!(null); 0]);
    }
    assert_eq!(devices(&phone.access).await.len(), 3);
    // What changes nothing is told nobody.
    let quiet = app.changes(&bob, None).await;
    app.patch_me(&phone.access, &json!({ "online_visibility": "everyone", "last_seen_visibility": "everyone" }))
        .await;
    assert_eq!(app.changes(&bob, Some(&quiet.1)).await.0, [json!(null); 0]);
    app.patch_me(&ann.access, &json!({ "availability": "available" })).await;
    assert_eq!(app.get(&path, &bob.access).await.body["user"]["online_status"], "online");
    assert_eq!(devices(&admin.access).await.len(), 3);
    // In the history coming back is as any other log-in.
    app.project().await;
    let history = app.get(&format!("{path}history/"), &admin.access).await.body["intervals"].clone();
    let beginnings: Vec<_> = history.as_array().unwrap().iter().map(|one| &one["start_reason"]).collect();
    assert_eq!(beginnings, ["login", "login"], "{history}");
    assert!(history.as_array().unwrap().iter().all(|one| one["session_id"].is_i64()), "{history}");
}

async fn of_two_changes_at_once_the_last_written_is_shown(form: Form) {
    let app = TestApp::start(form).await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    for round in 0..10 {
        let (away, dnd) = (json!({ "availability": "away" }), json!({ "availability": "dnd" }));
        let (one, other) = join(app.patch_me(&ann.access, &away), app.patch_me(&ann.access, &dnd)).await;
        assert_eq!((one.status.as_u16(), other.status.as_u16()), (200, 200), "{one:?} {other:?}");
        let row = app.get("/api/users/me/", &ann.access).await.body["user"].clone();
        let seen = app.get(&format!("/api/users/{}/", ann.id), &bob.access).await.body["user"].clone();
        assert_eq!(row["chosen_availability"], seen["availability"], "{round}");
    }
}
