//! The statement that reads a page.

use std::cmp::Ordering;

use super::rows::{ACTIVE, OF_ACCOUNTS, OF_PRESENCE, Row, TABLES};
use super::search::{COUNTED, Found, Sampling, Source};
use super::{After, Corrections, CountedOnline, Filter, Page, PageQuery, Sort};
use crate::db::{AnyConnection, DbError};
use crate::models::privacy::Conditions;
use crate::models::sql::{Few, Statement, Value};
use crate::presence::rule::OnlineStatus;
use crate::privacy::Viewer;

impl Filter {
    /// Whether the engine's delta is needed to say whom it selects, or how many of those are online.
    #[must_use]
    pub fn needs_corrections(&self) -> bool {
        self.search.is_some() || self.online_status.is_some() || self.role.is_some()
    }

    /// Everything but presence and the search. The words stand in it: which it is decides the best plan.
    fn conditions(&self) -> String {
        let mut all = vec!["TRUE".to_owned()];
        all.extend(self.status.map(|status| format!("a.status = '{}'", status.as_str())));
        all.extend(self.role.map(|role| format!("a.role = '{}'", role.as_str())));
        all.join(" AND ")
    }
}

/// The limits of the pages whose plans are kept: what nearly all ask for. The number stands in them, since it decides the plan.
const USUAL_LIMITS: [i64; 2] = [100, 500];

/// A plan takes up to 2 MB of each connection's memory, and a client may ask for pages of every kind.
static KEPT: Few = Few::new(64);

/// All users, as there is an index of each by last seen: one of all would be written to at each transition for the sake of these
/// pages alone.
const BY_LAST_SEEN: [&str; 3] = ["NOT p.online", "p.online AND NOT p.barred", "p.online AND p.barred"];

/// The conditions of the branches that together select the users of one presence, each user in one branch only.
///
/// Online is who is so for the viewer, of whom `sight` says whom it may see.
fn presence_branches(
    wanted: OnlineStatus,
    corrections: &Corrections,
    sight: &Conditions,
    statement: &mut Statement,
) -> Vec<String> {
    let (online, offline, seen) = (&corrections.online, &corrections.offline, &sight.online);
    let all: Vec<i64> = online.iter().chain(offline).copied().collect();
    let untouched = if all.is_empty() { String::new() } else { format!(" AND a.id NOT IN {}", statement.list(all)) };
    let mut branches = Vec::new();
    match wanted {
        OnlineStatus::Online => {
            branches.push(format!("p.online AND NOT p.barred AND {ACTIVE} AND {seen}{untouched}"));
            if !online.is_empty() {
                branches.push(format!("a.id IN {} AND {ACTIVE} AND {seen}", statement.list(online.clone())));
            }
        }
        OnlineStatus::Offline => {
            branches.push(format!("NOT p.online{untouched}"));
            // The few whom the database has online, and who are not for the viewer: each by an index of the few.
            branches.push(format!("p.online AND p.barred{untouched}"));
            let hidden = sight.no_online.iter();
            branches.extend(
                hidden.map(|hidden| format!("p.online AND NOT p.barred AND {ACTIVE} AND {hidden}{untouched}")),
            );
            if !offline.is_empty() {
                branches.push(format!("a.id IN {}", statement.list(offline.clone())));
            }
            if !online.is_empty() {
                branches.push(format!("a.id IN {} AND NOT ({ACTIVE} AND {seen})", statement.list(online.clone())));
            }
        }
    }
    branches
}

fn count_of(branches: &[String], source: &Source) -> String {
    let Source { tables, conditions } = source;
    let counts =
        branches.iter().map(|branch| format!("(SELECT count(*) FROM {tables} WHERE {conditions} AND {branch})"));
    counts.collect::<Vec<_>>().join(" + ")
}

/// Part of a page: users who are in no other part, in the page's order.
struct Part {
    condition: String,
    /// Whether their last seen is the viewer's to see; the others rank as never seen.
    ranked: bool,
}

impl PageQuery {
    /// Reads the page as a viewer sees it: one statement.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn load(
        &self,
        connection: &mut AnyConnection,
        viewer: &Viewer,
        corrections: &Corrections,
    ) -> Result<Page, DbError> {
        self.load_sampled(connection, viewer, corrections, Sampling::USUAL)
    }

    pub(super) fn load_sampled(
        &self,
        connection: &mut AnyConnection,
        viewer: &Viewer,
        corrections: &Corrections,
        sampling: Sampling,
    ) -> Result<Page, DbError> {
        let mut statement = Statement::on(connection);
        let sight = Conditions::of(viewer, &mut statement);
        let conditions = self.filter.conditions();
        let found = Found::of(&self.filter, &conditions, sampling, &mut statement);
        let admins = Source { tables: TABLES.to_owned(), conditions: "a.role = 'admin'".to_owned() };
        let online = match (&self.filter.search, self.filter.role) {
            (None, None) => "0".to_owned(),
            (Some(_), _) => count_of(
                &presence_branches(OnlineStatus::Online, corrections, &sight, &mut statement),
                &found.counted,
            ),
            (None, Some(_)) => {
                count_of(&presence_branches(OnlineStatus::Online, corrections, &sight, &mut statement), &admins)
            }
        };
        let branches = match self.filter.online_status {
            Some(wanted) => presence_branches(wanted, corrections, &sight, &mut statement),
            None => vec!["TRUE".to_owned()],
        };
        let ranked = match (self.filter.online_status, self.sort) {
            (None, Sort::LastSeen) => BY_LAST_SEEN.map(str::to_owned).to_vec(),
            _ => branches.clone(),
        };
        let total = match self.filter.search {
            Some(_) => "(SELECT count(*) FROM found)".to_owned(),
            // account_counts has the columns that the conditions are about.
            None => format!("COALESCE((SELECT sum(n) FROM account_counts a WHERE {conditions}), 0)"),
        };
        let is_usual = self.filter.search.is_none() && USUAL_LIMITS.contains(&(self.limit - 1));
        // SQLite plans in no time, and wants each value used that it counts.
        let is_kept = statement.is_postgres() && is_usual;
        let limit = if is_kept { self.limit.to_string() } else { statement.value(Value::Int(self.limit)) };
        let parts = self.parts(&branches, ranked, &sight);
        let places = found.page.iter().flat_map(|source| parts.iter().map(move |part| (source, part)));
        let pages: Vec<String> =
            places.map(|(source, part)| self.select(part, source, &limit, &mut statement)).collect();
        let order = self.order();
        // The counts come even where the page is empty.
        statement.push(&format!(
            "{}SELECT t.total, t.online_total, u.* \
             FROM (SELECT CAST({total} AS BIGINT) AS total, CAST({online} AS BIGINT) AS online_total) t \
             LEFT JOIN (SELECT * FROM ({}) a ORDER BY {order} LIMIT {limit}) u ON TRUE ORDER BY {}",
            found.with,
            pages.join(" UNION ALL "),
            order.replace("a.", "u."),
        ));
        if is_kept {
            statement.keep_among(&KEPT);
        }
        let rows: Vec<Row> = statement.load(connection)?;
        let count = |n: Option<i64>| n.and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
        let (kind_total, online) =
            (count(rows.first().map(|r| r.total)), count(rows.first().map(|r| r.online_total)));
        let at_least = self.filter.search.is_some() && kind_total > COUNTED;
        let kind_total = if at_least { COUNTED } else { kind_total };
        let online = match (&self.filter.search, self.filter.role) {
            (Some(_), _) => CountedOnline::Found(online.min(kind_total)),
            (None, Some(_)) => CountedOnline::Admins(online),
            (None, None) => CountedOnline::No,
        };
        let users = rows.into_iter().filter_map(Row::into_listed).collect::<Result<_, _>>()?;
        Ok(Page { users, kind_total, online, at_least })
    }

    /// The parts of the page: the branches, each as one where the order does not tell when somebody was seen. `ranked` are the
    /// same users in branches that can be read in the page's order.
    fn parts(&self, branches: &[String], ranked: Vec<String>, sight: &Conditions) -> Vec<Part> {
        if self.sort != Sort::LastSeen || sight.no_last_seen.is_empty() {
            return ranked.into_iter().map(|condition| Part { condition, ranked: true }).collect();
        }
        let with = |branch: &str, more: &str| format!("{branch} AND {more}");
        let unseen = branches.iter().flat_map(|branch| {
            sight.no_last_seen.iter().map(move |more| Part { condition: with(branch, more), ranked: false })
        });
        let seen = ranked.iter().map(|branch| Part { condition: with(branch, &sight.last_seen), ranked: true });
        unseen.chain(seen).collect()
    }

    /// A part's first users.
    fn select(&self, part: &Part, source: &Source, limit: &str, statement: &mut Statement) -> String {
        let (rank, order) = match (self.sort, part.ranked) {
            (Sort::LastSeen, true) => ("p.last_seen_ms", self.by("p.last_seen_ms, p.user_id")),
            (Sort::LastSeen, false) => ("CAST(0 AS BIGINT)", self.by("a.id")),
            (Sort::Id, _) => ("p.last_seen_ms", self.by("a.id")),
            (Sort::Username, _) => ("p.last_seen_ms", self.by("a.username_key")),
        };
        let (condition, place) = (&part.condition, self.place(part.ranked, statement));
        let Source { tables, conditions } = source;
        format!(
            "SELECT * FROM (SELECT {OF_ACCOUNTS}, {OF_PRESENCE}, {rank} AS rank_ms FROM {tables} \
             WHERE {conditions} AND {condition}{place} ORDER BY {order} LIMIT {limit}) branch"
        )
    }

    fn place(&self, ranked: bool, statement: &mut Statement) -> String {
        let than = if self.descending { "<" } else { ">" };
        match &self.after {
            None => String::new(),
            // Said of both tables: PostgreSQL would walk one of them from its beginning otherwise.
            Some(After::Id(id)) => {
                let id = statement.value(Value::Int(*id));
                format!(" AND a.id {than} {id} AND p.user_id {than} {id}")
            }
            Some(After::Username(key)) => {
                format!(" AND a.username_key {than} {}", statement.value(Value::Text(key.clone())))
            }
            Some(After::LastSeen(ms, id)) if ranked => {
                let (ms, id) = (statement.value(Value::Int(*ms)), statement.value(Value::Int(*id)));
                format!(" AND (p.last_seen_ms, p.user_id) {than} ({ms}, {id})")
            }
            // They rank as 0.
            Some(After::LastSeen(ms, id)) => match (ms.cmp(&0), self.descending) {
                (Ordering::Equal, _) => format!(" AND a.id {than} {}", statement.value(Value::Int(*id))),
                (Ordering::Greater, true) | (Ordering::Less, false) => String::new(),
                (Ordering::Greater, false) | (Ordering::Less, true) => " AND FALSE".to_owned(),
            },
        }
    }

    /// The order of what the parts have selected.
    fn order(&self) -> String {
        self.by(match self.sort {
            Sort::Id => "a.id",
            Sort::Username => "a.username_key",
            Sort::LastSeen => "a.rank_ms, a.id",
        })
    }

    fn by(&self, columns: &str) -> String {
        let way = if self.descending { "DESC" } else { "ASC" };
        columns.split(", ").map(|column| format!("{column} {way}")).collect::<Vec<_>>().join(", ")
    }
}
