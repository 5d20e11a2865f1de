//! Webhooks: where events are sent to. The secrets are kept as they are, since deliveries are signed with them.

use diesel::prelude::*;

use super::sql::{Statement, Value};
use crate::db::schema::{webhook_deliveries, webhooks};
use crate::db::{AnyConnection, DbError, on_either};
use crate::ids::WebhookId;
use crate::timestamp::Timestamp;
use crate::webhooks::{Filters, SigningSecret};

/// How many there may be: each is told of everything in one transaction.
pub const MOST: i64 = 50;

/// Deliveries that one statement deletes.
const AT_A_TIME: i64 = 1_000;

/// An endpoint.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// Its id.
    pub id: WebhookId,
    /// Where to.
    pub url: String,
    /// What.
    pub events: Filters,
    /// What it is for, in an admin's words.
    pub description: Option<String>,
    /// Whether events are made for it, and delivered.
    pub enabled: bool,
    /// Why it was disabled, where nobody did so by hand: `gone` or `failing`.
    pub disabled_reason: Option<String>,
    /// What deliveries are signed with.
    pub secret: SigningSecret,
    /// What they were signed with before, and until when they still are.
    pub previous: Option<(SigningSecret, Timestamp)>,
    /// Since when no attempt has succeeded, although some were made.
    pub failing_since: Option<Timestamp>,
    /// When the last attempt ended, and whether it was a success.
    pub last_attempt: Option<(Timestamp, bool)>,
    /// When it was made.
    pub created_at: Timestamp,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = webhooks)]
struct WebhookRow {
    id: i64,
    url: String,
    events: String,
    description: Option<String>,
    enabled: bool,
    disabled_reason: Option<String>,
    secret: String,
    previous_secret: Option<String>,
    previous_until_ms: Option<i64>,
    failing_since_ms: Option<i64>,
    last_attempt_at_ms: Option<i64>,
    last_attempt_ok: Option<bool>,
    created_at_ms: i64,
}

/// What an admin makes an endpoint of, or changes of it.
#[derive(Clone, Debug, Default)]
pub struct WebhookChanges {
    /// Where to.
    pub url: Option<String>,
    /// What.
    pub events: Option<Filters>,
    /// What it is for.
    pub description: Option<Option<String>>,
    /// Whether it is to be told; whoever enables it again forgets that it failed.
    pub enabled: Option<bool>,
}

#[derive(AsChangeset)]
#[diesel(table_name = webhooks)]
struct ChangeRow {
    url: Option<String>,
    events: Option<String>,
    description: Option<Option<String>>,
    enabled: Option<bool>,
    disabled_reason: Option<Option<String>>,
    failing_since_ms: Option<Option<i64>>,
}

impl TryFrom<WebhookRow> for Webhook {
    type Error = DbError;

    fn try_from(row: WebhookRow) -> Result<Self, DbError> {
        let secret = |text: String| SigningSecret::parse(&text).map_err(DbError::Content);
        Ok(Self {
            id: WebhookId(row.id),
            url: row.url,
            events: filters(&row.events)?,
            description: row.description,
            enabled: row.enabled,
            disabled_reason: row.disabled_reason,
            secret: secret(row.secret)?,
            previous: row.previous_secret.map(secret).transpose()?.zip(row.previous_until_ms.map(Timestamp)),
            failing_since: row.failing_since_ms.map(Timestamp),
            last_attempt: row.last_attempt_at_ms.map(Timestamp).zip(row.last_attempt_ok),
            created_at: Timestamp(row.created_at_ms),
        })
    }
}

pub(super) fn filters(text: &str) -> Result<Filters, DbError> {
    Filters::from_json(text).map_err(|error| DbError::Content(error.to_string()))
}

impl Webhook {
    /// The signatures of a message: by the secret, and by the one before as long as that holds.
    #[must_use]
    pub fn signatures(&self, message_id: &str, timestamp: Timestamp, body: &str) -> String {
        let seconds = timestamp.0.div_euclid(1_000);
        let mut all = self.secret.sign(message_id, seconds, body);
        if let Some((previous, until)) = &self.previous
            && *until > timestamp
        {
            all.push(' ');
            all.push_str(&previous.sign(message_id, seconds, body));
        }
        all
    }

    /// Makes one; `None` where there are as many as there may be. Two that are made at
    /// once may be one too many.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn insert(
        connection: &mut AnyConnection,
        new: &WebhookChanges,
        secret: &SigningSecret,
        now: Timestamp,
    ) -> Result<Option<Self>, DbError> {
        let there: i64 = webhooks::table.count().get_result(connection)?;
        if there >= MOST {
            return Ok(None);
        }
        let values = (
            webhooks::url.eq(new.url.clone().unwrap_or_default()),
            webhooks::events.eq(new.events.as_ref().map(Filters::to_json).unwrap_or_default()),
            webhooks::description.eq(new.description.clone().flatten()),
            webhooks::enabled.eq(new.enabled.unwrap_or(true)),
            webhooks::secret.eq(secret.reveal()),
            webhooks::created_at_ms.eq(now.0),
        );
        let row: WebhookRow = on_either!(connection, c => diesel::insert_into(webhooks::table)
            .values(values)
            .returning(WebhookRow::as_returning())
            .get_result(c))?;
        Ok(Some(row.try_into()?))
    }

    /// All of them, the oldest first.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn all(connection: &mut AnyConnection) -> Result<Vec<Self>, DbError> {
        let rows = webhooks::table.order(webhooks::id).select(WebhookRow::as_select()).load(connection)?;
        rows.into_iter().map(Self::try_from).collect()
    }

    /// One of them.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn find(connection: &mut AnyConnection, id: WebhookId) -> Result<Option<Self>, DbError> {
        let row = webhooks::table.find(id.0).select(WebhookRow::as_select()).first(connection).optional()?;
        row.map(Self::try_from).transpose()
    }

    /// One of them, which is not deleted until the transaction ends.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn lock(connection: &mut AnyConnection, id: WebhookId) -> Result<Option<Self>, DbError> {
        if let AnyConnection::Postgresql(pg) = connection {
            let row = webhooks::table.find(id.0).select(WebhookRow::as_select()).for_key_share().first(pg);
            return row.optional()?.map(Self::try_from).transpose();
        }
        Self::find(connection, id)
    }

    /// Changes one, and answers what it is then.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn change(
        connection: &mut AnyConnection,
        id: WebhookId,
        changes: &WebhookChanges,
    ) -> Result<Option<Self>, DbError> {
        let row = ChangeRow {
            url: changes.url.clone(),
            events: changes.events.as_ref().map(Filters::to_json),
            description: changes.description.clone(),
            enabled: changes.enabled,
            disabled_reason: changes.enabled.map(|_| None),
            failing_since_ms: (changes.enabled == Some(true)).then_some(None),
        };
        let nothing = row.url.is_none() && row.events.is_none() && row.description.is_none() && row.enabled.is_none();
        if !nothing {
            diesel::update(webhooks::table.find(id.0)).set(&row).execute(connection)?;
        }
        Self::find(connection, id)
    }

    /// Gives one a new secret; the one that it has signs too until `until`. Answers whether there is such a webhook.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn rotate(
        connection: &mut AnyConnection,
        id: WebhookId,
        secret: &SigningSecret,
        until: Timestamp,
    ) -> Result<bool, DbError> {
        let changed = diesel::update(webhooks::table.find(id.0))
            .set((
                webhooks::previous_secret.eq(webhooks::secret.nullable()),
                webhooks::previous_until_ms.eq(until.0),
                webhooks::secret.eq(secret.reveal()),
            ))
            .execute(connection)?;
        Ok(changed > 0)
    }

    /// Deletes one with its deliveries. Not in a transaction: there may be many of them, and what is left after a crash is
    /// a disabled webhook that can be deleted again. Answers whether there was one.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn delete(connection: &mut AnyConnection, id: WebhookId) -> Result<bool, DbError> {
        let disabled = WebhookChanges { enabled: Some(false), ..WebhookChanges::default() };
        if Self::change(connection, id, &disabled)?.is_none() {
            return Ok(false);
        }
        loop {
            let mut statement = Statement::on(connection);
            let (of, most) = (statement.value(Value::Int(id.0)), statement.value(Value::Int(AT_A_TIME)));
            statement.push(&format!(
                "DELETE FROM webhook_deliveries WHERE id IN \
                 (SELECT id FROM webhook_deliveries WHERE webhook_id = {of} LIMIT {most})"
            ));
            if (statement.execute(connection)? as i64) < AT_A_TIME {
                break;
            }
        }
        // The few that were made meanwhile go with it.
        Ok(diesel::delete(webhooks::table.find(id.0)).execute(connection)? > 0)
    }

    /// Forgets the earlier secrets that do not sign any more.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn forget_previous(connection: &mut AnyConnection, now: Timestamp) -> Result<usize, DbError> {
        let none: (Option<String>, Option<i64>) = (None, None);
        Ok(diesel::update(webhooks::table.filter(webhooks::previous_until_ms.le(now.0)))
            .set((webhooks::previous_secret.eq(none.0), webhooks::previous_until_ms.eq(none.1)))
            .execute(connection)?)
    }

    /// Of whom deliveries are due at `now`.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn with_due(connection: &mut AnyConnection, now: Timestamp) -> Result<Vec<WebhookId>, DbError> {
        use webhook_deliveries as d;
        let due = d::table
            .filter(d::webhook_id.eq(webhooks::id))
            .filter(d::status.eq("pending"))
            .filter(d::next_attempt_at_ms.le(now.0));
        let ids: Vec<i64> = webhooks::table
            .filter(webhooks::enabled.eq(true))
            .filter(diesel::dsl::exists(due))
            .select(webhooks::id)
            .load(connection)?;
        Ok(ids.into_iter().map(WebhookId).collect())
    }
}
