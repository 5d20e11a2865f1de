//! That nothing is lost and nobody is held up.

use std::sync::Arc;
use std::time::{Duration, Instant};

use lastseen_shared::ids::WebhookId;
use lastseen_shared::presence::Reason;
use lastseen_shared::webhooks::EventType;
use lastseen_worker::consume::{ConsumeSettings, consume};
use lastseen_worker::deliver::{Deliverer, IN_FLIGHT, Sender};
use lastseen_worker::projector::Projector;
use lastseen_worker::registry::Registry;
use tokio::sync::watch;

use super::hooks::{Names, all_fall_due, deliveries, happens, send_due, until_delivered, webhook};
use super::receiver::{Receiver, Reply};
use crate::world::{World, on_both};

on_both!(
    a_receiver_that_hangs_holds_up_nobody_else,
    what_a_killed_worker_was_sending_is_sent_again,
    what_was_never_pushed_is_found,
    the_job_delivers_through_the_queue,
    many_deliverers_send_each_once,
    deliveries_are_begun_in_the_order_of_events,
    the_first_retry_comes_by_itself,
);

const CREATED: EventType = EventType::AccountCreated;

async fn a_receiver_that_hangs_holds_up_nobody_else(world: World) {
    let mut hanging = Receiver::new(Reply::Hangs).await;
    let mut quick = Receiver::new(Reply::Status(200)).await;
    let hangs = webhook(&world, &hanging.url(), &["*"]).await.id;
    let works = webhook(&world, &quick.url(), &["*"]).await.id;
    for user in 1..=10 {
        happens(&world, CREATED, user).await;
    }
    send_due(&world).await;
    for _ in 0..IN_FLIGHT {
        hanging.next().await;
    }
    until_delivered(&world, works, 10).await;
    for _ in 1..=10 {
        quick.next().await;
    }
    // What comes later gets through as well, while the first attempts still hang.
    happens(&world, CREATED, 11).await;
    send_due(&world).await;
    assert_eq!(quick.next().await.json()["data"]["user_id"], 11);
    let tried = deliveries(&world, hangs).await.iter().filter(|one| one.attempts > 0).count();
    assert_eq!(tried, IN_FLIGHT);
    hanging.has_no_more();
}

async fn what_a_killed_worker_was_sending_is_sent_again(world: World) {
    let mut receiver = Receiver::new(Reply::Hangs).await;
    let hook = webhook(&world, &receiver.url(), &["*"]).await.id;
    happens(&world, CREATED, 1).await;
    // Another process: it ends with all that it had begun.
    let killed = tokio::runtime::Runtime::new().unwrap();
    let sender = Sender::new(Names::default(), true).unwrap();
    let other = Deliverer::new(world.context.db.clone(), Arc::clone(&world.context.metrics), sender);
    killed.spawn(async move { other.wake(hook) });
    let first = receiver.next().await;
    killed.shutdown_background();

    receiver.answers(Reply::Status(200));
    send_due(&world).await;
    receiver.has_no_more();
    // Its time is over.
    all_fall_due(&world).await;
    send_due(&world).await;
    let second = receiver.next().await;
    assert_eq!((first.id(), &first.body), (second.id(), &second.body));
    until_delivered(&world, hook, 1).await;
    assert_eq!(deliveries(&world, hook).await[0].attempts, 2);
}

async fn what_was_never_pushed_is_found(world: World) {
    let mut receiver = Receiver::new(Reply::Status(200)).await;
    let hook = webhook(&world, &receiver.url(), &["presence.*"]).await.id;
    let (ann, laptop) = world.user("ann").await;
    world.connect(ann, laptop, Reason::Login).await;
    // Nobody runs the job that this pushes, as where a process is killed after the commit.
    Projector::new(world.context.clone(), 0).step().await.unwrap();
    receiver.has_no_more();
    send_due(&world).await;
    assert_eq!(receiver.next().await.json()["data"]["user_id"], ann.0);
    until_delivered(&world, hook, 1).await;
}

async fn the_job_delivers_through_the_queue(world: World) {
    let mut receiver = Receiver::new(Reply::Status(200)).await;
    let hook = webhook(&world, &receiver.url(), &["presence.*"]).await.id;
    let (stop, stopped) = watch::channel(false);
    let (queue, registry) = (world.context.queue.clone(), Registry::new(world.context.clone()));
    let consumer = tokio::spawn(async move {
        consume(queue, ConsumeSettings::default(), registry, Arc::new(|_, _, _| {}), stopped).await.unwrap();
    });
    let (ann, laptop) = world.user("ann").await;
    world.connect(ann, laptop, Reason::Login).await;
    Projector::new(world.context.clone(), 0).step().await.unwrap();
    assert_eq!(receiver.next().await.kind(), "presence.online");
    until_delivered(&world, hook, 1).await;
    stop.send(true).unwrap();
    consumer.await.unwrap();
}

async fn many_deliverers_send_each_once(world: World) {
    let mut receiver = Receiver::new(Reply::Status(200)).await;
    let hook = webhook(&world, &receiver.url(), &["*"]).await.id;
    for user in 1..=20 {
        happens(&world, CREATED, user).await;
    }
    let others: Vec<Deliverer> = (0..4)
        .map(|_| {
            let sender = Sender::new(Names::default(), true).unwrap();
            Deliverer::new(world.context.db.clone(), Arc::clone(&world.context.metrics), sender)
        })
        .collect();
    others.iter().for_each(|other| other.wake(hook));
    until_delivered(&world, hook, 20).await;
    for other in others {
        other.stop().await;
    }
    let mut users = Vec::new();
    for _ in 0..20 {
        users.push(receiver.next().await.json()["data"]["user_id"].as_i64().unwrap());
    }
    users.sort_unstable();
    assert_eq!(users, Vec::from_iter(1..=20));
    receiver.has_no_more();
}

async fn deliveries_are_begun_in_the_order_of_events(world: World) {
    let mut receiver = Receiver::new(Reply::Hangs).await;
    let hook: WebhookId = webhook(&world, &receiver.url(), &["*"]).await.id;
    for user in 1..=6 {
        happens(&world, CREATED, user).await;
    }
    send_due(&world).await;
    let mut begun = Vec::new();
    for _ in 0..IN_FLIGHT {
        begun.push(receiver.next().await.json()["data"]["user_id"].as_i64().unwrap());
    }
    begun.sort_unstable();
    assert_eq!(begun, [1, 2, 3, 4], "the oldest");
    let tried: Vec<bool> = deliveries(&world, hook).await.iter().map(|one| one.attempts > 0).collect();
    assert_eq!(tried, [true, true, true, true, false, false]);
    // A deliverer that stops begins nothing more.
    let _ = tokio::time::timeout(Duration::ZERO, world.context.deliverer.stop()).await;
    receiver.has_no_more();
}

/// Nobody looks for what is due here: whoever tried waits for the next attempt.
async fn the_first_retry_comes_by_itself(world: World) {
    let mut receiver = Receiver::new(Reply::Status(500)).await;
    let hook = webhook(&world, &receiver.url(), &["*"]).await.id;
    happens(&world, CREATED, 1).await;
    send_due(&world).await;
    let first = receiver.next().await;
    let start = Instant::now();
    receiver.answers(Reply::Status(200));
    assert_eq!(receiver.next().await.id(), first.id());
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    until_delivered(&world, hook, 1).await;
}
