//! The page: files built from `web/` and embedded, where they were there when this program was built.

use actix_web::http::{Method, StatusCode, header};
use actix_web::{HttpRequest, HttpResponse};
use lastseen_shared::refusal::Code;
use rust_embed::RustEmbed;

use crate::problem::Answer;

/// `web/dist`, as `npm run build` leaves it. In a debug build the files are read from there at run time.
#[derive(RustEmbed)]
#[folder = "../web/dist"]
#[allow_missing = true]
struct Files;

/// What is shown where the page was not built in.
const NOT_BUILT: &str = include_str!("page.html");

/// Nothing from elsewhere, no script in the page itself, in nobody's frame. Styles are set by the components library.
const POLICY: &str = "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
    font-src 'self'; connect-src 'self'; worker-src 'self' blob:; object-src 'none'; base-uri 'none'; \
    form-action 'self'; frame-ancestors 'none'";

/// Answers the page: which part of it is shown, it decides itself by its address.
pub async fn show() -> HttpResponse {
    let index = Files::get("index.html");
    let html = index.map_or_else(|| NOT_BUILT.as_bytes().to_vec(), |file| file.data.into_owned());
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((header::X_FRAME_OPTIONS, "DENY"))
        .insert_header((header::REFERRER_POLICY, "same-origin"))
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .body(html)
}

/// What no route knows: a file beside the page's own; for a browser, the page, which says that there is nothing; and a
/// problem for everybody else.
pub async fn other(request: HttpRequest) -> Answer {
    let wants_html = request
        .headers()
        .get(header::ACCEPT)
        .is_some_and(|accept| accept.to_str().is_ok_and(|accept| accept.contains("text/html")));
    let reads = [Method::GET, Method::HEAD].contains(request.method());
    let is_api = request.path() == "/api" || request.path().starts_with("/api/");
    if !reads || is_api {
        return Err(Code::NotFound.into());
    }
    if Files::get("index.html").is_some() && wants_html {
        let mut answer = show().await;
        *answer.status_mut() = StatusCode::NOT_FOUND;
        return Ok(answer);
    }
    file(request).await
}

/// Answers one of the page's files.
pub async fn file(request: HttpRequest) -> Answer {
    let path = request.path().trim_start_matches('/');
    let file = Files::get(path).ok_or(Code::NotFound)?;
    // Files in assets/ have their content's hash in their names.
    let caching = if path.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    Ok(HttpResponse::Ok()
        .content_type(content_type(path))
        .insert_header((header::CACHE_CONTROL, caching))
        .body(file.data.into_owned()))
}

/// By the ending: there are few kinds.
fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "html" => "text/html; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "json" | "map" | "webmanifest" => "application/json",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
