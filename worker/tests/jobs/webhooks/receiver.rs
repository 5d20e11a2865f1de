//! A receiver of webhooks that does what it is told: answers, redirects, hangs, never ends its answer.

use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::HeaderMap;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use lastseen_shared::webhooks::SigningSecret;
use standardwebhooks::Webhook as Verifier;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

const PATIENCE: Duration = Duration::from_secs(20);

/// How it answers.
#[derive(Clone)]
pub enum Reply {
    /// With a status.
    Status(u16),
    /// With a status and a header.
    With(u16, &'static str, String),
    /// With this.
    Body(u16, String),
    /// Never.
    Hangs,
    /// With a body that never ends.
    Endless,
}

/// What came.
#[derive(Debug)]
pub struct Received {
    pub headers: HeaderMap,
    pub body: String,
}

pub struct Receiver {
    pub port: u16,
    reply: Arc<Mutex<Reply>>,
    requests: UnboundedReceiver<Received>,
}

#[derive(Clone)]
struct State {
    reply: Arc<Mutex<Reply>>,
    seen: UnboundedSender<Received>,
}

impl Received {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name}")).to_str().unwrap()
    }

    pub fn id(&self) -> &str {
        self.header("webhook-id")
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub fn kind(&self) -> String {
        self.json()["type"].as_str().unwrap().to_owned()
    }

    /// What the specification's public library says to it.
    pub fn is_verified_by(&self, secret: &SigningSecret) -> bool {
        let mut headers = http::HeaderMap::new();
        for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
            headers.insert(name, self.header(name).parse().unwrap());
        }
        Verifier::new(secret.reveal()).unwrap().verify(self.body.as_bytes(), &headers).is_ok()
    }
}

impl Receiver {
    pub async fn new(reply: Reply) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (seen, requests) = unbounded_channel();
        let reply = Arc::new(Mutex::new(reply));
        let state = State { reply: Arc::clone(&reply), seen };
        let app = move || App::new().app_data(web::Data::new(state.clone())).default_service(web::to(answer));
        let server = HttpServer::new(app).workers(1).disable_signals().listen(listener).unwrap().run();
        tokio::spawn(server);
        Self { port, reply, requests }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook", self.port)
    }

    pub fn answers(&self, reply: Reply) {
        *self.reply.lock().unwrap() = reply;
    }

    /// The next request.
    pub async fn next(&mut self) -> Received {
        let next = tokio::time::timeout(PATIENCE, self.requests.recv()).await;
        next.expect("nothing came").expect("the receiver is gone")
    }

    /// That nothing has come that was not asked for by [`Self::next`].
    pub fn has_no_more(&mut self) {
        assert!(self.requests.try_recv().is_err(), "something more came");
    }
}

async fn answer(state: web::Data<State>, request: HttpRequest, body: web::Bytes) -> HttpResponse {
    assert_eq!(request.method(), "POST");
    let received = Received { headers: request.headers().clone(), body: String::from_utf8(body.to_vec()).unwrap() };
    // What is said once this is seen is for the next.
    let reply = state.reply.lock().unwrap().clone();
    let _ = state.seen.send(received);
    let status = |status| HttpResponse::build(StatusCode::from_u16(status).unwrap());
    match reply {
        Reply::Status(code) => status(code).finish(),
        Reply::With(code, name, value) => status(code).insert_header((name, value)).finish(),
        Reply::Body(code, text) => status(code).body(text),
        Reply::Hangs => std::future::pending().await,
        Reply::Endless => {
            let part = || std::future::ready(Some((Ok::<_, actix_web::Error>(web::Bytes::from_static(b"abcd")), ())));
            status(200).streaming(futures_util::stream::unfold((), move |()| part()))
        }
    }
}
