//! A WebSocket client, and what it is told.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::client::Session;

/// Longer than anything here takes on a busy machine.
const LONG: Duration = Duration::from_secs(15);

/// An open socket.
pub struct Socket {
    pub stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// The last cursor that it was given.
    pub cursor: String,
}

impl Socket {
    /// Opens a socket without any token.
    pub async fn bare(base: &str) -> Self {
        let url = format!("{}/api/ws/", base.replacen("http", "ws", 1));
        Self { stream: connect_async(url).await.unwrap().0, cursor: String::new() }
    }

    /// Opens a socket with this token in its subprotocol.
    pub async fn offering(base: &str, token: &str) -> Self {
        let url = format!("{}/api/ws/", base.replacen("http", "ws", 1));
        let mut request = url.into_client_request().unwrap();
        let protocols = HeaderValue::from_str(&format!("bearer, {token}")).unwrap();
        request.headers_mut().insert("Sec-WebSocket-Protocol", protocols);
        let (stream, answer) = connect_async(request).await.unwrap();
        assert_eq!(answer.headers()["Sec-WebSocket-Protocol"], "bearer");
        Self { stream, cursor: String::new() }
    }

    /// A session's socket; `None` where it could not be opened.
    pub async fn try_of(session: &Session) -> Option<Self> {
        let url = format!("{}/api/ws/", session.client.base().replacen("http", "ws", 1));
        let mut request = url.into_client_request().unwrap();
        let protocols = HeaderValue::from_str(&format!("bearer, {}", session.access)).unwrap();
        request.headers_mut().insert("Sec-WebSocket-Protocol", protocols);
        let opened = tokio::time::timeout(LONG, connect_async(request)).await.ok()?.ok()?;
        Some(Self { stream: opened.0, cursor: String::new() })
    }

    /// Sends a frame, where the socket is still there.
    pub async fn try_send(&mut self, frame: Value) -> Result<(), tokio_tungstenite::tungstenite::Error> {
        self.stream.send(Message::text(frame.to_string())).await
    }

    /// The next frame; `None` once the socket has ended, or `stop` is true.
    pub async fn frame_or(&mut self, stop: &AtomicBool) -> Option<Value> {
        loop {
            // Nothing is lost of a frame that is not there yet.
            let next = tokio::time::timeout(Duration::from_millis(100), self.stream.next()).await;
            match next {
                Ok(Some(Ok(Message::Text(text)))) => return serde_json::from_str(&text).ok(),
                Ok(Some(Ok(Message::Close(_)) | Err(_)) | None) => return None,
                Ok(Some(Ok(_))) => {}
                Err(_) if stop.load(Ordering::Relaxed) => return None,
                Err(_) => {}
            }
        }
    }

    /// A session's socket, ready.
    pub async fn of(session: &Session) -> Self {
        let mut socket = Self::offering(&session.client.base(), &session.access).await;
        let ready = socket.next("ready").await;
        assert_eq!(ready["user_id"], session.user);
        assert_eq!(ready["session_id"], session.id());
        socket
    }

    /// Sends a frame.
    pub async fn send(&mut self, frame: Value) {
        self.stream.send(Message::text(frame.to_string())).await.unwrap();
    }

    /// The next frame, pings answered; `Err` with the code where the socket is closed.
    pub async fn try_next(&mut self) -> Result<Value, u16> {
        loop {
            let message = tokio::time::timeout(LONG, self.stream.next()).await.expect("a frame within some time");
            match message {
                Some(Ok(Message::Text(text))) => {
                    let frame: Value = serde_json::from_str(&text).unwrap();
                    if let Some(cursor) = frame["cursor"].as_str() {
                        cursor.clone_into(&mut self.cursor);
                    }
                    return Ok(frame);
                }
                Some(Ok(Message::Close(frame))) => return Err(frame.map_or(1005, |frame| frame.code.into())),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(1006),
            }
        }
    }

    /// The next frame, of this type.
    pub async fn next(&mut self, kind: &str) -> Value {
        let frame = self.try_next().await.unwrap_or_else(|code| panic!("closed with {code}, not {kind}"));
        assert_eq!(frame["type"], kind, "{frame}");
        frame
    }

    /// The next frame of this type; others are passed over.
    pub async fn until(&mut self, kind: &str) -> Value {
        loop {
            let frame = self.try_next().await.unwrap_or_else(|code| panic!("closed with {code}, no {kind}"));
            if frame["type"] == kind {
                return frame;
            }
        }
    }

    /// The next frame, within a time; `None` where none came.
    pub async fn within(&mut self, time: Duration) -> Option<Value> {
        match tokio::time::timeout(time, self.try_next()).await {
            Ok(Ok(frame)) => Some(frame),
            Ok(Err(code)) => panic!("closed with {code}"),
            Err(_) => None,
        }
    }

    /// Waits for the end, and answers its code.
    pub async fn closed(&mut self) -> u16 {
        loop {
            if let Err(code) = self.try_next().await {
                return code;
            }
        }
    }

    /// Watches users, and answers how they are.
    pub async fn watch(&mut self, users: &[i64]) -> Vec<Value> {
        self.send(json!({ "type": "subscribe", "users": users })).await;
        self.snapshot().await
    }

    /// A whole snapshot.
    pub async fn snapshot(&mut self) -> Vec<Value> {
        let mut presences = Vec::new();
        loop {
            let frame = self.until("snapshot").await;
            presences.extend(frame["presences"].as_array().unwrap().iter().cloned());
            if frame["more"] != true {
                return presences;
            }
        }
    }

    /// The next transition of this user: `(online_status, reason)`.
    pub async fn transition(&mut self, user: i64) -> (String, String) {
        loop {
            let frame = self.until("transition").await;
            let presence = &frame["presence"];
            if presence["user_id"] == user {
                return (text(&presence["online_status"]), text(&presence["reason"]));
            }
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
