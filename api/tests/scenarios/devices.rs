//! Several devices of one user, and logging out.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use crate::client::{Beat, Session};
use crate::harness::{Form, NO_SWEEP, Setup, System};
use crate::sight::{all_offline, assert_online, compare, sights};
use crate::time::{Timeline, eventually, now, until};

pub async fn one_device_logs_out_and_the_other_falls_silent(form: Form) {
    let system = Setup::new(form).with(NO_SWEEP).with(("LASTSEEN_INACTIVITY_TIMEOUT", "1500ms")).start().await;
    let watcher = system.admin().await;
    let phone = system.user("ann").await;
    let laptop = system.client.log_in("ann").await;
    phone.beat().await;
    laptop.beat().await;
    phone.log_out().await.done();
    phone.heartbeat().await.refused(401, "session_ended");
    assert_online(&watcher, &laptop).await;

    let last = laptop.beat().await;
    let mut truth = Timeline::default();
    truth.add(last.span());
    compare(&sights(&watcher, laptop.user).await, &truth);
    until(last.online_until.0).await;
    all_offline(&sights(&watcher, laptop.user).await, last.last_seen.0, "timeout");

    // The other way round: it is the user's last sign of life that counts, whichever device gave it.
    let phone = system.client.log_in("ann").await;
    let on_laptop = laptop.beat().await;
    let on_phone = phone.beat().await;
    phone.log_out().await.done();
    until(on_laptop.online_until.0).await;
    all_offline(&sights(&watcher, laptop.user).await, on_phone.last_seen.0, "timeout");
}

pub async fn a_log_out_is_seen_in_the_next_read(form: Form) {
    let system = System::patient(form).await;
    let (watcher, ann) = (system.admin().await, system.user("ann").await);
    ann.log_out().await.done();
    for _ in 0..3 {
        let device = system.client.log_in("ann").await;
        let last = device.beat().await;
        device.log_out().await.done();
        // In the very next read, and then in all the others.
        let next = watcher.show(ann.user).await;
        assert_eq!(next.body["user"]["online_status"], "offline", "{next:?}");
        all_offline(&sights(&watcher, ann.user).await, last.last_seen.0, "logout");
        device.heartbeat().await.refused(401, "session_ended");
        device.get("/api/users/me/").await.refused(401, "session_ended");
        device.log_out().await.refused(401, "session_ended");
        system.client.try_refresh(&device.refresh).await.refused(401, "session_ended");
        all_offline(&sights(&watcher, ann.user).await, last.last_seen.0, "logout");
    }
}

pub async fn a_log_out_everywhere_ends_every_device(form: Form) {
    let system = System::patient(form).await;
    let watcher = system.admin().await;
    let mut devices = vec![system.user("ann").await];
    for _ in 0..2 {
        devices.push(system.client.log_in("ann").await);
    }
    let ann = devices[0].user;
    let mut last = 0;
    for device in &devices {
        last = device.beat().await.last_seen.0;
    }
    devices[1].log_out_everywhere().await.done();
    all_offline(&sights(&watcher, ann).await, last, "logout");
    for device in &devices {
        device.heartbeat().await.refused(401, "session_ended");
        system.client.try_refresh(&device.refresh).await.refused(401, "session_ended");
    }
    all_offline(&sights(&watcher, ann).await, last, "logout");
    let back = system.client.log_in("ann").await;
    assert_online(&watcher, &back).await;
    // One interval for all three devices, and the one that was begun anew.
    let history = eventually(Duration::from_secs(20), async || {
        let history = system.database.history(ann);
        if history.len() >= 2 { Ok(history) } else { Err(format!("{history:?}")) }
    })
    .await;
    assert_eq!(history[0].end_reason.as_deref(), Some("logout"), "{history:?}");
    assert_eq!(history[1].session_id, Some(back.id()), "{history:?}");
}

async fn leave(session: &Session) -> Beat {
    session.send(Method::POST, "/api/users/heartbeat/", Some(json!({ "leaving": true }))).await.ok()
}

pub async fn a_page_that_was_closed_is_missed_after_a_short_grace(form: Form) {
    let setup = Setup::new(form).with(NO_SWEEP).with(("LASTSEEN_INACTIVITY_TIMEOUT", "3s"));
    let system = setup.start().await;
    let (watcher, ann) = (system.admin().await, system.user("ann").await);
    let timeout = |beat: Beat| beat.online_until.0 - beat.last_seen.0;
    // A page that loads again within the grace is back for the whole timeout.
    assert_eq!(timeout(leave(&ann).await), 1_000);
    assert_eq!(timeout(ann.beat().await), 3_000);
    let last = leave(&ann).await;
    assert_eq!(timeout(last), 1_000);
    let mut truth = Timeline::default();
    truth.add(last.span());
    let mut seen = Vec::new();
    while now() < last.online_until.0 + 50 {
        seen.extend(sights(&watcher, ann.user).await);
    }
    seen.extend(sights(&watcher, ann.user).await);
    let (online, offline) = compare(&seen, &truth);
    assert!(online > 0 && offline > 0, "{online} online, {offline} offline");
    all_offline(&sights(&watcher, ann.user).await, last.last_seen.0, "timeout");
    // One device that leaves says nothing of the other.
    let phone = system.client.log_in("ann").await;
    ann.beat().await;
    let left = leave(&ann).await;
    let kept = phone.beat().await;
    until(left.online_until.0).await;
    let mut truth = Timeline::default();
    truth.add(kept.span());
    compare(&sights(&watcher, ann.user).await, &truth);
}
