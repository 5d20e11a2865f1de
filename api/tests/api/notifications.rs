//! Notifications: who is told, how often, and who is not.

use diesel::prelude::*;
use lastseen_shared::db::schema::contacts;
use lastseen_shared::db::{AnyConnection, DbError};
use serde_json::{Value, json};

use crate::app::{PASSWORD, TestApp, User, in_both_forms};
use lastseen_shared::settings::Form;

in_both_forms!(
    once_is_once_and_always_is_not_all_the_time,
    whoever_may_not_see_is_not_told,
    they_are_read_and_counted,
    what_is_refused,
);

async fn want(app: &TestApp, user: &User, other: &User, when: &str) {
    let path = format!("/api/contacts/{}/notify/", other.id);
    let set = app.post(&path, &user.access, &json!({ "when": when })).await;
    assert_eq!(set.status, 200, "{set:?}");
}

async fn wanted(app: &TestApp, user: &User) -> Value {
    app.get("/api/contacts/", &user.access).await.body["contacts"][0]["notify"].clone()
}

async fn list(app: &TestApp, user: &User, query: &str) -> Value {
    let list = app.get(&format!("/api/notifications/{query}"), &user.access).await;
    assert_eq!(list.status, 200, "{list:?}");
    list.body
}

/// Goes, and comes back; answers how many were told.
async fn come(app: &TestApp, name: &str, user: &mut User) -> usize {
    app.post("/api/users/logout/", &user.access, &json!({})).await;
    *user = app.log_in(name, PASSWORD).await;
    app.project().await
}

/// Whoever was told of somebody was told an hour earlier.
async fn long_ago(app: &TestApp) {
    let earlier = |c: &mut AnyConnection| {
        diesel::update(contacts::table)
            .set(contacts::notified_at_ms.eq(contacts::notified_at_ms - 3_600_000))
            .execute(c)
            .map_err(DbError::from)
    };
    app.service.db.run(earlier).await.unwrap();
}

async fn once_is_once_and_always_is_not_all_the_time(form: Form) {
    let app = TestApp::start(form).await;
    let (mut ann, bob) = (app.user("ann").await, app.user("bob").await);
    app.befriend(&ann, &bob).await;
    assert_eq!(come(&app, "ann", &mut ann).await, 0, "nobody asked for it");
    want(&app, &bob, &ann, "once").await;
    let phone = app.log_in("ann", PASSWORD).await;
    assert_eq!(app.project().await, 0, "she was online already");
    app.post("/api/users/logout/", &phone.access, &json!({})).await;
    app.patch_me(&ann.access, &json!({ "availability": "dnd" })).await;
    assert_eq!(app.project().await, 0, "nor is that coming online");
    assert_eq!(come(&app, "ann", &mut ann).await, 1);
    assert_eq!((wanted(&app, &bob).await, wanted(&app, &ann).await), (Value::Null, Value::Null));
    let all = list(&app, &bob, "").await;
    assert_eq!((&all["unread"], all["notifications"].as_array().unwrap().len()), (&json!(1), 1));
    let one = &all["notifications"][0];
    assert_eq!(
        (&one["kind"], &one["user_id"], &one["username"], &one["read_at"]),
        (&json!("online"), &json!(ann.id), &json!("ann"), &Value::Null)
    );
    assert!(one["at"].is_string(), "{one}");
    assert_eq!(list(&app, &ann, "").await["notifications"], json!([]));
    want(&app, &bob, &ann, "always").await;
    assert_eq!(come(&app, "ann", &mut ann).await, 0, "told of her a moment ago");
    long_ago(&app).await;
    assert_eq!(come(&app, "ann", &mut ann).await, 1);
    assert_eq!(come(&app, "ann", &mut ann).await, 0, "a phone that flaps");
    assert_eq!(wanted(&app, &bob).await, "always");
    want(&app, &bob, &ann, "never").await;
    long_ago(&app).await;
    assert_eq!(come(&app, "ann", &mut ann).await, 0);
}

async fn whoever_may_not_see_is_not_told(form: Form) {
    let app = TestApp::start(form).await;
    let (mut ann, bob, admin) = (app.user("ann").await, app.user("bob").await, app.admin().await);
    app.befriend(&ann, &bob).await;
    want(&app, &bob, &ann, "always").await;
    let hide = async |user: &User, visibility: &str| {
        let set = app.patch_me(&user.access, &json!({ "online_visibility": visibility })).await;
        assert_eq!(set.status, 200, "{set:?}");
    };
    hide(&ann, "nobody").await;
    assert_eq!(come(&app, "ann", &mut ann).await, 0);
    // Nor once she shows herself, where that is written late.
    app.post("/api/users/logout/", &ann.access, &json!({})).await;
    ann = app.log_in("ann", PASSWORD).await;
    hide(&ann, "contacts").await;
    assert_eq!(app.project().await, 0, "she was hidden when she came");
    hide(&bob, "nobody").await;
    assert_eq!(come(&app, "ann", &mut ann).await, 0, "who hides does not see");
    hide(&bob, "contacts").await;
    app.patch_me(&ann.access, &json!({ "availability": "invisible" })).await;
    assert_eq!(come(&app, "ann", &mut ann).await, 0);
    app.post(&format!("/api/users/{}/suspend/", bob.id), &admin.access, &json!({})).await;
    app.patch_me(&ann.access, &json!({ "availability": "available" })).await;
    assert_eq!(app.project().await, 0, "a barred user is told nothing");
    app.post(&format!("/api/users/{}/activate/", bob.id), &admin.access, &json!({})).await;
    let bob = app.log_in("bob", PASSWORD).await;
    app.project().await;
    assert_eq!(come(&app, "ann", &mut ann).await, 1, "contacts are told");
    // What was told is not shown any more where its user is not: it tells when she was online.
    hide(&ann, "nobody").await;
    let hidden = list(&app, &bob, "").await;
    assert_eq!((&hidden["unread"], &hidden["notifications"]), (&json!(0), &json!([])));
    hide(&ann, "contacts").await;
    assert_eq!(list(&app, &bob, "").await["unread"], 1);
    app.block(&ann, &bob).await;
    assert_eq!(list(&app, &bob, "").await["unread"], 0);
    long_ago(&app).await;
    assert_eq!(come(&app, "ann", &mut ann).await, 0);
}

async fn they_are_read_and_counted(form: Form) {
    let app = TestApp::start(form).await;
    let bob = app.user("bob").await;
    for name in ["ann", "cid", "dora"] {
        let mut friend = app.user(name).await;
        app.befriend(&friend, &bob).await;
        app.project().await;
        want(&app, &bob, &friend, "always").await;
        assert_eq!(come(&app, name, &mut friend).await, 1);
    }
    let names = |page: &Value| -> Vec<String> {
        let all = page["notifications"].as_array().unwrap();
        all.iter().map(|n| n["username"].as_str().unwrap().to_owned()).collect()
    };
    let page = list(&app, &bob, "?limit=2").await;
    assert_eq!((names(&page), &page["unread"]), (vec!["dora".into(), "cid".into()], &json!(3)));
    let next = page["next_cursor"].as_str().unwrap();
    let rest = list(&app, &bob, &format!("?limit=2&cursor={next}")).await;
    assert_eq!((names(&rest), &rest["next_cursor"]), (vec!["ann".into()], &Value::Null));
    let cid = page["notifications"][1]["id"].as_i64().unwrap();
    let first = app.post(&format!("/api/notifications/{cid}/read/"), &bob.access, &json!({})).await;
    assert_eq!((first.status.as_u16(), &first.body["notification"]["username"]), (200, &json!("cid")));
    let again = app.post(&format!("/api/notifications/{cid}/read/"), &bob.access, &json!({})).await;
    assert!(!first.body["notification"]["read_at"].is_null());
    assert_eq!(first.body, again.body, "read when it was read first");
    let unread = list(&app, &bob, "?unread=true").await;
    assert_eq!((names(&unread), &unread["unread"]), (vec!["dora".into(), "ann".into()], &json!(2)));
    assert_eq!(names(&list(&app, &bob, "?unread=false").await).len(), 3);
    let all = app.post("/api/notifications/read-all/", &bob.access, &json!({})).await;
    assert_eq!(all.status, 204, "{all:?}");
    assert_eq!(list(&app, &bob, "?unread=true").await["notifications"], json!([]));
    let other = app.user("eve").await;
    let theirs = app.post(&format!("/api/notifications/{cid}/read/"), &other.access, &json!({})).await;
    assert_eq!((theirs.status.as_u16(), theirs.code()), (404, "notification_not_found"));
}

async fn what_is_refused(form: Form) {
    let app = TestApp::start(form).await;
    let ann = app.user("ann").await;
    for (query, code, field) in [
        ("?limit=0", "invalid_query", "limit"),
        ("?limit=1001", "invalid_query", "limit"),
        ("?limit=x", "invalid_query", "limit"),
        ("?unread=maybe", "invalid_query", "unread"),
        ("?unread=true&unread=true", "invalid_query", "unread"),
        ("?page=1", "invalid_query", "page"),
        ("?cursor=x", "invalid_cursor", "cursor"),
        ("?cursor=MA", "invalid_cursor", "cursor"),
        ("?cursor=%00", "invalid_cursor", "cursor"),
    ] {
        let answer = app.get(&format!("/api/notifications/{query}"), &ann.access).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (400, code), "{query}");
        assert_eq!(answer.body["field"], field, "{query}");
    }
    for id in ["0", "-1", "999", "abc", "99999999999999999999", &i64::MAX.to_string()] {
        let answer = app.post(&format!("/api/notifications/{id}/read/"), &ann.access, &json!({})).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (404, "notification_not_found"), "{id}");
    }
}
