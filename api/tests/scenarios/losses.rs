//! Redis, emptied and away.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use futures_util::{StreamExt, stream};
use serde_json::json;

use crate::client::{Answer, PASSWORD, Session};
use crate::harness::{Form, INTERVAL, PATIENT, Setup, System};
use crate::sight::{Heart, all_offline, sights};
use crate::time::{eventually, now, stays};

/// How many users there are.
const USERS: usize = 100;

async fn start() -> System {
    let setup = Setup::new(Form::Distributed).with_own_redis().with(PATIENT);
    setup.with(("LASTSEEN_TIMEOUT_MIN", "600ms")).start().await
}

/// Everybody has one interval, which is open.
fn one_open_interval_each(system: &System, sessions: &[Session]) -> Result<(), String> {
    let intervals = system.database.intervals();
    for session in sessions {
        let mut of_user = intervals.iter().filter(|one| one.user_id == session.user);
        let (first, second) = (of_user.next(), of_user.next());
        if second.is_some() || first.is_none_or(|one| one.ended_at_ms.is_some()) {
            return Err(format!("user {}: {first:?}, {second:?}", session.user));
        }
    }
    Ok(())
}

/// The jobs and the projector work: somebody who falls silent is soon offline in the database, in one interval.
async fn silence_reaches_the_database(system: &System, session: &Session) {
    session.change_me(json!({ "inactivity_timeout_seconds": 0.6 })).await.done();
    let last = session.beat().await;
    eventually(Duration::from_secs(20), async || {
        let history = system.database.history(session.user);
        let row = system.database.user(session.user).unwrap();
        let ended = history.last().is_some_and(|one| one.ended_at_ms == Some(last.online_until.0));
        if ended && row.online_status == "offline" && row.last_seen == Some(last.last_seen.to_string()) {
            assert_eq!(history.len(), 1, "{history:?}");
            return Ok(());
        }
        Err(format!("{row:?} {history:?}"))
    })
    .await;
}

pub async fn everybody_is_back_after_redis_was_emptied(form: Form) {
    assert_eq!(form, Form::Distributed);
    let system = start().await;
    system.database.seed(USERS);
    let admin = system.admin().await;
    let names: Vec<String> = (1..=USERS).map(|i| format!("seed{i}")).collect();
    // Few at a time: only so many passwords wait to be compared.
    let log_ins = stream::iter(&names).map(|name| system.client.log_in(name)).buffered(16);
    let sessions: Vec<Session> = log_ins.collect().await;
    let cursor = admin.changes(None).await.next_cursor;
    eventually(Duration::from_secs(20), async || one_open_interval_each(&system, &sessions)).await;
    let hearts: Vec<Heart> = sessions.iter().map(|session| Heart::of(session, INTERVAL)).collect();
    tokio::time::sleep(INTERVAL).await;

    redis::cmd("FLUSHALL").query::<()>(system.redis.as_ref().unwrap().connect().as_mut()).unwrap();
    let emptied = now();
    // When the last read began in which somebody was missing.
    let mut missed = emptied;
    eventually(Duration::from_secs(20), async || {
        let asked = now();
        let seen = admin.all_users().await;
        if seen.online == USERS + 1 {
            return Ok(());
        }
        missed = asked;
        Err(format!("{} online", seen.online))
    })
    .await;
    admin.try_changes(&cursor).await.refused(410, "cursor_expired");

    // While all is followed anew and held against the database, no history is written twice.
    stays(Duration::from_secs(2), async || one_open_interval_each(&system, &sessions).unwrap()).await;
    // Everybody's first heartbeat was enough.
    let answers = join_all(hearts.into_iter().map(Heart::stop)).await;
    assert!(answers.iter().flatten().all(|answer| answer.status == 200), "{answers:#?}");
    let first = |answers: &Vec<Answer>| answers.iter().find(|one| one.asked >= emptied).unwrap().answered;
    let last = answers.iter().map(first).max().unwrap();
    assert!(missed <= last, "somebody is missing {} ms after the last came back", missed - last);
    assert!(last - emptied < 10_000, "{} ms until all had sent a heartbeat and were answered", last - emptied);
    assert_eq!(
        system.database.count("online_intervals WHERE user_id IN (SELECT id FROM accounts WHERE role = 'user')"),
        100
    );
    silence_reaches_the_database(&system, &sessions[0]).await;
}

pub async fn nothing_hangs_while_redis_is_away(form: Form) {
    assert_eq!(form, Form::Distributed);
    let mut system = start().await;
    let admin = system.admin().await;
    let (ann, bob) = (system.user("ann").await, system.user("bob").await);
    let session_rows = system.database.count("sessions");
    let sessions = [ann.clone(), bob.clone()];
    eventually(Duration::from_secs(20), async || one_open_interval_each(&system, &sessions)).await;

    system.redis.as_mut().unwrap().server().kill();
    for round in 0..2 {
        let start = Instant::now();
        let beats = join_all((0..20).map(|i| if i % 2 == 0 { ann.heartbeat() } else { bob.heartbeat() }));
        let log_ins = join_all((0..2).map(|_| system.client.try_log_in("ann", PASSWORD)));
        let path = format!("/api/users/{}/suspend/", ann.user);
        let (beats, log_ins, suspend, list) =
            tokio::join!(beats, log_ins, admin.post(&path), admin.get("/api/users/all-users/"));
        let took = start.elapsed();
        let answers: Vec<Answer> = beats.into_iter().chain(log_ins).chain([suspend, list]).collect();
        let mut times: Vec<i64> = answers.iter().map(Answer::took).collect();
        times.sort_unstable();
        assert!(times[times.len() / 2] < 3_000, "round {round}: {times:?}");
        for answer in answers {
            let after = answer.headers.get("retry-after").and_then(|after| after.to_str().ok()?.parse::<u64>().ok());
            assert!(after.is_some_and(|after| (1..=10).contains(&after)), "{answer:?}");
            assert!(answer.took() < 10_000, "round {round}: {} ms for {answer:?}", answer.took());
            answer.refused(503, "engine_unavailable");
        }
        assert!(took < Duration::from_secs(10), "{took:?}");
    }
    let (ready, alive) = tokio::join!(
        system.client.send(reqwest::Method::GET, "/readyz", None),
        system.client.send(reqwest::Method::GET, "/healthz", None)
    );
    assert_eq!((ready.status, alive.status), (503, 200), "{ready:?}");
    assert_eq!(system.database.user(ann.user).unwrap().status, "active");
    assert_eq!(system.database.count("sessions"), session_rows, "a log-in that failed leaves no session");

    // It comes back, empty, and everybody with it.
    system.redis.as_mut().unwrap().server().start_again(false).await;
    let start = now();
    for session in &sessions {
        eventually(Duration::from_secs(20), async || {
            let answer = session.heartbeat().await;
            if answer.status == 200 { Ok(()) } else { Err(format!("{answer:?}")) }
        })
        .await;
    }
    assert!(now() - start < 10_000, "{} ms", now() - start);
    for session in &sessions {
        assert!(sights(&admin, session.user).await.iter().all(|sight| sight.online));
    }
    let ready = system.client.send(reqwest::Method::GET, "/readyz", None).await;
    assert_eq!(ready.status, 200, "{ready:?}");
    system.client.log_in("ann").await.log_out().await.done();
    let last = bob.beat().await;
    admin.act(bob.user, "suspend").await.done();
    all_offline(&sights(&admin, bob.user).await, last.last_seen.0, "suspended");
    silence_reaches_the_database(&system, &ann).await;
}
