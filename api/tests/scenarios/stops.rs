//! Programs that end: asked to, or killed.

use std::time::Duration;

use futures_util::future::join_all;

use crate::client::{Answer, PASSWORD, Session};
use crate::harness::{Form, INTERVAL, Setup, System};
use crate::sight::{assert_online, sights};
use crate::time::now;

pub async fn a_stop_finishes_what_is_in_hand(form: Form) {
    // Log-ins that take long: so many are in hand when the signal comes.
    let mut system = Setup::new(form).with(("LASTSEEN_BCRYPT_COST", "11")).start().await;
    let ann = system.user("ann").await;
    // Clients that keep their connections open do not hold a stop up.
    join_all((0..8).map(|_| ann.beat())).await;
    let log_ins = (0..8).map(|_| {
        let client = system.client.clone();
        tokio::spawn(async move { client.try_log_in("ann", PASSWORD).await })
    });
    let log_ins: Vec<_> = log_ins.collect();
    // They have arrived once the first of them is answered: the others wait for a core.
    while !log_ins.iter().any(tokio::task::JoinHandle::is_finished) {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let asked = now();
    for process in std::iter::once(&mut system.api).chain(&mut system.workers) {
        process.ask_to_end();
    }
    let answers: Vec<Answer> = join_all(log_ins).await.into_iter().map(Result::unwrap).collect();
    assert!(answers.iter().any(|answer| answer.answered > asked), "all were answered before the stop");
    for answer in answers {
        Session::of(&system.client, answer);
    }
    for process in std::iter::once(&mut system.api).chain(&mut system.workers) {
        let status = process.ended(Duration::from_secs(5)).await;
        assert_eq!(status.code(), Some(0), "{}", process.report());
    }
}

pub async fn an_api_that_was_killed_is_missed_by_nobody(form: Form) {
    let mut system = System::patient(form).await;
    let (admin, ann) = (system.admin().await, system.user("ann").await);
    let bob = system.user("bob").await;
    let last = ann.beat().await;
    bob.log_out().await.done();
    system.api.kill();
    assert!(ann.try_send(reqwest::Method::POST, "/api/users/heartbeat/", None).await.is_err());
    system.start_api_again().await;
    // Online before any new heartbeat, by the same tokens.
    for sight in sights(&admin, ann.user).await {
        assert!(sight.online, "{sight:?}");
        assert!(sight.by == "those offline" || sight.last_seen == Some(last.last_seen.0), "{sight:?}");
    }
    bob.heartbeat().await.refused(401, "session_ended");
    for _ in 0..3 {
        assert_online(&admin, &ann).await;
        tokio::time::sleep(INTERVAL / 3).await;
    }
    crate::time::eventually(Duration::from_secs(20), async || {
        let history = [ann.user, bob.user].map(|user| system.database.history(user));
        let ended = history[1].iter().all(|one| one.end_reason.as_deref() == Some("logout"));
        let right = history[0].len() == 1 && history[0][0].ended_at_ms.is_none() && history[1].len() == 1 && ended;
        if right { Ok(()) } else { Err(format!("{history:#?}")) }
    })
    .await;
}
