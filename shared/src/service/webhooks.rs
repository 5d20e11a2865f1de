//! Webhooks: making and changing them, and what became of their deliveries. The worker delivers.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use url::Host;

use super::{Outcome, Service};
use crate::account::names;
use crate::db::{AnyConnection, DbError, write_transaction};
use crate::ids::{DeliveryId, WebhookId};
use crate::models::delivery::{DeliveryQuery, DeliveryStatus};
use crate::models::listening::tell;
use crate::models::webhook::WebhookChanges;
use crate::models::{Account, Delivery, Webhook};
use crate::refusal::{Code, Failure, Refusal};
use crate::timestamp::Timestamp;
use crate::webhooks::address::{check_url, is_public};
use crate::webhooks::{Event, EventType, Filters, SigningSecret};

/// For so long after a rotation the earlier secret signs, too.
const BOTH_SIGN: Duration = Duration::from_secs(86_400);
/// How long a name's addresses are waited for where a URL is checked.
const RESOLVED_WITHIN: Duration = Duration::from_secs(2);
/// The longest description, in characters.
pub const LONGEST_DESCRIPTION: usize = 500;

/// What a new webhook is made of, as a client sends it.
#[derive(Clone, Debug)]
pub struct CreateWebhook {
    /// Where to.
    pub url: String,
    /// What.
    pub events: Vec<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Whether it is told from the start.
    pub enabled: bool,
}

/// What changes of a webhook, as a client sends it.
#[derive(Clone, Debug, Default)]
pub struct WebhookEdit {
    /// Where to.
    pub url: Option<String>,
    /// What.
    pub events: Option<Vec<String>>,
    /// What it is for.
    pub description: Option<Option<String>>,
    /// Whether it is told.
    pub enabled: Option<bool>,
}

/// A page of deliveries.
#[derive(Clone, Debug)]
pub struct DeliveryPage {
    /// The newest first.
    pub deliveries: Vec<Delivery>,
    /// For the next page; `None` at the end.
    pub next_cursor: Option<String>,
}

/// Has webhooks told what has happened to an account. Within the transaction in which it happens.
pub(super) fn tell_account(
    connection: &mut AnyConnection,
    account: &Account,
    kinds: &[EventType],
) -> Result<Vec<WebhookId>, DbError> {
    let now = Timestamp::now();
    let event = |kind: &EventType| Event::of_account(*kind, now, account.id, account.standing);
    tell(connection, &kinds.iter().map(event).collect::<Vec<_>>(), now)
}

fn new_secret() -> Outcome<SigningSecret> {
    SigningSecret::generate().map_err(|error| Failure::Internal(format!("no random numbers: {error}")))
}

fn decode(cursor: &str) -> Result<DeliveryId, Refusal> {
    let bad = || Refusal::new(Code::InvalidCursor, "cursor is none that this server gave out").about("cursor");
    let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| bad())?;
    let text = String::from_utf8(bytes).map_err(|_| bad())?;
    text.parse().ok().filter(|id| *id > 0).map(DeliveryId).ok_or_else(bad)
}

impl Service {
    /// As [`Queue::deliver`], where there is a queue.
    ///
    /// [`Queue::deliver`]: crate::queue::Queue::deliver
    pub(super) fn deliver(&self, webhooks: Vec<WebhookId>) {
        if let Some(queue) = &self.queue {
            queue.deliver(webhooks);
        }
    }

    async fn check_webhook(&self, edit: WebhookEdit) -> Outcome<WebhookChanges> {
        let events = edit.events.map(Filters::parse).transpose();
        let events = events.map_err(|problem| Refusal::field("events", &problem))?;
        if let Some(Some(description)) = &edit.description {
            let plain = names::plain_text(description, LONGEST_DESCRIPTION);
            plain.map_err(|problem| Refusal::field("description", &problem))?;
        }
        if let Some(url) = &edit.url {
            self.check_webhook_url(url).await?;
        }
        Ok(WebhookChanges { url: edit.url, events, description: edit.description, enabled: edit.enabled })
    }

    /// Refuses a URL that leads to a private address as of now. Each delivery looks again: a name may change.
    async fn check_webhook_url(&self, text: &str) -> Outcome<()> {
        let allow_private = self.webhooks_allow_private;
        let url = check_url(text, allow_private).map_err(|problem| Refusal::field("url", &problem))?;
        let (Some(Host::Domain(name)), false) = (url.host(), allow_private) else { return Ok(()) };
        let port = url.port_or_known_default().unwrap_or(443);
        let resolved = tokio::time::timeout(RESOLVED_WITHIN, tokio::net::lookup_host((name, port))).await;
        // A name that can't be resolved now may be later.
        let Ok(Ok(mut addresses)) = resolved else { return Ok(()) };
        if addresses.all(|address| is_public(address.ip())) {
            return Ok(());
        }
        Err(Refusal::field("url", "must not lead to a private address").into())
    }

    /// Makes a webhook.
    ///
    /// # Errors
    /// `invalid_field`, `too_many_webhooks`.
    pub async fn create_webhook(&self, create: CreateWebhook) -> Outcome<Webhook> {
        let edit = WebhookEdit {
            url: Some(create.url),
            events: Some(create.events),
            description: Some(create.description),
            enabled: Some(create.enabled),
        };
        let (new, secret) = (self.check_webhook(edit).await?, new_secret()?);
        let insert = move |c: &mut AnyConnection| Webhook::insert(c, &new, &secret, Timestamp::now());
        self.db.run(insert).await?.ok_or_else(|| Code::TooManyWebhooks.into())
    }

    /// All webhooks.
    ///
    /// # Errors
    /// Where the database is away.
    pub async fn webhooks(&self) -> Outcome<Vec<Webhook>> {
        Ok(self.db.run(Webhook::all).await?)
    }

    /// A webhook.
    ///
    /// # Errors
    /// `webhook_not_found`.
    pub async fn webhook(&self, id: WebhookId) -> Outcome<Webhook> {
        self.db.run(move |c| Webhook::find(c, id)).await?.ok_or_else(|| Code::WebhookNotFound.into())
    }

    /// Changes a webhook. What waits for one that is enabled again is sent.
    ///
    /// # Errors
    /// `webhook_not_found`, `invalid_field`.
    pub async fn change_webhook(&self, id: WebhookId, edit: WebhookEdit) -> Outcome<Webhook> {
        let changes = self.check_webhook(edit).await?;
        let changed = self.db.run(move |c| Webhook::change(c, id, &changes)).await?;
        let webhook = changed.ok_or(Code::WebhookNotFound)?;
        if webhook.enabled {
            self.deliver(vec![id]);
        }
        Ok(webhook)
    }

    /// Deletes a webhook, with its deliveries.
    ///
    /// # Errors
    /// `webhook_not_found`.
    pub async fn delete_webhook(&self, id: WebhookId) -> Outcome<()> {
        match self.db.run(move |c| Webhook::delete(c, id)).await? {
            true => Ok(()),
            false => Err(Code::WebhookNotFound.into()),
        }
    }

    /// Gives a webhook a new secret. The one that it has signs too, for a day.
    ///
    /// # Errors
    /// `webhook_not_found`.
    pub async fn rotate_webhook_secret(&self, id: WebhookId) -> Outcome<SigningSecret> {
        let secret = new_secret()?;
        let (new, until) = (secret.clone(), Timestamp::now().plus(BOTH_SIGN));
        match self.db.run(move |c| Webhook::rotate(c, id, &new, until)).await? {
            true => Ok(secret),
            false => Err(Code::WebhookNotFound.into()),
        }
    }

    /// Has a trial sent to a webhook.
    ///
    /// # Errors
    /// `webhook_not_found`, `webhook_disabled`.
    pub async fn test_webhook(&self, id: WebhookId) -> Outcome<Delivery> {
        let now = Timestamp::now();
        self.send_again(id, move |c| Delivery::insert(c, id, &Event::test(now), now).map(Some)).await
    }

    /// Has a delivery sent again, under its `webhook-id`, with all attempts before it.
    ///
    /// # Errors
    /// `webhook_not_found`, `webhook_disabled`, `delivery_not_found`.
    pub async fn redeliver(&self, id: WebhookId, delivery: DeliveryId) -> Outcome<Delivery> {
        self.send_again(id, move |c| Delivery::redeliver(c, id, delivery, Timestamp::now())).await
    }

    async fn send_again(
        &self,
        id: WebhookId,
        write: impl FnOnce(&mut AnyConnection) -> Result<Option<Delivery>, DbError> + Send + 'static,
    ) -> Outcome<Delivery> {
        let written = move |connection: &mut AnyConnection| {
            write_transaction(connection, |c| {
                let webhook = Webhook::lock(c, id)?.ok_or(Code::WebhookNotFound)?;
                if !webhook.enabled {
                    return Err(Code::WebhookDisabled.into());
                }
                write(c)?.ok_or_else(|| Failure::from(Code::DeliveryNotFound))
            })
        };
        let delivery = self.db.run(written).await?;
        self.deliver(vec![id]);
        Ok(delivery)
    }

    /// A webhook's deliveries, the newest first.
    ///
    /// # Errors
    /// `webhook_not_found`, `invalid_cursor`.
    pub async fn deliveries(
        &self,
        id: WebhookId,
        status: Option<DeliveryStatus>,
        cursor: Option<&str>,
        limit: i64,
    ) -> Outcome<DeliveryPage> {
        let query = DeliveryQuery { status, before: cursor.map(decode).transpose()?, limit: limit + 1 };
        let read = move |c: &mut AnyConnection| {
            Webhook::find(c, id)?.ok_or(Code::WebhookNotFound)?;
            Ok::<_, Failure>(Delivery::of_webhook(c, id, query)?)
        };
        let mut deliveries = self.db.run(read).await?;
        let more = deliveries.len() as i64 > limit;
        deliveries.truncate(usize::try_from(limit).unwrap_or(0));
        let place = |last: &Delivery| URL_SAFE_NO_PAD.encode(last.id.to_string());
        let next_cursor = deliveries.last().filter(|_| more).map(place);
        Ok(DeliveryPage { deliveries, next_cursor })
    }
}
