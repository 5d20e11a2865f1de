//! What requests cost, as counts.

use crate::app::{TestApp, in_both_forms};
use lastseen_shared::settings::Form;

in_both_forms!(a_heartbeat_costs_no_query_and_a_page_two,);

async fn a_heartbeat_costs_no_query_and_a_page_two(form: Form) {
    let app = TestApp::start(form).await;
    let admin = app.admin().await;
    for name in ["ann", "bob", "cid"] {
        app.register(name).await;
    }
    let queries = async |path: &str, method: reqwest::Method| {
        let before = app.service.db.queries();
        let answer = app.send(app.request(method, path).bearer_auth(&admin.access)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        app.service.db.queries() - before
    };
    assert_eq!(queries("/api/users/heartbeat/", reqwest::Method::POST).await, 0);
    // One for what is read, and one for who reads it: its privacy and its relations are not in the token, and are not
    // kept, since whoever has just been blocked must not see for another moment.
    assert_eq!(queries("/api/users/all-users/", reqwest::Method::GET).await, 2);
    assert_eq!(queries("/api/users/all-users/?online_status=online&search=a", reqwest::Method::GET).await, 2);
    assert_eq!(queries("/api/users/presence/?ids=1,2,3", reqwest::Method::GET).await, 2);
    assert_eq!(queries("/api/users/2/", reqwest::Method::GET).await, 2);
    assert_eq!(queries("/api/users/me/", reqwest::Method::GET).await, 2);
    assert_eq!(queries("/api/users/presence/changes/", reqwest::Method::GET).await, 0);
}
