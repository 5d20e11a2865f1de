use reqwest::Method;
use serde_json::Value;

use crate::app::{Answered, TestApp, in_both_forms};
use lastseen_shared::account::{Standing, Status};
use lastseen_shared::db::AnyConnection;
use lastseen_shared::ids::UserId;
use lastseen_shared::models::account::WriteError;
use lastseen_shared::models::{Account, AccountChanges};
use lastseen_shared::settings::Form;

in_both_forms!(
    pages_follow_each_other_in_every_order,
    filters_count_what_they_select,
    an_unchanged_page_is_not_sent_again,
    history_is_exact_before_any_sweep,
    whom_the_database_still_has_online_is_offline_once_barred,
);

fn names(answer: &Answered) -> Vec<&str> {
    answer.body["users"].as_array().unwrap().iter().map(|user| user["username"].as_str().unwrap()).collect()
}

async fn pages_follow_each_other_in_every_order(form: Form) {
    let app = TestApp::start(form).await;
    let admin = app.admin().await;
    for name in ["dora", "Cid", "bob", "Ann", "eve"] {
        assert_eq!(app.register(name).await.status, 201);
    }
    app.log_in("bob", crate::app::PASSWORD).await;
    app.project().await;
    for (order, expected) in [
        ("id", vec!["admin", "dora", "Cid", "bob", "Ann", "eve"]),
        ("-id", vec!["eve", "Ann", "bob", "Cid", "dora", "admin"]),
        ("username", vec!["admin", "Ann", "bob", "Cid", "dora", "eve"]),
        ("last_seen", vec!["dora", "Cid", "Ann", "eve", "admin", "bob"]),
        ("-last_seen", vec!["bob", "admin", "eve", "Ann", "Cid", "dora"]),
        ("-username", vec!["eve", "dora", "Cid", "bob", "Ann", "admin"]),
    ] {
        for limit in [1, 2, 4, 6, 1000] {
            let (mut all, mut cursor) = (Vec::new(), String::new());
            loop {
                let page = app
                    .get(&format!("/api/users/all-users/?order={order}&limit={limit}{cursor}"), &admin.access)
                    .await;
                assert_eq!(page.status, 200, "{page:?}");
                assert_eq!((&page.body["total"], &page.body["online"]), (&6.into(), &2.into()));
                assert!(names(&page).len() <= limit);
                all.extend(names(&page).into_iter().map(str::to_owned));
                match &page.body["next_cursor"] {
                    Value::String(next) => cursor = format!("&cursor={next}"),
                    _ => break,
                }
            }
            assert_eq!(all, expected, "{order} {limit}");
        }
    }
}

async fn filters_count_what_they_select(form: Form) {
    let app = TestApp::start(form).await;
    let admin = app.admin().await;
    for name in ["per_cent", "percent", "PerCy", "bob"] {
        app.register(name).await;
    }
    let percy = app.log_in("percy", crate::app::PASSWORD).await;
    let bob = app.log_in("bob", crate::app::PASSWORD).await;
    app.post(&format!("/api/users/{}/ban/", bob.id), &admin.access, &serde_json::json!({})).await;
    let rows: [(&str, &[&str], u64, u64); 12] = [
        ("", &["admin", "per_cent", "percent", "PerCy", "bob"], 5, 2),
        ("search=PERC", &["percent", "PerCy"], 2, 1),
        ("search=_", &["per_cent"], 1, 0),
        ("search=%25", &[], 0, 0),
        ("search=example.org&online_status=online", &["PerCy"], 1, 1),
        ("online_status=online", &["admin", "PerCy"], 2, 2),
        ("online_status=offline", &["per_cent", "percent", "bob"], 3, 0),
        ("status=banned", &["bob"], 1, 0),
        ("status=active&role=user", &["per_cent", "percent", "PerCy"], 3, 1),
        ("role=admin", &["admin"], 1, 1),
        ("role=admin&online_status=offline", &[], 0, 0),
        ("status=banned&online_status=online", &[], 0, 0),
    ];
    for (query, expected, total, online) in rows {
        let page = app.get(&format!("/api/users/all-users/?{query}"), &admin.access).await;
        assert_eq!(names(&page), expected, "{query}");
        assert_eq!(
            (page.body["total"].as_u64(), page.body["online"].as_u64()),
            (Some(total), Some(online)),
            "{query}"
        );
    }
    let page = app.get("/api/users/all-users/?search=example.org", &percy.access).await;
    assert_eq!(page.body["total"], 0, "addresses are for admins");
    assert!(app.get("/api/users/all-users/", &percy.access).await.body["users"][0].get("email").is_none());
}

async fn an_unchanged_page_is_not_sent_again(form: Form) {
    let app = TestApp::start(form).await;
    let admin = app.admin().await;
    app.register("ann").await;
    let page = app.get("/api/users/all-users/", &admin.access).await;
    let tag = page.headers["etag"].to_str().unwrap().to_owned();
    let again = async |tag: &str| {
        let request = app.request(Method::GET, "/api/users/all-users/").bearer_auth(&admin.access);
        app.send(request.header("If-None-Match", tag)).await
    };
    let same = again(&tag).await;
    assert_eq!(
        (same.status.as_u16(), same.headers["etag"].to_str().unwrap(), same.body),
        (304, tag.as_str(), Value::Null)
    );
    assert_eq!(again(&format!("\"x\", {}", tag.trim_start_matches("W/"))).await.status, 304);
    assert_eq!(again("*").await.status, 304);
    assert_eq!(again("\"x\"").await.status, 200);
    app.log_in("ann", crate::app::PASSWORD).await;
    assert_eq!(again(&tag).await.status, 200);
}

async fn history_is_exact_before_any_sweep(form: Form) {
    let app =
        TestApp::with(form, &[("LASTSEEN_HEARTBEAT_INTERVAL", "50ms"), ("LASTSEEN_INACTIVITY_TIMEOUT", "100ms")])
            .await;
    let admin = app.admin().await;
    let ann = app.user("ann").await;
    app.project().await;
    let path = format!("/api/users/{}/history/", ann.id);
    let history = async |query: &str| app.get(&format!("{path}{query}"), &admin.access).await;
    tokio::time::sleep(std::time::Duration::from_millis(110)).await;
    let closed = app.get(&path, &app.admin().await.access).await;
    let interval = &closed.body["intervals"][0];
    assert_eq!(
        (&interval["start_reason"], &interval["end_reason"]),
        (&"login".into(), &"timeout".into()),
        "{closed:?}"
    );
    assert_eq!(interval["session_id"], 2);
    assert_eq!(history("?limit=0").await.code(), "invalid_query");
    assert_eq!(history("?from=yesterday").await.body["field"], "from");
    assert_eq!(history("?cursor=x").await.code(), "invalid_cursor");
    assert_eq!(history("?to=2020-01-01T00:00:00Z").await.body["intervals"], serde_json::json!([]));
    // The question is a sign of life, which on a slow machine may be too old by the time that it is answered.
    let mut now = app.get("/api/stats/now/", &app.admin().await.access).await;
    for _ in 0..50 {
        if now.body["online"] != 0 {
            break;
        }
        now = app.get("/api/stats/now/", &app.admin().await.access).await;
    }
    assert_eq!((&now.body["total"], &now.body["online"]), (&2.into(), &1.into()));
    assert_eq!(now.body["by_status"]["active"], 2);
    let config = app.send(app.request(Method::GET, "/api/config/")).await;
    assert_eq!(
        (&config.body["registration"], &config.body["inactivity_timeout_seconds"]),
        (&"open".into(), &0.1.into())
    );
}

/// As between the database's and the engine's part of barring somebody, and of taking it back.
async fn whom_the_database_still_has_online_is_offline_once_barred(form: Form) {
    let app = TestApp::start(form).await;
    let admin = app.admin().await;
    for name in ["ann", "bob"] {
        app.register(name).await;
        app.log_in(name, crate::app::PASSWORD).await;
    }
    app.project().await;
    let ann = app.get("/api/users/all-users/?search=ann", &admin.access).await.body["users"][0]["id"].as_i64();
    let ann = UserId(ann.unwrap());
    for (status, is_active, online) in [
        (Status::Banned, true, false),
        (Status::Active, true, true),
        (Status::Active, false, false),
        (Status::Pending, false, false),
        (Status::Active, true, true),
    ] {
        let change = move |c: &mut AnyConnection| {
            let changes =
                AccountChanges { standing: Some(Standing { status, is_active }), ..AccountChanges::default() };
            Account::change(c, ann, &changes).map(drop)
        };
        app.service.db.run(change).await.map_err(|error: WriteError| error.to_string()).unwrap();
        for order in ["id", "-id", "username", "-username", "last_seen", "-last_seen"] {
            for wanted in ["online", "offline"] {
                let path = format!("/api/users/all-users/?online_status={wanted}&order={order}");
                let page = app.get(&path, &admin.access).await;
                let listed = names(&page).contains(&"ann");
                assert_eq!(listed, (wanted == "online") == online, "{status:?} {is_active} {path}: {page:?}");
                assert_eq!(names(&page).contains(&"bob"), wanted == "online", "{path}");
            }
        }
    }
}
