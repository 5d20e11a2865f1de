//! Who is told of what.

use std::time::Duration;

use lastseen_shared::presence::availability::{Availability, Choice, Profile, Shown, Words};
use lastseen_shared::presence::{PresenceEngine, Reason};
use lastseen_shared::webhooks::EventType;
use lastseen_worker::projector::{Projector, Step};

use super::hooks::{deliveries, enable, happens, told, webhook};
use crate::world::{TIMEOUT, World, on_both};

on_both!(
    presence_is_told_by_the_filters,
    accounts_are_told_by_the_filters,
    an_invisible_user_is_offline,
    racing_projectors_write_one_row_for_each_event_and_webhook,
);

const NOWHERE: &str = "http://192.0.2.1/";

async fn catch_up(world: &World) {
    let mut projector = Projector::new(world.context.clone(), 0);
    while projector.step().await.unwrap() != Step::UpToDate {}
}

fn shows(availability: Availability, text: Option<&str>) -> Profile {
    let words = Words::of(text.map(str::to_owned), None);
    Profile { choice: Choice { shown: Shown { availability, words }, until: None }, ..Profile::default() }
}

async fn presence_is_told_by_the_filters(world: World) {
    let all = webhook(&world, NOWHERE, &["presence.*"]).await.id;
    let online = webhook(&world, NOWHERE, &["presence.online", "account.deleted"]).await.id;
    let accounts = webhook(&world, NOWHERE, &["account.*"]).await.id;
    let disabled = webhook(&world, NOWHERE, &["*"]).await.id;
    enable(&world, disabled, false).await;
    let (ann, laptop) = world.user("ann").await;
    world.connect(ann, laptop, Reason::Login).await;
    let busy = shows(Availability::Dnd, Some("writing"));
    world.context.engine.present(ann, &Profile::default(), &busy).await.unwrap();
    world.pass(TIMEOUT * 2);
    world.context.engine.expire(0, 100).await.unwrap();
    catch_up(&world).await;
    assert_eq!(told(&world, all).await, ["presence.online", "presence.availability", "presence.offline"]);
    assert_eq!(told(&world, online).await, ["presence.online"]);
    assert_eq!((told(&world, accounts).await.len(), told(&world, disabled).await.len()), (0, 0));

    let bodies: Vec<serde_json::Value> =
        deliveries(&world, all).await.iter().map(|one| serde_json::from_str(&one.body).unwrap()).collect();
    let data = |at: usize, name: &str| bodies[at]["data"][name].clone();
    assert_eq!((data(0, "user_id"), data(0, "online_status")), (ann.0.into(), "online".into()));
    assert_eq!((data(1, "availability"), data(1, "text")), ("dnd".into(), "writing".into()));
    assert_eq!((data(2, "online_status"), data(2, "reason")), ("offline".into(), "timeout".into()));
    assert_eq!(data(2, "text"), serde_json::Value::Null, "what is offline shows nothing");
    for (body, kind) in bodies.iter().zip(told(&world, all).await) {
        assert_eq!(body["type"], kind.as_str());
        assert!(body["timestamp"].is_string() && body["data"]["last_seen"].is_string(), "{body}");
    }
}

async fn accounts_are_told_by_the_filters(world: World) {
    let some = webhook(&world, NOWHERE, &["account.created", "account.banned"]).await.id;
    let presence = webhook(&world, NOWHERE, &["presence.*"]).await.id;
    assert_eq!(happens(&world, EventType::AccountCreated, 1).await, [some]);
    assert!(happens(&world, EventType::AccountSuspended, 1).await.is_empty());
    assert_eq!(happens(&world, EventType::AccountBanned, 1).await, [some]);
    assert_eq!(told(&world, some).await, ["account.created", "account.banned"]);
    assert!(told(&world, presence).await.is_empty());
    let mut ids: Vec<String> = deliveries(&world, some).await.into_iter().map(|one| one.message_id).collect();
    ids.dedup();
    assert_eq!(ids.len(), 2);
    assert!(ids.iter().all(|id| id.starts_with("msg_") && id.len() > 20), "{ids:?}");
}

async fn an_invisible_user_is_offline(world: World) {
    let all = webhook(&world, NOWHERE, &["*"]).await.id;
    let (ann, laptop) = world.user("ann").await;
    let (plain, hidden) = (Profile::default(), shows(Availability::Invisible, None));
    world.connect(ann, laptop, Reason::Login).await;
    world.context.engine.present(ann, &plain, &hidden).await.unwrap();
    catch_up(&world).await;
    assert_eq!(told(&world, all).await, ["presence.online", "presence.offline"]);
    // It lives on, unseen: nothing of that is told.
    world.pass(Duration::from_secs(5));
    world.connect(ann, laptop, Reason::Heartbeat).await;
    world.context.engine.present(ann, &hidden, &shows(Availability::Invisible, Some("ssh"))).await.unwrap();
    world.context.engine.disconnect(ann, laptop, Reason::Logout).await.unwrap();
    let (bob, phone) = world.user("bob").await;
    world.connect_as(bob, phone, Reason::Login, hidden.clone()).await;
    catch_up(&world).await;
    assert_eq!(told(&world, all).await.len(), 2);
    world.context.engine.present(bob, &hidden, &plain).await.unwrap();
    catch_up(&world).await;
    assert_eq!(told(&world, all).await[2..], ["presence.online"]);
}

async fn racing_projectors_write_one_row_for_each_event_and_webhook(world: World) {
    let hooks = [webhook(&world, NOWHERE, &["*"]).await.id, webhook(&world, NOWHERE, &["presence.online"]).await.id];
    for name in ["ann", "bob", "cid", "dan", "eve"] {
        let (user, session) = world.user(name).await;
        world.connect(user, session, Reason::Login).await;
        let steps = (0..4).map(|_| catch_up(&world));
        futures_util::future::join_all(steps).await;
    }
    for hook in hooks {
        assert_eq!(told(&world, hook).await, ["presence.online"; 5]);
    }
}
