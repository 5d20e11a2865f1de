//! What others see of a user, in every read that there is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use tokio::task::JoinHandle;

use crate::client::{Answer, Beat, Presence, Session, User, Users};
use crate::time::Timeline;

/// What one read said of a user.
#[derive(Clone, Debug)]
pub struct Sight {
    /// Which read.
    pub by: &'static str,
    pub asked: i64,
    pub answered: i64,
    pub online: bool,
    /// Milliseconds since 1970.
    pub last_seen: Option<i64>,
    pub reason: Option<String>,
}

/// Looks at a user in every read.
pub async fn sights(watcher: &Session, user: i64) -> Vec<Sight> {
    let mut sights = Vec::new();
    for (by, path) in [
        ("all users", "/api/users/all-users/?limit=1000"),
        ("those online", "/api/users/all-users/?limit=1000&online_status=online"),
        ("those offline", "/api/users/all-users/?limit=1000&online_status=offline"),
    ] {
        let answer = watcher.get(path).await;
        let (asked, answered) = (answer.asked, answer.answered);
        let found = answer.ok::<Users>().users.into_iter().find(|listed| listed.id == user);
        sights.push(match (by, found) {
            (_, Some(seen)) => Sight { by, ..of_user(seen, asked, answered) },
            // Not among those of one kind means to be of the other.
            ("all users", None) => panic!("user {user} is not among all users"),
            (by, None) => {
                let online = by == "those offline";
                Sight { by, asked, answered, online, last_seen: None, reason: None }
            }
        });
    }
    let answer = watcher.show(user).await;
    let (asked, answered) = (answer.asked, answer.answered);
    #[derive(serde::Deserialize)]
    struct One {
        user: User,
    }
    sights.push(of_user(answer.ok::<One>().user, asked, answered));
    let body = Some(json!({ "ids": [user] }));
    let by_query = watcher.get(&format!("/api/users/presence/?ids={user}")).await;
    sights.push(Sight { by: "presence by query", ..of_presence(by_query) });
    let by_body = watcher.send(Method::POST, "/api/users/presence/", body).await;
    sights.push(Sight { by: "presence by body", ..of_presence(by_body) });
    sights
}

fn of_user(user: User, asked: i64, answered: i64) -> Sight {
    let online = user.online_status == "online";
    Sight { by: "one user", asked, answered, online, last_seen: user.last_seen.map(|at| at.0), reason: user.reason }
}

fn of_presence(answer: Answer) -> Sight {
    #[derive(serde::Deserialize)]
    struct Presences {
        presences: Vec<Presence>,
    }
    let (asked, answered) = (answer.asked, answer.answered);
    let presence = answer.ok::<Presences>().presences.remove(0);
    let online = presence.online_status == "online";
    assert_eq!(presence.online_until.is_some(), online, "{presence:?}");
    let last_seen = presence.last_seen.map(|at| at.0);
    Sight { by: "", asked, answered, online, last_seen, reason: presence.reason }
}

/// Holds sights against what is known to be true. Answers how many had to say online, and how many offline.
#[track_caller]
pub fn compare(sights: &[Sight], truth: &Timeline) -> (usize, usize) {
    let (mut online, mut offline) = (0, 0);
    for sight in sights {
        match truth.says(sight.asked, sight.answered) {
            Some(true) => online += 1,
            Some(false) => offline += 1,
            None => continue,
        }
        let expected = truth.says(sight.asked, sight.answered);
        assert_eq!(Some(sight.online), expected, "{sight:?}, but {truth:?}");
    }
    (online, offline)
}

/// A user that was online shortly ago is seen to be offline by everybody, since then and for this reason.
#[track_caller]
pub fn all_offline(sights: &[Sight], last_seen: i64, reason: &str) {
    for sight in sights {
        assert!(!sight.online, "{sight:?}");
        if sight.by != "those online" {
            assert_eq!((sight.last_seen, sight.reason.as_deref()), (Some(last_seen), Some(reason)), "{sight:?}");
        }
    }
}

/// Everybody sees the user online. It sends a heartbeat before each look, for a slow machine as often as it takes.
pub async fn assert_online(watcher: &Session, user: &Session) {
    for _ in 0..10 {
        let mut truth = Timeline::default();
        truth.add(user.beat().await.span());
        let seen = sights(watcher, user.user).await;
        if compare(&seen, &truth) == (seen.len(), 0) {
            return;
        }
    }
    panic!("this machine is too slow for a timeout so short");
}

/// Heartbeats in the background.
pub struct Heart {
    stop: Arc<AtomicBool>,
    task: JoinHandle<Vec<Answer>>,
}

impl Heart {
    /// A session's heartbeats, from now on.
    pub fn of(session: &Session, every: Duration) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (session, stopped) = (session.clone(), Arc::clone(&stop));
        let task = tokio::spawn(async move {
            let mut answers = Vec::new();
            let mut ticks = tokio::time::interval(every);
            while !stopped.load(Ordering::Relaxed) {
                ticks.tick().await;
                answers.push(session.heartbeat().await);
            }
            answers
        });
        Self { stop, task }
    }

    /// Ends them. Answers what they were answered.
    pub async fn stop(self) -> Vec<Answer> {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.unwrap()
    }

    /// Ends them, all of which were taken. Answers when the user was online by them.
    pub async fn stop_all_taken(self) -> Timeline {
        let mut line = Timeline::default();
        for answer in self.stop().await {
            line.add(answer.ok::<Beat>().span());
        }
        line
    }
}
