//! The job board: stand-alone it is on the API's listener, for admins; with workers it is theirs.

use lastseen_shared::settings::Form;
use reqwest::Method;

use crate::app::{ADMIN_PASSWORD, PASSWORD, TestApp};

#[actix_web::test]
async fn stand_alone_it_is_here_for_admins() {
    let app = TestApp::start(Form::StandAlone).await;
    let ann = app.user("ann").await;
    for path in ["/board", "/board/", "/board/jobs", "/board/jobs/"] {
        let ask = || app.request(Method::GET, path);
        let nobody = app.send(ask()).await;
        assert_eq!((nobody.status.as_u16(), nobody.code()), (401, "invalid_credentials"), "{path}");
        assert_eq!(app.send(ask().bearer_auth(&ann.access)).await.status, 401, "{path}");
        let user = app.send(ask().basic_auth("ann", Some(PASSWORD))).await;
        assert_eq!((user.status.as_u16(), user.code()), (403, "forbidden"), "{path}");
        let admin = app.send(ask().basic_auth("admin", Some(ADMIN_PASSWORD))).await;
        assert_eq!(admin.status, 200, "{path}: {admin:?}");
    }
    let metrics = app.send(app.request(Method::GET, "/metrics")).await;
    assert!(metrics.body.as_str().unwrap().contains("lastseen_queue_tasks{state=\"dead\"} 0"), "{metrics:?}");
}

#[actix_web::test]
async fn with_workers_it_is_not_here() {
    let app = TestApp::start(Form::Distributed).await;
    let admin = app.request(Method::GET, "/board/jobs").basic_auth("admin", Some(ADMIN_PASSWORD));
    let answer = app.send(admin).await;
    assert_eq!(answer.status, 404, "{answer:?}");
}
