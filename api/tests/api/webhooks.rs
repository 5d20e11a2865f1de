//! Webhooks over HTTP: making and changing them, what they are told of, and their deliveries.

use diesel::prelude::*;
use lastseen_shared::db::schema::webhook_deliveries;
use lastseen_shared::db::{AnyConnection, DbError};
use lastseen_shared::settings::Form;
use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{Answered, TestApp, User, in_both_forms};

in_both_forms!(
    they_are_made_changed_and_deleted,
    the_secret_is_told_once_and_can_be_rotated,
    what_is_refused_is_named,
    what_is_not_there_is_not_found,
    only_admins_have_to_do_with_them,
    private_addresses_are_the_operators_to_allow,
    there_may_be_fifty,
    accounts_tell_what_happens_to_them,
    presence_tells_what_a_stranger_may_see,
    deliveries_are_paged_and_filtered,
    a_delivery_is_sent_again_under_its_id,
);

const URL: &str = "https://8.8.8.8/hook";
const PATH: &str = "/api/webhooks/";

async fn make(app: &TestApp, admin: &User, events: &[&str]) -> i64 {
    let made = app.post(PATH, &admin.access, &json!({ "url": URL, "events": events })).await;
    assert_eq!(made.status, 201, "{made:?}");
    made.body["id"].as_i64().unwrap()
}

async fn patch(app: &TestApp, admin: &User, id: i64, body: &Value) -> Answered {
    app.send(app.request(Method::PATCH, &format!("{PATH}{id}/")).bearer_auth(&admin.access).json(body)).await
}

async fn deliveries(app: &TestApp, admin: &User, id: i64, query: &str) -> Answered {
    app.get(&format!("{PATH}{id}/deliveries/{query}"), &admin.access).await
}

/// What a webhook was told of, and of whom, the oldest first.
async fn told(app: &TestApp, admin: &User, id: i64) -> Vec<(String, i64)> {
    let answer = deliveries(app, admin, id, "?limit=1000").await;
    let mut all: Vec<(String, i64)> = answer.body["deliveries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            let body: Value = serde_json::from_str(one["body"].as_str().unwrap()).unwrap();
            assert_eq!(body["type"], one["type"]);
            (one["type"].as_str().unwrap().to_owned(), body["data"]["user_id"].as_i64().unwrap())
        })
        .collect();
    all.reverse();
    all
}

async fn they_are_made_changed_and_deleted(form: Form) {
    let app = TestApp::start(form).await;
    let admin = app.admin().await;
    let body = json!({ "url": URL, "events": ["presence.*"], "description": "for the hall" });
    let made = app.post(PATH, &admin.access, &body).await;
    assert_eq!(made.status, 201, "{made:?}");
    let id = made.body["id"].as_i64().unwrap();
    let expected = json!({
        "id": id, "url": URL, "events": ["presence.*"], "description": "for the hall", "enabled": true,
        "disabled_reason": null, "failing_since": null, "last_delivery": null,
        "created_at": made.body["created_at"], "secret": made.body["secret"],
    });
    assert_eq!(made.body, expected);
    let other = make(&app, &admin, &["*"]).await;
    let list = app.get(PATH, &admin.access).await;
    let ids: Vec<&Value> = list.body["webhooks"].as_array().unwrap().iter().map(|one| &one["id"]).collect();
    assert_eq!(ids, [&json!(id), &json!(other)], "the oldest first");

    let changes = json!({ "url": "http://1.1.1.1/", "events": ["*"], "description": null, "enabled": false });
    let changed = patch(&app, &admin, id, &changes).await;
    assert_eq!(changed.status, 200, "{changed:?}");
    for (field, value) in changes.as_object().unwrap() {
        assert_eq!(changed.body[field], *value, "{changed:?}");
    }
    assert_eq!(patch(&app, &admin, id, &json!({})).await.body, changed.body, "nothing changes nothing");
    assert_eq!(app.get(&format!("{PATH}{id}/"), &admin.access).await.body, changed.body);

    assert_eq!(app.post(&format!("{PATH}{other}/test/"), &admin.access, &json!({})).await.status, 202);
    assert_eq!(app.delete(&format!("{PATH}{other}/"), &admin.access).await.status, 204);
    let left = |c: &mut AnyConnection| webhook_deliveries::table.count().get_result::<i64>(c).map_err(DbError::from);
    assert_eq!(app.service.db.run(left).await.unwrap(), 0, "its deliveries went with it");
    let list = app.get(PATH, &admin.access).await;
    assert_eq!(list.body["webhooks"].as_array().unwrap().len(), 1);
}

async fn the_secret_is_told_once_and_can_be_rotated(form: Form) {
    let app = TestApp::start(form).await;
    let admin = app.admin().await;
    let made = app.post(PATH, &admin.access, &json!({ "url": URL, "events": ["*"] })).await;
    let first = made.body["secret"].as_str().unwrap().to_owned();
    assert!(first.starts_with("whsec_") && first.len() > 40, "{first}");
    let path = format!("{PATH}{}/", made.body["id"]);
    let rotated = app.post(&format!("{path}rotate-secret/"), &admin.access, &json!({})).await;
    assert_eq!(rotated.status, 200, "{rotated:?}");
    let second = rotated.body["secret"].as_str().unwrap().to_owned();
    assert!(second.starts_with("whsec_") && second != first);
    let answers = [
        app.get(PATH, &admin.access).await,
        app.get(&path, &admin.access).await,
        patch(&app, &admin, made.body["id"].as_i64().unwrap(), &json!({ "enabled": true })).await,
        app.post(&format!("{path}test/"), &admin.access, &json!({})).await,
        app.get(&format!("{path}deliveries/"), &admin.access).await,
    ];
    for answer in answers {
        assert!(answer.status.is_success(), "{answer:?}");
        let text = answer.body.to_string();
        assert!(!text.contains("whsec_") && !text.contains("secret"), "{text}");
    }
}

async fn what_is_refused_is_named(form: Form) {
    let app = TestApp::start(form).await;
    let admin = app.admin().await;
    let id = make(&app, &admin, &["*"]).await;
    let events = ["presence.online"];
    let rows = [
        (json!({ "events": events }), "url"),
        (json!({ "url": URL }), "events"),
        (json!({ "url": 5, "events": events }), "url"),
        (json!({ "url": "example.org", "events": events }), "url"),
        (json!({ "url": "ftp://example.org/", "events": events }), "url"),
        (json!({ "url": "https://user:word@example.org/", "events": events }), "url"),
        (json!({ "url": "https://example.org/#part", "events": events }), "url"),
        (json!({ "url": format!("https://example.org/{}", "x".repeat(2_000)), "events": events }), "url"),
        (json!({ "url": "http://127.0.0.1/", "events": events }), "url"),
        (json!({ "url": "http://localhost/", "events": events }), "url"),
        (json!({ "url": "http://169.254.169.254/latest/", "events": events }), "url"),
        (json!({ "url": "http://[::ffff:10.0.0.1]/", "events": events }), "url"),
        (json!({ "url": URL, "events": [] }), "events"),
        (json!({ "url": URL, "events": "presence.online" }), "events"),
        (json!({ "url": URL, "events": ["presence.sometimes"] }), "events"),
        (json!({ "url": URL, "events": ["account*"] }), "events"),
        (json!({ "url": URL, "events": events, "enabled": "yes" }), "enabled"),
        (json!({ "url": URL, "events": events, "description": "x".repeat(501) }), "description"),
        (json!({ "url": URL, "events": events, "description": "a\u{0}b" }), "description"),
        (json!({ "url": URL, "events": events, "secret": "whsec_AAAA" }), "secret"),
    ];
    for (body, field) in rows {
        let mut answers = vec![app.post(PATH, &admin.access, &body).await];
        if body.get(field).is_some() {
            answers.push(patch(&app, &admin, id, &json!({ field: body[field] })).await);
        }
        for answer in answers {
            assert_eq!((answer.status.as_u16(), answer.code()), (422, "invalid_field"), "{body}: {answer:?}");
            assert_eq!(answer.body["field"], field, "{body}: {answer:?}");
        }
    }
    for (query, field) in [("limit=0", "limit"), ("limit=x", "limit"), ("status=lost", "status"), ("x=1", "x")] {
        let answer = deliveries(&app, &admin, id, &format!("?{query}")).await;
        assert_eq!((answer.status.as_u16(), &answer.body["field"]), (400, &json!(field)), "{answer:?}");
    }
    let answer = deliveries(&app, &admin, id, "?cursor=nonsense").await;
    assert_eq!((answer.code(), &answer.body["field"]), ("invalid_cursor", &json!("cursor")));
    assert_eq!(app.get(PATH, &admin.access).await.body["webhooks"].as_array().unwrap().len(), 1);
}

async fn what_is_not_there_is_not_found(form: Form) {
    let app = TestApp::start(form).await;
    let admin = app.admin().await;
    let here = make(&app, &admin, &["*"]).await;
    for id in ["0", "-1", "999", "x", "99999999999999999999"] {
        let path = format!("{PATH}{id}/");
        let answers = [
            app.get(&path, &admin.access).await,
            app.send(app.request(Method::PATCH, &path).bearer_auth(&admin.access).json(&json!({}))).await,
            app.delete(&path, &admin.access).await,
            app.post(&format!("{path}rotate-secret/"), &admin.access, &json!({})).await,
            app.post(&format!("{path}test/"), &admin.access, &json!({})).await,
            app.get(&format!("{path}deliveries/"), &admin.access).await,
            app.post(&format!("{path}deliveries/1/redeliver/"), &admin.access, &json!({})).await,
        ];
        for answer in answers {
            assert_eq!((answer.status.as_u16(), answer.code()), (404, "webhook_not_found"), "{id}: {answer:?}");
        }
        let path = format!("{PATH}{here}/deliveries/{id}/redeliver/");
        let answer = app.post(&path, &admin.access, &json!({})).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (404, "delivery_not_found"), "{id}: {answer:?}");
    }
    // Another webhook's delivery is none of this one's.
    let other = make(&app, &admin, &["*"]).await;
    let theirs = app.post(&format!("{PATH}{other}/test/"), &admin.access, &json!({})).await.body["id"].clone();
    let path = format!("{PATH}{here}/deliveries/{theirs}/redeliver/");
    assert_eq!(app.post(&path, &admin.access, &json!({})).await.code(), "delivery_not_found");
}

async fn only_admins_have_to_do_with_them(form: Form) {
    let app = TestApp::start(form).await;
    let (admin, ann) = (app.admin().await, app.user("ann").await);
    let id = make(&app, &admin, &["*"]).await;
    let ways = [
        (Method::POST, PATH.to_owned()),
        (Method::GET, PATH.to_owned()),
        (Method::GET, format!("{PATH}{id}/")),
        (Method::PATCH, format!("{PATH}{id}/")),
        (Method::DELETE, format!("{PATH}{id}/")),
        (Method::POST, format!("{PATH}{id}/rotate-secret/")),
        (Method::POST, format!("{PATH}{id}/test/")),
        (Method::GET, format!("{PATH}{id}/deliveries/")),
        (Method::POST, format!("{PATH}{id}/deliveries/1/redeliver/")),
    ];
    for (method, path) in ways {
        let request = || app.request(method.clone(), &path).json(&json!({ "url": URL, "events": ["*"] }));
        let (nobody, user) = (app.send(request()).await, app.send(request().bearer_auth(&ann.access)).await);
        assert_eq!((nobody.status.as_u16(), nobody.code()), (401, "token_invalid"), "{method} {path}");
        assert_eq!((user.status.as_u16(), user.code()), (403, "forbidden"), "{method} {path}");
    }
    let still = app.get(&format!("{PATH}{id}/"), &admin.access).await;
    assert_eq!(still.body["enabled"], true);
}

async fn private_addresses_are_the_operators_to_allow(form: Form) {
    let app = TestApp::with(form, &[("LASTSEEN_WEBHOOK_ALLOW_PRIVATE", "true")]).await;
    let admin = app.admin().await;
    for url in ["http://127.0.0.1:9/", "http://localhost:9/", "http://10.0.0.1/", "http://[::1]/"] {
        let made = app.post(PATH, &admin.access, &json!({ "url": url, "events": ["*"] })).await;
        assert_eq!(made.status, 201, "{url}: {made:?}");
    }
    let body = json!({ "url": "http://user@localhost/", "events": ["*"] });
    assert_eq!(app.post(PATH, &admin.access, &body).await.body["field"], "url");
}

async fn there_may_be_fifty(form: Form) {
    let app = TestApp::start(form).await;
    let admin = app.admin().await;
    let mut id = 0;
    for _ in 0..50 {
        id = make(&app, &admin, &["*"]).await;
    }
    let body = json!({ "url": URL, "events": ["*"] });
    let more = app.post(PATH, &admin.access, &body).await;
    assert_eq!((more.status.as_u16(), more.code()), (409, "too_many_webhooks"));
    assert_eq!(app.delete(&format!("{PATH}{id}/"), &admin.access).await.status, 204);
    assert_eq!(app.post(PATH, &admin.access, &body).await.status, 201);
}

async fn accounts_tell_what_happens_to_them(form: Form) {
    let app = TestApp::start(form).await;
    let admin = app.admin().await;
    let accounts = make(&app, &admin, &["account.*"]).await;
    let all = make(&app, &admin, &["presence.offline", "account.banned"]).await;
    let ann = app.user("ann").await;
    for step in ["suspend", "activate", "ban", "ban", "activate", "deactivate", "activate"] {
        let path = format!("/api/users/{}/{step}/", ann.id);
        let done = app.post(&path, &admin.access, &json!({ "reason": "because" })).await;
        assert_eq!(done.status, 200, "{step}: {done:?}");
    }
    // What is refused is not told.
    assert_eq!(app.register("ann").await.status, 409);
    let own = format!("/api/users/{}/suspend/", admin.id);
    assert!(app.post(&own, &admin.access, &json!({ "reason": "no" })).await.status.is_client_error());
    let gone = app.delete(&format!("/api/users/{}/", ann.id), &admin.access).await;
    assert_eq!(gone.status, 204, "{gone:?}");
    let expected = [
        "account.created",
        "account.suspended",
        "account.activated",
        "account.banned",
        "account.activated",
        "account.deactivated",
        "account.activated",
        "account.deleted",
    ];
    assert_eq!(told(&app, &admin, accounts).await, expected.map(|kind| (kind.to_owned(), ann.id)));
    app.project().await;
    let seen: Vec<String> = told(&app, &admin, all).await.into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(seen, ["account.banned", "presence.offline"]);
}

async fn presence_tells_what_a_stranger_may_see(form: Form) {
    let app = TestApp::start(form).await;
    let admin = app.admin().await;
    app.project().await;
    let id = make(&app, &admin, &["presence.*"]).await;
    let (ann, bob, cid) = (app.user("ann").await, app.user("bob").await, app.user("cid").await);
    app.project().await;
    let came: Vec<(String, i64)> = told(&app, &admin, id).await;
    let online = |user: &User| ("presence.online".to_owned(), user.id);
    assert_eq!(came.len(), 3);
    assert!([&ann, &bob, &cid].iter().all(|user| came.contains(&online(user))), "{came:?}");
    app.patch_me(&ann.access, &json!({ "availability": "invisible" })).await;
    let hidden = app.patch_me(&bob.access, &json!({ "online_visibility": "nobody" })).await;
    assert_eq!(hidden.status, 200, "{hidden:?}");
    app.project().await;
    let mut since = told(&app, &admin, id).await.split_off(3);
    since.sort();
    let offline = |user: &User| ("presence.offline".to_owned(), user.id);
    assert_eq!(since, [offline(&ann), offline(&bob)]);
    // Nothing more of either, whatever they do, and no word of what they hide.
    for (user, shown) in
        [(&ann, json!({ "text": "hiding" })), (&bob, json!({ "text": "hiding", "availability": "dnd" }))]
    {
        let changed = app.patch_me(&user.access, &shown).await;
        assert_eq!(changed.status, 200, "{changed:?}");
        app.post("/api/users/logout/", &user.access, &json!({})).await;
    }
    app.project().await;
    assert_eq!(told(&app, &admin, id).await.len(), 5);
    let all = deliveries(&app, &admin, id, "").await.body.to_string();
    assert!(!all.contains("invisible") && !all.contains("hiding") && !all.contains("dnd"), "{all}");
}

async fn deliveries_are_paged_and_filtered(form: Form) {
    let app = TestApp::start(form).await;
    let admin = app.admin().await;
    let id = make(&app, &admin, &["account.*"]).await;
    let mut made = Vec::new();
    for _ in 0..5 {
        let test = app.post(&format!("{PATH}{id}/test/"), &admin.access, &json!({})).await;
        assert_eq!((test.status.as_u16(), &test.body["type"]), (202, &json!("webhook.test")), "{test:?}");
        assert_eq!((&test.body["status"], &test.body["attempts"]), (&json!("pending"), &json!(0)));
        made.push(test.body["id"].as_i64().unwrap());
    }
    let (mut seen, mut sizes, mut cursor) = (Vec::new(), Vec::new(), None::<String>);
    loop {
        let next = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        let page = deliveries(&app, &admin, id, &format!("?limit=2{next}")).await;
        let rows = page.body["deliveries"].as_array().unwrap();
        sizes.push(rows.len());
        seen.extend(rows.iter().map(|one| one["id"].as_i64().unwrap()));
        cursor = page.body["next_cursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            break;
        }
    }
    made.reverse();
    assert_eq!((seen, sizes), (made, vec![2, 2, 1]));
    let count = |status: &'static str| {
        let (app, admin) = (&app, &admin);
        async move {
            let page = deliveries(app, admin, id, &format!("?status={status}")).await;
            page.body["deliveries"].as_array().unwrap().len()
        }
    };
    assert_eq!((count("pending").await, count("dead").await, count("delivered").await), (5, 0, 0));
}

async fn a_delivery_is_sent_again_under_its_id(form: Form) {
    let app = TestApp::start(form).await;
    let admin = app.admin().await;
    let id = make(&app, &admin, &["account.*"]).await;
    let test = app.post(&format!("{PATH}{id}/test/"), &admin.access, &json!({})).await.body;
    let dead = |c: &mut AnyConnection| {
        use webhook_deliveries as d;
        let set = (d::status.eq("dead"), d::attempts.eq(11), d::last_status.eq(500));
        diesel::update(d::table).set(set).execute(c).map_err(DbError::from)
    };
    app.service.db.run(dead).await.unwrap();
    let page = deliveries(&app, &admin, id, "?status=dead").await.body;
    let one = &page["deliveries"][0];
    assert_eq!(
        (&one["attempts"], &one["last_status"], &one["next_attempt_at"]),
        (&json!(11), &json!(500), &Value::Null)
    );
    let path = format!("{PATH}{id}/deliveries/{}/redeliver/", test["id"]);
    let again = app.post(&path, &admin.access, &json!({})).await;
    assert_eq!(again.status, 202, "{again:?}");
    for field in ["id", "webhook_id", "body", "type", "created_at"] {
        assert_eq!(again.body[field], test[field], "{field}");
    }
    assert_eq!((&again.body["status"], &again.body["attempts"]), (&json!("pending"), &json!(0)));
    assert!(again.body["next_attempt_at"].is_string());
    patch(&app, &admin, id, &json!({ "enabled": false })).await;
    for path in [path, format!("{PATH}{id}/test/")] {
        let refused = app.post(&path, &admin.access, &json!({})).await;
        assert_eq!((refused.status.as_u16(), refused.code()), (409, "webhook_disabled"));
    }
}
