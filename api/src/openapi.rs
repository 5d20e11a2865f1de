//! The OpenAPI document, and Swagger UI to try it.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use lastseen_shared::refusal::Code;
use utoipa::openapi::path::{Operation, Parameter, ParameterIn};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Content, Ref, RefOr, ResponseBuilder};
use utoipa::{Modify, OpenApi};
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::handlers::{
    accounts, contacts, devices, export, health, insight, keys, me, notifications, presence, sessions, statistics,
    users, webhooks,
};
use crate::live::socket;

#[derive(OpenApi)]
#[openapi(
    info(title = "Lastseen", description = "Who is online, and who was last seen when."),
    paths(
        sessions::register, sessions::log_in, sessions::refresh, sessions::log_out, sessions::heartbeat,
        me::show, me::change, me::delete, me::change_password, export::own,
        users::list, users::show,
        presence::by_query, presence::by_body, presence::changes,
        accounts::create, accounts::edit, accounts::delete, accounts::suspend, accounts::ban, accounts::activate,
        accounts::deactivate, accounts::log_out, accounts::audit,
        contacts::list, contacts::request, contacts::accept, contacts::decline, contacts::block, contacts::notify,
        contacts::remove, notifications::list, notifications::read, notifications::read_all,
        webhooks::create, webhooks::list, webhooks::show, webhooks::edit, webhooks::delete, webhooks::rotate_secret,
        webhooks::test, webhooks::deliveries, webhooks::redeliver,
        devices::list, devices::end, insight::history, insight::config, statistics::now, statistics::online,
        statistics::statuses, statistics::active, statistics::sessions,
        statistics::heatmap, statistics::platforms, socket::open,
        health::alive, health::ready, health::metrics, keys::published,
    ),
    modifiers(&Additions),
)]
struct Document;

struct Additions;

impl Modify for Additions {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
        let components = document.components.get_or_insert_with(Default::default);
        components.add_security_scheme("bearer", SecurityScheme::Http(scheme));
        for item in document.paths.paths.values_mut() {
            for operation in [&mut item.get, &mut item.post, &mut item.patch, &mut item.delete].into_iter().flatten()
            {
                name(operation);
                complete(operation);
            }
        }
        let rows =
            Code::ALL.iter().map(|code| format!("| {} | `{}` | {} |", code.status(), code.word(), code.title()));
        let rows: Vec<String> = rows.collect();
        let table = format!("| status | code | |\n| --- | --- | --- |\n{}", rows.join("\n"));
        document.info.description = Some(format!(
            "Who is online, and who was last seen when.\n\nEvery error is `application/problem+json` with one of these \
             codes:\n\n{table}"
        ));
    }
}

/// Handlers of different areas are named alike: the area makes an operation's id the only one of its name.
fn name(operation: &mut Operation) {
    if let (Some([area, ..]), Some(handler)) = (operation.tags.as_deref(), &operation.operation_id) {
        operation.operation_id = Some(format!("{area}_{handler}"));
    }
}

/// What refusals are (RFC 9457).
const PROBLEM: &str = "application/problem+json";

/// Adds the refusals that follow from what an operation takes, and says of every answer what it is.
fn complete(operation: &mut Operation) {
    let mut refused = Vec::new();
    if operation.request_body.is_some() {
        refused.extend(["400", "413", "415", "422"]);
    }
    let parameters = operation.parameters.iter().flatten();
    let in_query = |parameter: &RefOr<Parameter>| match parameter {
        RefOr::T(parameter) => parameter.parameter_in == ParameterIn::Query,
        RefOr::Ref(_) => false,
    };
    if parameters.into_iter().any(in_query) {
        refused.push("400");
    }
    if operation.security.as_ref().is_some_and(|all| !all.is_empty()) {
        refused.extend(["401", "403", "429", "503"]);
    }
    if !refused.is_empty() {
        refused.push("default");
    }
    let responses = &mut operation.responses.responses;
    for status in refused {
        let body = Content::new(Some(Ref::from_schema_name("ProblemBody")));
        responses
            .entry(status.to_owned())
            .or_insert_with(|| ResponseBuilder::new().content(PROBLEM, body).build().into());
    }
    for (status, response) in responses {
        let RefOr::T(response) = response else { continue };
        let number: Option<u16> = status.parse().ok();
        if number.is_some_and(|number| number >= 400)
            && let Some(body) = response.content.shift_remove("application/json")
        {
            response.content.insert(PROBLEM.to_owned(), body);
        }
        if response.description.is_empty() {
            response.description = described(number);
        }
    }
}

/// An answer by its status; of refusals by their codes.
fn described(status: Option<u16>) -> String {
    let Some(status) = status else { return "Any other refusal, by its `code`".to_owned() };
    let reason = || StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    let codes: Vec<String> =
        Code::ALL.iter().filter(|code| code.status() == status).map(|code| format!("`{}`", code.word())).collect();
    if codes.is_empty() { reason().unwrap_or_default().to_owned() } else { codes.join(", ") }
}

/// The document.
#[must_use]
pub fn api() -> utoipa::openapi::OpenApi {
    Document::openapi()
}

/// The document, as JSON.
///
/// # Errors
/// Never: it is made of what serde can write.
pub fn json() -> Result<String, serde_json::Error> {
    api().to_pretty_json()
}

/// Answers the document.
pub async fn document() -> HttpResponse {
    HttpResponse::Ok().json(api())
}

/// The page that shows it.
#[must_use]
pub fn swagger_ui() -> SwaggerUi {
    SwaggerUi::new("/api/docs/{_:.*}").config(Config::new(["/api/openapi.json"]))
}
