//! Every way that presence leaves the system: one row each, with what it tells of a user who shows itself, and of the same
//! user once it does not. The WebSocket is held to the same among the scenarios (`live.rs`). A path of the OpenAPI document whose answer has a presence in it, and that has no row, fails.

use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{Answered, PASSWORD, TestApp, User, in_both_forms};
use lastseen_shared::settings::Form;

in_both_forms!(whoever_hides_is_hidden_on_every_way_out,);

/// What a way tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tells {
    /// The caller of itself, who sees itself whatever it hides.
    Oneself,
    /// Of an account that has never been online.
    OfNobodySeen,
    /// Of the user, what the caller may see.
    Presence,
    /// Of the user's devices, what the caller may see.
    Devices,
    /// Of the user, who is blocked by then: nothing.
    OfBlocked,
    /// Of the user's past: refused where the caller may not see when it was last seen.
    Past,
}

/// In the order in which they are tried, since some change what the next one finds.
pub const WAYS: &[(&str, &str, Tells)] = &[
    ("post", "/api/users/register/", Tells::Oneself),
    ("post", "/api/users/login/", Tells::Oneself),
    ("post", "/api/users/heartbeat/", Tells::Oneself),
    ("get", "/api/users/me/", Tells::Oneself),
    ("get", "/api/users/me/export/", Tells::Oneself),
    ("patch", "/api/users/me/", Tells::Oneself),
    ("get", "/api/users/all-users/", Tells::Presence),
    ("get", "/api/users/{id}/", Tells::Presence),
    ("get", "/api/users/presence/", Tells::Presence),
    ("post", "/api/users/presence/", Tells::Presence),
    ("get", "/api/users/presence/changes/", Tells::Presence),
    ("post", "/api/contacts/{id}/accept/", Tells::Presence),
    ("post", "/api/contacts/{id}/notify/", Tells::Presence),
    ("get", "/api/contacts/", Tells::Presence),
    ("post", "/api/contacts/", Tells::Presence),
    ("post", "/api/contacts/{id}/block/", Tells::OfBlocked),
    ("get", "/api/users/{id}/sessions/", Tells::Devices),
    ("get", "/api/users/{id}/history/", Tells::Past),
    ("post", "/api/users/", Tells::OfNobodySeen),
    ("patch", "/api/users/{id}/", Tells::Presence),
    ("post", "/api/users/{id}/logout/", Tells::Presence),
    ("post", "/api/users/{id}/suspend/", Tells::Presence),
    ("post", "/api/users/{id}/ban/", Tells::Presence),
    ("post", "/api/users/{id}/deactivate/", Tells::Presence),
    ("post", "/api/users/{id}/activate/", Tells::Presence),
];

/// Whether an answer tells anything of the user's presence.
fn tells(value: &Value, user: i64) -> bool {
    match value {
        Value::Array(all) => all.iter().any(|one| tells(one, user)),
        Value::Object(fields) => {
            let about = [fields.get("id"), fields.get("user_id")].contains(&Some(&json!(user)));
            let something = |field: &str, nothing: &[Value]| {
                fields.get(field).is_some_and(|value| !value.is_null() && !nothing.contains(value))
            };
            let told = something("online_status", &[json!("offline")])
                || something("availability", &[json!("available")])
                || ["last_seen", "online_until", "text", "emoji"].iter().any(|field| something(field, &[]));
            (about && told) || fields.values().any(|one| tells(one, user))
        }
        _ => false,
    }
}

/// A user who is told of, and where.
pub struct Scene {
    pub app: TestApp,
    pub sue: User,
}

impl Scene {
    /// Has her show something else.
    pub async fn say(&self, text: &str) {
        let said = self.app.patch_me(&self.sue.access, &json!({ "availability": "dnd", "text": text })).await;
        assert_eq!(said.status, 200, "{said:?}");
    }

    /// Has whatever the way needs happen, and goes it.
    pub async fn go(&self, viewer: &User, (method, path, _): (&str, &str, Tells)) -> Answered {
        let (app, sue) = (&self.app, &self.sue);
        let method = Method::from_bytes(method.to_ascii_uppercase().as_bytes()).unwrap();
        let filled = path.replace("{id}", &sue.id.to_string());
        let ask = async |from: &User, to: &User| {
            let asked = app.post("/api/contacts/", &from.access, &json!({ "user_id": to.id })).await;
            assert_eq!(asked.status, 201, "{asked:?}");
        };
        let (filled, body) = match path {
            "/api/users/presence/" if method == Method::GET => (format!("{filled}?ids={}", sue.id), None),
            "/api/users/presence/" => (filled, Some(json!({ "ids": [sue.id] }))),
            "/api/users/presence/changes/" => {
                let cursor = app.get(path, &viewer.access).await.body["next_cursor"].as_str().unwrap().to_owned();
                self.say("first").await;
                self.say("second").await;
                (format!("{filled}?since={cursor}"), None)
            }
            "/api/users/all-users/" => (format!("{filled}?limit=1000"), None),
            "/api/contacts/{id}/accept/" => {
                ask(sue, viewer).await;
                (filled, Some(json!({})))
            }
            "/api/contacts/{id}/notify/" => (filled, Some(json!({ "when": "always" }))),
            "/api/contacts/" if method == Method::POST => {
                let removed = app.delete(&format!("{path}{}/", sue.id), &viewer.access).await;
                assert_eq!(removed.status, 204, "{removed:?}");
                (filled, Some(json!({ "user_id": sue.id })))
            }
            "/api/users/" => {
                let name = format!("new{}", lastseen_shared::timestamp::Timestamp::now().0);
                (filled, Some(json!({ "username": name, "email": format!("{name}@x.org"), "password": PASSWORD })))
            }
            _ if method == Method::GET => (filled, None),
            _ => (filled, Some(json!({}))),
        };
        let request = app.request(method, &filled).bearer_auth(&viewer.access);
        let answer = app.send(body.iter().fold(request, |request, body| request.json(body))).await;
        if path == "/api/contacts/{id}/block/" {
            assert_eq!(app.delete(&format!("/api/contacts/{}/", sue.id), &viewer.access).await.status, 204);
        }
        answer
    }

    /// Goes all ways, and holds each to whether it may tell.
    async fn go_all(&self, viewer: &User, is_admin: bool, may_tell: bool) {
        for way in WAYS {
            let (method, path, tells_what) = *way;
            if tells_what == Tells::Oneself {
                continue;
            }
            let answer = self.go(viewer, *way).await;
            if !is_admin && answer.status == 403 && answer.code() == "forbidden" {
                continue;
            }
            let what = format!("{method} {path}, admin {is_admin}, shown {may_tell}: {answer:?}");
            if tells_what == Tells::Past && !may_tell {
                assert_eq!((answer.status.as_u16(), answer.code()), (403, "hidden_by_privacy"), "{what}");
                continue;
            }
            assert!(answer.status.is_success(), "{what}");
            match tells_what {
                Tells::Presence => assert_eq!(tells(&answer.body, self.sue.id), may_tell, "{what}"),
                Tells::Devices => {
                    let sessions = answer.body["sessions"].as_array().unwrap();
                    assert!(!sessions.is_empty(), "{what}");
                    let told = |s: &Value| s["online"] == true || !s["last_seen"].is_null();
                    assert_eq!(sessions.iter().any(told), may_tell, "{what}");
                }
                Tells::Past => assert!(!answer.body["intervals"].as_array().unwrap().is_empty(), "{what}"),
                Tells::OfBlocked | Tells::OfNobodySeen => assert!(!tells(&answer.body, self.sue.id), "{what}"),
                Tells::Oneself => {}
            }
        }
    }
}

async fn whoever_hides_is_hidden_on_every_way_out(form: Form) {
    let app = TestApp::start(form).await;
    let (sue, vic, admin) = (app.user("sue").await, app.user("vic").await, app.admin().await);
    app.project().await;
    let mut scene = Scene { app, sue };
    for (visibility, may_tell) in [("everyone", true), ("nobody", false)] {
        let hide = json!({ "online_visibility": visibility });
        assert_eq!(scene.app.patch_me(&scene.sue.access, &hide).await.status, 200);
        scene.say("words").await;
        scene.go_all(&vic, false, may_tell).await;
        scene.go_all(&admin, true, may_tell).await;
        // The last of the ways ended her sessions. She sees herself all the same.
        scene.sue = scene.app.log_in("sue", PASSWORD).await;
        let me = scene.app.get("/api/users/me/", &scene.sue.access).await;
        assert!(tells(&me.body, scene.sue.id), "{me:?}");
        let list = scene.app.get("/api/users/all-users/", &scene.sue.access).await;
        assert!(tells(&list.body, scene.sue.id), "{list:?}");
    }
}

/// All names of fields in an answer's schema.
fn fields(schema: &Value, document: &Value, found: &mut Vec<String>) {
    match schema {
        Value::Object(members) => {
            if let Some(reference) = members.get("$ref").and_then(Value::as_str) {
                fields(document.pointer(reference.trim_start_matches('#')).unwrap(), document, found);
            }
            if let Some(Value::Object(properties)) = members.get("properties") {
                found.extend(properties.keys().cloned());
            }
            members.values().for_each(|member| fields(member, document, found));
        }
        Value::Array(all) => all.iter().for_each(|one| fields(one, document, found)),
        _ => {}
    }
}

#[test]
fn every_path_that_tells_of_presence_has_a_row() {
    const PRESENCE: [&str; 4] = ["online_status", "last_seen", "online_until", "intervals"];
    let document = serde_json::to_value(lastseen_api::openapi::api()).unwrap();
    let mut telling = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let mut found = Vec::new();
            for (status, response) in operation["responses"].as_object().unwrap() {
                if status.starts_with('2') {
                    fields(response, &document, &mut found);
                }
            }
            if found.iter().any(|field| PRESENCE.contains(&field.as_str())) {
                telling += 1;
                let row = WAYS.iter().any(|(m, p, _)| m == method && p == path);
                assert!(row, "{method} {path} tells of presence: it needs a row here");
            }
        }
    }
    assert_eq!(telling, WAYS.len(), "a row for each of them, and none besides");
}
