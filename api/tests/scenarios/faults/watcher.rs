//! A client with a socket, as the page has one: it watches, and when the socket ends it comes back to another replica and goes
//! on where it was.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::client::Session;
use crate::harness::socket::Socket;

/// What a watcher was told.
#[derive(Default)]
pub struct Told {
    /// Transitions without a gap, as `(user, online, cursor)`: a new stretch begins with a snapshot.
    stretches: Vec<Vec<(i64, bool, String)>>,
    /// How often it came back.
    pub resumed: usize,
}

/// Watches these users, a thousand at most, until told to stop.
pub fn watch(replicas: Vec<Session>, users: Vec<i64>, stop: Arc<AtomicBool>) -> JoinHandle<Told> {
    tokio::spawn(async move {
        let mut told = Told::default();
        let mut cursor = String::new();
        for attempt in 0.. {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            let Some(mut socket) = Socket::try_of(&replicas[attempt % replicas.len()]).await else {
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            let mut subscribe = json!({ "type": "subscribe", "users": users });
            if !cursor.is_empty() {
                subscribe["since"] = cursor.clone().into();
                told.resumed += 1;
            }
            if socket.try_send(subscribe).await.is_err() {
                continue;
            }
            while let Some(frame) = socket.frame_or(&stop).await {
                told.take(&frame);
                if let Some(place) = frame["cursor"].as_str().filter(|_| frame["more"] != true) {
                    place.clone_into(&mut cursor);
                }
            }
        }
        told
    })
}

impl Told {
    fn take(&mut self, frame: &Value) {
        match frame["type"].as_str() {
            Some("snapshot") => self.stretches.push(Vec::new()),
            Some("transition") => {
                let user = frame["presence"]["user_id"].as_i64().unwrap();
                let online = frame["presence"]["online_status"] == "online";
                let cursor = frame["cursor"].as_str().unwrap().to_owned();
                self.stretches.last_mut().expect("a snapshot comes first").push((user, online, cursor));
            }
            _ => {}
        }
    }

    /// Within a stretch each transition came once, and each user's come and go by turns. Answers how many there were.
    pub fn assert_once(&self) -> usize {
        for stretch in &self.stretches {
            let mut cursors = HashSet::new();
            let mut online = HashMap::new();
            for (user, is, cursor) in stretch {
                assert!(cursors.insert(cursor), "the socket was told twice: {user} {is} {cursor}");
                let before = online.insert(user, is);
                assert_ne!(before, Some(is), "the socket was not told of something between: {user} {cursor}");
            }
        }
        self.stretches.iter().map(Vec::len).sum()
    }
}
