//! The stand-alone program killed, and started again on the same files.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::json;

use crate::client::{Client, PASSWORD, Session};
use crate::harness::{Form, INTERVAL, Setup, System};
use crate::sight::{Heart, all_offline, sights};
use crate::time::{eventually, now, stays, until};

/// The most that a kill may take off a deadline, in ms.
const LOST: i64 = 1_000;

async fn start(form: Form) -> System {
    let setup = Setup::new(form).with(("LASTSEEN_INACTIVITY_TIMEOUT", "10s"));
    setup.with(("LASTSEEN_TIMEOUT_MIN", "600ms")).start().await
}

pub async fn a_kill_loses_nothing_that_was_acknowledged(form: Form) {
    let mut system = start(form).await;
    let admin = system.admin().await;
    let (ann, bob, cyd) = (system.user("ann").await, system.user("bob").await, system.user("cyd").await);
    system.client.register("dan").await;
    cyd.change_me(json!({ "inactivity_timeout_seconds": 0.6 })).await.done();
    let heart = Heart::of(&ann, INTERVAL);
    let silent = cyd.beat().await;
    // Long enough for heartbeats to be written behind.
    until(silent.online_until.0 - 150).await;
    let truth = heart.stop_all_taken().await;
    let dan = system.client.log_in("dan").await;
    let bob_last = bob.beat().await;
    bob.log_out().await.done();
    system.api.kill();
    until(silent.online_until.0).await;
    system.start_api_again().await;

    // Before any new heartbeat: whoever was online is, and whoever was not is not.
    let seen = admin.presences(&[ann.user, dan.user]).await;
    for (presence, until) in seen.iter().zip([truth.end(), dan.online.1]) {
        assert_eq!(presence.online_status, "online", "{presence:?}");
        let kept = presence.online_until.unwrap().0;
        assert!((until - LOST..=until).contains(&kept), "{presence:?}, but {until}");
    }
    assert_eq!(seen[1].online_until.unwrap().0, dan.online.1, "a log-in is kept to the millisecond");
    all_offline(&sights(&admin, bob.user).await, bob_last.last_seen.0, "logout");
    let of_cyd = sights(&admin, cyd.user).await;
    assert!(of_cyd.iter().all(|sight| !sight.online), "{of_cyd:?}");
    bob.heartbeat().await.refused(401, "session_ended");
    system.client.try_refresh(&bob.refresh).await.refused(401, "session_ended");

    let histories = eventually(Duration::from_secs(20), async || {
        let histories = [&ann, &bob, &cyd, &dan].map(|session| system.database.history(session.user));
        let open = histories.each_ref().map(|history| history.iter().filter(|one| one.ended_at_ms.is_none()).count());
        if open == [1, 0, 0, 1] && histories.iter().all(|history| !history.is_empty()) {
            Ok(histories)
        } else {
            Err(format!("{histories:#?}"))
        }
    })
    .await;
    let [of_ann, of_bob, of_cyd, of_dan] = &histories;
    assert_eq!((of_ann.len(), of_ann[0].started_at_ms), (1, ann.online.0));
    assert_eq!((of_bob.len(), of_bob[0].end_reason.as_deref()), (1, Some("logout")));
    assert_eq!((of_dan.len(), of_dan[0].started_at_ms), (1, dan.online.0));
    // Dated at the deadline that the journal had: what a heartbeat moved may be lost, at most so much of it.
    let last = of_cyd.last().unwrap();
    assert_eq!(last.end_reason.as_deref(), Some("timeout"));
    let ended = last.ended_at_ms.unwrap();
    assert!((silent.online_until.0 - LOST..=silent.online_until.0).contains(&ended), "{last:?}");
    all_offline(&sights(&admin, cyd.user).await, ended - 600, "timeout");

    // The tokens still hold, and nothing is told or written twice.
    for session in [&ann, &dan] {
        session.beat().await;
    }
    stays(Duration::from_millis(1_200), async || {
        let again = [&ann, &bob, &cyd, &dan].map(|session| system.database.history(session.user));
        assert_eq!(again, histories);
    })
    .await;
}

/// What one of those who log in and out all the time has been told.
#[derive(Default)]
struct Told {
    log_ins: AtomicU32,
    log_outs: AtomicU32,
}

async fn come_and_go(client: Client, name: String, told: Arc<Told>) {
    let body = json!({ "username": name, "password": PASSWORD });
    loop {
        let log_in = client.try_send(None, reqwest::Method::POST, "/api/users/login/", Some(body.clone()), &[]).await;
        let Ok(answer) = log_in else { return };
        let session = Session::of(&client, answer);
        told.log_ins.fetch_add(1, Ordering::SeqCst);
        let Ok(answer) = session.try_send(reqwest::Method::POST, "/api/users/logout/", None).await else { return };
        answer.done();
        told.log_outs.fetch_add(1, Ordering::SeqCst);
    }
}

pub async fn a_kill_amid_log_ins_and_log_outs(form: Form) {
    const USERS: usize = 8;
    let mut system = start(form).await;
    let users = system.database.seed(USERS);
    let admin = system.admin().await;
    let mut all: Vec<Arc<Told>> = (0..USERS).map(|_| Arc::default()).collect();
    for _ in 0..2 {
        let before: Vec<(u32, u32)> = all.iter().map(|told| counts(told)).collect();
        let busy = all.iter().enumerate().map(|(i, told)| {
            tokio::spawn(come_and_go(system.client.clone(), format!("seed{}", i + 1), Arc::clone(told)))
        });
        let busy: Vec<_> = busy.collect();
        eventually(Duration::from_secs(20), async || {
            let slowest = all.iter().zip(&before).map(|(told, before)| counts(told).1 - before.1).min();
            if slowest >= Some(3) { Ok(()) } else { Err(format!("{slowest:?} log-outs")) }
        })
        .await;
        system.api.kill();
        for task in busy {
            task.await.unwrap();
        }
        system.start_api_again().await;
        let seen = admin.presences(&users).await;
        for ((user, told), presence) in users.iter().zip(&all).zip(&seen) {
            let (log_ins, log_outs) = counts(told);
            // At the kill either a log-in was in hand or a log-out; what was acknowledged before is in effect, and
            // what was in hand is or is not.
            let online = presence.online_status == "online";
            let intervals = eventually(Duration::from_secs(20), async || {
                let history = system.database.history(*user);
                let open = history.iter().filter(|one| one.ended_at_ms.is_none()).count();
                let closed = history.len() - open;
                let (log_ins, log_outs) = (log_ins as usize, log_outs as usize);
                let right = open == usize::from(online)
                    && (log_ins..=log_ins + 1).contains(&history.len())
                    && (log_outs..=log_ins).contains(&closed);
                if right {
                    Ok(history)
                } else {
                    Err(format!("{log_ins} log-ins, {log_outs} log-outs, {presence:?}, {history:#?}"))
                }
            })
            .await;
            for pair in intervals.windows(2) {
                assert!(pair[0].ended_at_ms.unwrap() <= pair[1].started_at_ms, "{pair:?}");
            }
            let mut sessions: Vec<_> = intervals.iter().map(|one| one.session_id).collect();
            sessions.dedup();
            assert_eq!(sessions.len(), intervals.len(), "each log-in once: {intervals:#?}");
        }
        // Whoever is online by a log-in that nobody was told of goes now, so that the next round counts anew.
        for user in &users {
            admin.act(*user, "logout").await.done();
        }
        all = users.iter().map(|user| Arc::new(as_in_history(&system, *user))).collect();
    }
}

fn counts(told: &Told) -> (u32, u32) {
    (told.log_ins.load(Ordering::SeqCst), told.log_outs.load(Ordering::SeqCst))
}

/// All that happened so far as if it had been acknowledged.
fn as_in_history(system: &System, user: i64) -> Told {
    let past = u32::try_from(system.database.history(user).len()).unwrap();
    Told { log_ins: past.into(), log_outs: past.into() }
}

pub async fn a_clean_stop_loses_nothing(form: Form) {
    let mut system = start(form).await;
    let (admin, ann) = (system.admin().await, system.user("ann").await);
    let beat = ann.beat().await;
    system.api.ask_to_end();
    assert_eq!(system.api.ended(Duration::from_secs(5)).await.code(), Some(0));
    system.start_api_again().await;
    let presence = admin.presences(&[ann.user]).await.remove(0);
    if now() < beat.online_until.0 {
        assert_eq!(presence.online_until, Some(beat.online_until), "to the millisecond");
        assert_eq!((presence.online_status.as_str(), presence.reason.as_deref()), ("online", Some("login")));
    }
    // What was still to be written at the stop is written after it.
    let history = eventually(Duration::from_secs(20), async || {
        let history = system.database.history(ann.user);
        if history.is_empty() { Err("no interval".to_owned()) } else { Ok(history) }
    })
    .await;
    assert_eq!((history.len(), history[0].started_at_ms), (1, ann.online.0), "{history:?}");
}
