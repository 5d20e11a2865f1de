//! The page.

use actix_web::HttpResponse;

/// What is shown where the page was not built in.
const NOT_BUILT: &str = include_str!("page.html");

/// Answers the page.
pub async fn show() -> HttpResponse {
    HttpResponse::Ok().content_type("text/html; charset=utf-8").body(NOT_BUILT)
}
