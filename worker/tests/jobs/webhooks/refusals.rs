//! Where deliveries do not go, and what answers are not followed.

use std::sync::atomic::Ordering;
use std::time::Duration;

use lastseen_shared::webhooks::EventType;
use lastseen_worker::deliver::Sender;

use super::hooks::{Names, after_attempt, happens, send_by, send_due, until_delivered, webhook};
use super::receiver::{Receiver, Reply};
use crate::world::{World, on_both};

on_both!(
    private_addresses_are_refused,
    a_name_is_resolved_once_and_connected_to_as_checked,
    redirects_are_not_followed,
    an_answer_is_waited_for_so_long_and_read_so_far,
);

const CREATED: EventType = EventType::AccountCreated;

async fn private_addresses_are_refused(mut world: World) {
    let names = Names::of(&[
        ("inside.test", &["127.0.0.1"]),
        ("inside6.test", &["::1"]),
        ("mapped.test", &["::ffff:127.0.0.1"]),
        ("metadata.test", &["169.254.169.254"]),
        ("both.test", &["8.8.8.8", "127.0.0.1"]),
    ]);
    send_by(&mut world, Sender::new(names, false).unwrap());
    let mut receiver = Receiver::new(Reply::Status(200)).await;
    let port = receiver.port;
    let hosts = [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.0.1",
        "100.64.0.1",
        "169.254.169.254",
        "0.0.0.0",
        "[::1]",
        "[::]",
        "[fe80::1]",
        "[fd00::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:10.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "2130706433",
        "localhost",
        "inside.test",
        "inside6.test",
        "mapped.test",
        "metadata.test",
        "both.test",
    ];
    let mut hooks = Vec::new();
    for host in hosts {
        // Written past the check of the API: a name may come to lead elsewhere, and a setting may change.
        hooks.push((host, webhook(&world, &format!("http://{host}:{port}/hook"), &["*"]).await.id));
    }
    happens(&world, CREATED, 1).await;
    send_due(&world).await;
    for (host, hook) in hooks {
        let delivery = after_attempt(&world, hook, 1).await;
        let error = delivery.last_error.unwrap_or_default();
        assert!(error.contains("private address"), "{host}: {error}");
        assert_eq!(delivery.last_status, None, "{host}");
        assert!(!error.contains("127.0.0.1"), "it says nothing of where a name leads: {error}");
    }
    receiver.has_no_more();
}

async fn a_name_is_resolved_once_and_connected_to_as_checked(mut world: World) {
    let names = Names::of(&[("inside.test", &["127.0.0.1"])]);
    let asked = names.asked.clone();
    send_by(&mut world, Sender::new(names, true).unwrap());
    let mut receiver = Receiver::new(Reply::Status(200)).await;
    let hook = webhook(&world, &format!("http://inside.test:{}/", receiver.port), &["*"]).await.id;
    happens(&world, CREATED, 1).await;
    send_due(&world).await;
    assert_eq!(receiver.next().await.header("host"), format!("inside.test:{}", receiver.port));
    until_delivered(&world, hook, 1).await;
    assert_eq!(asked.load(Ordering::Relaxed), 1, "whoever is asked twice may answer otherwise");
}

async fn redirects_are_not_followed(world: World) {
    let mut elsewhere = Receiver::new(Reply::Status(200)).await;
    for status in [301, 302, 303, 307, 308] {
        let mut receiver = Receiver::new(Reply::With(status, "location", elsewhere.url())).await;
        let hook = webhook(&world, &receiver.url(), &["*"]).await.id;
        happens(&world, CREATED, 1).await;
        send_due(&world).await;
        receiver.next().await;
        let delivery = after_attempt(&world, hook, 1).await;
        assert_eq!(delivery.last_status, Some(i32::from(status)));
        assert!(delivery.last_error.unwrap().contains("redirects are not followed"));
        super::hooks::enable(&world, hook, false).await;
    }
    elsewhere.has_no_more();
}

async fn an_answer_is_waited_for_so_long_and_read_so_far(mut world: World) {
    let sender = Sender::new(Names::default(), true).unwrap();
    send_by(&mut world, sender.clone().within(Duration::from_millis(300)));
    let mut hanging = Receiver::new(Reply::Hangs).await;
    let hangs = webhook(&world, &hanging.url(), &["*"]).await.id;
    happens(&world, CREATED, 1).await;
    send_due(&world).await;
    hanging.next().await;
    let delivery = after_attempt(&world, hangs, 1).await;
    assert_eq!((delivery.last_status, delivery.last_response), (None, None));
    assert!(delivery.last_error.unwrap().contains("no answer within"));
    super::hooks::enable(&world, hangs, false).await;

    // However slow this machine is, so much is read within the usual time.
    send_by(&mut world, sender);
    let mut endless = Receiver::new(Reply::Endless).await;
    let ends_not = webhook(&world, &endless.url(), &["*"]).await.id;
    happens(&world, CREATED, 2).await;
    send_due(&world).await;
    endless.next().await;
    until_delivered(&world, ends_not, 1).await;
    assert_eq!(after_attempt(&world, ends_not, 1).await.last_response.unwrap().len(), 1_024);
}
