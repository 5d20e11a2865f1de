//! Connections with TLS.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use rcgen::{CertifiedKey, KeyPair};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::harness::process::Folder;
use crate::harness::{Form, PATIENT, Setup};
use crate::time::eventually;

fn certificate() -> CertifiedKey<KeyPair> {
    rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap()
}

fn write(folder: &Path, made: &CertifiedKey<KeyPair>) {
    std::fs::write(folder.join("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
}

/// A connection whose other side shows this certificate; an error where it shows another, or none.
async fn connect(address: &str, trusted: &CertificateDer<'static>) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let connector = TlsConnector::from(Arc::new(config.with_root_certificates(roots).with_no_client_auth()));
    let name = ServerName::try_from("127.0.0.1").unwrap();
    connector.connect(name, TcpStream::connect(address).await?).await
}

async fn frame(socket: &mut WebSocketStream<TlsStream<TcpStream>>, kind: &str) -> Value {
    loop {
        let message = tokio::time::timeout(Duration::from_secs(15), socket.next()).await.unwrap().unwrap().unwrap();
        if let Message::Text(text) = message {
            let frame: Value = serde_json::from_str(&text).unwrap();
            if frame["type"] == kind {
                return frame;
            }
        }
    }
}

pub async fn it_speaks_tls_and_takes_a_renewed_certificate(form: Form) {
    let folder = Folder::new();
    let first = certificate();
    write(&folder.0, &first);
    let [cert, key] = ["cert.pem", "key.pem"].map(|name| folder.0.join(name).display().to_string());
    // Nobody answers pings here while something else is looked at.
    let setup = Setup::new(form).with(PATIENT).with(("LASTSEEN_HEARTBEAT_INTERVAL", "20s"));
    let system = setup.with(("LASTSEEN_TLS_CERTIFICATE", &cert)).with(("LASTSEEN_TLS_KEY", &key)).start().await;
    let base = system.client.base();
    let address = base.strip_prefix("https://").unwrap_or_else(|| panic!("{base}")).to_owned();

    // Browsers are told to come by TLS from now on, with a heartbeat as with everything else.
    let (ann, bob) = (system.user("ann").await, system.client.register("bob").await.id);
    for answer in [ann.heartbeat().await, ann.send(reqwest::Method::GET, "/api/users/me/", None).await] {
        assert_eq!(answer.headers["strict-transport-security"], "max-age=31536000", "{answer:?}");
        answer.done();
    }
    // Nothing is said without it, and nobody holds a place by saying nothing.
    assert!(reqwest::get(format!("http://{address}/healthz")).await.is_err());
    let mut silent = TcpStream::connect(&address).await.unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(10), silent.read(&mut [0; 1])).await;
    assert!(matches!(ended, Ok(Ok(0) | Err(_))), "{ended:?}");

    // A socket: small frames, and one that takes many of TLS's records.
    let mut request = format!("ws://{address}/api/ws/").into_client_request().unwrap();
    let protocols = format!("bearer, {}", ann.access);
    request.headers_mut().insert("Sec-WebSocket-Protocol", protocols.parse().unwrap());
    let stream = connect(&address, first.cert.der()).await.unwrap();
    let (mut socket, _) = tokio_tungstenite::client_async(request, stream).await.unwrap();
    let users: Vec<i64> = (1..=1_000).collect();
    socket.send(Message::text(json!({ "type": "subscribe", "users": users }).to_string())).await.unwrap();
    let shown = frame(&mut socket, "snapshot").await;
    assert!(shown["presences"].as_array().unwrap().len() >= 2, "{shown}");
    let device = system.client.log_in("bob").await;
    let told = frame(&mut socket, "transition").await;
    assert_eq!((&told["presence"]["user_id"], &told["presence"]["online_status"]), (&json!(bob), &json!("online")));

    // Renewed: whoever comes now is shown the new one, and whoever is there stays.
    let second = certificate();
    write(&folder.0, &second);
    eventually(Duration::from_secs(20), async || {
        connect(&address, second.cert.der()).await.map(drop).map_err(|error| error.to_string())
    })
    .await;
    assert!(connect(&address, first.cert.der()).await.is_err());
    device.log_out().await.done();
    assert_eq!(frame(&mut socket, "transition").await["presence"]["online_status"], "offline");

    // Files that do not fit each other change nothing.
    std::fs::write(&cert, certificate().cert.pem()).unwrap();
    eventually(Duration::from_secs(20), async || {
        let said = system.api.said();
        if said.contains("the TLS certificate was changed and can't be read") { Ok(()) } else { Err(said) }
    })
    .await;
    connect(&address, second.cert.der()).await.unwrap();
    ann.beat().await;
}
