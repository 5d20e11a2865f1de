//! Answers as CSV (RFC 4180), for those who ask for it by `Accept: text/csv`.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse};

use crate::handlers::insight::IntervalShape;

/// Whether the client asks for CSV before anything else.
#[must_use]
pub fn wanted(request: &HttpRequest) -> bool {
    let accept = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let first = accept.split(',').next().unwrap_or_default();
    first.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("text/csv")
}

/// The answer; `Link` (RFC 8288) has the address of the next page, where there is one.
#[must_use]
pub fn answer(request: &HttpRequest, rows: &str, next_cursor: Option<&str>) -> HttpResponse {
    let mut answer = HttpResponse::Ok();
    answer.content_type("text/csv; charset=utf-8; header=present").insert_header((header::VARY, "Accept"));
    if let Some(cursor) = next_cursor {
        let kept = request.query_string().split('&').filter(|pair| !pair.is_empty() && !pair.starts_with("cursor="));
        let query: Vec<&str> = kept.collect();
        let joined = query.iter().map(|pair| format!("{pair}&")).collect::<String>();
        answer.insert_header((header::LINK, format!("<{}/?{joined}cursor={cursor}>; rel=\"next\"", request.path())));
    }
    answer.body(rows.to_owned())
}

/// Online intervals, with a line of names.
#[must_use]
pub fn intervals(intervals: Vec<IntervalShape>) -> String {
    let mut text = line(&["started_at", "ended_at", "start_reason", "end_reason", "session_id", "device"].map(field));
    for interval in intervals {
        let ended_at = interval.ended_at.map(|at| at.to_string()).unwrap_or_default();
        let session = interval.session_id.map(|id| id.to_string()).unwrap_or_default();
        text += &line(&[
            field(&interval.started_at.to_string()),
            field(&ended_at),
            field(interval.start_reason),
            field(interval.end_reason.unwrap_or_default()),
            field(&session),
            field(&interval.device.unwrap_or_default()),
        ]);
    }
    text
}

fn line(fields: &[String]) -> String {
    format!("{}\r\n", fields.join(","))
}

/// A field, in quotes where it needs them. One that a spreadsheet would take for a formula gets an apostrophe before it.
fn field(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if formula { format!("'{text}") } else { text.to_owned() };
    if text.contains(['"', ',', '\r', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_where_they_must_be() {
        assert_eq!(field("plain text"), "plain text");
        assert_eq!(field("a \"b\", c"), "\"a \"\"b\"\", c\"");
        assert_eq!(field("=1+1"), "'=1+1");
        assert_eq!(line(&[field("a"), field("b\nc")]), "a,\"b\nc\"\r\n");
    }
}
