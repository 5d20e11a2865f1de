//! What one takes out: all that is held of oneself, and history as CSV.

use lastseen_shared::settings::Form;
use reqwest::Method;
use serde_json::json;

use crate::app::{PASSWORD, TestApp, in_both_forms};

in_both_forms!(all_that_is_held_of_oneself, history_as_csv_page_by_page,);

async fn all_that_is_held_of_oneself(form: Form) {
    let app = TestApp::start(form).await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    app.befriend(&ann, &bob).await;
    app.patch_me(&ann.access, &json!({ "availability": "dnd", "text": "mine" })).await;
    let reason = json!({ "reason": "a trial" });
    let admin = app.admin().await;
    app.post(&format!("/api/users/{}/logout/", ann.id), &admin.access, &reason).await;
    let ann = app.log_in("ann", PASSWORD).await;
    app.project().await;

    let taken = app.get("/api/users/me/export/", &ann.access).await;
    assert_eq!(taken.status, 200, "{taken:?}");
    let body = &taken.body;
    assert_eq!(body["user"]["email"], "ann@example.org");
    assert_eq!((&body["user"]["text"], &body["user"]["chosen_availability"]), (&json!("mine"), &json!("dnd")));
    let ends: Vec<_> = body["sessions"].as_array().unwrap().iter().map(|one| one["end_reason"].clone()).collect();
    assert_eq!(ends, [json!(null), json!("ended_by_admin")]);
    let reasons: Vec<_> = body["history"].as_array().unwrap().iter().map(|one| one["end_reason"].clone()).collect();
    assert_eq!(reasons, [json!(null), json!("ended_by_admin")]);
    assert_eq!(body["contacts"][0]["user_id"], bob.id);
    assert_eq!(body["actions"][0]["reason"], "a trial");
    // Nothing that would let anybody in, and nobody's but one's own.
    let text = body.to_string();
    for secret in ["password", "hash", "refresh", "bob@example.org", "admin@"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

async fn history_as_csv_page_by_page(form: Form) {
    let app = TestApp::start(form).await;
    let mut ann = app.user("ann").await;
    for _ in 0..2 {
        app.post("/api/users/logout/", &ann.access, &json!({})).await;
        let device = json!({ "username": "ann", "password": PASSWORD, "device": "=cmd(\"x\"), y" });
        let answer = app.send(app.request(Method::POST, "/api/users/login/").json(&device)).await;
        ann.access = answer.body["access"].as_str().unwrap().to_owned();
    }
    app.project().await;
    let path = format!("/api/users/{}/history/?limit=2", ann.id);
    let get =
        |path: String| app.request(Method::GET, &path).bearer_auth(&ann.access).header("Accept", "text/csv").send();
    let first = get(path).await.unwrap();
    assert!(first.headers()["content-type"].to_str().unwrap().starts_with("text/csv"), "{first:?}");
    let next = first.headers()["link"].to_str().unwrap().to_owned();
    let text = first.text().await.unwrap();
    let lines: Vec<&str> = text.split("\r\n").collect();
    assert_eq!(lines[0], "started_at,ended_at,start_reason,end_reason,session_id,device");
    assert_eq!(lines.len(), 4, "{text}");
    assert!(lines[1].ends_with(r#","'=cmd(""x""), y""#), "{text}");
    let next = next.trim_start_matches('<').split('>').next().unwrap().to_owned();
    assert!(next.contains("limit=2&cursor="), "{next}");
    let second = get(next).await.unwrap();
    assert!(second.headers().get("link").is_none());
    let rest = second.text().await.unwrap();
    assert_eq!(rest.split("\r\n").count(), 3, "{rest}");
    assert!(rest.contains(",login,logout,"), "{rest}");
}
