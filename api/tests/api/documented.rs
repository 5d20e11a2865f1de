//! The OpenAPI document against the routes, and against the copy in docs.

use reqwest::Method;

use crate::app::TestApp;

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
