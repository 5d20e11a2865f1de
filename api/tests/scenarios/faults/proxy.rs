//! A way to a server that can be made slow, silent, or none at all.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What becomes of what is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// It arrives.
    Clear,
    /// It arrives so much later, in each direction.
    Slow(Duration),
    /// It arrives when the way is clear again: connections stay open, half-open as it were, and nobody is told.
    Silent,
    /// Connections end, and there are no new ones.
    Cut,
}

/// The way to one server.
pub struct Proxy {
    port: u16,
    way: Arc<watch::Sender<Way>>,
    task: tokio::task::JoinHandle<()>,
}

impl Proxy {
    /// A clear way to `host:port`.
    pub async fn to(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let way = Arc::new(watch::channel(Way::Clear).0);
        let ways = Arc::clone(&way);
        let task = tokio::spawn(async move {
            loop {
                let Ok((client, _)) = listener.accept().await else { continue };
                if *ways.borrow() == Way::Cut {
                    continue;
                }
                tokio::spawn(carry(client, server.clone(), ways.subscribe()));
            }
        });
        Self { port, way, task }
    }

    /// A clear way to the server of this URL, which is to name the way instead.
    pub async fn in_place_of(url: &mut String) -> Self {
        let mut parsed = reqwest::Url::parse(url).unwrap();
        let proxy = Self::to(format!("{}:{}", parsed.host_str().unwrap(), parsed.port().unwrap())).await;
        parsed.set_port(Some(proxy.port)).unwrap();
        *url = parsed.to_string();
        proxy
    }

    /// From now on it is so.
    pub fn is(&self, way: Way) {
        self.way.send_replace(way);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
        self.way.send_replace(Way::Cut);
    }
}

async fn carry(client: TcpStream, server: String, way: watch::Receiver<Way>) {
    let Ok(server) = TcpStream::connect(server).await else { return };
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    let mut cut = way.clone();
    tokio::select! {
        () = pass(from_client, to_server, way.clone()) => {}
        () = pass(from_server, to_client, way) => {}
        _ = cut.wait_for(|way| *way == Way::Cut) => {}
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut way: watch::Receiver<Way>) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let Ok(count @ 1..) = from.read(&mut buffer).await else { return };
        let now = *way.borrow();
        if let Way::Slow(delay) = now {
            tokio::time::sleep(delay).await;
        }
        if way.wait_for(|way| *way != Way::Silent).await.is_err() || to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}
