//! Sockets: what is told, when, and how they end.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;

use crate::client::{ADMIN, PASSWORD, Pair, Session};
use crate::harness::socket::Socket;
use crate::harness::{Form, NO_SWEEP, PATIENT, Setup};
use crate::time::{eventually, now, until};

/// With pings so rare that a test may leave a socket unread.
pub const RARE_PINGS: (&str, &str) = ("LASTSEEN_HEARTBEAT_INTERVAL", "30s");

/// A system in which nobody falls silent.
pub fn still(form: Form) -> Setup {
    Setup::new(form).with(PATIENT).with(RARE_PINGS)
}

fn pair(status: &str, reason: &str) -> (String, String) {
    (status.to_owned(), reason.to_owned())
}

pub async fn a_watcher_is_told_of_every_change(form: Form) {
    let system = still(form).start().await;
    let (ann, bob) = (system.user("ann").await, system.user("bob").await);
    let mut socket = Socket::of(&ann).await;
    let snapshot = socket.watch(&[bob.user, 999_999]).await;
    assert_eq!(snapshot.len(), 1, "{snapshot:?}");
    assert_eq!(snapshot[0]["online_status"], "online");
    assert_eq!(snapshot[0]["availability"], "available");

    bob.log_out().await.done();
    assert_eq!(socket.transition(bob.user).await, pair("offline", "logout"));
    let bob = system.client.log_in("bob").await;
    assert_eq!(socket.transition(bob.user).await, pair("online", "login"));
    system.admin().await.act(bob.user, "suspend").await.done();
    assert_eq!(socket.transition(bob.user).await, pair("offline", "suspended"));

    // Nobody else's changes, and none after the end of the subscription.
    socket.send(json!({ "type": "unsubscribe", "users": [bob.user] })).await;
    system.admin().await.act(bob.user, "activate").await.done();
    system.client.log_in("bob").await;
    assert_eq!(socket.within(Duration::from_millis(300)).await, None);
}

pub async fn an_expiry_is_told_within_a_second_without_a_sweep(form: Form) {
    let system = Setup::new(form).with(NO_SWEEP).start().await;
    let (ann, bob) = (system.user("ann").await, system.user("bob").await);
    // She is not the one who falls silent, however slow the machine is.
    ann.change_me(json!({ "inactivity_timeout_seconds": 30 })).await.done();
    ann.beat().await;
    let mut socket = Socket::of(&ann).await;
    socket.watch(&[bob.user]).await;
    let opened = now();
    let mut late = Vec::new();
    for _ in 0..3 {
        let beat = bob.beat().await;
        // Where the last deadline passed before this heartbeat there was an end and a new beginning.
        let told = loop {
            let told = socket.transition(bob.user).await;
            if told == pair("offline", "timeout") && now() >= beat.online_until.0 {
                break now();
            }
        };
        late.push(told - beat.online_until.0);
    }
    // A machine that stands still for a second does so once.
    late.sort_unstable();
    assert!(late[1] < 1_000 && late[2] < 10_000, "told {late:?} ms late");
    // Ann sent no heartbeat all the while: answering pings is one.
    let seen = bob.presences(&[ann.user]).await.remove(0);
    assert_eq!(seen.online_status, "online");
    assert!(seen.last_seen.unwrap().0 > opened + 1_000, "{seen:?}, opened at {opened}");
}

pub async fn a_socket_keeps_its_user_online_and_silence_does_not(form: Form) {
    // Slow enough for a machine that does much else.
    let setup =
        Setup::new(form).with(("LASTSEEN_HEARTBEAT_INTERVAL", "1s")).with(("LASTSEEN_INACTIVITY_TIMEOUT", "3s"));
    let system = setup.start().await;
    let (ann, bob) = (system.user("ann").await, system.user("bob").await);
    let mut watcher = Socket::of(&bob).await;
    watcher.watch(&[ann.user]).await;
    let mut socket = Socket::of(&ann).await;
    let mut until = now() + 5_000;
    let mut stalls = 0;
    while now() < until {
        let begun = now();
        let told = (socket.within(Duration::from_millis(50)).await, watcher.within(Duration::from_millis(50)).await);
        if now() - begun > 1_000 && stalls < 5 {
            // The machine stood still, her answers with it: the five seconds begin anew.
            stalls += 1;
            let pings = Duration::from_secs(2);
            while tokio::join!(socket.within(pings), watcher.within(pings)).1.is_some() {}
            until = now() + 5_000;
        } else {
            assert_eq!(told, (None, None));
        }
    }
    // The socket is open, but nobody answers the pings.
    let mut told = Vec::new();
    while told.is_empty() {
        if let Some(frame) = watcher.within(Duration::from_millis(200)).await {
            told.push(frame);
        }
        assert!(now() < until + 10_000, "ann stays online although she is silent");
    }
    assert_eq!(told[0]["presence"]["reason"], "timeout", "{told:?}");
    drop(socket);
}

pub async fn what_came_while_away_is_told_once_and_in_order(form: Form) {
    let system = still(form).start().await;
    let (ann, bob) = (system.user("ann").await, system.user("bob").await);
    let mut socket = Socket::of(&ann).await;
    socket.watch(&[bob.user]).await;
    bob.log_out().await.done();
    socket.transition(bob.user).await;
    let cursor = socket.cursor.clone();
    drop(socket);

    let mut expected = Vec::new();
    for _ in 0..5 {
        let bob = system.client.log_in("bob").await;
        expected.push(pair("online", "login"));
        bob.log_out().await.done();
        expected.push(pair("offline", "logout"));
    }
    let mut socket = Socket::of(&ann).await;
    socket.send(json!({ "type": "subscribe", "users": [bob.user], "since": cursor })).await;
    // While the gap is told, more comes.
    let bob = system.client.log_in("bob").await;
    expected.push(pair("online", "login"));
    let mut told = Vec::new();
    for _ in &expected {
        told.push(socket.transition(bob.user).await);
    }
    assert_eq!(told, expected);
    while let Some(frame) = socket.within(Duration::from_millis(300)).await {
        assert_eq!(frame["type"], "caught_up", "{frame}");
    }
    // Each frame's cursor is a place to go on from.
    let mut again = Socket::of(&ann).await;
    again.send(json!({ "type": "subscribe", "users": [bob.user], "since": socket.cursor })).await;
    again.next("caught_up").await;
    assert_eq!(again.within(Duration::from_millis(300)).await, None);
}

pub async fn tokens_and_barring_end_a_socket(form: Form) {
    let system = still(form).with(("LASTSEEN_ACCESS_TTL", "6s")).start().await;
    let base = system.client.base();
    let ann = system.user("ann").await;
    // A token that expires, and one that is replaced in time.
    let opened = now();
    let mut expiring = Socket::of(&ann).await;
    let mut renewed = Socket::of(&ann).await;
    // Halfway, so that the one ends well before the other.
    until(opened + 3_000).await;
    let fresh: Pair = system.client.try_refresh(&ann.refresh).await.ok();
    renewed.send(json!({ "type": "auth", "token": fresh.access })).await;
    renewed.next("ready").await;
    assert_eq!(expiring.closed().await, 4001);
    assert_eq!(renewed.within(Duration::from_millis(100)).await, None);

    // None of ours, none at all, and none in the first frame.
    assert_eq!(Socket::offering(&base, "no.token.of-ours").await.closed().await, 4001);
    let mut bare = Socket::bare(&base).await;
    bare.send(json!({ "type": "heartbeat" })).await;
    assert_eq!(bare.closed().await, 4001);
    let asked = now();
    assert_eq!(Socket::bare(&base).await.closed().await, 4001);
    assert!((4_000..8_000).contains(&(now() - asked)), "{} ms", now() - asked);

    // In the first frame it may come as well. Here tokens live for long.
    let system = still(form).start().await;
    let base = system.client.base();
    let bob = system.user("bob").await;
    let mut bare = Socket::bare(&base).await;
    bare.send(json!({ "type": "auth", "token": bob.access })).await;
    assert_eq!(bare.next("ready").await["user_id"], bob.user);

    // Barred: at once. Logged out: this session's sockets, and no other's.
    let bob_too = system.client.log_in("bob").await;
    let mut other = Socket::of(&bob_too).await;
    bob.log_out().await.done();
    assert_eq!(bare.closed().await, 4001);
    assert_eq!(other.within(Duration::from_millis(200)).await, None);
    let admin = system.admin().await;
    let asked = now();
    admin.act(bob.user, "ban").await.done();
    assert_eq!(other.closed().await, 4003);
    assert!(now() - asked < 10_000);
    let mut barred = Socket::offering(&base, &bob_too.access).await;
    assert_eq!(barred.closed().await, 4003);
}

pub async fn only_an_admin_watches_everybody(form: Form) {
    let system = still(form).start().await;
    let (ann, bob) = (system.user("ann").await, system.user("bob").await);
    let mut socket = Socket::of(&ann).await;
    socket.send(json!({ "type": "subscribe", "all": true })).await;
    assert_eq!(socket.next("error").await["code"], "forbidden");

    let admin = system.admin().await;
    let mut socket = Socket::of(&admin).await;
    socket.send(json!({ "type": "subscribe", "all": true })).await;
    let mut users: Vec<i64> = socket.snapshot().await.iter().map(|p| p["user_id"].as_i64().unwrap()).collect();
    users.sort_unstable();
    let mut all = vec![admin.user, ann.user, bob.user];
    all.sort_unstable();
    assert_eq!(users, all);
    let carol = system.user("carol").await;
    assert_eq!(socket.transition(carol.user).await, pair("online", "login"));
    ann.log_out().await.done();
    assert_eq!(socket.transition(ann.user).await, pair("offline", "logout"));
    assert_eq!(system.client.try_log_in(ADMIN, PASSWORD).await.status, 200);
}

pub async fn an_api_that_stops_says_so_and_a_client_goes_on_where_it_was(form: Form) {
    let mut system = still(form).start().await;
    let (ann, bob) = (system.user("ann").await, system.user("bob").await);
    let mut socket = Socket::of(&ann).await;
    socket.watch(&[bob.user]).await;
    bob.log_out().await.done();
    socket.transition(bob.user).await;
    let cursor = socket.cursor.clone();
    system.api.ask_to_end();
    assert_eq!(socket.closed().await, 1001);
    let ended = system.api.ended(Duration::from_secs(20)).await;
    assert!(ended.success(), "{ended}");
    system.start_api_again().await;
    let bob = system.client.log_in("bob").await;
    let mut socket = Socket::of(&ann).await;
    socket.send(json!({ "type": "subscribe", "users": [bob.user], "since": cursor })).await;
    assert_eq!(socket.transition(bob.user).await, pair("online", "login"));
    socket.next("caught_up").await;
    // The same after it was killed.
    let cursor = socket.cursor.clone();
    system.api.kill();
    assert_eq!(socket.closed().await, 1006);
    system.start_api_again().await;
    bob.log_out().await.done();
    let mut socket = Socket::of(&ann).await;
    socket.send(json!({ "type": "subscribe", "users": [bob.user], "since": cursor })).await;
    assert_eq!(socket.transition(bob.user).await, pair("offline", "logout"));
}

pub async fn what_is_typed_is_told_and_kept_nowhere(form: Form) {
    let system = still(form).start().await;
    let (ann, bob, carol) = (system.user("ann").await, system.user("bob").await, system.user("carol").await);
    let (mut of_ann, mut of_bob, mut of_carol) =
        (Socket::of(&ann).await, Socket::of(&bob).await, Socket::of(&carol).await);
    for _ in 0..5 {
        of_ann.send(json!({ "type": "typing", "to": bob.user })).await;
    }
    let typing = of_bob.next("typing").await;
    assert_eq!((typing["from"].as_i64(), typing["seconds"].as_i64()), (Some(ann.user), Some(5)));
    // Once a second at the most, and for nobody else.
    assert_eq!(of_bob.within(Duration::from_millis(300)).await, None);
    assert_eq!(of_carol.within(Duration::from_millis(50)).await, None);
    // Whoever may not see that Ann is online is not told either.
    ann.change_me(json!({ "online_visibility": "nobody" })).await.done();
    eventually(Duration::from_secs(20), async || {
        of_ann.send(json!({ "type": "typing", "to": bob.user })).await;
        match of_bob.within(Duration::from_millis(1_100)).await {
            Some(frame) => Err(format!("told {frame}")),
            None => Ok(()),
        }
    })
    .await;
}

/// Distributed only: two replicas, a watcher on one and the watched on the other; one of them dies.
pub async fn replicas_tell_of_each_others_users(form: Form) {
    let system = Setup::new(form)
        .with(NO_SWEEP)
        .with(("LASTSEEN_INACTIVITY_TIMEOUT", "2s"))
        .with(("LASTSEEN_HEARTBEAT_INTERVAL", "1s"))
        .start()
        .await;
    let (other, mut other_process) = system.another_api().await;
    let (ann, _) = (system.user("ann").await, system.client.register("bob").await);
    let mut socket = Socket::of(&ann).await;
    let bob = other.log_in("bob").await;
    socket.watch(&[bob.user]).await;
    let mut of_bob = Socket::of(&bob).await;
    of_bob.watch(&[ann.user]).await;
    of_bob.send(json!({ "type": "typing", "to": ann.user })).await;
    assert_eq!(socket.until("typing").await["from"], bob.user);
    bob.log_out().await.done();
    assert_eq!(socket.transition(bob.user).await, pair("offline", "logout"));
    assert_eq!(of_bob.closed().await, 4001);
    // The replica that sweeps may be either: with one of them dead the other does.
    let bob = other.log_in("bob").await;
    assert_eq!(socket.transition(bob.user).await, pair("online", "login"));
    other_process.kill();
    assert_eq!(socket.transition(bob.user).await, pair("offline", "timeout"));
    let late = now() - bob.online.1;
    assert!(late < 4_000, "told {late} ms after the deadline");
}

/// Distributed only: Redis loses everything.
pub async fn a_lost_redis_is_told_as_a_snapshot(form: Form) {
    let system = still(form).with_own_redis().start().await;
    let (ann, bob) = (system.user("ann").await, system.user("bob").await);
    let mut socket = Socket::of(&ann).await;
    socket.watch(&[bob.user]).await;
    let cursor = socket.cursor.clone();
    let mut redis = system.redis.as_ref().unwrap().connect();
    redis::cmd("FLUSHALL").query::<()>(redis.as_mut()).unwrap();
    // Everything that was watched is told anew: Bob is offline until his next heartbeat.
    let bob_now = socket.until("snapshot").await;
    assert_eq!(bob_now["presences"][0]["online_status"], "offline", "{bob_now}");
    bob.beat().await;
    // By a transition, or by another snapshot, where another shard's loss was noticed later.
    loop {
        let frame = socket.try_next().await.unwrap();
        let presence = if frame["type"] == "snapshot" { &frame["presences"][0] } else { &frame["presence"] };
        if presence["online_status"] == "online" {
            assert_eq!(presence["reason"], "heartbeat");
            break;
        }
    }
    // An old cursor is refused, and a snapshot does instead.
    let mut again = Socket::of(&ann).await;
    again.send(json!({ "type": "subscribe", "users": [bob.user], "since": cursor })).await;
    assert_eq!(again.next("error").await["code"], "cursor_expired");
    assert_eq!(again.snapshot().await[0]["online_status"], "online");
}

pub async fn who_is_waited_for_is_told_of(form: Form) {
    let system = still(form).start().await;
    let (ann, bob) = (system.user("ann").await, system.user("bob").await);
    befriend(&ann, &bob).await;
    // He came before she asks to be told: that has been followed by then.
    eventually(Duration::from_secs(20), async || match system.database.user(bob.user) {
        Some(row) if row.online_status == "online" => Ok(()),
        row => Err(format!("{row:?}")),
    })
    .await;
    let notify = format!("/api/contacts/{}/notify/", bob.user);
    ann.send(reqwest::Method::POST, &notify, Some(json!({ "when": "always" }))).await.done();
    let mut socket = Socket::of(&ann).await;
    bob.log_out().await.done();
    let bob = system.client.log_in("bob").await;
    let told = socket.until("notification").await;
    assert_eq!(
        (told["notification"]["user_id"].as_i64(), told["notification"]["username"].as_str()),
        (Some(bob.user), Some("bob"))
    );
    // A phone that flaps is told of once.
    bob.log_out().await.done();
    for _ in 0..3 {
        system.client.log_in("bob").await.log_out().await.done();
    }
    // Whoever was away finds it in the list.
    let listed = ann.get("/api/notifications/").await;
    assert_eq!(listed.body["unread"], 1, "{listed:?}");
    assert_eq!(listed.body["notifications"][0]["id"], told["notification"]["id"]);
    assert_eq!(socket.within(Duration::from_millis(500)).await, None);
}

/// Each asks the other.
pub async fn befriend(one: &Session, other: &Session) {
    for (one, other) in [(one, other), (other, one)] {
        let asked = json!({ "user_id": other.user });
        one.send(reqwest::Method::POST, "/api/contacts/", Some(asked)).await.done();
    }
}

/// Distributed only: the watcher's replica is killed again and again, while transitions flow on another.
pub async fn kills_of_its_replica_hide_nothing_from_a_watcher(form: Form) {
    const ROUNDS: usize = 40;
    let mut system = still(form).start().await;
    let (other, _other_process) = system.another_api().await;
    let (ann, bob) = (system.user("ann").await, system.client.register("bob").await.id);
    let mut socket = Socket::of(&ann).await;
    socket.watch(&[bob]).await;
    let flow = tokio::spawn(async move {
        for _ in 0..ROUNDS {
            other.log_in("bob").await.log_out().await.done();
        }
    });
    let mut told = Vec::new();
    for kill in 0.. {
        // A part is told before each kill; the last part, until all of it is there.
        let part = if kill < 3 { 5 } else { 2 * ROUNDS };
        let until = (told.len() + part).min(2 * ROUNDS);
        while told.len() < until {
            told.push(socket.transition(bob).await.0);
        }
        if told.len() == 2 * ROUNDS {
            break;
        }
        let cursor = socket.cursor.clone();
        system.api.kill();
        system.start_api_again().await;
        socket = Socket::of(&ann).await;
        socket.send(json!({ "type": "subscribe", "users": [bob], "since": cursor })).await;
    }
    flow.await.unwrap();
    let alternating = (0..2 * ROUNDS).map(|n| if n % 2 == 0 { "online" } else { "offline" });
    assert!(told.iter().eq(alternating), "{told:?}");
    while let Some(frame) = socket.within(Duration::from_millis(300)).await {
        assert_eq!(frame["type"], "caught_up", "{frame}");
    }
}

pub async fn many_who_change_at_once_are_all_told_of(form: Form) {
    const MANY: usize = 15;
    let system = still(form).start().await;
    let ann = system.user("ann").await;
    let mut others = Vec::new();
    for n in 0..MANY {
        let other = system.user(&format!("other{n}")).await;
        let asked = json!({ "user_id": ann.user });
        other.send(reqwest::Method::POST, "/api/contacts/", Some(asked)).await.done();
        others.push(other);
    }
    let mut socket = Socket::of(&ann).await;
    socket.send(json!({ "type": "subscribe", "contacts": true })).await;
    assert!(socket.snapshot().await.is_empty());
    let accepts = others.iter().map(|other| {
        let (path, ann) = (format!("/api/contacts/{}/accept/", other.user), ann.clone());
        async move { ann.post(&path).await.done() }
    });
    join_all(accepts).await;
    let online = all_told(&mut socket, MANY, "online").await;
    assert_eq!(online.len(), MANY);
    // All of them block her at once: she sees none of them any more.
    let blocks = others.iter().map(|other| {
        let path = format!("/api/contacts/{}/block/", ann.user);
        async move { other.post(&path).await.done() }
    });
    join_all(blocks).await;
    let offline = all_told(&mut socket, MANY, "offline").await;
    assert_eq!(offline, online);
}

/// The users whom a socket is told to be so, until there are enough of them.
async fn all_told(socket: &mut Socket, enough: usize, status: &str) -> std::collections::BTreeSet<i64> {
    let mut users = std::collections::BTreeSet::new();
    while users.len() < enough {
        let presence = socket.until("transition").await["presence"].clone();
        if presence["online_status"] == status {
            users.insert(presence["user_id"].as_i64().unwrap());
        }
    }
    users
}
