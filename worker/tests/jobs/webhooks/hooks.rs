//! A world with webhooks: makes them, has them told, and looks at what became of it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use diesel::prelude::*;
use lastseen_shared::account::Standing;
use lastseen_shared::db::schema::{webhook_deliveries, webhooks};
use lastseen_shared::db::{AnyConnection, DbError, write_transaction};
use lastseen_shared::ids::{UserId, WebhookId};
use lastseen_shared::models::delivery::{DeliveryQuery, DeliveryStatus};
use lastseen_shared::models::webhook::WebhookChanges;
use lastseen_shared::models::{Delivery, Webhook, listening};
use lastseen_shared::timestamp::Timestamp;
use lastseen_shared::webhooks::{Event, EventType, Filters, SigningSecret};
use lastseen_worker::deliver::{Deliverer, Looked, Resolver, Sender};
use lastseen_worker::jobs::deliver::due;

use crate::world::World;

const PATIENCE: Duration = Duration::from_secs(20);

/// Names that mean something in a test only.
#[derive(Clone, Default)]
pub struct Names {
    known: Arc<Mutex<HashMap<&'static str, Vec<&'static str>>>>,
    pub asked: Arc<AtomicU32>,
}

impl Names {
    pub fn of(known: &[(&'static str, &[&'static str])]) -> Self {
        let known = known.iter().map(|(name, addresses)| (*name, addresses.to_vec())).collect();
        Self { known: Arc::new(Mutex::new(known)), asked: Arc::default() }
    }
}

impl Resolver for Names {
    fn lookup(&self, name: &str) -> Looked {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let found = self.known.lock().unwrap().get(name).cloned().unwrap_or_default();
        let addresses: Vec<SocketAddr> = found.iter().map(|ip| SocketAddr::new(ip.parse().unwrap(), 0)).collect();
        Box::pin(async move { Ok(addresses) })
    }
}

/// A deliverer of this world that sends as it is told.
pub fn send_by(world: &mut World, sender: Sender) {
    world.context.deliverer = Deliverer::new(world.context.db.clone(), Arc::clone(&world.context.metrics), sender);
}

pub async fn webhook(world: &World, url: &str, events: &[&str]) -> Webhook {
    let events = Filters::parse(events.iter().map(|&event| event.to_owned()).collect()).unwrap();
    let new = WebhookChanges { url: Some(url.to_owned()), events: Some(events), ..WebhookChanges::default() };
    let secret = SigningSecret::generate().unwrap();
    let insert = move |c: &mut AnyConnection| Webhook::insert(c, &new, &secret, Timestamp::now());
    world.context.db.run(insert).await.unwrap().unwrap()
}

pub async fn find(world: &World, id: WebhookId) -> Webhook {
    world.context.db.run(move |c| Webhook::find(c, id)).await.unwrap().unwrap()
}

pub async fn enable(world: &World, id: WebhookId, enabled: bool) {
    let changes = WebhookChanges { enabled: Some(enabled), ..WebhookChanges::default() };
    world.context.db.run(move |c| Webhook::change(c, id, &changes)).await.unwrap().unwrap();
}

/// Something happens to the account `user`. Answers which webhooks are told.
pub async fn happens(world: &World, kind: EventType, user: i64) -> Vec<WebhookId> {
    let now = Timestamp::now();
    let event = Event::of_account(kind, now, UserId(user), Standing::ACTIVE);
    let tell = move |c: &mut AnyConnection| write_transaction(c, |c| listening::tell(c, &[event], now));
    world.context.db.run(tell).await.unwrap()
}

/// Has what is due sent, as the job does.
pub async fn send_due(world: &World) {
    due(&world.context).await.unwrap();
}

/// A webhook's deliveries, the oldest first.
pub async fn deliveries(world: &World, id: WebhookId) -> Vec<Delivery> {
    let query = DeliveryQuery { status: None, before: None, limit: 1_000 };
    let mut all = world.context.db.run(move |c| Delivery::of_webhook(c, id, query)).await.unwrap();
    all.reverse();
    all
}

/// What a webhook was told of, in order.
pub async fn told(world: &World, id: WebhookId) -> Vec<String> {
    deliveries(world, id).await.into_iter().map(|delivery| delivery.event).collect()
}

/// A webhook's only delivery, once its attempt of this number has ended.
pub async fn after_attempt(world: &World, id: WebhookId, attempt: i32) -> Delivery {
    let start = Instant::now();
    loop {
        let all = deliveries(world, id).await;
        let [delivery] = all.as_slice() else { panic!("{all:?}") };
        if delivery.attempts == attempt && delivery.last_attempt_at.is_some() {
            return delivery.clone();
        }
        assert!(delivery.attempts <= attempt && start.elapsed() < PATIENCE, "{delivery:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Waits until a webhook has this many deliveries that were taken.
pub async fn until_delivered(world: &World, id: WebhookId, count: usize) {
    let start = Instant::now();
    loop {
        let all = deliveries(world, id).await;
        let taken = all.iter().filter(|delivery| delivery.status == DeliveryStatus::Delivered).count();
        if taken == count {
            return;
        }
        assert!(taken < count && start.elapsed() < PATIENCE, "{all:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn change(
    world: &World,
    change: impl FnOnce(&mut AnyConnection) -> QueryResult<usize> + Send + 'static,
) -> usize {
    world.context.db.run(move |c| change(c).map_err(DbError::from)).await.unwrap()
}

/// Everything that is pending falls due, also what an attempt has in hand; and no attempt has ended yet.
pub async fn all_fall_due(world: &World) {
    use webhook_deliveries as d;
    let pending = d::table.filter(d::status.eq("pending"));
    let none: Option<i64> = None;
    let set = (d::next_attempt_at_ms.eq(1), d::last_attempt_at_ms.eq(none));
    change(world, move |c| diesel::update(pending).set(set).execute(c)).await;
}

/// Deliveries were made so long ago.
pub async fn age(world: &World, id: WebhookId, by: Duration) {
    use webhook_deliveries as d;
    let at = Timestamp::now().minus(by).0;
    let all = d::table.filter(d::webhook_id.eq(id.0));
    change(world, move |c| diesel::update(all).set(d::created_at_ms.eq(at)).execute(c)).await;
}

/// A webhook has failed for so long.
pub async fn has_failed_for(world: &World, id: WebhookId, time: Duration) {
    let since = Timestamp::now().minus(time).0;
    let one = webhooks::table.find(id.0);
    change(world, move |c| diesel::update(one).set(webhooks::failing_since_ms.eq(since)).execute(c)).await;
}

/// The earlier secret does not sign any more.
pub async fn rotation_is_over(world: &World, id: WebhookId) {
    let one = webhooks::table.find(id.0);
    change(world, move |c| diesel::update(one).set(webhooks::previous_until_ms.eq(1)).execute(c)).await;
}
