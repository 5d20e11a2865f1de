//! Webhooks, with receivers that verify and with kills in between.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::Session;
use crate::harness::receiver::Receiver;
use crate::harness::{Form, PATIENT, Setup, System};
use crate::time::eventually;

const PATIENCE: Duration = Duration::from_secs(30);

async fn start(form: Form) -> System {
    let setup = Setup::new(form).with(PATIENT).with(("LASTSEEN_WEBHOOK_ALLOW_PRIVATE", "true"));
    setup.with(("LASTSEEN_ORPHAN_TIMEOUT", "1s")).start().await
}

/// The admin, of whose log-in no webhook will be told that is made now.
async fn projected_admin(system: &System) -> Session {
    let admin = system.admin().await;
    eventually(PATIENCE, async || match system.database.count("presence_open") {
        0 => Err("the admin is not projected".to_owned()),
        _ => Ok(()),
    })
    .await;
    admin
}

/// Has the receiver told of these events. Answers the webhook's path.
async fn subscribe(admin: &Session, receiver: &Receiver, events: &[&str]) -> String {
    let body = json!({ "url": receiver.url(), "events": events });
    let made: Value = admin.send(Method::POST, "/api/webhooks/", Some(body)).await.ok();
    receiver.expects(made["secret"].as_str().unwrap());
    format!("/api/webhooks/{}/", made["id"])
}

/// What was taken, each message once: the types by user.
fn told(receiver: &Receiver) -> BTreeMap<i64, Vec<String>> {
    let (mut seen, mut told) = (HashSet::new(), BTreeMap::<i64, Vec<String>>::new());
    for one in receiver.told() {
        if seen.insert(one.message_id) {
            let user = one.body["data"]["user_id"].as_i64().unwrap();
            told.entry(user).or_default().push(one.body["type"].as_str().unwrap().to_owned());
        }
    }
    told.values_mut().for_each(|types| types.sort());
    told
}

async fn until_told(receiver: &Receiver, expected: &BTreeMap<i64, Vec<String>>) {
    eventually(PATIENCE, async || {
        let told = told(receiver);
        if told == *expected { Ok(()) } else { Err(format!("{told:?}, and not {expected:?}")) }
    })
    .await;
}

fn types(all: &[&str]) -> Vec<String> {
    all.iter().map(|&one| one.to_owned()).collect()
}

pub async fn a_receiver_is_told_of_log_ins_log_outs_and_accounts(form: Form) {
    let (system, receiver) = (start(form).await, Receiver::start());
    let admin = projected_admin(&system).await;
    let hook = subscribe(&admin, &receiver, &["presence.online", "presence.offline", "account.suspended"]).await;
    admin.post(&format!("{hook}test/")).await.done();
    let (ann, bob) = (system.user("ann").await, system.user("bob").await);
    ann.log_out().await.done();
    admin.act(bob.user, "suspend").await.done();
    let mut expected = BTreeMap::from([
        (0, types(&["webhook.test"])),
        (ann.user, types(&["presence.offline", "presence.online"])),
        (bob.user, types(&["account.suspended", "presence.offline", "presence.online"])),
    ]);
    until_told(&receiver, &expected).await;
    // The receiver knows the old secret at first, and then the new one: both sign.
    let rotated: Value = admin.post(&format!("{hook}rotate-secret/")).await.ok();
    for (name, secret) in [("cid", None), ("dan", rotated["secret"].as_str())] {
        secret.into_iter().for_each(|secret| receiver.expects(secret));
        let user = system.user(name).await.user;
        expected.insert(user, types(&["presence.online"]));
        until_told(&receiver, &expected).await;
    }
}

pub async fn kills_lose_nothing_that_was_to_be_told(form: Form) {
    let (mut system, receiver) = (start(form).await, Receiver::start());
    let admin = projected_admin(&system).await;
    subscribe(&admin, &receiver, &["presence.*"]).await;
    let mut expected = BTreeMap::new();
    for round in 0..3 {
        receiver.holds(true);
        let user = system.user(&format!("user{round}")).await;
        eventually(
            PATIENCE,
            async || if receiver.unanswered() > 0 { Ok(()) } else { Err("nothing came".to_owned()) },
        )
        .await;
        // Amid the sending. What was sent was not taken.
        kill(&mut system);
        receiver.holds(false);
        if form != Form::StandAlone {
            // Acknowledged while nobody is there to tell of it.
            user.log_out().await.done();
            system.start_workers_again().await;
        } else {
            system.start_api_again().await;
            user.log_out().await.done();
        }
        // What the killed had in hand is tried again once it counts as lost: which is now, and not in half a minute.
        system.database.lose_attempts();
        expected.insert(user.user, types(&["presence.offline", "presence.online"]));
    }
    until_told(&receiver, &expected).await;
    eventually(PATIENCE, async || match system.database.count("webhook_deliveries WHERE status <> 'delivered'") {
        0 => Ok(()),
        left => Err(format!("{left} are not delivered")),
    })
    .await;
    assert_eq!(system.database.count("webhook_deliveries"), 6, "each was written once");
}

/// SIGKILL for whoever delivers.
fn kill(system: &mut System) {
    if system.workers.is_empty() {
        system.api.kill();
    }
    system.workers.iter_mut().for_each(crate::harness::process::Process::kill);
}
