//! The OpenAPI document, and Swagger UI to try it.

mod bounds;
mod codes;
mod examples;

use std::sync::LazyLock;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use lastseen_shared::refusal::Code;
use serde_json::Value;
use utoipa::openapi::info::ContactBuilder;
use utoipa::openapi::path::{Operation, ParameterIn};
use utoipa::openapi::schema::Type;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::server::ServerBuilder;
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{Content, Object, Ref, RefOr, ResponseBuilder, Schema};
use utoipa::{Modify, OpenApi, ToSchema};
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::handlers::{
    accounts, config, contacts, devices, export, health, history, keys, me, notifications, presence, sessions,
    statistics, users, webhooks,
};
use crate::live::socket;

/// The areas, in the order in which they are shown.
const AREAS: [(&str, &str); 12] = [
    ("sessions", "Registering, logging in, staying online, logging out."),
    ("me", "One's own profile."),
    ("users", "All users, and when one was online."),
    ("presence", "Who is online, of many at once, and what has changed."),
    ("contacts", "Contacts, requests, and whom one has blocked."),
    ("notifications", "That contacts have come online."),
    ("devices", "The devices on which a user is logged in."),
    ("accounts", "What admins do to accounts, and what was done."),
    ("webhooks", "Events for other programs."),
    ("stats", "Counts and statistics."),
    ("live", "Presence as it changes."),
    ("operations", "What clients and operators need to know of the server."),
];

// For the document alone: the handlers of `health` write these.
/// That a process is alive.
#[derive(Debug, ToSchema)]
pub struct HealthAnswer {
    /// `ok`.
    pub status: String,
}

/// Whether a process is ready.
#[derive(Debug, ToSchema)]
pub struct ReadyAnswer {
    /// `ready` or `not_ready`.
    pub status: String,
    /// What it needs.
    pub parts: Vec<PartShape>,
}

/// What a process needs.
#[derive(Debug, ToSchema)]
pub struct PartShape {
    /// `database` or `presence`.
    pub name: String,
    /// Whether it answers.
    pub ok: bool,
}

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
        devices::list, devices::end, history::history, config::config, statistics::now, statistics::online,
        statistics::statuses, statistics::active, statistics::sessions,
        statistics::heatmap, statistics::platforms, socket::open,
        health::alive, health::ready, health::metrics, keys::published,
    ),
    components(schemas(HealthAnswer, ReadyAnswer, PartShape)),
    modifiers(&Additions),
)]
struct Document;

struct Additions;

impl Modify for Additions {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
        let components = document.components.get_or_insert_with(Default::default);
        components.add_security_scheme("bearer", SecurityScheme::Http(scheme));
        components.examples = codes::examples();
        for (name, schema) in &mut components.schemas {
            bounds::fill(name, schema);
            examples::fill(name, schema);
        }
        let schemas = serde_json::to_value(&components.schemas).unwrap_or_default();
        for (path, item) in &mut document.paths.paths {
            for operation in [&mut item.get, &mut item.post, &mut item.patch, &mut item.delete].into_iter().flatten()
            {
                name(operation);
                complete(path, operation);
                tell(operation);
                show(operation, &schemas);
            }
        }
        let area =
            |(name, description): (&str, &str)| TagBuilder::new().name(name).description(Some(description)).build();
        document.tags = Some(AREAS.map(area).to_vec());
        // Of this server, wherever it is.
        let server = ServerBuilder::new().url("/").description(Some("Where this document comes from")).build();
        document.servers = Some(vec![server]);
        document.info.contact = Some(ContactBuilder::new().name(Some("Whoever runs this server")).build());
        if let Some(license) = &mut document.info.license {
            license.identifier = None;
            license.url = Some("https://www.apache.org/licenses/LICENSE-2.0".to_owned());
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
/// What metrics are.
const METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Adds the refusals that follow from what an operation takes, with their codes, and says of every answer and of every
/// parameter what it is.
fn complete(path: &str, operation: &mut Operation) {
    let asked = codes::Asked::of(path, operation);
    let mut refused = Vec::new();
    if asked.body {
        refused.extend(["400", "413", "415", "422"]);
    }
    if asked.query {
        refused.push("400");
    }
    if asked.secured {
        refused.extend(["401", "403", "429", "503"]);
    }
    if path.contains('{') {
        refused.push("404");
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
        let refusal = number.is_none_or(|number| number >= 400);
        if refusal && let Some(body) = response.content.shift_remove("application/json") {
            response.content.insert(PROBLEM.to_owned(), body);
        }
        let mut codes = Vec::new();
        if let Some(RefOr::T(body)) = response.content.get_mut(PROBLEM) {
            codes = asked.codes(number);
            body.examples = codes::references(&codes);
        }
        if response.description.is_empty() {
            response.description = described(number, &codes);
        }
    }
    for parameter in operation.parameters.iter_mut().flatten() {
        if let RefOr::T(parameter) = parameter {
            parameter.description = parameter.description.take().or_else(|| of_parameter(path, &parameter.name));
            if let (ParameterIn::Path, Some(RefOr::T(Schema::Object(schema)))) =
                (&parameter.parameter_in, &mut parameter.schema)
            {
                schema.example = Some(1.into());
            }
            if let (ParameterIn::Query, Some(schema)) = (&parameter.parameter_in, &mut parameter.schema) {
                bounds::bind(path, &parameter.name, schema);
            }
        }
    }
}

/// What parameters are that many operations have.
fn of_parameter(path: &str, name: &str) -> Option<String> {
    let text = match name {
        "id" if path.starts_with("/api/webhooks/") => "The webhook's id",
        "id" if path.starts_with("/api/notifications/") => "The notification's id",
        "id" if path.starts_with("/api/contacts/") => "The other user's id",
        "id" => "The user's id",
        "sid" => "The session's id",
        "did" => "The delivery's id",
        "cursor" => "The page before's `next_cursor`; without it the first page",
        "before" => "The page before's `next_before`; without it the newest",
        "limit" => "1 to 1000, 100 without it",
        _ => return None,
    };
    Some(text.to_owned())
}

/// An answer by its status; of refusals by their codes.
fn described(status: Option<u16>, codes: &[Code]) -> String {
    let Some(status) = status else { return "Any other refusal, by its `code`".to_owned() };
    let reason = || StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    let codes: Vec<String> = codes.iter().map(|code| format!("`{}`", code.word())).collect();
    if codes.is_empty() { reason().unwrap_or_default().to_owned() } else { codes.join(", ") }
}

/// A summary is one sentence. What else a handler says of itself is the description, with who may ask.
fn tell(operation: &mut Operation) {
    let summary = operation.summary.take().unwrap_or_default().replace('\n', " ");
    let (first, more) = summary.split_once(". ").unwrap_or((summary.trim_end_matches('.'), ""));
    let area = operation.tags.iter().flatten().next().map(String::as_str).unwrap_or_default();
    let who = match operation.operation_id.as_deref().unwrap_or_default() {
        "users_history" | "devices_list" | "devices_end" => "For admins, and for the user itself.",
        "sessions_refresh" => "For whoever has a refresh token.",
        _ if codes::for_admins(area) => "For admins.",
        _ if area == "live" || operation.security.is_some() => "For whoever is logged in.",
        _ => "For anyone.",
    };
    let told = operation.description.take().unwrap_or_default();
    let said = [told.as_str(), more, who];
    operation.description = Some(said.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n\n"));
    operation.summary = Some(first.to_owned());
}

/// Gives what is sent and what is answered as JSON a whole example, and tells of answers that are not JSON.
fn show(operation: &mut Operation, schemas: &Value) {
    let example = |body: &Content| Some(examples::whole(&serde_json::to_value(&body.schema).ok()?, schemas));
    if let Some(RefOr::T(request)) = &mut operation.request_body {
        for body in request.content.values_mut() {
            let RefOr::T(body) = body else { continue };
            // One that may be absent may not be null for that.
            let named = match &body.schema {
                Some(RefOr::T(Schema::OneOf(choices))) => {
                    choices.items.iter().find(|choice| matches!(choice, RefOr::Ref(_))).cloned()
                }
                _ => None,
            };
            body.schema = named.or(body.schema.take());
            body.example = example(body);
        }
    }
    let id = operation.operation_id.as_deref().unwrap_or_default();
    let text = || RefOr::T(Content::new(Some(Schema::Object(Object::with_type(Type::String)))));
    let named = |name: &str| RefOr::T(Content::new(Some(Ref::from_schema_name(name))));
    for (status, response) in &mut operation.responses.responses {
        let RefOr::T(response) = response else { continue };
        match id {
            "operations_alive" => drop(response.content.insert("application/json".to_owned(), named("HealthAnswer"))),
            "operations_ready" => drop(response.content.insert("application/json".to_owned(), named("ReadyAnswer"))),
            "operations_metrics" => {
                let mut body = Content::new(Some(Schema::Object(Object::with_type(Type::String))));
                body.example =
                    Some("# TYPE lastseen_transitions counter\nlastseen_transitions_total 3\n# EOF\n".into());
                response.content.insert(METRICS.to_owned(), RefOr::T(body));
            }
            _ if status == "200" && (id == "users_history" || id.starts_with("stats_")) => {
                response.content.insert("text/csv".to_owned(), text());
            }
            _ => {}
        }
        if let Some(RefOr::T(body)) = response.content.get_mut("application/json") {
            body.example = example(body);
            if let (Some(example), "503") = (&mut body.example, status.as_str()) {
                example["status"] = "not_ready".into();
                example["parts"][0]["ok"] = false.into();
            }
        }
    }
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
    static DOCUMENT: LazyLock<utoipa::openapi::OpenApi> = LazyLock::new(api);
    HttpResponse::Ok().json(&*DOCUMENT)
}

/// The page that shows it.
#[must_use]
pub fn swagger_ui() -> SwaggerUi {
    SwaggerUi::new("/api/docs/{_:.*}").config(Config::new(["/api/openapi.json"]))
}
