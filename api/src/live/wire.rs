//! A WebSocket on its connection. While nothing is read or sent it holds no buffer, no channel and no task of its own:
//! an idle socket is the connection and little else.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use actix_codec::{Decoder, Encoder};
use actix_http::ws::{Codec, Frame, Item, Message, ProtocolError};
use actix_web::web::{Bytes, BytesMut};
use serde::Serialize;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::timeout;

use super::frames::End;
use crate::tls::Io;

/// The longest frame, and the longest message of several: a thousand ids and some room.
const LONGEST: usize = 64 * 1024;
/// The most that stands before a frame's payload (RFC 6455 §5.2).
const HEAD: usize = 14;
/// How much is read at a time.
const PIECE: usize = 4 * 1024;
/// How long the client may take to close the connection, once it was told to.
const LINGER: Duration = Duration::from_secs(1);

/// A message from a client.
#[derive(Debug)]
pub enum Received {
    /// A text, in one frame or in several.
    Text(String),
    /// A ping, to be answered with the same.
    Ping(Bytes),
    /// The answer to a ping.
    Pong,
    /// The client closes the socket.
    Close,
}

/// A connection that has become a WebSocket.
pub struct Wire {
    stream: Io,
    codec: Codec,
    /// What was read of the next frame.
    unread: BytesMut,
    /// The frames of a text that is still to be completed.
    begun: Option<Vec<u8>>,
    /// What the connection has not taken yet: the rest of a frame, maybe.
    unsent: Bytes,
}

/// A frame with a text, as it goes over the connection.
///
/// # Errors
/// [`End::Internal`] for what can't be JSON.
pub fn text(frame: &impl Serialize) -> Result<Bytes, End> {
    let text = serde_json::to_string(frame).map_err(|_| End::Internal)?;
    encoded(Message::Text(text.into()))
}

/// A ping.
///
/// # Errors
/// None that happen.
pub fn ping() -> Result<Bytes, End> {
    encoded(Message::Ping(Bytes::new()))
}

/// The answer to a ping.
///
/// # Errors
/// None that happen.
pub fn pong(text: Bytes) -> Result<Bytes, End> {
    encoded(Message::Pong(text))
}

fn encoded(message: Message) -> Result<Bytes, End> {
    let mut frame = BytesMut::new();
    Codec::new().encode(message, &mut frame).map_err(|_| End::Internal)?;
    Ok(frame.freeze())
}

impl Wire {
    /// The connection after the handshake, with what the client has sent behind it.
    #[must_use]
    pub fn new(stream: Io, read: &[u8]) -> Self {
        let codec = Codec::new().max_size(LONGEST);
        Self { stream, codec, unread: BytesMut::from(read), begun: None, unsent: Bytes::new() }
    }

    /// The next message. Nothing is lost where it is not waited for to the end.
    ///
    /// # Errors
    /// What the protocol does not allow; [`End::Gone`].
    pub async fn receive(&mut self) -> Result<Received, End> {
        poll_fn(|context| self.poll_receive(context)).await
    }

    fn poll_receive(&mut self, context: &mut Context<'_>) -> Poll<Result<Received, End>> {
        loop {
            if !self.unread.is_empty() {
                let frame = self.codec.decode(&mut self.unread).map_err(|error| end_of(&error))?;
                if self.unread.is_empty() {
                    self.unread = BytesMut::new();
                }
                match frame {
                    Some(frame) => match self.message(frame)? {
                        Some(message) => return Poll::Ready(Ok(message)),
                        None => continue,
                    },
                    // The codec would wait for all of it before it says so.
                    None if self.unread.len() > LONGEST + HEAD => return Poll::Ready(Err(End::TooLong)),
                    None => {}
                }
            }
            ready!(self.poll_read(context)).map_err(|_| End::Gone)?;
        }
    }

    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Of the thread's stack: it belongs to nobody while nothing comes.
        let mut piece = [0; PIECE];
        let mut read = ReadBuf::new(&mut piece);
        ready!(Pin::new(&mut self.stream).poll_read(context, &mut read))?;
        if read.filled().is_empty() {
            return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
        }
        self.unread.extend_from_slice(read.filled());
        Poll::Ready(Ok(()))
    }

    /// The message that a frame is or completes.
    fn message(&mut self, frame: Frame) -> Result<Option<Received>, End> {
        let text = match frame {
            Frame::Text(text) => text.to_vec(),
            Frame::Continuation(Item::FirstText(first)) => {
                self.begun = Some(first.to_vec());
                return Ok(None);
            }
            Frame::Continuation(Item::Continue(more)) => {
                self.go_on(&more)?;
                return Ok(None);
            }
            Frame::Continuation(Item::Last(last)) => {
                self.go_on(&last)?;
                self.begun.take().unwrap_or_default()
            }
            Frame::Binary(_) | Frame::Continuation(Item::FirstBinary(_)) => return Err(End::Binary),
            Frame::Ping(text) => return Ok(Some(Received::Ping(text))),
            Frame::Pong(_) => return Ok(Some(Received::Pong)),
            Frame::Close(_) => return Ok(Some(Received::Close)),
        };
        String::from_utf8(text).map(|text| Some(Received::Text(text))).map_err(|_| End::NotText)
    }

    fn go_on(&mut self, more: &[u8]) -> Result<(), End> {
        let begun = self.begun.get_or_insert_default();
        if begun.len() + more.len() > LONGEST {
            return Err(End::TooLong);
        }
        begun.extend_from_slice(more);
        Ok(())
    }

    /// Begins to send a frame, behind what was not sent yet. Answers whether all of it was taken; otherwise
    /// [`Self::poll_send`] goes on.
    ///
    /// # Errors
    /// [`End::Gone`].
    pub fn send(&mut self, frame: Bytes) -> Result<bool, End> {
        if self.unsent.is_empty() {
            self.unsent = frame;
        } else {
            self.unsent = [self.unsent.as_ref(), frame.as_ref()].concat().into();
        }
        // Whoever wants to know when it can go on asks poll_send().
        self.push(&mut Context::from_waker(Waker::noop())).map_err(|_| End::Gone)
    }

    /// Sends as much as the connection takes, and answers whether that was all.
    fn push(&mut self, context: &mut Context<'_>) -> io::Result<bool> {
        while !self.unsent.is_empty() {
            match Pin::new(&mut self.stream).poll_write(context, &self.unsent)? {
                Poll::Ready(0) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(written) => self.unsent = self.unsent.slice(written..),
                Poll::Pending => return Ok(false),
            }
        }
        // The frame is other sockets' too: nothing of it is to be kept here.
        self.unsent = Bytes::new();
        // TLS may hold what was written.
        Ok(Pin::new(&mut self.stream).poll_flush(context)?.is_ready())
    }

    /// Waits until the connection takes some of what was not sent, and answers whether that was all.
    pub fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<Result<bool, End>> {
        let before = self.unsent.len();
        match self.push(context) {
            Ok(true) => Poll::Ready(Ok(true)),
            Ok(false) if self.unsent.len() < before => Poll::Ready(Ok(false)),
            Ok(false) => Poll::Pending,
            Err(_) => Poll::Ready(Err(End::Gone)),
        }
    }

    /// Says why the socket ends, behind what the client has not taken yet.
    ///
    /// # Errors
    /// [`End::Gone`] where it can't be told any more.
    pub async fn say_end(&mut self, end: End) -> Result<(), End> {
        let mut all = self.send(encoded(Message::Close(Some(end.reason())))?)?;
        while !all {
            all = poll_fn(|context| self.poll_send(context)).await?;
        }
        Ok(())
    }

    /// Ends the connection after the last word, once the client has: a connection that is closed over something unread
    /// takes back what was sent last.
    pub async fn hang_up(mut self) {
        if self.stream.shutdown().await.is_err() {
            return;
        }
        let gone = poll_fn(|context| {
            loop {
                self.unread.clear();
                if ready!(self.poll_read(context)).is_err() {
                    return Poll::Ready(());
                }
            }
        });
        let _ = timeout(LINGER, gone).await;
    }
}

fn end_of(error: &ProtocolError) -> End {
    match error {
        ProtocolError::Overflow => End::TooLong,
        _ => End::Protocol,
    }
}

#[cfg(test)]
mod tests {
    use actix_web::rt::net::{TcpListener, TcpStream};
    use futures_util::FutureExt;
    use tokio::io::AsyncReadExt;

    use super::*;

    /// A wire, and the client's end.
    async fn pair() -> (Wire, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (Wire::new(Io::Plain(listener.accept().await.unwrap().0), b""), client)
    }

    /// A client's frame, masked with zeros.
    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
        [&[first, 0x80 | 126][..], &length, &[0; 4], payload].concat()
    }

    #[tokio::test]
    async fn texts_come_whole_however_they_are_cut() {
        let (mut wire, mut client) = pair().await;
        let fragments = [frame(0x01, b"on"), frame(0x89, b"hi"), frame(0x00, b""), frame(0x80, b"e")].concat();
        for byte in [fragments, frame(0x81, b"two")].concat() {
            client.write_all(&[byte]).await.unwrap();
        }
        assert!(matches!(wire.receive().await, Ok(Received::Ping(text)) if &text[..] == b"hi"));
        assert!(matches!(wire.receive().await, Ok(Received::Text(text)) if text == "one"));
        assert!(matches!(wire.receive().await, Ok(Received::Text(text)) if text == "two"));
        assert_eq!((wire.unread.capacity(), wire.begun.is_none()), (0, true));
        drop(client);
        assert_eq!(wire.receive().await.unwrap_err(), End::Gone);
    }

    #[tokio::test]
    async fn what_is_not_allowed_ends_the_socket() {
        let piece = vec![b'x'; LONGEST / 2];
        let many = [frame(0x01, &piece), frame(0x00, &piece), frame(0x80, b"x")].concat();
        // The beginning of a frame that never ends.
        let long = [&[0x81, 0x80 | 127][..], &(1_u64 << 40).to_be_bytes(), &[0; 4], &piece, &piece, b"x"].concat();
        for (bytes, end) in [
            (many, End::TooLong),
            (long, End::TooLong),
            (frame(0x81, b"\xff"), End::NotText),
            (frame(0x82, b"x"), End::Binary),
            (frame(0x02, b"x"), End::Binary),
            (frame(0x80, b"x"), End::Protocol),
            (vec![0x81, 1, b'x'], End::Protocol),
        ] {
            let (mut wire, mut client) = pair().await;
            client.write_all(&bytes).await.unwrap();
            assert_eq!(wire.receive().await.unwrap_err(), end);
        }
    }

    #[tokio::test]
    async fn what_is_not_taken_at_once_is_sent_on_in_order() {
        let (mut wire, mut client) = pair().await;
        let long = text(&"x".repeat(8 << 20)).unwrap();
        let sent = long.len();
        assert!(!wire.send(long).unwrap());
        let taking = |wire: &mut Wire| poll_fn(|context| wire.poll_send(context)).now_or_never();
        while taking(&mut wire).is_some() {}
        assert!(!wire.send(ping().unwrap()).unwrap());
        let read = tokio::spawn(async move {
            let mut read = Vec::new();
            client.read_to_end(&mut read).await.map(|_| read)
        });
        wire.say_end(End::Slow).await.unwrap();
        assert!(wire.unsent.is_empty());
        wire.hang_up().await;
        let read = read.await.unwrap().unwrap();
        assert_eq!(read[sent..sent + 3], [0x89, 0, 0x88]);
        assert!(read.ends_with(b"too slow"));
    }
}
