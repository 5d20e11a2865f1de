//! One attempt: a POST to an address that has been checked, over a connection to exactly that address.

use std::error::Error;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use lastseen_shared::models::Webhook;
use lastseen_shared::models::attempt::Claimed;
use lastseen_shared::timestamp::Timestamp;
use lastseen_shared::webhooks::address::{check_url, is_public};
use lastseen_shared::webhooks::retry::retry_after;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{CONNECTION, CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode, redirect};

/// How long an attempt may take in all. Shorter than an attempt belongs to who makes it.
const WITHIN: Duration = Duration::from_secs(15);
/// How much of an answer's body is read.
const READ: usize = 1_024;

/// What a name resolves to, later.
pub type Looked = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

/// Looks names up. Tests have their own.
pub trait Resolver: Send + Sync + 'static {
    /// The addresses of a name.
    fn lookup(&self, name: &str) -> Looked;
}

/// Asks the system.
pub struct SystemResolver;

impl Resolver for SystemResolver {
    fn lookup(&self, name: &str) -> Looked {
        let name = name.to_owned();
        // The port is the connector's affair.
        Box::pin(async move { Ok(tokio::net::lookup_host((name, 0)).await?.collect()) })
    }
}

/// How a receiver answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status; `None` where there was no answer.
    pub status: Option<u16>,
    /// What went wrong.
    pub error: Option<String>,
    /// How the body began.
    pub response: Option<String>,
    /// When the receiver wants to be asked again.
    pub retry_after: Option<Duration>,
}

/// Sends. Cheap to clone.
#[derive(Clone)]
pub struct Sender {
    client: Client,
    allow_private: bool,
    within: Duration,
}

impl Sender {
    /// A sender that looks names up by this.
    ///
    /// # Errors
    /// Where TLS can't be set up.
    pub fn new(resolver: impl Resolver, allow_private: bool) -> Result<Self, reqwest::Error> {
        let client = Client::builder()
            .user_agent(concat!("Lastseen/", env!("CARGO_PKG_VERSION")))
            // A redirect or a proxy would lead somewhere that was not checked, and so would a connection that is kept.
            .redirect(redirect::Policy::none())
            .no_proxy()
            .pool_max_idle_per_host(0)
            .dns_resolver(Arc::new(Checked { resolver: Arc::new(resolver), allow_private }))
            .build()?;
        Ok(Self { client, allow_private, within: WITHIN })
    }

    /// The same sender with attempts that may take this long at most.
    #[must_use]
    pub fn within(self, within: Duration) -> Self {
        Self { within: within.min(WITHIN), ..self }
    }

    /// Makes one attempt.
    pub async fn send(&self, webhook: &Webhook, claimed: &Claimed) -> Answer {
        // Kept apart from the rest, so that an answer whose body never ends is still an answer.
        let deadline = tokio::time::Instant::now() + self.within;
        match tokio::time::timeout_at(deadline, self.post(webhook, claimed)).await {
            Ok(Ok(response)) => read(response, deadline).await,
            Ok(Err(error)) => Answer { error: Some(error), ..Answer::default() },
            Err(_) => Answer { error: Some(format!("no answer within {:?}", self.within)), ..Answer::default() },
        }
    }

    async fn post(&self, webhook: &Webhook, claimed: &Claimed) -> Result<Response, String> {
        // An address in the URL is never looked up: it is checked here.
        let url = check_url(&webhook.url, self.allow_private).map_err(|problem| format!("the URL {problem}"))?;
        let now = Timestamp::now();
        self.client
            .post(url)
            .header(CONTENT_TYPE, "application/json")
            .header(CONNECTION, "close")
            .header("webhook-id", &claimed.message_id)
            .header("webhook-timestamp", now.0.div_euclid(1_000))
            .header("webhook-signature", webhook.signatures(&claimed.message_id, now, &claimed.body))
            .body(claimed.body.clone())
            .send()
            .await
            .map_err(|error| in_words(&error.without_url()))
    }
}

/// Reads what of an answer is kept; the rest is left, and the connection closed.
async fn read(mut response: Response, deadline: tokio::time::Instant) -> Answer {
    let status = response.status();
    let asked = [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE].contains(&status);
    let asked = response.headers().get(RETRY_AFTER).filter(|_| asked).and_then(|value| value.to_str().ok());
    let retry_after = asked.and_then(|value| retry_after(value, Timestamp::now()));
    let mut body = Vec::new();
    while let Ok(Ok(Some(part))) = tokio::time::timeout_at(deadline, response.chunk()).await {
        body.extend(part.iter().take(READ - body.len()));
        if body.len() >= READ {
            break;
        }
    }
    let error = (!status.is_success()).then(|| match status.is_redirection() {
        true => format!("answered {status}; redirects are not followed"),
        false => format!("answered {status}"),
    });
    // PostgreSQL takes no NUL, and no log wants the others.
    let text: String = String::from_utf8_lossy(&body)
        .chars()
        .map(|c| if c.is_control() && c != '\n' && c != '\t' { '\u{fffd}' } else { c })
        .collect();
    Answer { status: Some(status.as_u16()), error, response: Some(text), retry_after }
}

/// An error with what led to it.
fn in_words(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let inner_text = inner.to_string();
        if !text.ends_with(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        source = inner.source();
    }
    text.chars().take(500).collect()
}

/// Looks names up, and refuses those that lead to an address that deliveries may not go to. The connector connects to what
/// this answers and to nothing else, so a name that means something else a moment later gains nothing by it.
struct Checked {
    resolver: Arc<dyn Resolver>,
    allow_private: bool,
}

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let (looked, allow_private) = (self.resolver.lookup(name.as_str()), self.allow_private);
        Box::pin(async move {
            let addresses = looked.await?;
            if !allow_private && addresses.iter().any(|address| !is_public(address.ip())) {
                return Err("the name leads to a private address".into());
            }
            let addresses: Addrs = Box::new(addresses.into_iter());
            Ok(addresses)
        })
    }
}
