//! What is known of each request: its id, its line in the log, its count, and how long it took. Plain heartbeats, which are
//! answered before the application, are only counted.

use std::time::Instant;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{HttpMessage, web};
use lastseen_shared::ids::UserId;
use lastseen_shared::telemetry::{Metrics, Request, Way};
use log::Level;

/// A request's id: the client's own is taken and sent back, else one is made up.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// W3C Trace Context §3.2: `version-trace-id-parent-id-flags`, of which the trace's id is taken where there is no other.
pub const TRACE_PARENT: HeaderName = HeaderName::from_static("traceparent");
/// What the lines are logged under.
pub const REQUESTS: &str = "lastseen_api::requests";
/// What stands in the place of a route where none fits.
pub(crate) const NO_ROUTE: &str = "none";
/// A longer id is not taken.
const LONGEST_ID: usize = 128;

/// Who sent a request, once that is known.
#[derive(Clone, Copy, Debug)]
pub struct Sender(pub UserId);

/// The id that a client has given.
#[must_use]
pub fn given_id(headers: &HeaderMap) -> Option<HeaderValue> {
    let plain = |text: &str| {
        let fit = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.' | b'/' | b'+' | b'=' | b':');
        (1..=LONGEST_ID).contains(&text.len()) && text.bytes().all(fit)
    };
    if let Some(id) = headers.get(REQUEST_ID) {
        return id.to_str().is_ok_and(plain).then(|| id.clone());
    }
    let trace = headers.get(TRACE_PARENT)?.to_str().ok()?.split('-').nth(1)?;
    let is_trace =
        trace.len() == 32 && trace.bytes().all(|c| c.is_ascii_hexdigit()) && trace.bytes().any(|c| c != b'0');
    is_trace.then(|| HeaderValue::from_str(trace).ok()).flatten()
}

pub(crate) fn made_up_id() -> HeaderValue {
    let mut random = [0; 8];
    // Without random numbers all ids are the same, and nothing else is wrong.
    let _ = getrandom::fill(&mut random);
    let text = format!("{:016x}", u64::from_le_bytes(random));
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("0"))
}

/// One of the methods that HTTP has: what strangers make up would be a label of its own each.
pub(crate) fn method_word(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::PUT => "PUT",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// A middleware that does all of it.
///
/// # Errors
/// The handler's own.
pub async fn observe(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let metrics = request.app_data::<web::Data<Metrics>>().cloned();
    let heartbeat = request.path().starts_with("/api/users/heartbeat").then_some(Way::Slow);
    let method = method_word(request.method());
    let id = given_id(request.headers()).unwrap_or_else(made_up_id);
    let begun = Instant::now();
    let mut answer = next.call(request).await;
    let took = begun.elapsed();
    let (status, route, user) = match &mut answer {
        Ok(answer) => {
            answer.headers_mut().insert(REQUEST_ID, id.clone());
            let request = answer.request();
            let user = request.extensions().get::<Sender>().map(|sender| sender.0);
            (answer.status().as_u16(), request.match_pattern(), user)
        }
        Err(error) => (error.as_response_error().status_code().as_u16(), None, None),
    };
    let route = route.unwrap_or_else(|| NO_ROUTE.to_owned());
    log_request(&Line { id: &id, method, route: &route, status, took_ms: took.as_secs_f64() * 1e3, user });
    if let Some(metrics) = metrics {
        let status = metrics.count_answer(status, heartbeat);
        metrics.request_seconds.get_or_create(&Request { route, method, status }).observe(took.as_secs_f64());
    }
    answer
}

/// A request's line.
pub(crate) struct Line<'a> {
    pub(crate) id: &'a HeaderValue,
    pub(crate) method: &'static str,
    pub(crate) route: &'a str,
    pub(crate) status: u16,
    pub(crate) took_ms: f64,
    pub(crate) user: Option<UserId>,
}

/// Logs it: at debug where it is one of many that say nothing.
pub(crate) fn log_request(line: &Line<'_>) {
    let Line { method, route, status, .. } = *line;
    let usual = route.starts_with("/api/users/heartbeat") || matches!(route, "/healthz" | "/readyz" | "/metrics");
    let level = if usual && status < 400 { Level::Debug } else { Level::Info };
    log::log!(
        target: REQUESTS, level,
        request = line.id.to_str().unwrap_or_default(),
        method = method,
        route = route,
        status = status,
        took_ms = (line.took_ms * 1e3).round() / 1e3,
        user = line.user.map(|user| user.0);
        "{method} {route} {status}"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(name: HeaderName, value: &str) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_str(value).unwrap());
        given_id(&headers).map(|id| id.to_str().unwrap().to_owned())
    }

    #[test]
    fn a_clients_own_id_is_taken_where_it_is_plain() {
        assert_eq!(given(REQUEST_ID, "a-1_B.c").as_deref(), Some("a-1_B.c"));
        for bad in ["", "two words", "a\u{e9}", "semi;colon", &"x".repeat(129)] {
            assert_eq!(given(REQUEST_ID, bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_trace_is_an_id() {
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        assert_eq!(given(TRACE_PARENT, &format!("00-{trace}-00f067aa0ba902b7-01")).as_deref(), Some(trace));
        for bad in ["00", "00-short-00f067aa0ba902b7-01", &format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32))] {
            assert_eq!(given(TRACE_PARENT, bad), None, "{bad:?}");
        }
    }

    #[test]
    fn ids_that_are_made_up_differ() {
        assert_ne!(made_up_id(), made_up_id());
    }
}
