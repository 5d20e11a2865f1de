//! Deliveries: each event on its way to each webhook. When one is due is in its row, so whoever looks finds it, whatever
//! was killed before.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable};

use super::sql::{Statement, Value};
use crate::account::status::texts;
use crate::db::schema::webhook_deliveries;
use crate::db::{AnyConnection, DbError, on_either};
use crate::ids::{DeliveryId, WebhookId};
use crate::timestamp::Timestamp;
use crate::webhooks::Event;

/// Rows of one statement, each of six values: far below what one may have.
const AT_A_TIME: usize = 500;

/// How a delivery is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeliveryStatus {
    /// It is tried, or to be tried.
    Pending,
    /// It was taken.
    Delivered,
    /// It was given up.
    Dead,
}
texts!(DeliveryStatus { Pending => "pending", Delivered => "delivered", Dead => "dead" });

/// A delivery, for whoever looks at it.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Growing.
    pub id: DeliveryId,
    /// The `webhook-id`.
    pub message_id: String,
    /// The event's type.
    pub event: String,
    /// What is sent.
    pub body: String,
    /// How it is.
    pub status: DeliveryStatus,
    /// How often it was tried.
    pub attempts: i32,
    /// When it is due, where it is pending.
    pub next_attempt_at: Option<Timestamp>,
    /// When the event was written down.
    pub created_at: Timestamp,
    /// When the last attempt ended.
    pub last_attempt_at: Option<Timestamp>,
    /// The HTTP status that it was answered with, where there was an answer.
    pub last_status: Option<i32>,
    /// What went wrong.
    pub last_error: Option<String>,
    /// How the answer's body began.
    pub last_response: Option<String>,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = webhook_deliveries)]
struct DeliveryRow {
    id: i64,
    message_id: String,
    event: String,
    body: String,
    status: String,
    attempts: i32,
    next_attempt_at_ms: i64,
    created_at_ms: i64,
    last_attempt_at_ms: Option<i64>,
    last_status: Option<i32>,
    last_error: Option<String>,
    last_response: Option<String>,
}

impl TryFrom<DeliveryRow> for Delivery {
    type Error = DbError;

    fn try_from(row: DeliveryRow) -> Result<Self, DbError> {
        let status: DeliveryStatus = row.status.parse().map_err(DbError::Content)?;
        Ok(Self {
            id: DeliveryId(row.id),
            message_id: row.message_id,
            event: row.event,
            body: row.body,
            status,
            attempts: row.attempts,
            next_attempt_at: (status == DeliveryStatus::Pending).then_some(Timestamp(row.next_attempt_at_ms)),
            created_at: Timestamp(row.created_at_ms),
            last_attempt_at: row.last_attempt_at_ms.map(Timestamp),
            last_status: row.last_status,
            last_error: row.last_error,
            last_response: row.last_response,
        })
    }
}

/// Which of a webhook's deliveries.
#[derive(Clone, Copy, Debug)]
pub struct DeliveryQuery {
    /// Of this status only.
    pub status: Option<DeliveryStatus>,
    /// Only those older than this one.
    pub before: Option<DeliveryId>,
    /// At most so many.
    pub limit: i64,
}

/// What waits to be delivered.
#[derive(QueryableByName, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backlog {
    /// Deliveries that are due.
    #[diesel(sql_type = BigInt)]
    pub due: i64,
    /// Since when the oldest of them is.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub oldest_ms: Option<i64>,
    /// Deliveries that have failed and are tried again.
    #[diesel(sql_type = BigInt)]
    pub retrying: i64,
    /// Deliveries that were given up, and are still kept.
    #[diesel(sql_type = BigInt)]
    pub dead: i64,
}

/// Writes deliveries, due at once. Within the caller's transaction, which keeps the webhooks from being deleted.
///
/// # Errors
/// [`DbError`].
pub(super) fn enqueue(
    connection: &mut AnyConnection,
    deliveries: &[(WebhookId, &Event)],
    now: Timestamp,
) -> Result<(), DbError> {
    for some in deliveries.chunks(AT_A_TIME) {
        let mut statement = Statement::on(connection);
        let mut rows = Vec::with_capacity(some.len());
        for (webhook, event) in some {
            let values = [
                Value::Int(webhook.0),
                Value::Text(message_id()?),
                Value::Text(event.kind.as_str().to_owned()),
                Value::Text(event.body.clone()),
                Value::Int(now.0),
                Value::Int(now.0),
            ];
            rows.push(format!("({})", values.map(|value| statement.value(value)).join(", ")));
        }
        statement.push(&format!(
            "INSERT INTO webhook_deliveries (webhook_id, message_id, event, body, next_attempt_at_ms, created_at_ms) \
             VALUES {}",
            rows.join(", ")
        ));
        statement.execute(connection)?;
    }
    Ok(())
}

/// An id that no other message has.
fn message_id() -> Result<String, DbError> {
    let mut random = [0; 18];
    getrandom::fill(&mut random).map_err(|error| DbError::Unavailable(format!("no random numbers: {error}")))?;
    Ok(format!("msg_{}", URL_SAFE_NO_PAD.encode(random)))
}

impl Delivery {
    /// Has one event delivered to one webhook, whatever its filters. Within a transaction that holds the webhook's row.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn insert(
        connection: &mut AnyConnection,
        webhook: WebhookId,
        event: &Event,
        now: Timestamp,
    ) -> Result<Self, DbError> {
        use webhook_deliveries as d;
        let values = (
            d::webhook_id.eq(webhook.0),
            d::message_id.eq(message_id()?),
            d::event.eq(event.kind.as_str()),
            d::body.eq(&event.body),
            d::next_attempt_at_ms.eq(now.0),
            d::created_at_ms.eq(now.0),
        );
        let row: DeliveryRow = on_either!(connection, c => diesel::insert_into(d::table)
            .values(values)
            .returning(DeliveryRow::as_returning())
            .get_result(c))?;
        row.try_into()
    }

    /// A webhook's deliveries, the newest first.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn of_webhook(
        connection: &mut AnyConnection,
        webhook: WebhookId,
        query: DeliveryQuery,
    ) -> Result<Vec<Self>, DbError> {
        use webhook_deliveries as d;
        let mut rows = d::table.filter(d::webhook_id.eq(webhook.0)).into_boxed();
        if let Some(status) = query.status {
            rows = rows.filter(d::status.eq(status.as_str()));
        }
        if let Some(before) = query.before {
            rows = rows.filter(d::id.lt(before.0));
        }
        let rows = rows.order(d::id.desc()).limit(query.limit).select(DeliveryRow::as_select()).load(connection)?;
        rows.into_iter().map(Self::try_from).collect()
    }

    /// Has one delivered once more, as if it had never been tried. Answers what it is then.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn redeliver(
        connection: &mut AnyConnection,
        webhook: WebhookId,
        id: DeliveryId,
        now: Timestamp,
    ) -> Result<Option<Self>, DbError> {
        use webhook_deliveries as d;
        let one = d::table.filter(d::id.eq(id.0)).filter(d::webhook_id.eq(webhook.0));
        let changed = diesel::update(one)
            .set((d::status.eq("pending"), d::attempts.eq(0), d::next_attempt_at_ms.eq(now.0)))
            .execute(connection)?;
        if changed == 0 {
            return Ok(None);
        }
        let row = one.select(DeliveryRow::as_select()).first(connection).optional()?;
        row.map(Self::try_from).transpose()
    }

    /// Deletes those that were made before `before`, at most `most`. Answers how many.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn delete_old(connection: &mut AnyConnection, before: Timestamp, most: i64) -> Result<usize, DbError> {
        let mut statement = Statement::on(connection);
        let (before, most) = (statement.value(Value::Int(before.0)), statement.value(Value::Int(most)));
        statement.push(&format!(
            "DELETE FROM webhook_deliveries WHERE id IN \
             (SELECT id FROM webhook_deliveries WHERE created_at_ms < {before} LIMIT {most})"
        ));
        Ok(statement.execute(connection)?)
    }
}

impl Backlog {
    /// What waits to be delivered at `now`, and what was given up.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn at(connection: &mut AnyConnection, now: Timestamp) -> Result<Self, DbError> {
        let mut statement = Statement::on(connection);
        let now = statement.value(Value::Int(now.0));
        let due = format!(
            "FROM webhook_deliveries d JOIN webhooks w ON w.id = d.webhook_id \
             WHERE w.enabled AND d.status = 'pending' AND d.next_attempt_at_ms <= {now}"
        );
        statement.push(&format!(
            "SELECT (SELECT count(*) {due}) AS due, (SELECT min(d.next_attempt_at_ms) {due}) AS oldest_ms, \
             (SELECT count(*) FROM webhook_deliveries d JOIN webhooks w ON w.id = d.webhook_id \
              WHERE d.status = 'pending' AND d.attempts > 0) AS retrying, \
             (SELECT count(*) FROM webhook_deliveries d JOIN webhooks w ON w.id = d.webhook_id \
              WHERE d.status = 'dead') AS dead"
        ));
        let rows: Vec<Self> = statement.load(connection)?;
        Ok(rows.first().copied().unwrap_or(Self { due: 0, oldest_ms: None, retrying: 0, dead: 0 }))
    }
}
