//! A Redis that forgets, hangs, or is gone.

use std::future::Future;
use std::time::{Duration, Instant};

use lastseen_shared::ids::{SessionId, UserId};
use lastseen_shared::presence::availability::{Availability, Privacy, Profile, Visibility};
use lastseen_shared::presence::engine::{Counts, EngineError, Work};
use lastseen_shared::presence::rule::Known;
use lastseen_shared::presence::{PresenceEngine as _, Reason, TransitionId};

use crate::harness::{Harness, SHARDS, choice, live, secs, touch};
use crate::private_redis::PrivateRedis;

/// A call has 2.5 seconds; a machine that is busy elsewhere has some more.
const PATIENCE: Duration = Duration::from_secs(6);

/// Every operation is refused in time.
async fn assert_unavailable(h: &Harness) {
    async fn refused<T: std::fmt::Debug>(name: &str, call: impl Future<Output = Result<T, EngineError>>) {
        let started = Instant::now();
        let answer = call.await;
        assert!(matches!(answer, Err(EngineError::Unavailable(_))), "{name}: {answer:?}");
        assert!(started.elapsed() < PATIENCE, "{name} took {:?}", started.elapsed());
    }
    let connect = lastseen_shared::presence::engine::Connect {
        user: UserId(1),
        session: SessionId(11),
        timeout: secs(120),
        profile: Profile::default(),
        reason: Reason::Login,
        read_at: h.start,
    };
    let batch = [touch(1, 11)];
    let plain = Profile::default();
    let users = [UserId(1), UserId(2)];
    let everybody = [UserId(1)];
    tokio::join!(
        refused("touch", h.engine.touch(1, &batch)),
        refused("connect", h.engine.connect(connect)),
        refused("disconnect", h.engine.disconnect(UserId(1), SessionId(11), Reason::Logout)),
        refused("evict", h.engine.evict(UserId(1), SessionId(11), Reason::Banned)),
        refused("admit", h.engine.admit(UserId(1), SessionId(11))),
        refused("retime", h.engine.retime(UserId(1), secs(60))),
        refused("present", h.engine.present(UserId(1), &plain, &plain)),
        refused("idle", h.engine.idle(UserId(1), SessionId(11), true)),
        refused("relate", h.engine.relate(UserId(1), UserId(2))),
        refused("snapshot", h.engine.snapshot(&users)),
        refused("expire", h.engine.expire(1, 10)),
        refused("lookup", h.engine.lookup(&users)),
        refused("delta", h.engine.delta()),
        refused("sessions", h.engine.sessions(UserId(1))),
        refused("transitions", h.engine.transitions(1, TransitionId::START, 10)),
        refused("projected", h.engine.projected(1, TransitionId::START, &everybody)),
        refused("scan", h.engine.scan(1, 0)),
        refused("epoch", h.engine.epoch(1)),
        refused("start", h.engine.start()),
    );
}

/// Calls until the engine has found Redis again: the first call may still meet the connection that was lost.
async fn assert_heals(h: &Harness) {
    let started = Instant::now();
    while let Err(error) = h.engine.lookup(&[]).await {
        assert!(started.elapsed() < secs(20), "still {error}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_redis_that_lost_everything_begins_a_new_epoch_and_heals_by_heartbeats() {
    let server = PrivateRedis::start();
    let h = Harness::on_redis(&server.url());
    h.engine.start().await.unwrap();
    h.login(1, 11).await;
    let (epoch, _) = h.engine.epoch(1).await.unwrap();
    h.command::<()>(&["FLUSHALL"]).unwrap();
    let now = h.at(secs(30));
    assert_eq!(h.touch(1, 11).await, None);
    assert_eq!(h.known(1).await, Known::Settled);
    let connect = h.fresh(1, 11, Reason::Heartbeat).await;
    live(h.engine.connect(connect).await.unwrap());
    assert!(
        matches!(h.known(1).await, Known::Online { reason: Reason::Heartbeat, last_seen, .. } if last_seen == now)
    );
    let stretch = h.engine.transitions(1, TransitionId::START, 10).await.unwrap();
    assert_eq!(stretch.entries.len(), 1);
    assert_ne!(stretch.epoch.id, epoch.id);
    assert!(stretch.epoch.born >= epoch.born);
}

#[tokio::test]
async fn an_invisible_user_stays_so_through_the_loss_of_everything() {
    let server = PrivateRedis::start();
    let h = Harness::on_redis(&server.url());
    h.engine.start().await.unwrap();
    let invisible = choice(Availability::Invisible, None);
    h.login_as(1, 11, &invisible).await;
    h.present(1, &invisible, &invisible).await;
    h.command::<()>(&["FLUSHALL"]).unwrap();
    h.at(secs(30));
    assert_eq!(h.hidden(1).await, None);
    assert_eq!(h.touch(1, 11).await, None);
    // What the engine remembered is lost too: the row says it.
    h.login_as(1, 11, &invisible).await;
    assert!(h.hidden(1).await.is_some());
    assert_eq!((h.known(1).await, h.counts().await), (Known::Settled, Counts::default()));
    assert_eq!(h.entries(1).await, []);
}

#[tokio::test]
async fn what_is_told_beside_transitions_is_no_riddle_to_an_older_reader() {
    let h = Harness::redis();
    let contacts = Privacy { online: Visibility::Contacts, ..Privacy::default() };
    h.present(1, &Profile::default(), &Profile { privacy: contacts, ..Profile::default() }).await;
    h.engine.relate(UserId(1), UserId(2)).await.unwrap();
    let entries: Vec<(String, Vec<String>)> = h.command(&["XRANGE", &h.key("{p:1}:transitions"), "-", "+"]).unwrap();
    assert_eq!(entries.len(), 2);
    // It takes them for sessions that left, and there is no session 0.
    for (_, fields) in entries {
        let field = |name: &str| fields.chunks(2).find(|pair| pair[0] == name).map(|pair| pair[1].as_str());
        assert_eq!((field("u"), field("s"), field("l"), field("o")), (Some("1"), Some("0"), Some("0"), None));
    }
}

#[tokio::test]
async fn a_plain_user_is_kept_as_it_always_was() {
    let h = Harness::redis();
    h.login(1, 11).await;
    h.login_as(3, 31, &choice(Availability::Dnd, None)).await;
    h.present(3, &choice(Availability::Dnd, None), &choice(Availability::Available, Some(h.moment(secs(9))))).await;
    for (user, session) in [("1", "11"), ("3", "31")] {
        let groups: Vec<String> = h.command(&["HVALS", &h.key("{p:1}:groups")]).unwrap();
        assert!(groups.contains(&format!("\n{user}:{session}=l\n")), "{groups:?}");
    }
    let mut keys: Vec<String> = h.command(&["KEYS", &h.key("{p:1}:*")]).unwrap();
    keys.sort_unstable();
    let expected = ["clock", "deadlines", "due", "epoch", "groups", "profile:u:3", "transitions", "unprojected"];
    assert_eq!(keys, expected.map(|name| h.key(&format!("{{p:1}}:{name}"))));
}

#[tokio::test]
async fn a_redis_that_forgot_the_scripts_is_told_them_again() {
    let server = PrivateRedis::start();
    let h = Harness::on_redis(&server.url());
    h.login(1, 11).await;
    let forget = || h.command::<()>(&["SCRIPT", "FLUSH"]).unwrap();
    forget();
    assert!(h.touch(1, 11).await.is_some());
    forget();
    live(h.login(1, 12).await);
    forget();
    assert_eq!(h.online().await, 1);
    forget();
    assert_eq!(h.engine.expire(1, 10).await.unwrap().taken, 0);
}

#[tokio::test]
async fn a_redis_that_is_gone_is_missed_in_time_and_found_again() {
    let mut server = PrivateRedis::start();
    let h = Harness::on_redis(&server.url());
    h.login(1, 11).await;
    server.stop();
    Box::pin(assert_unavailable(&h)).await;
    Box::pin(assert_unavailable(&h)).await;
    server.restart();
    h.reconnect();
    h.set(h.start);
    assert_heals(&h).await;
    live(h.login(1, 11).await);
    assert_eq!(h.online().await, 1);
    h.engine.wait(1, TransitionId::START, secs(5)).await.unwrap();
}

#[tokio::test]
async fn a_redis_that_hangs_is_missed_in_time_and_found_again() {
    let server = PrivateRedis::start();
    let h = Harness::on_redis(&server.url());
    h.login(1, 11).await;
    server.freeze(true);
    Box::pin(assert_unavailable(&h)).await;
    server.freeze(false);
    assert_heals(&h).await;
    live(h.login(1, 12).await);
}

#[tokio::test]
async fn followers_that_wait_on_a_redis_that_goes_are_told() {
    let mut server = PrivateRedis::start();
    let h = Harness::on_redis(&server.url());
    let started = Instant::now();
    let (waited, ()) = tokio::join!(h.engine.wait(1, TransitionId::START, secs(9)), async {
        for _ in 0..20 {
            h.online().await;
        }
        server.stop();
    });
    assert!(matches!(waited, Err(EngineError::Unavailable(_))), "{waited:?}");
    assert!(started.elapsed() < secs(8));
}

#[tokio::test]
async fn an_engine_that_starts_before_its_redis_finds_it() {
    let mut server = PrivateRedis::start();
    let h = Harness::on_redis(&server.url());
    server.stop();
    let other = h.beside(SHARDS);
    assert!(matches!(other.start().await, Err(EngineError::Unavailable(_))));
    server.restart();
    h.reconnect();
    h.set(h.start);
    let started = Instant::now();
    while let Err(error) = other.start().await {
        assert!(started.elapsed() < secs(20), "still {error}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    other.ping().await.unwrap();
}

#[tokio::test]
async fn another_number_of_shards_is_refused() {
    let h = Harness::redis();
    h.engine.start().await.unwrap();
    h.login(1, 11).await;
    for configured in [1, 3, 64] {
        let other = h.beside(configured);
        let connect = h.fresh(1, 12, Reason::Login).await;
        let refused = [other.start().await.err(), other.connect(connect).await.err(), other.expire(0, 1).await.err()];
        let expected = EngineError::OtherShardCount { stored: SHARDS, configured }.to_string();
        for refused in refused {
            assert_eq!(refused.map(|error| error.to_string()).as_ref(), Some(&expected));
        }
    }
    h.beside(SHARDS).start().await.unwrap();
    assert_eq!(h.entries(1).await.len(), 1);
}

#[tokio::test]
async fn one_process_at_a_time_holds_a_lease() {
    let h = Harness::redis();
    let (one, two) = (h.beside(SHARDS), h.beside(SHARDS));
    assert!(one.lease(Work::Project, 0, "one", secs(60)).await.unwrap());
    assert!(one.lease(Work::Project, 0, "one", secs(60)).await.unwrap());
    assert!(!two.lease(Work::Project, 0, "two", secs(60)).await.unwrap());
    assert!(two.lease(Work::Project, 1, "two", secs(60)).await.unwrap());
    assert!(two.lease(Work::Expire, 0, "two", secs(60)).await.unwrap(), "other work");
    assert!(!one.lease(Work::Expire, 0, "one", secs(60)).await.unwrap());
}

#[tokio::test]
async fn what_is_left_over_of_lost_data_does_not_hold_up_the_sweep() {
    let h = Harness::redis();
    h.login(1, 11).await;
    h.login(3, 31).await;
    h.login_as(5, 51, &choice(Availability::Dnd, Some(h.moment(secs(60))))).await;
    h.command::<()>(&["HDEL", &h.key("{p:1}:deadlines"), "1:11"]).unwrap();
    h.at(secs(10));
    assert_eq!(h.engine.expire(1, 10).await.unwrap().taken, 0, "nobody looks before a time");
    h.at(secs(500));
    assert_eq!(h.engine.expire(1, 10).await.unwrap().taken, 3);
    assert_eq!(h.engine.expire(1, 10).await.unwrap().taken, 0);
    assert_eq!(h.online().await, 0);
    live(h.login(1, 11).await);
    live(h.login(3, 32).await);
    // Whole, as an eviction has it.
    h.command::<()>(&["DEL", &h.key("{p:1}:groups")]).unwrap();
    h.at(secs(1_000));
    assert_eq!(h.engine.expire(1, 10).await.unwrap().taken, 0);
    assert_eq!(h.online().await, 0);
    live(h.login(1, 12).await);
    assert_eq!(h.online().await, 1);
}
