//! Accounts of a Django project: whoever had a password there has it here.

use lastseen_shared::account::django::DjangoHash;
use lastseen_shared::ids::UserId;
use lastseen_shared::import::{Imported, from_django};
use lastseen_shared::models::Account;
use lastseen_shared::settings::Form;
use reqwest::Method;
use serde_json::json;

use crate::app::{TestApp, in_both_forms};

in_both_forms!(
    who_was_imported_logs_in_and_has_bcrypt_then,
    two_first_log_ins_at_once_are_both_right,
    a_refused_row_stops_all_or_is_left_out,
    ids_go_on_above_those_that_were_imported,
    thousands_are_imported_and_counted,
);

/// Hashes made by Django 5.2.19 itself; the short one by its hasher with fewer iterations.
const USERS: &str = "\
id,password,last_login,is_superuser,username,first_name,email,is_staff,is_active,date_joined
501,pbkdf2_sha256$36000$seasalt12$cHMbhV0ipmJdQnBKPE5F9jl1atJID/Ft8BrjZSmWUnI=,2026-01-02 12:00:00+00,f,Ines,I,ines@example.org,f,t,2020-05-01 08:00:00.123456+00
502,bcrypt$$2b$12$g3ewALsz.jZ0SmeFshZSr.35HJQvba8irWslbWeNwQkUjhxJvgg/a,,t,omar,,omar@example.org,t,t,2020-05-01 08:00:00+00
503,!mZpkM0dreFgWyRnRrGClqmK47iZP6fyc2Qz2XNdQ,,f,robot,,,f,t,2020-05-01 08:00:00+00
504,pbkdf2_sha256$36000$seasalt12$cHMbhV0ipmJdQnBKPE5F9jl1atJID/Ft8BrjZSmWUnI=,,f,gone,,gone@example.org,f,f,2020-05-01 08:00:00+00
";

async fn import(app: &TestApp, file: &'static str, skip: bool) -> Imported {
    from_django(&app.service.db, file.as_bytes(), skip).await.unwrap()
}

async fn hash_of(app: &TestApp, id: i64) -> String {
    let find = move |c: &mut _| Account::find(c, UserId(id));
    app.service.db.run(find).await.unwrap().unwrap().password_hash
}

async fn try_log_in(app: &TestApp, name: &str, password: &str) -> (u16, serde_json::Value) {
    let body = json!({ "username": name, "password": password });
    let answer = app.send(app.request(Method::POST, "/api/users/login/").json(&body)).await;
    (answer.status.as_u16(), answer.body)
}

async fn who_was_imported_logs_in_and_has_bcrypt_then(form: Form) {
    let app = TestApp::start(form).await;
    let imported = import(&app, USERS, false).await;
    assert_eq!((imported.made, imported.there, imported.refused.len()), (4, 0, 0), "{imported}");
    let (status, body) = try_log_in(&app, "ines", "not hers").await;
    assert_eq!((status, &body["code"]), (401, &json!("invalid_credentials")));
    assert!(DjangoHash::is_one(&hash_of(&app, 501).await), "a wrong password changes nothing");
    for turn in 0..2 {
        let (status, body) = try_log_in(&app, "ines", "an older one").await;
        assert_eq!((status, &body["user"]["id"]), (200, &json!(501)), "turn {turn}: {body}");
        let hash = hash_of(&app, 501).await;
        assert!(hash.starts_with("$2"), "{hash}");
    }
    let (status, body) = try_log_in(&app, "omar", "correct horse battery").await;
    assert_eq!((status, &body["user"]["role"]), (200, &json!("admin")), "{body}");
    for password in ["", "!", "!mZpkM0dreFgWyRnRrGClqmK47iZP6fyc2Qz2XNdQ"] {
        let (status, body) = try_log_in(&app, "robot", password).await;
        assert!(status == 401 || status == 422, "{body}");
    }
    let (status, body) = try_log_in(&app, "gone", "an older one").await;
    assert_eq!((status, &body["code"]), (403, &json!("account_inactive")));
    let admin = app.admin().await;
    let ines = app.get("/api/users/501/", &admin.access).await.body;
    assert_eq!(ines["user"]["username"], "Ines");
    let robot = app.get("/api/users/503/", &admin.access).await.body;
    assert_eq!((&robot["user"]["email"], &robot["user"]["last_seen"]), (&json!("robot@localhost"), &json!(null)));
    let gone = app.get("/api/users/504/", &admin.access).await.body;
    assert_eq!((&gone["user"]["is_active"], &gone["user"]["online_status"]), (&json!(false), &json!("offline")));
}

async fn two_first_log_ins_at_once_are_both_right(form: Form) {
    let app = TestApp::start(form).await;
    import(&app, USERS, false).await;
    let tries = (0..4).map(|_| try_log_in(&app, "ines", "an older one"));
    for (status, body) in futures_util::future::join_all(tries).await {
        assert_eq!(status, 200, "{body}");
    }
}

async fn a_refused_row_stops_all_or_is_left_out(form: Form) {
    const BAD: &str = "id,username,email,password,last_seen\n\
        601,vera,vera@example.org,!,2026-01-02 12:00:00+00\n602,a b,x@example.org,!,\n603,Vera,other@example.org,!,\n\
        601,other,other@example.org,!,\n604,walt,VERA@example.org,!,\n605,too,few\n4503599627370497,high,,!,\n";
    let app = TestApp::start(form).await;
    let stopped = import(&app, BAD, false).await;
    let lines: Vec<u64> = stopped.refused.iter().map(|(line, _)| *line).collect();
    assert_eq!((stopped.made, &lines[..]), (0, &[3, 4, 5, 6, 7, 8][..]), "{stopped}");
    let nobody = app.service.db.run(|c| Account::find(c, UserId(601))).await.unwrap();
    assert!(nobody.is_none(), "nothing was written");
    let skipped = import(&app, BAD, true).await;
    assert_eq!((skipped.made, skipped.refused.len()), (1, 6), "{skipped}");
    let again = import(&app, BAD, true).await;
    assert_eq!((again.made, again.there), (0, 1), "{again}");
    let admin = app.admin().await;
    let vera = app.get("/api/users/601/", &admin.access).await.body;
    assert_eq!(vera["user"]["last_seen"], "2026-01-02T12:00:00.000Z");
}

async fn ids_go_on_above_those_that_were_imported(form: Form) {
    let app = TestApp::start(form).await;
    import(&app, USERS, false).await;
    assert!(app.user("newcomer").await.id > 504);
    import(&app, USERS, false).await;
    assert!(app.user("another").await.id > 505);
}

async fn thousands_are_imported_and_counted(form: Form) {
    let app = TestApp::start(form).await;
    let mut file = "id,username,email,password\n".to_owned();
    for id in 1_000..3_100 {
        file.push_str(&format!("{id},user{id},user{id}@example.org,!\n"));
    }
    // The last is in another batch than the account whose name it has.
    file.push_str("4000,User1000,another@example.org,!\n");
    let imported = from_django(&app.service.db, std::io::Cursor::new(file), true).await.unwrap();
    assert_eq!((imported.made, imported.refused.len()), (2_100, 1), "{imported}");
    let admin = app.admin().await;
    let page = app.get("/api/users/all-users/?limit=1", &admin.access).await.body;
    assert_eq!(page["total"], 2_101, "with the admin");
}
