//! What is hidden, as sockets are told of it: nothing.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::Form;
use crate::harness::socket::Socket;
use crate::live::{befriend, still};
use crate::time::now;

/// The last that a frame tells of a user.
fn tells(frame: &Value, user: i64) -> Option<Value> {
    let snapshot = frame["presences"].as_array().cloned().unwrap_or_default();
    snapshot.into_iter().chain([frame["presence"].clone()]).rfind(|presence| presence["user_id"] == user)
}

/// The last that a socket is told of a user within some time; `None` where it is told nothing.
async fn told_soon(socket: &mut Socket, user: i64) -> Option<Value> {
    let mut last = None;
    while let Some(frame) = socket.within(Duration::from_millis(400)).await {
        last = tells(&frame, user).or(last);
    }
    last
}

/// What a socket is told of a user: the last, once it has been told anything.
async fn last_told(socket: &mut Socket, user: i64) -> Value {
    loop {
        let frame = socket.try_next().await.unwrap();
        if let Some(told) = tells(&frame, user) {
            return told_soon(socket, user).await.unwrap_or(told);
        }
    }
}

pub async fn what_is_hidden_is_told_to_nobody(form: Form) {
    let system = still(form).start().await;
    let (ann, bob, carol) = (system.user("ann").await, system.user("bob").await, system.user("carol").await);
    befriend(&ann, &bob).await;
    let mut of_ann = Socket::of(&ann).await;
    of_ann.send(json!({ "type": "subscribe", "contacts": true })).await;
    assert_eq!(of_ann.snapshot().await[0]["online_status"], "online");
    let mut of_carol = Socket::of(&carol).await;
    of_carol.watch(&[bob.user]).await;

    // Contacts alone: a stranger sees him go, and nothing after that.
    bob.change_me(json!({ "online_visibility": "contacts" })).await.done();
    let told = last_told(&mut of_carol, bob.user).await;
    assert_eq!((told["online_status"].as_str(), &told["last_seen"]), (Some("offline"), &Value::Null));
    assert_eq!(told_soon(&mut of_ann, bob.user).await, None);
    bob.change_me(json!({ "availability": "dnd", "text": "in a meeting" })).await.done();
    let told = last_told(&mut of_ann, bob.user).await;
    assert_eq!((told["availability"].as_str(), told["text"].as_str()), (Some("dnd"), Some("in a meeting")));
    assert_eq!(told_soon(&mut of_carol, bob.user).await, None);

    // Invisible: he is gone for his contacts as by a log-out, and what he does then is told to nobody.
    bob.change_me(json!({ "availability": "invisible", "text": null })).await.done();
    let told = last_told(&mut of_ann, bob.user).await;
    assert_eq!((told["online_status"].as_str(), told["reason"].as_str()), (Some("offline"), Some("logout")));
    assert_eq!((told["availability"].as_str(), &told["text"]), (Some("available"), &Value::Null));
    let bob_too = system.client.log_in("bob").await;
    bob.log_out().await.done();
    bob_too.beat().await;
    assert_eq!(told_soon(&mut of_ann, bob.user).await, None);
    assert_eq!(told_soon(&mut of_carol, bob.user).await, None);
    bob_too.change_me(json!({ "availability": "available", "online_visibility": "everyone" })).await.done();
    assert_eq!(last_told(&mut of_ann, bob.user).await["online_status"], "online");
    assert_eq!(last_told(&mut of_carol, bob.user).await["online_status"], "online");

    // A choice ends by itself, and that is told.
    let until = lastseen_shared::timestamp::Timestamp(now() + 3_000);
    bob_too.change_me(json!({ "availability": "away", "until": until.to_string() })).await.done();
    assert_eq!(of_ann.until("transition").await["presence"]["availability"], "away");
    assert_eq!(of_ann.until("transition").await["presence"]["availability"], "available");
    assert!(now() >= until.0);

    // Blocked: she sees nothing of him, although she watches by name, and he is no contact any more.
    of_ann.watch(&[bob.user]).await;
    bob_too.post(&format!("/api/contacts/{}/block/", ann.user)).await.done();
    let told = last_told(&mut of_ann, bob.user).await;
    assert_eq!((told["online_status"].as_str(), &told["last_seen"]), (Some("offline"), &Value::Null));
    bob_too.log_out().await.done();
    system.client.log_in("bob").await;
    assert_eq!(told_soon(&mut of_ann, bob.user).await, None);
    assert_eq!(last_told(&mut of_carol, bob.user).await["online_status"], "online");
}
