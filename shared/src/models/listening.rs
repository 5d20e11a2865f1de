//! Who is told of an event: a delivery is written for each webhook that wants it, in the transaction in which the thing
//! happens. So none is lost, and none is told of what did not happen.

use std::collections::HashMap;

use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Bool, Nullable, Text};

use super::account::choice;
use super::delivery::enqueue;
use super::privacy::privacy;
use super::sql::Statement;
use super::webhook::filters;
use crate::db::{AnyConnection, DbError};
use crate::ids::{UserId, WebhookId};
use crate::presence::transition::Entry;
use crate::privacy::AdminSight;
use crate::timestamp::Timestamp;
use crate::webhooks::presence::{Before, events, subject};
use crate::webhooks::{Event, EventType, Filters};

/// The endpoints that are told, as of this transaction.
#[derive(Debug)]
struct Listening(Vec<(WebhookId, Filters)>);

#[derive(QueryableByName)]
struct ListeningRow {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = Text)]
    events: String,
}

impl Listening {
    /// Reads them, and keeps them from being deleted until the transaction ends.
    fn load(connection: &mut AnyConnection) -> Result<Self, DbError> {
        let mut statement = Statement::on(connection);
        let lock = if statement.is_postgres() { " FOR KEY SHARE" } else { "" };
        statement.keep().push(&format!("SELECT id, events FROM webhooks WHERE enabled ORDER BY id{lock}"));
        let rows: Vec<ListeningRow> = statement.load(connection)?;
        let listening = rows.into_iter().map(|row| Ok((WebhookId(row.id), filters(&row.events)?)));
        Ok(Self(listening.collect::<Result<_, DbError>>()?))
    }

    fn admit_any(&self, kinds: &[EventType]) -> bool {
        self.0.iter().any(|(_, filters)| kinds.iter().any(|kind| filters.admit(*kind)))
    }

    /// Writes a delivery for each of these events and each endpoint that wants it. Answers which endpoints have any.
    fn tell(
        self,
        connection: &mut AnyConnection,
        events: &[Event],
        now: Timestamp,
    ) -> Result<Vec<WebhookId>, DbError> {
        let mut deliveries = Vec::new();
        // By event, so that each endpoint has them in their order.
        for event in events {
            let wanted = self.0.iter().filter(|(_, filters)| filters.admit(event.kind));
            deliveries.extend(wanted.map(|(id, _)| (*id, event)));
        }
        enqueue(connection, &deliveries, now)?;
        let mut told: Vec<WebhookId> = deliveries.into_iter().map(|(id, _)| id).collect();
        told.sort_unstable();
        told.dedup();
        Ok(told)
    }
}

/// Has the endpoints told what has happened to an account. Within the transaction in which it happens; one query where
/// nobody listens. Answers which endpoints have something to be sent.
///
/// # Errors
/// [`DbError`].
pub fn tell(connection: &mut AnyConnection, events: &[Event], now: Timestamp) -> Result<Vec<WebhookId>, DbError> {
    if events.is_empty() {
        return Ok(Vec::new());
    }
    Listening::load(connection)?.tell(connection, events, now)
}

#[derive(QueryableByName)]
struct BeforeRow {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = Text)]
    online_visibility: String,
    #[diesel(sql_type = Text)]
    last_seen_visibility: String,
    #[diesel(sql_type = Text)]
    availability: String,
    #[diesel(sql_type = Nullable<Text>)]
    availability_text: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    availability_emoji: Option<String>,
    #[diesel(sql_type = Nullable<BigInt>)]
    availability_until_ms: Option<i64>,
    #[diesel(sql_type = Bool)]
    online: bool,
}

/// As [`tell`], of what transitions mean: before they are written to the history, which says who was online, and with
/// their presence locked, so that none of the accounts is deleted.
///
/// # Errors
/// [`DbError`].
pub fn tell_presence(
    connection: &mut AnyConnection,
    entries: &[Entry],
    policy: AdminSight,
    now: Timestamp,
) -> Result<Vec<WebhookId>, DbError> {
    use EventType::{PresenceAvailability, PresenceOffline, PresenceOnline};
    let mut ids: Vec<i64> = entries.iter().filter_map(subject).map(|user| user.0).collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let listening = Listening::load(connection)?;
    if !listening.admit_any(&[PresenceOnline, PresenceOffline, PresenceAvailability]) {
        return Ok(Vec::new());
    }
    ids.sort_unstable();
    ids.dedup();
    let users = before(connection, ids)?;
    listening.tell(connection, &events(entries, users, policy), now)
}

fn before(connection: &mut AnyConnection, ids: Vec<i64>) -> Result<HashMap<UserId, Before>, DbError> {
    let mut statement = Statement::on(connection);
    let list = statement.list(ids);
    statement.keep().push(&format!(
        "SELECT a.id, a.online_visibility, a.last_seen_visibility, a.availability, a.availability_text, \
             a.availability_emoji, a.availability_until_ms, \
             EXISTS (SELECT 1 FROM presence_open o WHERE o.user_id = a.id) AS online \
         FROM accounts a WHERE a.id IN {list}"
    ));
    let rows: Vec<BeforeRow> = statement.load(connection)?;
    let of = |row: BeforeRow| {
        let choice = choice(
            &row.availability,
            row.availability_text,
            row.availability_emoji,
            row.availability_until_ms.map(Timestamp),
        )?;
        let privacy = privacy(&row.online_visibility, &row.last_seen_visibility)?;
        Ok((UserId(row.id), Before { online: row.online, privacy, choice }))
    };
    rows.into_iter().map(of).collect()
}
