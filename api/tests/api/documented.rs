//! The OpenAPI document against the routes, and against the copy in docs.

use reqwest::Method;

use crate::app::TestApp;

/// Routes that answer without a token.
const PUBLIC: &[&str] = &[
    "/api/users/register/",
    "/api/users/login/",
    "/api/users/token/refresh/",
    "/api/config/",
    "/healthz",
    "/readyz",
    "/metrics",
    // Without a handshake it asks for one; a token comes after that.
    "/api/ws/",
];
/// Routes of which a user may see its own part.
const FOR_USERS: &[&str] = &[
    "/api/users/logout/",
    "/api/users/heartbeat/",
    "/api/users/me/",
    "/api/users/me/export/",
    "/api/users/me/password/",
    "/api/users/all-users/",
    "/api/users/presence/",
    "/api/users/presence/changes/",
    "/api/contacts/",
    "/api/contacts/{id}/",
    "/api/contacts/{id}/accept/",
    "/api/contacts/{id}/decline/",
    "/api/contacts/{id}/block/",
    "/api/contacts/{id}/notify/",
    "/api/notifications/",
    "/api/notifications/{id}/read/",
    "/api/notifications/read-all/",
];

#[actix_web::test]
async fn every_documented_route_is_there_and_asks_who_calls() {
    let app = TestApp::start(lastseen_shared::settings::Form::StandAlone).await;
    let document = lastseen_api::openapi::api();
    let json = serde_json::to_value(&document).unwrap();
    let mut checked = 0;
    for (path, methods) in json["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys().filter(|key| *key != "parameters") {
            let method = Method::from_bytes(method.to_ascii_uppercase().as_bytes()).unwrap();
            let user = app.register(&format!("user{checked}")).await.body["user"]["id"].as_i64().unwrap();
            let user = (user, app.log_in(&format!("user{checked}"), crate::app::PASSWORD).await);
            let filled = path.replace("{id}", "1").replace("{sid}", "1").replace("{did}", "1");
            let nobody = app.send(app.request(method.clone(), &filled)).await;
            let other = app.send(app.request(method.clone(), &filled).bearer_auth(&user.1.access)).await;
            for answer in [&nobody, &other] {
                let missing = ["contact_not_found", "notification_not_found"]
                    .contains(&answer.body["code"].as_str().unwrap_or(""));
                let refused = [404, 405, 500].contains(&answer.status.as_u16()) && !missing;
                assert!(!refused, "{method} {path}: {answer:?}");
            }
            if PUBLIC.contains(&path.as_str()) {
                assert_ne!(nobody.status, 401, "{method} {path}");
            } else {
                assert_eq!(nobody.code(), "token_invalid", "{method} {path}");
                let read_one = path == "/api/users/{id}/" && method == Method::GET;
                if !FOR_USERS.contains(&path.as_str()) && !read_one {
                    assert_eq!(other.code(), "forbidden", "{method} {path}");
                }
            }
            checked += 1;
        }
    }
    assert!(checked > 25, "{checked}");
}

#[test]
fn every_operation_has_an_id_of_its_own() {
    let json = serde_json::to_value(lastseen_api::openapi::api()).unwrap();
    let operations = json["paths"].as_object().unwrap().values().flat_map(|item| item.as_object().unwrap().values());
    let ids: Vec<&str> = operations.map(|operation| operation["operationId"].as_str().unwrap()).collect();
    let distinct: std::collections::HashSet<_> = ids.iter().collect();
    assert_eq!(distinct.len(), ids.len(), "{ids:?}");
}

#[test]
fn the_document_in_docs_is_the_one_that_is_served() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi.json");
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    let served = lastseen_api::openapi::json().unwrap() + "\n";
    assert!(kept == served, "docs/openapi.json is not up to date: run lastseen-api openapi > docs/openapi.json");
}

#[actix_web::test]
async fn the_document_and_its_page_are_served() {
    let app = TestApp::start(lastseen_shared::settings::Form::StandAlone).await;
    let document = app.send(app.request(Method::GET, "/api/openapi.json")).await;
    assert_eq!(document.body["info"]["title"], "Lastseen");
    let page = app.send(app.request(Method::GET, "/api/docs/")).await;
    assert!(page.body.as_str().unwrap().contains("swagger"), "{page:?}");
    let root = app.send(app.request(Method::GET, "/")).await;
    assert!(root.body.as_str().unwrap().contains("Lastseen"));
}
