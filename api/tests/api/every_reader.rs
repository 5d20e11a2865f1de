//! Every way of reading, for every reader: what the two are to each other, what each lets the other see, the reader's
//! role. What is to be seen follows here from a table of its own.

use futures_util::{SinkExt, StreamExt};
use lastseen_shared::presence::availability::{Privacy, Visibility};
use lastseen_shared::settings::Form;
use serde_json::{Value, json};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::app::{TestApp, User, in_both_forms};
use crate::ways_out::{Scene, Tells, WAYS};

in_both_forms!(each_sees_what_both_let_it_see,);

/// What a reader and the user are to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Relation {
    Stranger,
    Contact,
    BlockedByReader,
    BlockedByUser,
}

const RELATIONS: [Relation; 4] =
    [Relation::Stranger, Relation::Contact, Relation::BlockedByReader, Relation::BlockedByUser];

/// Whether a setting lets somebody see, a line a setting, in the order of `RELATIONS`.
const LETS_SEE: [(Visibility, [bool; 4]); 3] = [
    (Visibility::Everyone, [true, true, false, false]),
    (Visibility::Contacts, [false, true, false, false]),
    (Visibility::Nobody, [false, false, false, false]),
];

/// Ways that change nothing, so that each can be gone again and again.
const READING: [(&str, &str); 8] = [
    ("get", "/api/users/all-users/"),
    ("get", "/api/users/{id}/"),
    ("get", "/api/users/presence/"),
    ("post", "/api/users/presence/"),
    ("get", "/api/users/presence/changes/"),
    ("get", "/api/contacts/"),
    ("get", "/api/users/{id}/sessions/"),
    ("get", "/api/users/{id}/history/"),
];

fn lets_see(setting: Visibility, relation: Relation) -> bool {
    let column = RELATIONS.iter().position(|one| *one == relation).unwrap();
    LETS_SEE.iter().find(|(one, _)| *one == setting).unwrap().1[column]
}

async fn relate(app: &TestApp, reader: &User, user: &User, relation: Relation) {
    for (one, other) in [(reader, user), (user, reader)] {
        // There may be nothing to remove.
        app.delete(&format!("/api/contacts/{}/", other.id), &one.access).await;
    }
    match relation {
        Relation::Stranger => {}
        Relation::Contact => app.befriend(reader, user).await,
        Relation::BlockedByReader => app.block(reader, user).await,
        Relation::BlockedByUser => app.block(user, reader).await,
    }
}

async fn hide(app: &TestApp, user: &User, privacy: Privacy) {
    let body = json!({ "online_visibility": privacy.online, "last_seen_visibility": privacy.last_seen });
    assert_eq!(app.patch_me(&user.access, &body).await.status, 200);
}

/// Everything in an answer that is about a user and has a presence.
fn about<'a>(value: &'a Value, user: i64, found: &mut Vec<&'a Value>) {
    match value {
        Value::Array(all) => all.iter().for_each(|one| about(one, user, found)),
        Value::Object(fields) => {
            let theirs = [fields.get("id"), fields.get("user_id")].contains(&Some(&json!(user)));
            if theirs && fields.contains_key("online_status") {
                found.push(value);
            }
            fields.values().for_each(|one| about(one, user, found));
        }
        _ => {}
    }
}

/// Holds whatever is told of the user against what may be seen. Answers how often it is told of.
fn check(answer: &Value, user: i64, (online, last_seen): (bool, bool), what: &str) -> usize {
    let mut found = Vec::new();
    about(answer, user, &mut found);
    for presence in &found {
        let what = format!("{what}: {presence}");
        assert_eq!(presence["online_status"], if online { "online" } else { "offline" }, "{what}");
        assert_eq!(presence["availability"], if online { "dnd" } else { "available" }, "{what}");
        assert_eq!(presence["text"].is_null(), !online, "{what}");
        assert_eq!(presence["last_seen"].is_null(), !last_seen, "{what}");
        assert!(last_seen || presence["online_until"].is_null(), "{what}");
        assert!(online || presence["reason"].is_null(), "{what}");
    }
    found.len()
}

/// A snapshot over a WebSocket.
async fn snapshot(app: &TestApp, reader: &User, user: i64) -> Value {
    let url = app.request(reqwest::Method::GET, "/api/ws/").build().unwrap().url().to_string();
    let mut request = url.replacen("http", "ws", 1).into_client_request().unwrap();
    let offered = format!("bearer, {}", reader.access).parse().unwrap();
    request.headers_mut().insert("Sec-WebSocket-Protocol", offered);
    let (mut socket, _) = connect_async(request).await.unwrap();
    let frame = json!({ "type": "subscribe", "users": [user] }).to_string();
    socket.send(Message::text(frame)).await.unwrap();
    loop {
        let message = socket.next().await.unwrap().unwrap();
        let Message::Text(text) = message else { continue };
        let frame: Value = serde_json::from_str(&text).unwrap();
        if frame["type"] == "snapshot" {
            return frame;
        }
    }
}

async fn each_sees_what_both_let_it_see(form: Form) {
    let app = TestApp::start(form).await;
    let (sue, vic, admin) = (app.user("sue").await, app.user("vic").await, app.admin().await);
    app.project().await;
    let scene = Scene { app, sue };
    let app = &scene.app;
    scene.say("words").await;
    // Both of one's own settings the same: the rule by itself is held to all pairs beside it.
    let own_settings = Visibility::ALL.map(|setting| Privacy { online: setting, last_seen: setting });
    for (reader, is_admin) in [(&vic, false), (&admin, true)] {
        for relation in RELATIONS {
            relate(app, reader, &scene.sue, relation).await;
            for theirs in Privacy::all() {
                hide(app, &scene.sue, theirs).await;
                for own in own_settings {
                    hide(app, reader, own).await;
                    let both = |theirs, own| lets_see(theirs, relation) && lets_see(own, relation);
                    let online = both(theirs.online, own.online);
                    let last_seen = online && both(theirs.last_seen, own.last_seen);
                    let who = format!("{relation:?}, {theirs:?}, by {own:?}, admin {is_admin}");
                    for (method, path) in READING {
                        let way = WAYS.iter().find(|way| (way.0, way.1) == (method, path)).unwrap();
                        let answer = scene.go(reader, *way).await;
                        let what = format!("{method} {path}, {who}");
                        match way.2 {
                            Tells::Devices | Tells::Past if !is_admin => {
                                assert_eq!(answer.code(), "forbidden", "{what}");
                            }
                            Tells::Past if !last_seen => assert_eq!(answer.code(), "hidden_by_privacy", "{what}"),
                            Tells::Past => {
                                assert_ne!(answer.body["intervals"], json!([]), "{what}: {answer:?}");
                            }
                            Tells::Devices => {
                                let devices = answer.body["sessions"].as_array().unwrap();
                                assert!(devices.iter().all(|one| one["online"] == online), "{what}: {devices:?}");
                                let told = |one: &Value| !one["last_seen"].is_null();
                                assert!(devices.iter().all(|one| told(one) == last_seen), "{what}: {devices:?}");
                            }
                            _ => {
                                assert_eq!(answer.status, 200, "{what}: {answer:?}");
                                let told = check(&answer.body, scene.sue.id, (online, last_seen), &what);
                                let listed = !path.starts_with("/api/contacts/") || relation == Relation::Contact;
                                let always = listed && !path.ends_with("changes/");
                                assert!(told > 0 || !always, "{what}: nothing of her in {answer:?}");
                            }
                        }
                        if path.ends_with("changes/") {
                            let told = answer.body["transitions"].as_array().unwrap().len();
                            assert_eq!(told, if online { 2 } else { 0 }, "{what}: {answer:?}");
                        }
                    }
                    let seen = snapshot(app, reader, scene.sue.id).await;
                    assert_eq!(seen["presences"].as_array().unwrap().len(), 1, "{who}: {seen}");
                    check(&seen, scene.sue.id, (online, last_seen), &format!("WebSocket, {who}"));
                }
            }
        }
    }
}

#[test]
fn every_way_that_changes_nothing_is_among_them() {
    for (method, path, tells) in WAYS {
        let reads = *method == "get" && !matches!(tells, Tells::Oneself);
        assert!(!reads || READING.contains(&(*method, *path)), "{method} {path}");
    }
}
