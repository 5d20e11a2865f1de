//! Which path goes where.
//!
//! Paths are written without the slash at the end, which clients send: a middleware takes it off, so that both answer.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::guard::{self, Guard};
use actix_web::http::{Method, Uri, header};
use actix_web::middleware::{Compress, Next};
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpResponse, Resource, ResponseError, Route};
use lastseen_shared::refusal::{Code, Refusal};

use crate::handlers::{
    accounts, config, contacts, devices, export, health, history, keys, me, notifications, presence, sessions,
    statistics, users, webhooks,
};
use crate::live::socket;
use crate::problem::Problem;
use crate::{openapi, page};

/// A path and the methods that it knows: any other is refused by naming those.
fn resource(path: &str, methods: Vec<(Method, Route)>) -> Resource {
    let mut names: Vec<String> = methods.iter().map(|(method, _)| method.to_string()).collect();
    if names.iter().any(|name| name == "GET") {
        names.push("HEAD".to_owned());
    }
    let allow = names.join(", ");
    let mut resource = web::resource(path);
    for (method, route) in methods {
        // actix leaves the body out of an answer to HEAD.
        let any: Box<dyn Guard> = if method == Method::GET {
            Box::new(guard::Any(guard::Get()).or(guard::Head()))
        } else {
            Box::new(guard::Method(method))
        };
        resource = resource.route(route.guard(AnyOf(any)));
    }
    resource.default_service(web::to(move || {
        let allow = allow.clone();
        async move { method_not_allowed(&allow) }
    }))
}

/// A guard behind a box, which actix's own are not for.
struct AnyOf(Box<dyn Guard>);

impl Guard for AnyOf {
    fn check(&self, context: &guard::GuardContext<'_>) -> bool {
        self.0.check(context)
    }
}

fn method_not_allowed(allow: &str) -> HttpResponse {
    let refusal = Refusal::new(Code::MethodNotAllowed, format!("this path knows {allow}"));
    let mut answer = Problem::from(refusal).error_response();
    if let Ok(value) = header::HeaderValue::from_str(allow) {
        answer.headers_mut().insert(header::ALLOW, value);
    }
    answer
}

macro_rules! resources {
    ($config:ident: $($path:literal { $($method:ident $handler:expr),+ $(,)? })+) => {
        $($config.service(resource($path, vec![$((Method::$method, web::route().to($handler))),+]));)+
    };
}

/// A middleware that takes the slash at the end of a path off, so that both forms answer, without a redirect.
///
/// # Errors
/// The handler's own.
pub async fn without_last_slash(
    mut request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let uri = &request.head().uri;
    let path = uri.path();
    // Swagger UI's page finds its files beside itself, so its address keeps the slash.
    if path.len() > 1 && path.ends_with('/') && path != DOCS {
        let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
        let short = format!("{}{query}", path.trim_end_matches('/'));
        let mut parts = uri.clone().into_parts();
        parts.path_and_query = short.parse().ok();
        if let Ok(uri) = Uri::from_parts(parts) {
            request.match_info_mut().get_mut().update(&uri);
            request.head_mut().uri = uri;
        }
    }
    next.call(request).await
}

/// Where Swagger UI is.
const DOCS: &str = "/api/docs/";

async fn to_docs() -> HttpResponse {
    HttpResponse::PermanentRedirect().insert_header((header::LOCATION, DOCS)).finish()
}

/// All routes.
pub fn routes(config: &mut ServiceConfig) {
    resources! { config:
        "/api/users/register" { POST sessions::register }
        "/api/users/login" { POST sessions::log_in }
        "/api/users/token/refresh" { POST sessions::refresh }
        "/api/users/logout" { POST sessions::log_out }
        "/api/users/heartbeat" { POST sessions::heartbeat }
        "/api/users/me" { GET me::show, PATCH me::change, DELETE me::delete }
        "/api/users/me/export" { GET export::own }
        "/api/users/me/password" { POST me::change_password }
        "/api/users/all-users" { GET users::list }
        "/api/users/presence" { GET presence::by_query, POST presence::by_body }
        "/api/users/presence/changes" { GET presence::changes }
        "/api/users" { POST accounts::create }
        "/api/users/{id}" { GET users::show, PATCH accounts::edit, DELETE accounts::delete }
        "/api/users/{id}/suspend" { POST accounts::suspend }
        "/api/users/{id}/ban" { POST accounts::ban }
        "/api/users/{id}/activate" { POST accounts::activate }
        "/api/users/{id}/deactivate" { POST accounts::deactivate }
        "/api/users/{id}/logout" { POST accounts::log_out }
        "/api/users/{id}/audit" { GET accounts::audit }
        "/api/users/{id}/sessions" { GET devices::list }
        "/api/users/{id}/sessions/{sid}" { DELETE devices::end }
        "/api/users/{id}/history" { GET history::history }
        "/api/contacts" { GET contacts::list, POST contacts::request }
        "/api/contacts/{id}" { DELETE contacts::remove }
        "/api/contacts/{id}/accept" { POST contacts::accept }
        "/api/contacts/{id}/decline" { POST contacts::decline }
        "/api/contacts/{id}/block" { POST contacts::block }
        "/api/contacts/{id}/notify" { POST contacts::notify }
        "/api/notifications" { GET notifications::list }
        "/api/notifications/read-all" { POST notifications::read_all }
        "/api/notifications/{id}/read" { POST notifications::read }
        "/api/webhooks" { GET webhooks::list, POST webhooks::create }
        "/api/webhooks/{id}" { GET webhooks::show, PATCH webhooks::edit, DELETE webhooks::delete }
        "/api/webhooks/{id}/rotate-secret" { POST webhooks::rotate_secret }
        "/api/webhooks/{id}/test" { POST webhooks::test }
        "/api/webhooks/{id}/deliveries" { GET webhooks::deliveries }
        "/api/webhooks/{id}/deliveries/{did}/redeliver" { POST webhooks::redeliver }
        "/api/stats/now" { GET statistics::now }
        "/api/stats/online" { GET statistics::online }
        "/api/stats/statuses" { GET statistics::statuses }
        "/api/stats/active" { GET statistics::active }
        "/api/stats/sessions" { GET statistics::sessions }
        "/api/stats/heatmap" { GET statistics::heatmap }
        "/api/stats/platforms" { GET statistics::platforms }
        "/api/config" { GET config::config }
        "/api/openapi.json" { GET openapi::document }
        "/api/docs" { GET to_docs }
        "/api/ws" { GET socket::open }
        "/.well-known/jwks.json" { GET keys::published }
        "/healthz" { GET health::alive }
        "/readyz" { GET health::ready }
        "/metrics" { GET health::metrics }
    }
    // The page's own addresses, then its files: what is neither is not found.
    for path in ["/", "/login", "/register", "/admin-login", "/me", "/admin", "/admin/{rest:.*}"] {
        config.service(resource(path, vec![(Method::GET, web::route().to(page::show))]).wrap(Compress::default()));
    }
    let files = resource("/assets/{file:.*}", vec![(Method::GET, web::route().to(page::file))]);
    config.service(files.wrap(Compress::default()));
    config.service(openapi::swagger_ui());
    config.default_service(web::to(page::other));
}
