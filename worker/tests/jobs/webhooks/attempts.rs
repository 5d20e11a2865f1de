//! What is sent, and what an answer leads to.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use lastseen_shared::db::{AnyConnection, write_transaction};
use lastseen_shared::models::delivery::{Backlog, DeliveryStatus};
use lastseen_shared::models::{Delivery, Webhook};
use lastseen_shared::timestamp::Timestamp;
use lastseen_shared::webhooks::retry::{ATTEMPTS, FAILING_FOR, pause_after};
use lastseen_shared::webhooks::{EventType, SigningSecret};
use lastseen_worker::jobs::clean_deliveries;

use super::hooks::{
    after_attempt, age, all_fall_due, deliveries, enable, find, happens, has_failed_for, rotation_is_over, send_due,
    told, until_delivered, webhook,
};
use super::receiver::{Received, Receiver, Reply};
use crate::world::{World, on_both};

on_both!(
    what_arrives_is_signed_and_verified,
    after_a_rotation_both_secrets_sign_for_a_while,
    what_fails_is_tried_over_a_day_and_then_dead,
    a_dead_one_is_sent_again_by_hand_under_its_id,
    receivers_may_ask_for_patience,
    whoever_fails_for_long_is_disabled_and_can_be_enabled,
    whoever_is_gone_is_disabled,
    old_deliveries_are_forgotten,
);

const CREATED: EventType = EventType::AccountCreated;

async fn what_arrives_is_signed_and_verified(world: World) {
    let mut receiver = Receiver::new(Reply::Body(200, "thanks".to_owned())).await;
    let hook = webhook(&world, &receiver.url(), &["*"]).await;
    happens(&world, CREATED, 7).await;
    send_due(&world).await;
    let received = receiver.next().await;
    until_delivered(&world, hook.id, 1).await;
    let delivery = deliveries(&world, hook.id).await.remove(0);
    assert_eq!((received.id(), &received.body), (delivery.message_id.as_str(), &delivery.body));
    assert_eq!((received.kind().as_str(), &received.json()["data"]["user_id"]), ("account.created", &7.into()));
    assert_eq!(received.header("content-type"), "application/json");
    assert!(received.is_verified_by(&hook.secret));
    assert!(!received.is_verified_by(&SigningSecret::generate().unwrap()));
    verify_by_node(&hook.secret, &received);
    let changed = Received { body: received.body.replace(":7", ":8"), ..received };
    assert!(!changed.is_verified_by(&hook.secret));
    assert_eq!((delivery.last_status, delivery.last_response.as_deref()), (Some(200), Some("thanks")));
    assert_eq!((delivery.attempts, delivery.last_error), (1, None));
    let hook = find(&world, hook.id).await;
    assert_eq!((hook.last_attempt.map(|(_, ok)| ok), hook.failing_since), (Some(true), None));
    send_due(&world).await;
    receiver.has_no_more();
}

/// By the library that receivers in JavaScript use. Where Node or the library is not installed, says so.
fn verify_by_node(secret: &SigningSecret, received: &Received) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../web/packages/lastseen-client/scripts/verify-webhook.mjs");
    let names = ["webhook-id", "webhook-timestamp", "webhook-signature"];
    let headers: serde_json::Map<_, _> =
        names.iter().map(|name| ((*name).to_owned(), received.header(name).into())).collect();
    let input = serde_json::json!({ "secret": secret.reveal(), "headers": headers, "body": received.body });
    let node = Command::new("node").arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let Ok(mut node) = node else {
        println!("not verified in JavaScript: there is no node");
        return;
    };
    node.stdin.take().unwrap().write_all(input.to_string().as_bytes()).unwrap();
    match node.wait_with_output().unwrap().status.code() {
        Some(0) => {}
        Some(77) => println!("not verified in JavaScript: standardwebhooks is not installed"),
        other => panic!("not verified by standardwebhooks: {other:?}"),
    }
}

async fn after_a_rotation_both_secrets_sign_for_a_while(world: World) {
    let mut receiver = Receiver::new(Reply::Status(204)).await;
    let hook = webhook(&world, &receiver.url(), &["*"]).await;
    let (old, new) = (hook.secret.clone(), SigningSecret::generate().unwrap());
    let (secret, until) = (new.clone(), Timestamp::now().plus(Duration::from_secs(60)));
    world.context.db.run(move |c| Webhook::rotate(c, hook.id, &secret, until)).await.unwrap();
    happens(&world, CREATED, 1).await;
    send_due(&world).await;
    let both = receiver.next().await;
    assert_eq!(both.header("webhook-signature").split(' ').count(), 2);
    assert!(both.is_verified_by(&old) && both.is_verified_by(&new));
    until_delivered(&world, hook.id, 1).await;

    rotation_is_over(&world, hook.id).await;
    happens(&world, CREATED, 2).await;
    send_due(&world).await;
    let one = receiver.next().await;
    assert!(!one.is_verified_by(&old) && one.is_verified_by(&new));
    assert!(find(&world, hook.id).await.previous.is_some());
    clean_deliveries::run(&world.context).await.unwrap();
    assert!(find(&world, hook.id).await.previous.is_none(), "a secret that does not sign is not kept");
}

async fn what_fails_is_tried_over_a_day_and_then_dead(world: World) {
    let mut receiver = Receiver::new(Reply::Status(500)).await;
    let hook = webhook(&world, &receiver.url(), &["*"]).await.id;
    happens(&world, CREATED, 1).await;
    let mut ids = Vec::new();
    for attempt in 1..=ATTEMPTS {
        send_due(&world).await;
        ids.push(receiver.next().await.id().to_owned());
        let delivery = after_attempt(&world, hook, attempt).await;
        assert_eq!(delivery.last_status, Some(500));
        assert!(delivery.last_error.unwrap().contains("500"));
        let Some(longest) = pause_after(attempt, 0.0, None) else { break };
        assert_eq!(delivery.status, DeliveryStatus::Pending);
        let pause = delivery.next_attempt_at.unwrap().0 - delivery.last_attempt_at.unwrap().0;
        let pause = Duration::from_millis(pause.unsigned_abs());
        assert!((pause_after(attempt, 1.0, None).unwrap()..=longest).contains(&pause), "{attempt}: {pause:?}");
        assert!(attempt > 1 || pause < Duration::from_secs(5), "{pause:?}");
        send_due(&world).await;
        receiver.has_no_more();
        all_fall_due(&world).await;
    }
    let dead = after_attempt(&world, hook, ATTEMPTS).await;
    assert_eq!((dead.status, dead.next_attempt_at), (DeliveryStatus::Dead, None));
    ids.dedup();
    assert_eq!(ids, [dead.message_id]);
    all_fall_due(&world).await;
    send_due(&world).await;
    receiver.has_no_more();
    let backlog = world.context.db.run(|c: &mut AnyConnection| Backlog::at(c, Timestamp::now())).await.unwrap();
    assert_eq!(backlog, Backlog { due: 0, oldest_ms: None, retrying: 0, dead: 1 });
    let metrics = world.context.metrics.encode();
    assert!(metrics.contains("webhook_attempts_total{outcome=\"retrying\"} 10"), "{metrics}");
    assert!(metrics.contains("webhook_attempts_total{outcome=\"dead\"} 1"), "{metrics}");
    let hook = find(&world, hook).await;
    assert!(hook.enabled && hook.failing_since.is_some());
}

async fn a_dead_one_is_sent_again_by_hand_under_its_id(world: World) {
    // Gone, and back: the shortest way to a dead delivery.
    let mut receiver = Receiver::new(Reply::Status(410)).await;
    let hook = webhook(&world, &receiver.url(), &["*"]).await.id;
    happens(&world, CREATED, 1).await;
    send_due(&world).await;
    let first = receiver.next().await;
    let dead = after_attempt(&world, hook, 1).await;
    assert_eq!(dead.status, DeliveryStatus::Dead);
    receiver.answers(Reply::Status(200));
    enable(&world, hook, true).await;
    let again = move |c: &mut AnyConnection| {
        write_transaction(c, |c| Delivery::redeliver(c, hook, dead.id, Timestamp::now()))
    };
    let again = world.context.db.run(again).await.unwrap().unwrap();
    assert_eq!((again.status, again.attempts), (DeliveryStatus::Pending, 0));
    send_due(&world).await;
    let second = receiver.next().await;
    assert_eq!((first.id(), &first.body), (second.id(), &second.body));
    until_delivered(&world, hook, 1).await;
}

async fn receivers_may_ask_for_patience(world: World) {
    for (status, asked, least, most) in [(503, "120", 119, 121), (429, "9999999", 3_599, 3_601), (500, "120", 0, 5)] {
        let mut receiver = Receiver::new(Reply::With(status, "retry-after", asked.to_owned())).await;
        let hook = webhook(&world, &receiver.url(), &["account.created"]).await.id;
        happens(&world, CREATED, 1).await;
        send_due(&world).await;
        receiver.next().await;
        let delivery = after_attempt(&world, hook, 1).await;
        let pause = delivery.next_attempt_at.unwrap().0 - delivery.last_attempt_at.unwrap().0;
        assert!((least * 1_000..=most * 1_000).contains(&pause), "{status}: {pause}");
        enable(&world, hook, false).await;
    }
}

async fn whoever_fails_for_long_is_disabled_and_can_be_enabled(world: World) {
    let mut receiver = Receiver::new(Reply::Status(500)).await;
    let hook = webhook(&world, &receiver.url(), &["*"]).await.id;
    happens(&world, CREATED, 1).await;
    for (attempt, failing) in [(1, Duration::ZERO), (2, FAILING_FOR - Duration::from_secs(60))] {
        if attempt > 1 {
            has_failed_for(&world, hook, failing).await;
        }
        all_fall_due(&world).await;
        send_due(&world).await;
        receiver.next().await;
        after_attempt(&world, hook, attempt).await;
        let now = find(&world, hook).await;
        assert!(now.enabled && now.failing_since.is_some() && now.disabled_reason.is_none(), "{now:?}");
    }
    has_failed_for(&world, hook, FAILING_FOR + Duration::from_secs(60)).await;
    all_fall_due(&world).await;
    send_due(&world).await;
    receiver.next().await;
    let waiting = after_attempt(&world, hook, 3).await;
    let disabled = find(&world, hook).await;
    assert_eq!((disabled.enabled, disabled.disabled_reason.as_deref()), (false, Some("failing")));
    assert_eq!(waiting.status, DeliveryStatus::Pending, "it waits");

    assert!(happens(&world, EventType::AccountBanned, 1).await.is_empty(), "nothing new is told");
    all_fall_due(&world).await;
    send_due(&world).await;
    receiver.has_no_more();

    receiver.answers(Reply::Status(200));
    enable(&world, hook, true).await;
    let enabled = find(&world, hook).await;
    assert_eq!((enabled.enabled, enabled.disabled_reason, enabled.failing_since), (true, None, None));
    send_due(&world).await;
    assert_eq!(receiver.next().await.kind(), "account.created");
    until_delivered(&world, hook, 1).await;
}

async fn whoever_is_gone_is_disabled(world: World) {
    let mut receiver = Receiver::new(Reply::Status(410)).await;
    let hook = webhook(&world, &receiver.url(), &["*"]).await.id;
    happens(&world, CREATED, 1).await;
    send_due(&world).await;
    receiver.next().await;
    assert_eq!(after_attempt(&world, hook, 1).await.status, DeliveryStatus::Dead);
    let gone = find(&world, hook).await;
    assert_eq!((gone.enabled, gone.disabled_reason.as_deref()), (false, Some("gone")));
    assert!(happens(&world, CREATED, 2).await.is_empty());
}

async fn old_deliveries_are_forgotten(world: World) {
    let (kept, old) = (webhook(&world, "http://192.0.2.1/", &["*"]).await.id, Duration::from_secs(1_000));
    let aged = webhook(&world, "http://192.0.2.1/", &["account.created"]).await.id;
    happens(&world, CREATED, 1).await;
    age(&world, aged, old).await;
    happens(&world, EventType::AccountDeleted, 1).await;
    clean_deliveries::run(&world.context).await.unwrap();
    assert_eq!(told(&world, kept).await, ["account.created", "account.deleted"]);
    assert!(told(&world, aged).await.is_empty());
}
