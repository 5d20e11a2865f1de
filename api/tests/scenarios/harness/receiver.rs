//! A receiver of webhooks, which verifies what comes by the specification's public library.

use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use serde_json::Value;
use standardwebhooks::Webhook;
use tokio::sync::watch;

/// What was taken.
#[derive(Clone, Debug)]
pub struct Told {
    pub message_id: String,
    pub body: Value,
}

/// A receiver. Clones are the same one.
#[derive(Clone)]
pub struct Receiver {
    port: u16,
    seen: Arc<Mutex<Seen>>,
    held: watch::Sender<bool>,
}

#[derive(Default)]
struct Seen {
    secret: String,
    told: Vec<Told>,
    /// Requests that came while answers were held back.
    unanswered: usize,
}

impl Receiver {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let receiver = Self { port, seen: Arc::default(), held: watch::Sender::new(false) };
        let state = receiver.clone();
        let app = move || App::new().app_data(web::Data::new(state.clone())).default_service(web::to(take));
        let server = HttpServer::new(app).workers(1).disable_signals().listen(listener).unwrap();
        tokio::spawn(server.run());
        receiver
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook", self.port)
    }

    /// What comes from now on must be signed with this.
    pub fn expects(&self, secret: &str) {
        self.seen.lock().unwrap().secret = secret.to_owned();
    }

    /// From now on nothing is answered, until it is let go: and then what has waited is not taken.
    pub fn holds(&self, hold: bool) {
        self.held.send_replace(hold);
        self.seen.lock().unwrap().unanswered = 0;
    }

    /// How many requests wait for an answer.
    pub fn unanswered(&self) -> usize {
        self.seen.lock().unwrap().unanswered
    }

    /// All that was taken, in order.
    pub fn told(&self) -> Vec<Told> {
        self.seen.lock().unwrap().told.clone()
    }
}

async fn take(receiver: web::Data<Receiver>, request: HttpRequest, body: web::Bytes) -> HttpResponse {
    let mut held = receiver.held.subscribe();
    if *held.borrow_and_update() {
        receiver.seen.lock().unwrap().unanswered += 1;
        let _ = held.wait_for(|held| !held).await;
        return HttpResponse::ServiceUnavailable().finish();
    }
    let mut headers = http::HeaderMap::new();
    for (name, value) in request.headers() {
        let name: http::HeaderName = name.as_str().parse().unwrap();
        headers.insert(name, value.as_bytes().try_into().unwrap());
    }
    let mut seen = receiver.seen.lock().unwrap();
    let verified = Webhook::new(&seen.secret).and_then(|webhook| webhook.verify(&body, &headers));
    if let Err(error) = verified {
        // Whoever looks for it misses it.
        eprintln!("refused: {error}");
        return HttpResponse::Unauthorized().finish();
    }
    let message_id = headers["webhook-id"].to_str().unwrap().to_owned();
    seen.told.push(Told { message_id, body: serde_json::from_slice(&body).unwrap() });
    HttpResponse::NoContent().finish()
}
