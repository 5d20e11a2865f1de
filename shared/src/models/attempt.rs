//! Attempts at deliveries: who takes one has it alone for a while, and writes how it ended.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, Nullable, Text};

use super::delivery::DeliveryStatus;
use super::sql::{Statement, Value};
use crate::db::schema::webhook_deliveries;
use crate::db::{AnyConnection, DbError, write_transaction};
use crate::ids::WebhookId;
use crate::timestamp::{Timestamp, millis};
use crate::webhooks::retry::FAILING_FOR;

/// For so long an attempt belongs to who began it: longer than one takes. Then it counts as lost, with its process.
pub const LEASE: std::time::Duration = std::time::Duration::from_secs(30);

/// A delivery that is being tried by whoever has this.
#[derive(QueryableByName, Clone, Debug)]
pub struct Claimed {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = BigInt)]
    webhook_id: i64,
    /// The `webhook-id`.
    #[diesel(sql_type = Text)]
    pub message_id: String,
    /// What is sent.
    #[diesel(sql_type = Text)]
    pub body: String,
    /// Which attempt this is, the first being 1.
    #[diesel(sql_type = Integer)]
    pub attempts: i32,
    /// Tells this attempt from a later one.
    #[diesel(sql_type = BigInt)]
    next_attempt_at_ms: i64,
}

/// What becomes of a delivery after an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// It was taken.
    Delivered,
    /// It is tried again then.
    Again(Timestamp),
    /// It is given up.
    Dead,
    /// It is given up, and the receiver wants nothing any more.
    Gone,
}

/// How an attempt ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// When.
    pub at: Timestamp,
    /// The HTTP status, where there was an answer.
    pub status: Option<u16>,
    /// What went wrong.
    pub error: Option<String>,
    /// How the answer's body began.
    pub response: Option<String>,
    /// What is next.
    pub next: Next,
}

#[derive(QueryableByName)]
struct Health {
    #[diesel(sql_type = Nullable<Text>)]
    disabled_reason: Option<String>,
}

impl Claimed {
    /// Takes deliveries of a webhook that are due, in the order in which they fell due, which for the first attempt is that
    /// of their making. For [`LEASE`] they are the caller's alone.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn take(
        connection: &mut AnyConnection,
        webhook: WebhookId,
        now: Timestamp,
        most: usize,
    ) -> Result<Vec<Self>, DbError> {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let mut taken: Vec<Self> = write_transaction(connection, |connection| {
            let mut statement = Statement::on(connection);
            let of = statement.value(Value::Int(webhook.0));
            let (at, most) = (statement.value(Value::Int(now.0)), statement.value(Value::Int(most)));
            let until = statement.value(Value::Int(now.plus(LEASE).0));
            // Whoever else takes at this moment passes these over.
            let lock = if statement.is_postgres() { " FOR UPDATE SKIP LOCKED" } else { "" };
            // Materialized: a plan that looked once for each row would take more than there is room for.
            statement.push(&format!(
                "WITH due AS MATERIALIZED ( \
                     SELECT id FROM webhook_deliveries \
                     WHERE webhook_id = {of} AND status = 'pending' AND next_attempt_at_ms <= {at} \
                     ORDER BY next_attempt_at_ms, id LIMIT {most}{lock} \
                 ) UPDATE webhook_deliveries SET attempts = attempts + 1, next_attempt_at_ms = {until} \
                 WHERE id IN (SELECT id FROM due) \
                 RETURNING id, webhook_id, message_id, body, attempts, next_attempt_at_ms"
            ));
            Ok::<_, DbError>(statement.load(connection)?)
        })?;
        taken.sort_unstable_by_key(|one| one.id);
        Ok(taken)
    }

    /// When the next delivery of a webhook falls due; `None` where nothing is pending, or it is disabled.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn next_due(connection: &mut AnyConnection, webhook: WebhookId) -> Result<Option<Timestamp>, DbError> {
        use crate::db::schema::webhooks as w;
        use webhook_deliveries as d;
        let next: Option<i64> = d::table
            .inner_join(w::table)
            .filter(d::webhook_id.eq(webhook.0))
            .filter(w::enabled.eq(true))
            .filter(d::status.eq("pending"))
            .order((d::next_attempt_at_ms, d::id))
            .select(d::next_attempt_at_ms)
            .first(connection)
            .optional()?;
        Ok(next.map(Timestamp))
    }

    /// Writes how the attempt ended, if it is still the caller's: a delivery that was taken over, or that an admin has sent
    /// anew, is another attempt's. Answers why the webhook is disabled, where it is by itself.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn end(&self, connection: &mut AnyConnection, ended: &Ended) -> Result<Option<String>, DbError> {
        write_transaction(connection, |connection| {
            // First the webhook's row, as whoever deletes one does.
            let disabled = self.note_health(connection, ended)?;
            let mut statement = Statement::on(connection);
            let optional = |statement: &mut Statement, value: Option<Value>| match value {
                Some(value) => statement.value(value),
                None => "NULL".to_owned(),
            };
            let (status, next) = match ended.next {
                Next::Delivered => (DeliveryStatus::Delivered, ended.at),
                Next::Again(at) => (DeliveryStatus::Pending, at),
                Next::Dead | Next::Gone => (DeliveryStatus::Dead, ended.at),
            };
            let code = optional(&mut statement, ended.status.map(|code| Value::Int(i64::from(code))));
            let error = optional(&mut statement, ended.error.clone().map(Value::Text));
            let response = optional(&mut statement, ended.response.clone().map(Value::Text));
            let (next, at) = (statement.value(Value::Int(next.0)), statement.value(Value::Int(ended.at.0)));
            let (id, mine) =
                (statement.value(Value::Int(self.id)), statement.value(Value::Int(self.next_attempt_at_ms)));
            statement.push(&format!(
                "UPDATE webhook_deliveries SET status = '{status}', next_attempt_at_ms = {next}, \
                     last_attempt_at_ms = {at}, last_status = {code}, last_error = {error}, last_response = {response} \
                 WHERE id = {id} AND status = 'pending' AND next_attempt_at_ms = {mine}"
            ));
            statement.execute(connection)?;
            Ok(disabled)
        })
    }

    fn note_health(&self, connection: &mut AnyConnection, ended: &Ended) -> Result<Option<String>, DbError> {
        let mut statement = Statement::on(connection);
        let (id, at) = (statement.value(Value::Int(self.webhook_id)), statement.value(Value::Int(ended.at.0)));
        let failed = match ended.next {
            Next::Delivered => {
                statement.push(&format!(
                    "UPDATE webhooks SET failing_since_ms = NULL, last_attempt_at_ms = {at}, last_attempt_ok = TRUE \
                     WHERE id = {id} RETURNING disabled_reason"
                ));
                statement.load::<Health>(connection)?;
                return Ok(None);
            }
            Next::Gone => "'gone'".to_owned(),
            Next::Again(_) | Next::Dead => {
                let long_ago = statement.value(Value::Int(ended.at.0.saturating_sub(millis(FAILING_FOR))));
                format!("CASE WHEN failing_since_ms < {long_ago} THEN 'failing' ELSE disabled_reason END")
            }
        };
        // Both sides of each = are as the row was.
        statement.push(&format!(
            "UPDATE webhooks SET disabled_reason = CASE WHEN enabled THEN {failed} ELSE disabled_reason END, \
                 enabled = (enabled AND ({failed}) IS NULL), failing_since_ms = COALESCE(failing_since_ms, {at}), \
                 last_attempt_at_ms = {at}, last_attempt_ok = FALSE \
             WHERE id = {id} RETURNING disabled_reason"
        ));
        let rows: Vec<Health> = statement.load(connection)?;
        Ok(rows.into_iter().next().and_then(|row| row.disabled_reason))
    }
}
