//! Pages of users: searched, filtered, ordered, by cursor; with how many the filter selects.
//!
//! Whether somebody is online is not the database's to say. Its projection is right for everybody but the few whom the
//! engine's delta names (see [`crate::presence::engine::Delta`]), so a filter by presence takes the projection without
//! those, and of those the ones whom the engine says to be so.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Nullable, Text};

use super::account::standing;
use super::sql::{Statement, Value};
use crate::account::{Role, Standing, Status};
use crate::db::{AnyConnection, DbError};
use crate::ids::UserId;
use crate::presence::rule::{OnlineStatus, Projected};
use crate::timestamp::Timestamp;

/// In which order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// By id.
    Id,
    /// By name, without regard to case, by code point.
    Username,
    /// By last seen as the database holds it; never seen comes first.
    LastSeen,
}

/// Where a page begins: after this user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum After {
    /// In the order of ids.
    Id(i64),
    /// In the order of names.
    Username(String),
    /// In the order of last seen, then ids.
    LastSeen(i64, i64),
}

/// Which users.
#[derive(Clone, Debug)]
pub struct Filter {
    /// Part of the name, folded; of the address too, where the flag is set.
    pub search: Option<(String, bool)>,
    /// By presence.
    pub online_status: Option<OnlineStatus>,
    /// By account status.
    pub status: Option<Status>,
    /// By role.
    pub role: Option<Role>,
}

/// Whom the projection may be wrong about, by what is true of them.
#[derive(Clone, Debug, Default)]
pub struct Corrections {
    /// Online, as far as the engine goes.
    pub online: Vec<i64>,
    /// Offline.
    pub offline: Vec<i64>,
}

/// A page to be read.
#[derive(Clone, Debug)]
pub struct PageQuery {
    /// Which users.
    pub filter: Filter,
    /// In which order.
    pub sort: Sort,
    /// The other way round.
    pub descending: bool,
    /// Where it begins.
    pub after: Option<After>,
    /// How many users at most.
    pub limit: i64,
}

/// One user of a page.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The account's id.
    pub id: UserId,
    /// The account's name.
    pub username: String,
    /// What the order by name compares.
    pub username_key: String,
    /// The account's address.
    pub email: String,
    /// The account's role.
    pub role: Role,
    /// The account's standing.
    pub standing: Standing,
    /// What the database holds of its presence.
    pub projected: Projected,
}

/// A page, and what is needed to say how many users there are in all.
#[derive(Clone, Debug)]
pub struct Page {
    /// The page's users.
    pub users: Vec<Listed>,
    /// How many there are, presence aside.
    pub kind_total: u64,
    /// How many of those are online, as far as the database counts it.
    pub online: CountedOnline,
}

/// How many are online, as far as the database counts it. Counting all who are online would be a walk over all of them,
/// and the engine has the number anyway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CountedOnline {
    /// Nothing was counted: it follows from the engine's number.
    No,
    /// The admins who are online, who are few.
    Admins(u64),
    /// Those whom the search finds.
    Found(u64),
}

impl CountedOnline {
    /// How many users of a filter are online, presence aside, where so many are online in all: only accounts that are
    /// active are ever online.
    #[must_use]
    pub fn of(self, filter: &Filter, all: u64) -> u64 {
        match self {
            Self::Found(online) => online,
            _ if filter.status.is_some_and(|status| status != Status::Active) => 0,
            Self::Admins(admins) if filter.role == Some(Role::Admin) => admins,
            Self::Admins(admins) => all.saturating_sub(admins),
            Self::No => all,
        }
    }
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = BigInt)]
    total: i64,
    #[diesel(sql_type = BigInt)]
    online_total: i64,
    #[diesel(sql_type = Nullable<BigInt>)]
    id: Option<i64>,
    #[diesel(sql_type = Nullable<Text>)]
    username: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    username_key: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    email: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    role: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    status: Option<String>,
    #[diesel(sql_type = Nullable<Bool>)]
    is_active: Option<bool>,
    #[diesel(sql_type = Nullable<BigInt>)]
    last_seen_ms: Option<i64>,
    #[diesel(sql_type = Nullable<Text>)]
    reason: Option<String>,
}

const COLUMNS: &str =
    "a.id, p.user_id, a.username, a.username_key, a.email, a.role, a.status, a.is_active, p.last_seen_ms, p.reason";
const TABLES: &str = "accounts a JOIN presence p ON p.user_id = a.id";
const ACTIVE: &str = "a.status = 'active' AND a.is_active";

impl Filter {
    /// Whether the engine's delta is needed to say whom it selects, or how many of those are online.
    #[must_use]
    pub fn needs_corrections(&self) -> bool {
        self.search.is_some() || self.online_status.is_some() || self.role.is_some()
    }

    /// Everything but presence.
    fn conditions(&self, statement: &mut Statement) -> String {
        let mut all = vec!["TRUE".to_owned()];
        if let Some((part, in_email)) = &self.search {
            let escaped = part.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
            let pattern = statement.value(Value::Text(format!("%{escaped}%")));
            let like = |column: &str| format!("{column} LIKE {pattern} ESCAPE '\\'");
            all.push(if *in_email {
                format!("({} OR {})", like("a.username_key"), like("a.email_key"))
            } else {
                like("a.username_key")
            });
        }
        if let Some(status) = self.status {
            all.push(format!("a.status = {}", statement.value(Value::Text(status.as_str().to_owned()))));
        }
        if let Some(role) = self.role {
            all.push(format!("a.role = {}", statement.value(Value::Text(role.as_str().to_owned()))));
        }
        all.join(" AND ")
    }
}

/// The conditions of the branches that together select the users of one presence, each user in one branch only.
fn presence_branches(wanted: OnlineStatus, corrections: &Corrections, statement: &mut Statement) -> Vec<String> {
    let (online, offline) = (&corrections.online, &corrections.offline);
    let all: Vec<i64> = online.iter().chain(offline).copied().collect();
    let untouched = if all.is_empty() { String::new() } else { format!(" AND a.id NOT IN {}", statement.list(all)) };
    let mut branches = Vec::new();
    match wanted {
        OnlineStatus::Online => {
            branches.push(format!("p.online AND {ACTIVE}{untouched}"));
            if !online.is_empty() {
                branches.push(format!("a.id IN {} AND {ACTIVE}", statement.list(online.clone())));
            }
        }
        OnlineStatus::Offline => {
            branches.push(format!("NOT (p.online AND {ACTIVE}){untouched}"));
            if !offline.is_empty() {
                branches.push(format!("a.id IN {}", statement.list(offline.clone())));
            }
            if !online.is_empty() {
                branches.push(format!("a.id IN {} AND NOT ({ACTIVE})", statement.list(online.clone())));
            }
        }
    }
    branches
}

fn count_of(branches: &[String], conditions: &str) -> String {
    let counts =
        branches.iter().map(|branch| format!("(SELECT count(*) FROM {TABLES} WHERE {conditions} AND {branch})"));
    counts.collect::<Vec<_>>().join(" + ")
}

impl PageQuery {
    /// Reads the page: one statement.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn load(&self, connection: &mut AnyConnection, corrections: &Corrections) -> Result<Page, DbError> {
        let mut statement = Statement::on(connection);
        let conditions = self.filter.conditions(&mut statement);
        let online = match (&self.filter.search, self.filter.role) {
            (None, None) => "0".to_owned(),
            (Some(_), _) => {
                count_of(&presence_branches(OnlineStatus::Online, corrections, &mut statement), &conditions)
            }
            (None, Some(_)) => {
                let online = presence_branches(OnlineStatus::Online, corrections, &mut statement);
                count_of(&online, "a.role = 'admin'")
            }
        };
        let branches = match self.filter.online_status {
            Some(wanted) => presence_branches(wanted, corrections, &mut statement),
            None => vec!["TRUE".to_owned()],
        };
        let total = match self.filter.search {
            Some(_) => count_of(&["TRUE".to_owned()], &conditions),
            // account_counts has the columns that the conditions are about.
            None => format!("COALESCE((SELECT sum(n) FROM account_counts a WHERE {conditions}), 0)"),
        };
        let place = self.place(&mut statement);
        let order = self.order();
        let limit = statement.value(Value::Int(self.limit));
        let pages: Vec<String> = branches
            .iter()
            .map(|branch| {
                format!(
                    "SELECT * FROM (SELECT {COLUMNS} FROM {TABLES} WHERE {conditions} AND {branch}{place} \
                     ORDER BY {order} LIMIT {limit}) branch"
                )
            })
            .collect();
        // The counts come even where the page is empty.
        statement.push(&format!(
            "SELECT t.total, t.online_total, u.* \
             FROM (SELECT CAST({total} AS BIGINT) AS total, CAST({online} AS BIGINT) AS online_total) t \
             LEFT JOIN (SELECT * FROM ({}) a ORDER BY {} LIMIT {limit}) u ON TRUE ORDER BY {}",
            pages.join(" UNION ALL "),
            order.replace("p.", "a."),
            order.replace("p.", "u.").replace("a.", "u."),
        ));
        let rows: Vec<Row> = statement.load(connection)?;
        let count = |n: Option<i64>| n.and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
        let (kind_total, online) =
            (count(rows.first().map(|r| r.total)), count(rows.first().map(|r| r.online_total)));
        let online = match (&self.filter.search, self.filter.role) {
            (Some(_), _) => CountedOnline::Found(online),
            (None, Some(_)) => CountedOnline::Admins(online),
            (None, None) => CountedOnline::No,
        };
        let users = rows.into_iter().filter_map(Row::into_listed).collect::<Result<_, _>>()?;
        Ok(Page { users, kind_total, online })
    }

    fn place(&self, statement: &mut Statement) -> String {
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
            Some(After::LastSeen(ms, id)) => {
                let (ms, id) = (statement.value(Value::Int(*ms)), statement.value(Value::Int(*id)));
                format!(" AND (p.last_seen_ms, p.user_id) {than} ({ms}, {id})")
            }
        }
    }

    fn order(&self) -> String {
        let way = if self.descending { "DESC" } else { "ASC" };
        match self.sort {
            Sort::Id => format!("a.id {way}"),
            Sort::Username => format!("a.username_key {way}"),
            Sort::LastSeen => format!("p.last_seen_ms {way}, p.user_id {way}"),
        }
    }
}

impl Row {
    /// `None` for the row that carries the counts of an empty page.
    fn into_listed(self) -> Option<Result<Listed, DbError>> {
        let id = UserId(self.id?);
        Some(listed(id, self))
    }
}

fn listed(id: UserId, row: Row) -> Result<Listed, DbError> {
    let reason = row.reason.map(|reason| reason.parse()).transpose().map_err(DbError::Content)?;
    Ok(Listed {
        id,
        username: row.username.unwrap_or_default(),
        username_key: row.username_key.unwrap_or_default(),
        email: row.email.unwrap_or_default(),
        role: row.role.unwrap_or_default().parse().map_err(DbError::Content)?,
        standing: standing(&row.status.unwrap_or_default(), row.is_active.unwrap_or_default())?,
        projected: Projected { last_seen: Timestamp(row.last_seen_ms.unwrap_or(0)).nonzero(), reason },
    })
}

/// The users of these ids that there are, in no order: one statement.
///
/// # Errors
/// [`DbError`].
pub fn by_ids(connection: &mut AnyConnection, ids: &[UserId]) -> Result<Vec<Listed>, DbError> {
    let mut statement = Statement::on(connection);
    let list = statement.list(ids.iter().map(|id| id.0).collect());
    statement.push(&format!(
        "SELECT CAST(0 AS BIGINT) AS total, CAST(0 AS BIGINT) AS online_total, {COLUMNS} FROM {TABLES} WHERE a.id IN {list}"
    ));
    let rows: Vec<Row> = statement.load(connection)?;
    rows.into_iter().filter_map(Row::into_listed).collect()
}
