//! Many sockets, of which a tenth do not read.

use std::time::{Duration, Instant};

use futures_util::SinkExt;
use futures_util::future::join_all;
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use crate::client::{Client, Session};
use crate::harness::socket::Socket;
use crate::harness::{Form, PATIENT, Setup};
use crate::live::RARE_PINGS;
use crate::time::POLL;

/// Sockets in all, and how many of them do not read.
const SOCKETS: usize = 2_000;
const STALLED: usize = SOCKETS / 10;
/// Users whose sockets they are.
const OWNERS: usize = 25;
/// How often the watched user comes and goes.
const ROUNDS: usize = 30;

pub async fn readers_that_stall_slow_nobody(form: Form) {
    let system = Setup::new(form).with(PATIENT).with(RARE_PINGS).start().await;
    let watched = system.user("watched").await;
    system.database.seed(OWNERS);
    let mut owners = Vec::new();
    for n in 1..=OWNERS {
        owners.push(system.client.log_in(&format!("seed{n}")).await);
    }
    let mut readers = Vec::new();
    for chunk in (0..SOCKETS - STALLED).collect::<Vec<_>>().chunks(100) {
        readers.extend(join_all(chunk.iter().map(|n| reader(&owners[n % OWNERS], watched.user))).await);
    }
    let mut swamped = swamped(&owners[0], watched.user).await;
    // It reads again after it was given up: what it is told then is why.
    let client = system.client.clone();
    let swamped = tokio::spawn(async move {
        // Found by what the service itself says; the harness ends it where that never comes.
        while !somebody_was_too_slow(&client).await {
            tokio::time::sleep(POLL).await;
        }
        swamped.closed().await
    });
    let stalled = join_all((0..STALLED).map(|n| stalled(&owners[n % OWNERS], watched.user))).await;

    // Transitions flow while everybody reads but those.
    let reading = readers.into_iter().map(|mut reader| {
        tokio::spawn(async move {
            let mut told = Vec::new();
            while told.len() < 2 * ROUNDS {
                let (status, _) = reader.transition(watched.user).await;
                told.push((status, Instant::now()));
            }
            (told, reader)
        })
    });
    let reading: Vec<_> = reading.collect();
    let mut happened = Vec::new();
    let mut session = watched.clone();
    for _ in 0..ROUNDS {
        happened.push(Instant::now());
        session.log_out().await.done();
        happened.push(Instant::now());
        session = system.client.log_in("watched").await;
    }
    let mut latest = Duration::ZERO;
    let mut open = Vec::new();
    for task in reading {
        let (told, reader) = tokio::time::timeout(Duration::from_secs(60), task).await.expect("in time").unwrap();
        for (n, (status, at)) in told.iter().enumerate() {
            assert_eq!(status, if n % 2 == 0 { "offline" } else { "online" }, "the {n}th");
            latest = latest.max(at.saturating_duration_since(happened[n]));
        }
        open.push(reader);
    }
    println!("{SOCKETS} sockets, {STALLED} stalled: the last reader was told after {latest:?} at the most");
    // Not one of those who read was dropped, and each of those who do not is, or has all of it waiting.
    for mut reader in open.into_iter().step_by(97) {
        assert_eq!(reader.within(Duration::from_millis(1)).await, None);
    }
    drop(stalled);
    // The one that has much to read is told that it was too slow, once it has read that.
    assert_eq!(tokio::time::timeout(Duration::from_secs(60), swamped).await.expect("in time").unwrap(), 4008);
    // The service answers as before.
    assert_eq!(system.admin().await.show(watched.user).await.status, 200);
}

async fn reader(owner: &Session, watched: i64) -> Socket {
    let mut socket = Socket::of(owner).await;
    socket.watch(&[watched]).await;
    socket
}

/// Reads nothing from now on.
async fn stalled(owner: &Session, watched: i64) -> Socket {
    let mut socket = Socket::of(owner).await;
    socket.send(json!({ "type": "subscribe", "users": [watched] })).await;
    socket
}

/// Has so much sent to it that it does not fit into what the connection buffers, and reads none of it.
async fn swamped(owner: &Session, watched: i64) -> Socket {
    let mut socket = stalled(owner, watched).await;
    // Refused, by an error that repeats it.
    let frame = json!({ "type": "x".repeat(3_000) }).to_string();
    for _ in 0..20_000 {
        let sent = socket.stream.send(Message::text(frame.clone()));
        if !matches!(tokio::time::timeout(Duration::from_secs(4), sent).await, Ok(Ok(()))) {
            return socket;
        }
    }
    panic!("60 MB of errors are nowhere");
}

async fn somebody_was_too_slow(client: &Client) -> bool {
    let slow = |line: &str| line.starts_with(r#"lastseen_socket_ends_total{why="slow"}"#) && !line.ends_with(" 0");
    client.text("/metrics").await.lines().any(slow)
}
