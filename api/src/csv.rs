//! Answers as CSV (RFC 4180), for those who ask for it by `Accept: text/csv`.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse};

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

/// Rows, with a line of names before them.
#[must_use]
pub fn table<const COLUMNS: usize>(names: [&str; COLUMNS], rows: impl Iterator<Item = [String; COLUMNS]>) -> String {
    let mut text = line(&names.map(field));
    for row in rows {
        text += &line(&row.map(|text| field(&text)));
    }
    text
}

/// What is written of something that may not be there.
#[must_use]
pub fn or_empty(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
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
