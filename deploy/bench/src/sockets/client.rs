//! One socket: the handshake, the subscription, then pings and frames for ever. Its frames are made and read by hand,
//! so that 20,000 of them leave the machine to the API.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use lastseen_shared::timestamp::Timestamp;
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::spawn_local;

use super::Seen;
use crate::Failed;

/// Sockets of one address of loopback: fewer than there are ports to leave from.
const OF_AN_ADDRESS: usize = 10_000;
const READ_AT_A_TIME: usize = 16 * 1024;
const TEXT: u8 = 1;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// A connection, and what it has read of the next frame.
struct Connection {
    stream: TcpStream,
    unread: Vec<u8>,
}

/// Opens a socket and subscribes; then it lives on its own.
pub async fn open(seen: &Rc<Seen>, address: SocketAddr, socket: usize) -> Result<(), Failed> {
    let tcp = TcpSocket::new_v4()?;
    let own = Ipv4Addr::new(127, 0, 1, 1 + u8::try_from(socket / OF_AN_ADDRESS)?);
    tcp.bind(SocketAddrV4::new(own, 0).into())?;
    let mut connection = Connection { stream: tcp.connect(address).await?, unread: Vec::new() };
    let token = seen.token(socket + 1)?;
    let handshake = format!(
        "GET /api/ws/ HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: bearer, {token}\r\n\r\n"
    );
    connection.write(handshake.as_bytes()).await?;
    connection.answer().await?;
    connection.until(r#"{"type":"ready""#).await?;
    let users: Vec<String> = seen.watched(socket).map(|user| user.to_string()).collect();
    let subscribe = format!(r#"{{"type":"subscribe","users":[{}]}}"#, users.join(","));
    connection.write(&frame(TEXT, subscribe.as_bytes())).await?;
    let snapshot = connection.until(r#"{"type":"snapshot""#).await?;
    let online = snapshot.matches(r#""online_status":"online""#).count();
    if online != users.len() {
        return Err(format!("{online} of {} watched users are online: {snapshot}", users.len()).into());
    }
    connection.unread.shrink_to_fit();
    let seen = Rc::clone(seen);
    spawn_local(async move {
        let Err(error) = connection.live(&seen, socket).await;
        if seen.ended.replace(seen.ended.get() + 1) == 0 {
            eprintln!("socket {socket} ends: {error}");
        }
    });
    Ok(())
}

/// A frame of a client, masked with zeros.
fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80 | opcode];
    match u8::try_from(payload.len()) {
        Ok(short) if short < 126 => frame.push(0x80 | short),
        _ => {
            frame.push(0x80 | 126);
            frame.extend(u16::try_from(payload.len()).unwrap_or(u16::MAX).to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend_from_slice(payload);
    frame
}

/// The first frame of a server's in some bytes: its opcode, its payload, its length in all.
fn first(bytes: &[u8]) -> Option<(u8, &[u8], usize)> {
    let (opcode, length) = (bytes.first()? & 15, *bytes.get(1)?);
    let (head, length) = match length {
        127 => (10, usize::try_from(u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)).ok()?),
        126 => (4, usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?))),
        short => (2, usize::from(short)),
    };
    Some((opcode, bytes.get(head..head + length)?, head + length))
}

impl Connection {
    async fn write(&self, mut bytes: &[u8]) -> Result<(), Failed> {
        while !bytes.is_empty() {
            self.stream.writable().await?;
            match self.stream.try_write(bytes) {
                Ok(written) => bytes = &bytes[written..],
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    async fn read(&mut self) -> Result<(), Failed> {
        loop {
            self.stream.readable().await?;
            let mut some = [0; READ_AT_A_TIME];
            match self.stream.try_read(&mut some) {
                Ok(0) => return Err("the server has closed the connection".into()),
                Ok(read) => {
                    self.unread.extend_from_slice(&some[..read]);
                    return Ok(());
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Reads the answer to the handshake.
    async fn answer(&mut self) -> Result<(), Failed> {
        loop {
            if let Some(end) = self.unread.windows(4).position(|four| four == b"\r\n\r\n") {
                let head: Vec<u8> = self.unread.drain(..end + 4).collect();
                let head = String::from_utf8(head)?;
                return if head.starts_with("HTTP/1.1 101 ") { Ok(()) } else { Err(head.into()) };
            }
            self.read().await?;
        }
    }

    /// Reads on to a frame that begins so.
    async fn until(&mut self, begin: &str) -> Result<String, Failed> {
        loop {
            while let Some((opcode, payload, length)) = first(&self.unread) {
                let text = String::from_utf8_lossy(payload).into_owned();
                self.unread.drain(..length);
                match opcode {
                    TEXT if text.starts_with(begin) => return Ok(text),
                    PING => self.write(&frame(PONG, text.as_bytes())).await?,
                    _ => return Err(format!("{text} instead of {begin}").into()),
                }
            }
            self.read().await?;
        }
    }

    /// Answers pings and writes frames down.
    async fn live(&mut self, seen: &Seen, socket: usize) -> Result<std::convert::Infallible, Failed> {
        loop {
            self.read().await?;
            let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
            let mut unread = std::mem::take(&mut self.unread);
            let mut done = 0;
            while let Some((opcode, payload, length)) = first(&unread[done..]) {
                match opcode {
                    PING => {
                        self.write(&frame(PONG, payload)).await?;
                        seen.pings.set(seen.pings.get() + 1);
                    }
                    CLOSE => return Err(format!("closed: {}", String::from_utf8_lossy(payload)).into()),
                    _ => note(seen, socket, std::str::from_utf8(payload)?, now)?,
                }
                done += length;
            }
            if done < unread.len() {
                unread.drain(..done);
                self.unread = unread;
            }
        }
    }
}

fn note(seen: &Seen, socket: usize, text: &str, now: std::time::Duration) -> Result<(), Failed> {
    let after = |name: &str| text.find(name).map(|place| &text[place + name.len()..]);
    if !text.starts_with(r#"{"type":"transition""#) {
        return Err(format!("what is this? {text}").into());
    }
    let at = after(r#""at":""#).and_then(|rest| rest.get(..24)).ok_or("no at")?;
    let user = after(r#""user_id":"#).ok_or("no user_id")?;
    let digits = user.find(|c: char| !c.is_ascii_digit()).ok_or("no end")?;
    let online = after(r#""online_status":""#).ok_or("no online_status")?.starts_with("online");
    let at = u64::try_from(Timestamp::parse(at)?.0)? * 1_000;
    let delay = u64::try_from(now.as_micros())?.saturating_sub(at);
    seen.tell(socket, user[..digits].parse()?, online, delay);
    Ok(())
}
