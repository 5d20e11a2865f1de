//! Workers killed and away.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use lastseen_shared::ids::{SessionId, UserId};
use lastseen_shared::presence::availability::Profile;
use lastseen_shared::presence::engine::{Connect, Connected};
use lastseen_shared::presence::redis::{RedisClock, RedisEngine};
use lastseen_shared::presence::{PresenceEngine, Reason};
use lastseen_shared::queue::{Job, Queue};
use lastseen_shared::redis_client::{Redis, RedisSettings};

use crate::harness::{Form, NO_SWEEP, PATIENT, Setup, System};
use crate::sight::{all_offline, sights};
use crate::time::{eventually, now, stays, until};

const USERS: usize = 5_000;

/// The same Redis as the programs', for a test that does more than clients could in its time.
fn engine(system: &System) -> (RedisEngine, Redis) {
    let ours = system.redis.as_ref().unwrap();
    let settings = RedisSettings { url: ours.url(), key_prefix: ours.prefix().to_owned() };
    let redis = Redis::new(&settings).unwrap();
    (RedisEngine::new(redis.clone(), 1, RedisClock::Server), redis)
}

/// Brings a session of each user online, for a time so short that it is over when the last one is.
async fn bring_online(engine: &RedisEngine, users: &[i64], sessions: &[i64]) -> HashMap<i64, i64> {
    let read_at = engine.now(UserId(users[0])).await.unwrap();
    let connects = users.iter().zip(sessions).map(|(user, session)| {
        let (user, session) = (UserId(*user), SessionId(*session));
        let timeout = Duration::from_millis(1_500);
        let connect = Connect { user, session, timeout, profile: Profile::default(), reason: Reason::Login, read_at };
        async move {
            match engine.connect(connect).await.unwrap() {
                Connected::Live { deadline, .. } => (user.0, deadline.0.0),
                other => panic!("{other:?}"),
            }
        }
    });
    stream::iter(connects).buffer_unordered(64).collect().await
}

/// Kills the worker that has a sweep in hand, once that has done a part of its work and not all.
fn kill_amid_sweep(system: &mut System, users: usize) {
    let redis = system.redis.as_ref().unwrap();
    let (mut connection, prefix) = (redis.connect(), redis.prefix().to_owned());
    let pids: Vec<u32> = system.workers.iter().map(crate::harness::process::Process::pid).collect();
    let start = now();
    while now() < start + 10_000 {
        let held: usize =
            redis::cmd("HGET").arg(format!("{prefix}{{p:0}}:groups")).arg("n").query(connection.as_mut()).unwrap();
        assert_ne!(held, 0, "the sweep was over before it could be disturbed");
        if held == users {
            continue;
        }
        // A worker's name has its process id in it.
        let workers: Vec<String> = redis::cmd("ZRANGE")
            .arg(format!("{prefix}{{core:apalis:queues:list}}:jobs:workers"))
            .arg(0)
            .arg(-1)
            .query(connection.as_mut())
            .unwrap();
        let busy = workers.iter().find(|name| {
            let key = format!("{prefix}{{core:apalis:queues:list}}:jobs:inflight:{name}");
            redis::cmd("SCARD").arg(key).query::<u64>(connection.as_mut()).unwrap() > 0
        });
        let Some(busy) = busy else { continue };
        let place = pids.iter().position(|pid| busy.contains(&format!("-{pid}-"))).unwrap();
        system.workers[place].kill();
        let left: usize =
            redis::cmd("HGET").arg(format!("{prefix}{{p:0}}:groups")).arg("n").query(connection.as_mut()).unwrap();
        assert!(left > 0, "the sweep was over before the kill");
        // Whoever is left has the other half to do.
        system.workers.remove(place);
        return;
    }
    panic!("no sweep began");
}

pub async fn another_worker_finishes_a_sweep(form: Form) {
    // One shard, so one sweep; and none but the one below, so that it is the dead worker's own job that is taken over.
    let setup = Setup::new(form).with_own_redis().with(NO_SWEEP).with(PATIENT);
    let setup = setup.with(("LASTSEEN_SHARDS", "1")).with(("LASTSEEN_ORPHAN_TIMEOUT", "1s"));
    let mut system = setup.start().await;
    let follower = system.user("follower").await;
    let mut cursor = follower.changes(None).await.next_cursor;
    let users = system.database.seed(USERS);
    let sessions = system.database.seed_sessions();
    let (engine, redis) = engine(&system);
    // The follower would be counted with them.
    follower.log_out().await.done();
    // The API sweeps what falls due as well: here the workers are alone.
    system.api.kill();
    let deadlines = bring_online(&engine, &users, &sessions).await;
    // The database has followed: what a kill disturbs is the sweep.
    eventually(Duration::from_secs(20), async || {
        let open = system.database.count("presence_open");
        if open == i64::try_from(USERS).unwrap() { Ok(()) } else { Err(format!("{open} open")) }
    })
    .await;
    until(*deadlines.values().max().unwrap()).await;
    let queue = Queue::redis(redis.shared(), redis.key_prefix(), Duration::from_secs(60));
    queue.push(Job::Sweep { shard: 0 }, 0).await.unwrap();
    kill_amid_sweep(&mut system, USERS);

    eventually(Duration::from_secs(20), async || {
        let online = system.database.count("presence WHERE online");
        let open = system.database.count("presence_open");
        if (online, open) == (0, 0) { Ok(()) } else { Err(format!("{online} online, {open} open")) }
    })
    .await;
    system.start_api_again().await;
    assert_eq!(system.database.count("users WHERE online_status = 'online'"), 0);
    let mut intervals = system.database.intervals();
    intervals.retain(|one| one.user_id != follower.user);
    assert_eq!(intervals.len(), USERS, "one each");
    for (interval, user) in intervals.iter().zip(&users) {
        assert_eq!((interval.user_id, interval.ended_at_ms), (*user, Some(deadlines[user])), "{interval:?}");
        assert_eq!(interval.end_reason.as_deref(), Some("timeout"));
    }

    // Each went online once and offline once, in what clients are told too.
    let follower = system.client.log_in("follower").await;
    let mut told: HashMap<i64, Vec<String>> = HashMap::new();
    loop {
        let changes = follower.changes(Some(&cursor)).await;
        if changes.transitions.is_empty() {
            break;
        }
        for one in changes.transitions {
            told.entry(one.presence.user_id).or_default().push(one.presence.online_status);
        }
        cursor = changes.next_cursor;
    }
    for user in &users {
        assert_eq!(told[user], ["online", "offline"], "user {user}");
    }
}

pub async fn reads_are_right_without_workers(form: Form) {
    let setup = Setup::new(form).with(("LASTSEEN_INACTIVITY_TIMEOUT", "2s"));
    let mut system = setup.start().await;
    let admin = system.admin().await;
    let (ann, bob, cyd) = (system.user("ann").await, system.user("bob").await, system.user("cyd").await);
    // One is killed, the other ends by itself.
    system.workers[0].kill();
    system.workers[1].ask_to_end();
    assert_eq!(system.workers[1].ended(Duration::from_secs(5)).await.code(), Some(0));

    let (ann_last, bob_last, cyd_last) = (ann.beat().await, bob.beat().await, cyd.beat().await);
    ann.log_out().await.done();
    all_offline(&sights(&admin, ann.user).await, ann_last.last_seen.0, "logout");
    admin.act(cyd.user, "suspend").await.done();
    all_offline(&sights(&admin, cyd.user).await, cyd_last.last_seen.0, "suspended");
    until(bob_last.online_until.0).await;
    all_offline(&sights(&admin, bob.user).await, bob_last.last_seen.0, "timeout");
    let again = system.client.log_in("ann").await;
    let again_last = again.beat().await;
    again.log_out().await.done();
    all_offline(&sights(&admin, ann.user).await, again_last.last_seen.0, "logout");

    system.start_workers_again().await;
    let expected =
        [(ann.user, "logout", again_last), (bob.user, "timeout", bob_last), (cyd.user, "suspended", cyd_last)];
    for (user, reason, last) in expected {
        let history = eventually(Duration::from_secs(15), async || {
            // Reads are right at every moment of the catching up.
            all_offline(&sights(&admin, user).await, last.last_seen.0, reason);
            let (history, row) = (system.database.history(user), system.database.user(user).unwrap());
            let ended = history.last().is_some_and(|one| one.end_reason.as_deref() == Some(reason));
            let right = ended && row.online_status == "offline" && row.last_seen == Some(last.last_seen.to_string());
            if right { Ok(history) } else { Err(format!("{row:?} {history:#?}")) }
        })
        .await;
        stays(Duration::from_millis(500), async || assert_eq!(system.database.history(user), history)).await;
        // No more than the log-ins, and what a slow machine's own silences add.
        let log_ins = history.iter().filter(|one| one.start_reason == "login").count();
        assert_eq!(log_ins, if user == ann.user { 2 } else { 1 }, "{history:#?}");
    }
}
