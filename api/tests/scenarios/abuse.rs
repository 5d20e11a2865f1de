//! What a socket may be sent: fragments, frames that are too long, binary, no JSON, no UTF-8, against the protocol, too
//! many.

use std::time::Duration;

use futures_util::SinkExt;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::client::Session;
use crate::harness::socket::Socket;
use crate::harness::{Form, PATIENT, Setup, System};
use crate::live::RARE_PINGS;

/// The longest message that is taken.
const LONGEST: usize = 64 * 1024;

async fn part(socket: &mut Socket, payload: &[u8], kind: Data, last: bool) {
    let frame = Frame::message(payload.to_vec(), OpCode::Data(kind), last);
    socket.stream.send(Message::Frame(frame)).await.unwrap();
}

/// Sends bytes past the client's own protocol, on a socket of its own, and answers the close code.
async fn raw(session: &Session, bytes: &[u8]) -> u16 {
    let mut socket = Socket::of(session).await;
    socket.stream.get_mut().write_all(bytes).await.unwrap();
    socket.closed().await
}

async fn refused(socket: &mut Socket, frame: Value) {
    socket.send(frame.clone()).await;
    let answer = socket.next("error").await;
    assert_eq!(answer["code"], "invalid_frame", "{frame}: {answer}");
    assert!(!answer["detail"].as_str().unwrap().is_empty());
}

pub async fn whatever_is_sent_harms_nobody_else(form: Form) {
    // The limits are what this is about.
    let system = Setup::new(form).with(PATIENT).with(RARE_PINGS).with(("LASTSEEN_RATE_LIMITS", "on")).start().await;
    let (ann, bob) = (system.user("ann").await, system.user("bob").await);
    let mut watcher = Socket::of(&bob).await;
    watcher.watch(&[ann.user]).await;

    // In three parts, with a ping amid them.
    let mut socket = Socket::of(&ann).await;
    let text = json!({ "type": "subscribe", "users": [bob.user] }).to_string();
    let (one, rest) = text.as_bytes().split_at(7);
    let (two, three) = rest.split_at(9);
    part(&mut socket, one, Data::Text, false).await;
    part(&mut socket, two, Data::Continue, false).await;
    socket.stream.send(Message::Ping(b"still here".to_vec().into())).await.unwrap();
    part(&mut socket, three, Data::Continue, true).await;
    assert_eq!(socket.snapshot().await.len(), 1);

    // What is no frame of ours is refused, and the socket lives on.
    for frame in [
        json!({ "type": "dance" }),
        json!({ "users": [1] }),
        json!({ "type": "subscribe", "users": "all of them" }),
        json!({ "type": "subscribe", "usres": [1] }),
        json!({ "type": "typing" }),
        json!({ "type": "availability", "availability": "asleep" }),
        json!([1, 2]),
    ] {
        refused(&mut socket, frame).await;
    }
    socket.stream.send(Message::text("no JSON")).await.unwrap();
    assert_eq!(socket.next("error").await["code"], "invalid_frame");
    socket.send(json!({ "type": "subscribe", "users": [bob.user], "since": "no cursor" })).await;
    assert_eq!(socket.next("error").await["code"], "invalid_cursor");
    assert_eq!(socket.snapshot().await.len(), 1);

    // What the protocol does not allow, or we do not, ends it with a code that says so.
    let mut too_long = Socket::of(&ann).await;
    part(&mut too_long, &vec![b' '; LONGEST + 1], Data::Text, true).await;
    assert_eq!(too_long.closed().await, 1009);
    let mut too_long = Socket::of(&ann).await;
    part(&mut too_long, &vec![b' '; LONGEST / 2], Data::Text, false).await;
    part(&mut too_long, &vec![b' '; LONGEST / 2 + 1], Data::Continue, true).await;
    assert_eq!(too_long.closed().await, 1009);
    let mut binary = Socket::of(&ann).await;
    part(&mut binary, b"{}", Data::Binary, true).await;
    assert_eq!(binary.closed().await, 1003);
    let mut not_text = Socket::of(&ann).await;
    part(&mut not_text, &[0xff, 0xfe], Data::Text, true).await;
    assert_eq!(not_text.closed().await, 1007);
    // A continuation of nothing, a frame of a reserved kind, and one that is not masked.
    let mut astray = Socket::of(&ann).await;
    part(&mut astray, b"{}", Data::Continue, true).await;
    assert_eq!(astray.closed().await, 1002);
    assert_eq!(raw(&ann, &[0x8b, 0x82, 0, 0, 0, 0, b'{', b'}']).await, 1002);
    assert_eq!(raw(&ann, &[0x81, 0x02, b'{', b'}']).await, 1002);

    // Too much.
    let mut flood = Socket::of(&ann).await;
    for _ in 0..200 {
        if flood.stream.send(Message::text(r#"{"type":"heartbeat"}"#)).await.is_err() {
            break;
        }
    }
    assert_eq!(flood.closed().await, 4029);

    // Nobody noticed.
    assert_eq!(watcher.within(Duration::from_millis(100)).await, None);
    ann.log_out().await.done();
    assert_eq!(watcher.transition(ann.user).await.0, "offline");
}

pub async fn what_is_no_handshake_is_refused(form: Form) {
    let system = System::patient(form).await;
    system.user("ann").await.get("/api/ws/").await.refused(426, "upgrade_required");
    system.client.send(reqwest::Method::GET, "/api/ws", None).await.refused(426, "upgrade_required");
    system.client.send(reqwest::Method::POST, "/api/ws/", None).await.refused(405, "method_not_allowed");
}
