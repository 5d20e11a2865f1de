//! Queries: pairs of names and values.

use actix_web::{HttpRequest, web};
use lastseen_shared::refusal::Refusal;

use crate::problem::Problem;

/// Entries of a page at most.
pub const MOST: u16 = 1_000;

/// A query's pairs, each once and each known.
pub fn pairs(request: &HttpRequest, known: &[&str]) -> Result<Vec<(String, String)>, Problem> {
    let bad = |_| Refusal::query("query", "is not well-formed");
    let pairs = web::Query::<Vec<(String, String)>>::from_query(request.query_string()).map_err(bad)?.into_inner();
    for (place, (name, _)) in pairs.iter().enumerate() {
        if !known.contains(&name.as_str()) {
            return Err(Refusal::query(name, &format!("is unknown here; there are {}", known.join(", "))).into());
        }
        if pairs[..place].iter().any(|(earlier, _)| earlier == name) {
            return Err(Refusal::query(name, "is given twice").into());
        }
    }
    Ok(pairs)
}

/// How many entries a page is to have at most: 1 to [`MOST`].
pub fn limit(value: &str) -> Result<u16, Refusal> {
    let number = value.parse().ok().filter(|limit| (1..=MOST).contains(limit));
    number.ok_or_else(|| Refusal::query("limit", &format!("must be a whole number from 1 to {MOST}")))
}
