//! Finding users by a piece of their names, so that it takes about as long whatever the piece is.
//!
//! A piece may be in every name or in none, and which it is decides how to go about it: a piece of many names is soon met
//! by walking the page's order, and one of few names only by an index. PostgreSQL's planner guesses that from statistics
//! which say nothing of most pieces, so a sample of the accounts says it instead, in the same statement. The sample
//! decides how users are found, never which.

use super::Filter;
use super::rows::{OF_ACCOUNTS, TABLES};
use crate::models::sql::{Statement, Value};

/// How many users a search is counted to: past it, counts say at least how many there are. Counting a million users takes
/// a tenth of a second and more, and each of them a few microseconds; nobody reads on to the last of them.
pub const COUNTED: u64 = 5_000;

/// How the sample is taken, and what it decides.
#[derive(Clone, Copy)]
pub(super) struct Sampling {
    /// So many percent of the accounts…
    percent: &'static str,
    /// …but no more than so many.
    at_most: i64,
    /// Hits from which on a page is read in its order.
    many: i64,
    /// Hits from which on users are counted by reading accounts instead of an index.
    most: i64,
}

impl Sampling {
    /// Of a million accounts, many are ten thousand.
    pub(super) const USUAL: Self = Self { percent: "0.5", at_most: 5_000, many: 50, most: 500 };
}

/// Where users come from: tables named `a` and `p`, and which of their rows.
pub(super) struct Source {
    pub(super) tables: String,
    pub(super) conditions: String,
}

/// How the users of a filter are found.
pub(super) struct Found {
    /// What stands before the statement.
    pub(super) with: String,
    /// Where the page's users come from: all that there are, each from one of them.
    pub(super) page: Vec<Source>,
    /// Where those that are counted come from: all that there are, or more than [`COUNTED`].
    pub(super) counted: Source,
}

impl Found {
    /// The users of a filter, of which `conditions` says everything but the search.
    pub(super) fn of(filter: &Filter, conditions: &str, sampling: Sampling, statement: &mut Statement) -> Self {
        let source =
            |tables: &str, conditions: &str| Source { tables: tables.to_owned(), conditions: conditions.to_owned() };
        let Some((part, in_email)) = &filter.search else {
            let all = || source(TABLES, conditions);
            return Self { with: String::new(), page: vec![all()], counted: all() };
        };
        let escaped = part.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
        let pattern = statement.value(Value::Text(format!("%{escaped}%")));
        let columns: &[&str] = if *in_email { &["a.username_key", "a.email_key"] } else { &["a.username_key"] };
        let any = |condition: &dyn Fn(&str) -> String| {
            format!("({})", columns.iter().map(|column| condition(column)).collect::<Vec<_>>().join(" OR "))
        };
        if !statement.is_postgres() {
            let like = any(&|column| format!("{column} LIKE {pattern} ESCAPE '\\'"));
            let with =
                format!("WITH found AS MATERIALIZED (SELECT a.* FROM accounts a WHERE {like} AND {conditions}) ");
            let all = || source("found a JOIN presence p ON p.user_id = a.id", "TRUE");
            return Self { with, page: vec![all()], counted: all() };
        }
        // The same without an index: of an expression there is none.
        let read = any(&|column| format!("({column} || '') LIKE {pattern} ESCAPE '\\'"));
        let indexed = if has_trigram(part) {
            any(&|column| format!("{column} LIKE {pattern} ESCAPE '\\'"))
        } else {
            let pieces = statement.value(Value::Texts(pieces(part)));
            format!("({} AND {read})", any(&|column| format!("search_pieces({column}) @> {pieces}")))
        };
        let Sampling { percent, at_most, many, most } = sampling;
        let hits = |condition: String| format!("(SELECT {condition} FROM sampled)");
        let (few, walked) = (hits(format!("hits < {many}")), hits(format!("hits >= {many}")));
        let (some, most) =
            (hits(format!("hits >= {many} AND hits < {most}")), hits(format!("hits >= {many} AND hits >= {most}")));
        let (selected, limit) = (format!("SELECT {OF_ACCOUNTS} FROM accounts a WHERE"), COUNTED + 1);
        let with = format!(
            "WITH sampled AS MATERIALIZED (SELECT count(*) FILTER (WHERE {read} AND {conditions}) AS hits \
             FROM (SELECT * FROM accounts TABLESAMPLE SYSTEM ({percent}) LIMIT {at_most}) a), \
             found AS MATERIALIZED ({selected} {few} AND {indexed} AND {conditions} \
             UNION ALL ({selected} {some} AND {indexed} AND {conditions} LIMIT {limit}) \
             UNION ALL ({selected} {most} AND {read} AND {conditions} LIMIT {limit})) "
        );
        // One by one: the planner has no idea how many are found, and would rather read all presences.
        let with_presence = |found: &str| {
            format!("{found} a CROSS JOIN LATERAL (SELECT * FROM presence p WHERE p.user_id = a.id OFFSET 0) p")
        };
        let counted = source(&with_presence(&format!("(SELECT * FROM found LIMIT {limit})")), "TRUE");
        let walked = format!("{walked} AND {read} AND {conditions}");
        Self { with, page: vec![source(&with_presence("found"), &few), source(TABLES, &walked)], counted }
    }
}

/// Whether there is a trigram in it that is in the index whatever the locale is.
fn has_trigram(part: &str) -> bool {
    part.as_bytes().windows(3).any(|three| three.iter().all(u8::is_ascii_alphanumeric))
}

/// What `search_pieces` has of every text with this part: its pairs of letters, or the one letter.
fn pieces(part: &str) -> Vec<String> {
    let letters: Vec<char> = part.chars().collect();
    match letters.len() {
        0 | 1 => letters.iter().map(char::to_string).collect(),
        _ => letters.windows(2).map(|pair| pair.iter().collect()).collect(),
    }
}

#[cfg(test)]
mod tests;
