//! Online by signs of life, offline by silence.

use std::time::Duration;

use lastseen_shared::timestamp::Timestamp;

use crate::harness::{Form, INTERVAL, NO_SWEEP, Setup, System, TIMEOUT};
use crate::sight::{Heart, Sight, all_offline, assert_online, compare, sights};
use crate::time::{eventually, now, stays};

pub async fn heartbeats_keep_a_user_online(form: Form) {
    const TIMEOUT: i64 = 3_000;
    let system = Setup::new(form).with(("LASTSEEN_INACTIVITY_TIMEOUT", "3s")).start().await;
    let (watcher, ann) = (system.admin().await, system.user("ann").await);
    let heart = Heart::of(&ann, INTERVAL);
    let mut seen = Vec::new();
    let start = now();
    while now() - start < 2 * TIMEOUT || seen.len() < 60 {
        seen.extend(sights(&watcher, ann.user).await);
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    let mut line = heart.stop_all_taken().await;
    line.add(ann.online);
    let (online, _) = compare(&seen, &line);
    assert!(online > 30, "{online} of {}", seen.len());
    // A slow machine may leave gaps between heartbeats, but not so many.
    assert!(line.longest() > TIMEOUT * 3 / 2, "{line:?}");
    assert!(seen.iter().all(|sight| sight.by == "those offline" || !sight.online || sight.reason.is_some()));

    // A request of any kind is a sign of life, and says what others see.
    let me = ann.me().await;
    assert_eq!((me.online_status.as_str(), me.username.as_str()), ("online", "ann"));
    assert!(me.last_seen.unwrap().0 >= line.end() - TIMEOUT);
    assert_online(&watcher, &ann).await;
}

/// How the newest interval of a user ended, as its history is told.
async fn told_end(system: &System, user: i64) -> (Option<Timestamp>, Option<String>) {
    #[derive(serde::Deserialize)]
    struct Told {
        ended_at: Option<Timestamp>,
        end_reason: Option<String>,
    }
    #[derive(serde::Deserialize)]
    struct History {
        intervals: Vec<Told>,
    }
    let admin = system.admin().await;
    // Its beginning is in the database a moment after it.
    eventually(Duration::from_secs(20), async || {
        let history: History = admin.get(&format!("/api/users/{user}/history/?limit=1")).await.ok();
        let Some(told) = history.intervals.into_iter().next() else { return Err("no interval".to_owned()) };
        Ok((told.ended_at, told.end_reason))
    })
    .await
}

pub async fn silence_is_seen_at_the_deadline_without_a_sweep(form: Form) {
    let system = Setup::new(form).with(NO_SWEEP).start().await;
    let (watcher, ann) = (system.user("watcher").await, system.user("ann").await);
    // The second time a heartbeat brings the user back, although nothing has settled the first silence.
    for _ in 0..2 {
        let beat = ann.beat().await;
        let mut truth = ann.timeline();
        truth.add(beat.span());
        let mut seen = Vec::new();
        while now() < beat.online_until.0 + 100 {
            seen.extend(sights(&watcher, ann.user).await);
        }
        seen.extend(sights(&watcher, ann.user).await);
        // Every read is told the truth, to the millisecond, on both sides of the deadline.
        let (online, offline) = compare(&seen, &truth);
        assert!(online > 0 && offline > 0, "{online} online, {offline} offline");
        let after: Vec<Sight> = seen.into_iter().filter(|sight| sight.asked >= beat.online_until.0).collect();
        all_offline(&after, beat.last_seen.0, "timeout");
        assert_eq!(told_end(&system, ann.user).await, (Some(beat.online_until), Some("timeout".to_owned())));
        assert_eq!(beat.online_until.0 - beat.last_seen.0, i64::try_from(TIMEOUT.as_millis()).unwrap());
    }
    // What the heartbeat after the silence has settled is in the history; the second silence may not be yet.
    let last_seen = sights(&watcher, ann.user).await[0].last_seen;
    let history = eventually(Duration::from_secs(20), async || {
        let history = system.database.history(ann.user);
        if history.len() >= 2 { Ok(history) } else { Err(format!("{history:?}")) }
    })
    .await;
    let [.., first, second] = history.as_slice() else { panic!("{history:?}") };
    assert_eq!(first.end_reason.as_deref(), Some("timeout"), "{history:?}");
    assert_eq!(second.start_reason, "heartbeat", "{history:?}");
    assert_eq!(last_seen, Some(second.started_at_ms), "the one heartbeat that began it");
}

pub async fn the_database_follows_after_the_next_sweep(form: Form) {
    let system = System::start(form).await;
    let ann = system.user("ann").await;
    eventually(Duration::from_secs(20), async || {
        let row = system.database.user(ann.user).unwrap();
        if row.online_status == "online" || now() > ann.online.1 { Ok(()) } else { Err(format!("{row:?}")) }
    })
    .await;
    let beat = ann.beat().await;
    // The sweep comes every second; it is the last sign of life that it leaves behind, not its own time.
    let last_seen = Some(beat.last_seen.to_string());
    eventually(Duration::from_secs(20), async || {
        let row = system.database.user(ann.user).unwrap();
        let offline = row.online_status == "offline" && row.last_seen == last_seen;
        assert!(!offline || now() >= beat.online_until.0, "too early: {row:?}");
        if offline { Ok(()) } else { Err(format!("{row:?}, but {last_seen:?}")) }
    })
    .await;
    let history = eventually(Duration::from_secs(20), async || {
        let history = system.database.history(ann.user);
        if history.iter().all(|one| one.ended_at_ms.is_some()) { Ok(history) } else { Err(format!("{history:?}")) }
    })
    .await;
    let last = history.last().unwrap();
    assert_eq!((last.ended_at_ms, last.end_reason.as_deref()), (Some(beat.online_until.0), Some("timeout")));
    assert_eq!(last.session_id, Some(ann.id()));
    if beat.last_seen.0 < ann.online.1 {
        // No silence of this machine's own came between.
        assert_eq!(history.len(), 1, "{history:?}");
        assert_eq!((last.started_at_ms, last.start_reason.as_str()), (ann.online.0, "login"));
    }
    // Further sweeps find nothing to add.
    stays(Duration::from_millis(1_200), async || assert_eq!(system.database.history(ann.user), history)).await;
}
