//! The runbook of backups, step by step as docs/OPERATIONS.md has it: PostgreSQL is restored to an earlier moment, and what
//! Redis held is lost with it.

use std::time::Duration;

use crate::client::PASSWORD;
use crate::harness::{Form, Setup};
use crate::sight::sights;
use crate::time::eventually;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_in_the_backup_is_back_and_nothing_else() {
    Box::pin(restored()).await;
}

async fn restored() {
    let mut system = Setup::new(Form::Distributed).with_own_redis().start().await;
    let (ann, before) = (system.user("ann").await, system.user("before").await);
    before.log_out().await.done();
    eventually(Duration::from_secs(10), async || {
        let ended = system.database.history(before.user).iter().any(|one| one.ended_at_ms.is_some());
        if ended { Ok(()) } else { Err("the log-out is not in the history".to_owned()) }
    })
    .await;
    let history = system.database.history(before.user);
    let backup = system.file("backup.dump");
    system.database.dump(&backup);

    // After it: another account, whose id and session will be given out again, and a ban.
    let lost = system.user("lost").await;
    let admin = system.admin().await;
    admin.post(&format!("/api/users/{}/ban/", before.user)).await.done();

    // Everything is gone. The runbook: all programs are stopped, the backup restored, presence deleted, a new secret set.
    system.stop().await;
    system.database.restore(&backup);
    let mut redis = system.redis.as_ref().unwrap().connect();
    redis::cmd("FLUSHALL").query::<redis::Value>(redis.as_mut()).unwrap();
    system.set("LASTSEEN_JWT_SECRET", "another secret of the scenarios, after a loss");
    system.start_api_again().await;
    system.start_workers_again().await;

    // Nobody is online by what was before, and nobody gets in by it.
    let admin = system.admin().await;
    for sight in sights(&admin, ann.user).await {
        assert!(!sight.online, "{sight:?}");
    }
    for earlier in [&ann, &lost, &before] {
        earlier.heartbeat().await.refused(401, "token_invalid");
    }
    system.client.try_log_in("lost", PASSWORD).await.refused(401, "invalid_credentials");
    let newcomer = system.user("newcomer").await;
    assert_eq!(newcomer.user, lost.user, "the id is given out again, which is why the secret is another");
    lost.heartbeat().await.refused(401, "token_invalid");

    // What was in the backup is there: accounts, history, and sessions by their refresh tokens.
    assert_eq!(system.database.history(before.user), history);
    system.client.try_log_in("before", PASSWORD).await.done();
    let turned: crate::client::Pair = system.client.try_refresh(&ann.refresh).await.ok();
    let back = crate::client::Session { access: turned.access, refresh: turned.refresh, ..ann.clone() };
    back.beat().await;
    for sight in sights(&admin, ann.user).await {
        assert!(sight.online, "{sight:?}");
    }
    system.client.try_refresh(&lost.refresh).await.refused(401, "token_invalid");
}
