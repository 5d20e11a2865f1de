use std::time::Instant;

use super::*;
use crate::redis_client::RedisSettings;

const FEW: Failures =
    Failures { name: "few", free: 2, first: Duration::from_secs(60), longest: Duration::from_secs(200) };
const THREE: Rate = Rate { name: "three", burst: 3, every: Duration::from_secs(10) };

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[test]
fn each_failure_past_the_free_ones_costs_twice_as_much() {
    let (local, start) = (Local::default(), Instant::now());
    let at = |seconds| start + secs(seconds);
    local.failed_at(&FEW, "ann", at(0));
    assert_eq!(local.check_at("ann", at(1)), Duration::ZERO);
    local.failed_at(&FEW, "ann", at(1));
    assert_eq!(local.check_at("ann", at(21)), secs(40));
    assert_eq!(local.check_at("bob", at(21)), Duration::ZERO);
    assert_eq!(local.check_at("ann", at(61)), Duration::ZERO);
    for (moment, delay) in [(61, 120), (200, 200), (500, 200)] {
        local.failed_at(&FEW, "ann", at(moment));
        assert_eq!(local.check_at("ann", at(moment)), secs(delay));
    }
    // Forgotten after twice the longest, and by a success.
    local.failed_at(&FEW, "ann", at(901));
    assert_eq!(local.check_at("ann", at(901)), Duration::ZERO);
    local.failed_at(&FEW, "ann", at(902));
    assert_eq!(local.check_at("ann", at(902)), secs(60));
    local.forget("ann");
    assert_eq!(local.check_at("ann", at(902)), Duration::ZERO);
}

#[test]
fn failures_that_cost_nothing_are_forgotten_soon() {
    let (local, start) = (Local::default(), Instant::now());
    for minute in 0..10 {
        local.failed_at(&FEW, "ann", start + secs(minute * 61));
        assert_eq!(local.check_at("ann", start + secs(minute * 61)), Duration::ZERO);
    }
}

#[test]
fn a_rate_allows_its_burst_and_then_one_every_so_often() {
    let (local, start) = (Local::default(), Instant::now());
    let at = |seconds| start + secs(seconds);
    let take = |seconds| local.take_at(&THREE, "ann", at(seconds));
    assert_eq!([take(0), take(0), take(0), take(0)], [secs(0), secs(0), secs(0), secs(10)]);
    assert_eq!([take(9), take(10), take(10)], [secs(1), secs(0), secs(10)]);
    assert_eq!(local.take_at(&THREE, "bob", at(10)), secs(0));
    assert_eq!([take(1_000), take(1_000), take(1_000), take(1_000)], [secs(0), secs(0), secs(0), secs(10)]);
}

#[tokio::test]
async fn off_means_off() {
    let limits = Limits::local(false);
    let none = Rate { burst: 0, ..THREE };
    limits.failed(&Failures { free: 0, ..FEW }, "ann").await;
    assert!(limits.check(&FEW, "ann").await.is_ok() && limits.take(&none, "ann").await.is_ok());
}

/// Two processes on one Redis, or on one that is away.
fn two(url: &str) -> [Limits; 2] {
    let prefix = format!("limits-test-{}-{:?}:", std::process::id(), Instant::now());
    let settings = RedisSettings { url: url.to_owned(), key_prefix: prefix.replace(['{', '}'], "") };
    let redis = Redis::new(&settings).unwrap();
    [Limits::shared(true, &redis), Limits::shared(true, &redis)]
}

#[tokio::test]
async fn processes_on_one_redis_count_together() {
    for variable in ["TEST_REDIS_URL", "TEST_REDIS_CLUSTER_URL"] {
        let url = std::env::var(variable).expect("run `make test`, which starts Redis");
        let [one, two] = two(&url);
        for limits in [&one, &two, &one] {
            limits.take(&THREE, "ann").await.unwrap();
        }
        for limits in [&one, &two] {
            let refused = limits.take(&THREE, "ann").await.unwrap_err();
            assert!(refused.retry_after.is_some_and(|wait| wait > secs(8) && wait <= secs(10)), "{refused:?}");
        }
        two.take(&THREE, "bob").await.unwrap();

        one.failed(&FEW, "ann").await;
        two.check(&FEW, "ann").await.unwrap();
        two.failed(&FEW, "ann").await;
        let refused = one.check(&FEW, "ann").await.unwrap_err();
        assert!(refused.retry_after.is_some_and(|wait| wait > secs(55) && wait <= secs(60)), "{refused:?}");
        two.failed(&FEW, "ann").await;
        let refused = one.check(&FEW, "ann").await.unwrap_err();
        assert!(refused.retry_after.is_some_and(|wait| wait > secs(115) && wait <= secs(120)), "{refused:?}");
        one.succeeded(&FEW, "ann").await;
        two.check(&FEW, "ann").await.unwrap();
    }
}

#[tokio::test]
async fn where_redis_is_away_each_process_counts_by_itself() {
    let [one, two] = two("redis://127.0.0.1:1");
    for _ in 0..3 {
        one.take(&THREE, "ann").await.unwrap();
        one.failed(&FEW, "ann").await;
    }
    assert!(one.take(&THREE, "ann").await.is_err() && one.check(&FEW, "ann").await.is_err());
    assert!(two.take(&THREE, "ann").await.is_ok() && two.check(&FEW, "ann").await.is_ok());
}

#[test]
fn nobodys_name_stands_in_a_key() {
    let key = name("login", "ann@example.org from 10.0.0.1");
    assert!(key.starts_with("limit:login:") && !key.contains("ann") && !key.contains("10.0"), "{key}");
}
