//! Notifications: that a contact has come online. The projector makes them, in the transaction that writes the presence.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Nullable, Text};
use serde::{Deserialize, Serialize};

use super::privacy::{Conditions, privacy};
use super::sql::{Statement, Value};
use crate::account::Role;
use crate::db::{AnyConnection, DbError};
use crate::ids::UserId;
use crate::presence::availability::Privacy;
use crate::privacy::{AdminSight, Viewer};
use crate::timestamp::{Timestamp, millis};

/// What is older than this when it is written is no news any more.
const STALE: Duration = Duration::from_secs(3_600);

/// Rows of one statement: each has three values, of which PostgreSQL takes 65,535 and SQLite 32,766.
const AT_A_TIME: usize = 500;

/// What decides who is told.
#[derive(Clone, Copy, Debug)]
pub struct Telling {
    /// For so long nobody is told again of the same contact.
    pub again: Duration,
    /// What admins see whatever users say.
    pub policy: AdminSight,
}

/// That a contact has come online, for one user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification {
    /// Growing.
    pub id: i64,
    /// Whose it is.
    pub user: UserId,
    /// Who has come online.
    pub subject: UserId,
    /// The name of that.
    pub username: String,
    /// When it came online.
    pub at: Timestamp,
    /// When the user has read it.
    pub read_at: Option<Timestamp>,
}

#[derive(QueryableByName)]
struct WatcherRow {
    #[diesel(sql_type = BigInt)]
    user_id: i64,
    #[diesel(sql_type = BigInt)]
    other_id: i64,
    #[diesel(sql_type = Nullable<BigInt>)]
    notified_at_ms: Option<i64>,
    #[diesel(sql_type = Text)]
    role: String,
    #[diesel(sql_type = Text)]
    online_visibility: String,
    #[diesel(sql_type = Text)]
    last_seen_visibility: String,
    #[diesel(sql_type = Text)]
    other_online_visibility: String,
    #[diesel(sql_type = Text)]
    other_last_seen_visibility: String,
    #[diesel(sql_type = Text)]
    other_username: String,
}

impl WatcherRow {
    /// Whether the rule lets the watcher see that the other is online. They are contacts, and neither has blocked the other.
    /// Who might see it when it came online counts as well as who may now: an arrival that was hidden stays so.
    fn sees(&self, then: Privacy, policy: AdminSight) -> Result<bool, DbError> {
        let other = UserId(self.other_id);
        let viewer = Viewer {
            id: UserId(self.user_id),
            admin: self.role.parse::<Role>().map_err(DbError::Content)? == Role::Admin,
            privacy: privacy(&self.online_visibility, &self.last_seen_visibility)?,
            contacts: HashSet::from([other]),
            blocked: HashSet::new(),
            policy,
        };
        let now = privacy(&self.other_online_visibility, &self.other_last_seen_visibility)?;
        Ok(viewer.sight(other, now).online && viewer.sight(other, then).online)
    }
}

#[derive(QueryableByName)]
struct MadeRow {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = BigInt)]
    user_id: i64,
    #[diesel(sql_type = BigInt)]
    subject_id: i64,
}

/// That a user has come online.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// When.
    pub at: Timestamp,
    /// Who might see it then.
    pub privacy: Privacy,
}

/// Makes the notifications of these users' coming online, each at its time. Within the caller's transaction. One statement
/// where nobody waits for them.
///
/// # Errors
/// [`DbError`].
pub fn notify(
    connection: &mut AnyConnection,
    arrived: &HashMap<UserId, Arrival>,
    telling: Telling,
    now: Timestamp,
) -> Result<Vec<Notification>, DbError> {
    let news: Vec<i64> =
        arrived.iter().filter(|(_, came)| came.at.plus(STALE) > now).map(|(subject, _)| subject.0).collect();
    if news.is_empty() {
        return Ok(Vec::new());
    }
    let mut made = Vec::new();
    for row in watchers(connection, news)? {
        let (user, subject) = (UserId(row.user_id), UserId(row.other_id));
        let Some(Arrival { at, privacy }) = arrived.get(&subject).copied() else { continue };
        let lately = row.notified_at_ms.is_some_and(|last| last > at.0.saturating_sub(millis(telling.again)));
        if !lately && row.sees(privacy, telling.policy)? {
            made.push(Notification { id: 0, user, subject, username: row.other_username, at, read_at: None });
        }
    }
    for some in made.chunks_mut(AT_A_TIME) {
        insert(connection, some)?;
        note(connection, some)?;
    }
    Ok(made)
}

/// Who waits for any of these users, in the order in which their rows are locked everywhere.
fn watchers(connection: &mut AnyConnection, subjects: Vec<i64>) -> Result<Vec<WatcherRow>, DbError> {
    let mut statement = Statement::on(connection);
    let list = statement.list(subjects);
    // The account first: whoever deletes it holds it, and waits for the rows of its contacts.
    let lock = if statement.is_postgres() { " FOR KEY SHARE OF w FOR NO KEY UPDATE OF c" } else { "" };
    statement.keep().push(&format!(
        "SELECT c.user_id, c.other_id, c.notified_at_ms, w.role, w.online_visibility, w.last_seen_visibility, \
             o.online_visibility AS other_online_visibility, o.last_seen_visibility AS other_last_seen_visibility, \
             o.username AS other_username \
         FROM contacts c JOIN accounts w ON w.id = c.user_id JOIN accounts o ON o.id = c.other_id \
         WHERE c.other_id IN {list} AND c.notify IS NOT NULL AND c.state = 'accepted' \
             AND w.status = 'active' AND w.is_active ORDER BY c.user_id, c.other_id{lock}"
    ));
    Ok(statement.load(connection)?)
}

/// Writes the rows, and gives each its id.
fn insert(connection: &mut AnyConnection, made: &mut [Notification]) -> Result<(), DbError> {
    let mut statement = Statement::on(connection);
    let rows: Vec<String> = made
        .iter()
        .map(|one| {
            let mut number = |n| statement.value(Value::Int(n));
            format!("({}, 'online', {}, {})", number(one.user.0), number(one.subject.0), number(one.at.0))
        })
        .collect();
    let rows = rows.join(", ");
    statement.push(&format!(
        "INSERT INTO notifications (user_id, kind, subject_id, at_ms) VALUES {rows} RETURNING id, user_id, subject_id"
    ));
    let ids: HashMap<(i64, i64), i64> = statement
        .load::<MadeRow>(connection)?
        .into_iter()
        .map(|row| ((row.user_id, row.subject_id), row.id))
        .collect();
    for one in made {
        one.id = ids.get(&(one.user.0, one.subject.0)).copied().unwrap_or(0);
    }
    Ok(())
}

/// Notes in the contacts' rows that their users have been told; once is enough where it was asked for once.
fn note(connection: &mut AnyConnection, made: &[Notification]) -> Result<(), DbError> {
    let mut statement = Statement::on(connection);
    let rows: Vec<String> = made
        .iter()
        .map(|one| {
            let mut number = |n| format!("CAST({} AS BIGINT)", statement.value(Value::Int(n)));
            format!("({}, {}, {})", number(one.user.0), number(one.subject.0), number(one.at.0))
        })
        .collect();
    let rows = rows.join(", ");
    // Both databases name the columns so.
    statement.push(&format!(
        "UPDATE contacts SET notified_at_ms = n.column3, notify = CASE WHEN notify = 'once' THEN NULL ELSE notify END \
         FROM (VALUES {rows}) n WHERE contacts.user_id = n.column1 AND contacts.other_id = n.column2"
    ));
    statement.execute(connection)?;
    Ok(())
}

/// Which of a user's notifications.
#[derive(Clone, Copy, Debug)]
pub struct NotificationQuery {
    /// Only those that it has not read.
    pub unread: bool,
    /// Only those older than this one.
    pub before: Option<i64>,
    /// At most so many.
    pub limit: i64,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = BigInt)]
    subject_id: i64,
    #[diesel(sql_type = Text)]
    username: String,
    #[diesel(sql_type = BigInt)]
    at_ms: i64,
    #[diesel(sql_type = Nullable<BigInt>)]
    read_at_ms: Option<i64>,
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

impl Row {
    fn of(self, user: UserId) -> Notification {
        Notification {
            id: self.id,
            user,
            subject: UserId(self.subject_id),
            username: self.username,
            at: Timestamp(self.at_ms),
            read_at: self.read_at_ms.map(Timestamp),
        }
    }
}

const TABLES: &str = "notifications n JOIN accounts a ON a.id = n.subject_id";

impl Notification {
    /// A viewer's notifications, the newest first: those of users whom it may see online.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn of_viewer(
        connection: &mut AnyConnection,
        viewer: &Viewer,
        query: NotificationQuery,
    ) -> Result<Vec<Self>, DbError> {
        let mut statement = Statement::on(connection);
        let seen = Conditions::of(viewer, &mut statement).online;
        let user = statement.value(Value::Int(viewer.id.0));
        let before = statement.value(Value::Int(query.before.unwrap_or(i64::MAX)));
        let limit = statement.value(Value::Int(query.limit));
        let unread = if query.unread { " AND n.read_at_ms IS NULL" } else { "" };
        statement.push(&format!(
            "SELECT n.id, n.subject_id, a.username, n.at_ms, n.read_at_ms FROM {TABLES} \
             WHERE n.user_id = {user} AND n.id < {before}{unread} AND {seen} ORDER BY n.id DESC LIMIT {limit}"
        ));
        let rows: Vec<Row> = statement.load(connection)?;
        Ok(rows.into_iter().map(|row| row.of(viewer.id)).collect())
    }

    /// How many of them it has not read.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn unread(connection: &mut AnyConnection, viewer: &Viewer) -> Result<u64, DbError> {
        let mut statement = Statement::on(connection);
        let seen = Conditions::of(viewer, &mut statement).online;
        let user = statement.value(Value::Int(viewer.id.0));
        statement.push(&format!(
            "SELECT count(*) AS n FROM {TABLES} WHERE n.user_id = {user} AND n.read_at_ms IS NULL AND {seen}"
        ));
        let rows: Vec<Count> = statement.load(connection)?;
        Ok(rows.first().and_then(|row| u64::try_from(row.n).ok()).unwrap_or(0))
    }

    /// Marks one as read, if it is not, or all where none is named; and answers the one that is named.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn read(
        connection: &mut AnyConnection,
        viewer: &Viewer,
        id: Option<i64>,
        now: Timestamp,
    ) -> Result<Option<Self>, DbError> {
        let mut statement = Statement::on(connection);
        let (user, now) = (statement.value(Value::Int(viewer.id.0)), statement.value(Value::Int(now.0)));
        let one = id.map(|id| format!(" AND id = {}", statement.value(Value::Int(id)))).unwrap_or_default();
        statement.push(&format!(
            "UPDATE notifications SET read_at_ms = {now} WHERE user_id = {user} AND read_at_ms IS NULL{one}"
        ));
        statement.execute(connection)?;
        let Some(id) = id else { return Ok(None) };
        let query = NotificationQuery { unread: false, before: id.checked_add(1), limit: 1 };
        Ok(Self::of_viewer(connection, viewer, query)?.pop().filter(|found| found.id == id))
    }

    /// Deletes those that were made before `before`, at most `most`. Answers how many.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn delete_old(connection: &mut AnyConnection, before: Timestamp, most: i64) -> Result<usize, DbError> {
        let mut statement = Statement::on(connection);
        let (before, most) = (statement.value(Value::Int(before.0)), statement.value(Value::Int(most)));
        statement.push(&format!(
            "DELETE FROM notifications WHERE id IN (SELECT id FROM notifications WHERE at_ms < {before} LIMIT {most})"
        ));
        Ok(statement.execute(connection)?)
    }
}
