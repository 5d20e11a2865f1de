//! What the hot paths cost Redis, counted by Redis itself.

use std::collections::BTreeMap;

use lastseen_shared::ids::UserId;
use lastseen_shared::presence::engine::Touch;
use lastseen_shared::presence::{PresenceEngine as _, Reason};

use crate::harness::{Harness, SHARDS, ms, secs, touch};
use crate::private_redis::PrivateRedis;

/// How often each command ran since the last call, those inside scripts too.
fn counted(h: &Harness) -> BTreeMap<String, u64> {
    let text: String = h.command(&["INFO", "commandstats"]).unwrap();
    h.command::<()>(&["CONFIG", "RESETSTAT"]).unwrap();
    let count = |line: &str| {
        let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
        Some((name.to_owned(), rest.split(',').next()?.parse().ok()?))
    };
    text.lines().filter_map(count).filter(|(name, _)| name != "config|resetstat" && name != "info").collect()
}

fn counts(expected: &[(&str, u64)]) -> BTreeMap<String, u64> {
    expected.iter().map(|(name, calls)| ((*name).to_owned(), *calls)).collect()
}

#[tokio::test]
async fn a_batch_of_heartbeats_is_one_command() {
    let server = PrivateRedis::start();
    let h = Harness::on_redis(&server.url());
    let users: Vec<i64> = (0..200).map(|n| n * i64::from(SHARDS) + 1).collect();
    for user in &users {
        h.login(*user, *user).await;
    }
    // Once before, so that the script is loaded.
    h.touch(1, 1).await;
    h.at(ms(500));
    counted(&h);
    let batch: Vec<Touch> = users.iter().map(|user| touch(*user, *user)).collect();
    assert!(h.touch_all(&batch).await.iter().all(Option::is_some));
    // The time, the deadlines before and after: as many commands inside as for one heartbeat.
    let fast = counts(&[("evalsha", 1), ("get", 1), ("hmget", 1), ("hset", 1)]);
    assert_eq!(counted(&h), fast);
    h.at(secs(1));
    counted(&h);
    h.touch(1, 1).await;
    assert_eq!(counted(&h), fast);
    // Some other sessions wait for the sweep: that costs nothing more.
    for user in &users[100..103] {
        h.engine.retime(UserId(*user), secs(5)).await.unwrap();
    }
    h.at(secs(10));
    counted(&h);
    assert!(h.touch_all(&batch[..100]).await.iter().all(Option::is_some));
    assert_eq!(counted(&h), fast);
    // Nothing that is live.
    h.touch(1, 2).await;
    let unknown = counts(&[("evalsha", 1), ("get", 1), ("hmget", 1)]);
    assert_eq!(counted(&h), unknown);
}

#[tokio::test]
async fn a_plain_users_log_in_pays_nothing_for_others_choices() {
    let server = PrivateRedis::start();
    let h = Harness::on_redis(&server.url());
    h.login(1, 11).await;
    let connect = h.fresh(3, 31, Reason::Login).await;
    counted(&h);
    h.engine.connect(connect).await.unwrap();
    // The time, the epoch, what is remembered of the user (four), its group before and after, how many users there are
    // and when to look at the group, its deadline, its transition and that this is not in the database.
    let mut expected = counts(&[("evalsha", 1), ("get", 5), ("exists", 1), ("hget", 1), ("zadd", 1), ("xadd", 1)]);
    expected.extend(counts(&[("hset", 3), ("hincrby", 1)]));
    assert_eq!(counted(&h), expected);
    // The sweep of one such user, of whose choice nothing was ever written.
    h.at(secs(500));
    h.engine.expire(1, 10).await.unwrap();
    let commands = counted(&h);
    assert!(["sadd", "srem"].iter().all(|name| !commands.contains_key(*name)), "{commands:?}");
}

#[tokio::test]
async fn a_page_of_users_is_one_command_a_shard() {
    let server = PrivateRedis::start();
    let h = Harness::on_redis(&server.url());
    for user in 1..=50 {
        h.login(user, user).await;
    }
    let users: Vec<UserId> = (1..=100).map(UserId).collect();
    h.engine.lookup(&users).await.unwrap();
    counted(&h);
    let lookup = h.engine.lookup(&users).await.unwrap();
    assert_eq!((lookup.counts.online, lookup.known.len()), (50, 100));
    let commands = counted(&h);
    assert_eq!(commands["evalsha"], u64::from(SHARDS));
    let writing = ["zadd", "zrem", "hset", "hdel", "xadd", "set", "sadd", "srem"];
    assert!(writing.iter().all(|name| !commands.contains_key(*name)), "reading changes nothing: {commands:?}");
}
