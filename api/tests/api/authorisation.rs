//! Who may do what: a row for every operation of the OpenAPI document, held against everybody who may ask. An operation
//! without a row fails, and so does a row without an operation.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{SECRET, TestApp, User};

/// Whom an operation is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum For {
    /// Anybody at all.
    Everybody,
    /// Whoever is logged in: about oneself, or as far as the other one lets it be seen.
    Users,
    /// The user that the path names, and admins.
    Owner,
    Admins,
}
use For::{Admins, Everybody, Owner, Users};

const TABLE: &[(&str, &str, For)] = &[
    ("GET", "/api/config/", Everybody),
    ("GET", "/api/contacts/", Users),
    ("POST", "/api/contacts/", Users),
    ("DELETE", "/api/contacts/{id}/", Users),
    ("POST", "/api/contacts/{id}/accept/", Users),
    ("POST", "/api/contacts/{id}/block/", Users),
    ("POST", "/api/contacts/{id}/decline/", Users),
    ("POST", "/api/contacts/{id}/notify/", Users),
    ("GET", "/api/notifications/", Users),
    ("POST", "/api/notifications/read-all/", Users),
    ("POST", "/api/notifications/{id}/read/", Users),
    ("GET", "/api/stats/active/", Admins),
    ("GET", "/api/stats/heatmap/", Admins),
    ("GET", "/api/stats/now/", Admins),
    ("GET", "/api/stats/online/", Admins),
    ("GET", "/api/stats/platforms/", Admins),
    ("GET", "/api/stats/sessions/", Admins),
    ("GET", "/api/stats/statuses/", Admins),
    ("POST", "/api/users/", Admins),
    ("GET", "/api/users/all-users/", Users),
    ("POST", "/api/users/heartbeat/", Users),
    ("POST", "/api/users/login/", Everybody),
    ("POST", "/api/users/logout/", Users),
    ("GET", "/api/users/me/", Users),
    ("DELETE", "/api/users/me/", Users),
    ("PATCH", "/api/users/me/", Users),
    ("GET", "/api/users/me/export/", Users),
    ("POST", "/api/users/me/password/", Users),
    ("GET", "/api/users/presence/", Users),
    ("POST", "/api/users/presence/", Users),
    ("GET", "/api/users/presence/changes/", Users),
    ("POST", "/api/users/register/", Everybody),
    ("POST", "/api/users/token/refresh/", Everybody),
    ("GET", "/api/users/{id}/", Users),
    ("DELETE", "/api/users/{id}/", Admins),
    ("PATCH", "/api/users/{id}/", Admins),
    ("POST", "/api/users/{id}/activate/", Admins),
    ("GET", "/api/users/{id}/audit/", Admins),
    ("POST", "/api/users/{id}/ban/", Admins),
    ("POST", "/api/users/{id}/deactivate/", Admins),
    ("GET", "/api/users/{id}/history/", Owner),
    ("POST", "/api/users/{id}/logout/", Admins),
    ("GET", "/api/users/{id}/sessions/", Owner),
    ("DELETE", "/api/users/{id}/sessions/{sid}/", Owner),
    ("POST", "/api/users/{id}/suspend/", Admins),
    ("GET", "/api/webhooks/", Admins),
    ("POST", "/api/webhooks/", Admins),
    ("GET", "/api/webhooks/{id}/", Admins),
    ("DELETE", "/api/webhooks/{id}/", Admins),
    ("PATCH", "/api/webhooks/{id}/", Admins),
    ("GET", "/api/webhooks/{id}/deliveries/", Admins),
    ("POST", "/api/webhooks/{id}/deliveries/{did}/redeliver/", Admins),
    ("POST", "/api/webhooks/{id}/rotate-secret/", Admins),
    ("POST", "/api/webhooks/{id}/test/", Admins),
    // Without a handshake it asks for one; a token comes after that.
    ("GET", "/api/ws/", Everybody),
    ("GET", "/.well-known/jwks.json", Everybody),
    ("GET", "/healthz", Everybody),
    ("GET", "/metrics", Everybody),
    ("GET", "/readyz", Everybody),
];

#[test]
fn every_operation_has_a_row() {
    let document = serde_json::to_value(lastseen_api::openapi::api()).unwrap();
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let methods = item.as_object().unwrap().keys().filter(|key| *key != "parameters");
        operations.extend(methods.map(|method| (method.to_uppercase(), path.clone())));
    }
    let mut rows: Vec<(String, String)> =
        TABLE.iter().map(|(method, path, _)| ((*method).to_owned(), (*path).to_owned())).collect();
    operations.sort();
    rows.sort();
    assert_eq!(operations, rows);
    // Who must show who it is has it said in the document as well.
    for (method, path, whom) in TABLE {
        let operation = &document["paths"][*path][method.to_lowercase()];
        let secured = operation["security"].as_array().is_some_and(|security| !security.is_empty());
        assert_eq!(secured, *whom != Everybody, "{method} {path}");
    }
}

/// Who asks, each anew for each row: some operations end what they are asked with.
struct Callers {
    /// `{id}` of the paths.
    owner: User,
    other: User,
    admin: User,
    barred: User,
    /// An admin's token, and over.
    expired: String,
}

fn session_of(access: &str) -> i64 {
    let payload = URL_SAFE_NO_PAD.decode(access.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice::<Value>(&payload).unwrap()["sid"].as_i64().unwrap()
}

impl Callers {
    async fn of(app: &TestApp, row: usize) -> Self {
        let (owner, other) = (app.user(&format!("owner{row}")).await, app.user(&format!("other{row}")).await);
        let barred = app.user(&format!("barred{row}")).await;
        // An admin of its own: the only one there is may not be touched.
        let admin = app.admin().await;
        let bar = app.post(&format!("/api/users/{}/suspend/", barred.id), &admin.access, &json!({})).await;
        assert_eq!(bar.status, 200, "{bar:?}");
        let header = json!({ "alg": "HS256", "typ": "JWT" });
        let expired = crate::tokens::sign(&header, &crate::tokens::payload(admin.id, 2), SECRET);
        Self { owner, other, admin, barred, expired }
    }
}

#[actix_web::test]
async fn everybody_is_held_to_the_table() {
    let app = TestApp::start(lastseen_shared::settings::Form::StandAlone).await;
    for (row, (method, path, whom)) in TABLE.iter().enumerate() {
        let callers = Callers::of(&app, row).await;
        let session = session_of(&callers.owner.access).to_string();
        let path = path.replace("{sid}", &session).replace("{did}", "999999");
        // Of contacts, notifications and webhooks there are none with this number.
        let id = if path.starts_with("/api/users/") { callers.owner.id } else { 999_999 };
        let path = path.replace("{id}", &id.to_string());
        let ask = async |token: Option<&str>| {
            let request = app.request(Method::from_bytes(method.as_bytes()).unwrap(), &path);
            let answer = app.send(token.iter().fold(request, |request, token| request.bearer_auth(token))).await;
            let refused = match answer.status.as_u16() {
                401 | 403 => Some(answer.code().to_owned()),
                status => {
                    assert!(status < 500 && status != 405, "{method} {path}: {answer:?}");
                    None
                }
            };
            refused.unwrap_or_default()
        };
        // Those who are refused first: the others may end something.
        let mut told = BTreeMap::new();
        told.insert("nobody", ask(None).await);
        told.insert("expired", ask(Some(&callers.expired)).await);
        told.insert("nonsense", ask(Some("nonsense")).await);
        told.insert("barred", ask(Some(&callers.barred.access)).await);
        told.insert("other", ask(Some(&callers.other.access)).await);
        // Of one's own account the last thing.
        let is_admins = *whom == Admins;
        told.insert(if is_admins { "owner" } else { "admin" }, {
            ask(Some(if is_admins { &callers.owner.access } else { &callers.admin.access })).await
        });
        told.insert(if is_admins { "admin" } else { "owner" }, {
            ask(Some(if is_admins { &callers.admin.access } else { &callers.owner.access })).await
        });
        let expected = |caller: &str| match (caller, whom) {
            (_, Everybody) | ("admin", _) | ("owner", Users | Owner) | ("other", Users) => "",
            ("nobody" | "nonsense", _) => "token_invalid",
            ("expired", _) => "token_expired",
            ("barred", _) => "account_suspended",
            ("owner" | "other", Owner | Admins) => "forbidden",
            other => panic!("{other:?}"),
        };
        for (caller, code) in told {
            // What the operation itself refuses: a wrong password, and a session that the caller before has ended.
            let by_itself =
                expected(caller).is_empty() && ["invalid_credentials", "session_ended"].contains(&code.as_str());
            assert!(
                by_itself || code == expected(caller),
                "{method} {path}, {caller}: {code:?}, not {:?}",
                expected(caller)
            );
        }
    }
}
