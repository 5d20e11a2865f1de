//! A client of the API, and what it sees.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use lastseen_shared::timestamp::Timestamp;
use reqwest::Method;
use reqwest::header::HeaderMap;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::time::{Timeline, now};

/// The first admin's name.
pub const ADMIN: &str = "admin";
/// Everybody's password here.
pub const PASSWORD: &str = "correct horse battery staple";

/// No answer takes longer, whatever is broken.
const LONGEST: Duration = Duration::from_secs(15);

/// A client of the API. Clones are the same client.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: Arc<Mutex<String>>,
}

/// An answer of the API.
#[derive(Debug)]
pub struct Answer {
    /// The request, for messages.
    #[expect(dead_code, reason = "shown where an answer is not as it should be")]
    what: String,
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Value,
    /// When it was sent and answered, by this machine's clock.
    pub asked: i64,
    pub answered: i64,
}

/// A user, logged in on one device.
#[derive(Clone)]
pub struct Session {
    pub client: Client,
    pub user: i64,
    pub access: String,
    pub refresh: String,
    /// When the log-in made the user online, and until when.
    pub online: (i64, i64),
}

#[derive(Deserialize, Debug, Clone, PartialEq)]
pub struct User {
    pub id: i64,
    pub username: String,
    pub status: String,
    pub is_active: bool,
    pub online_status: String,
    pub last_seen: Option<Timestamp>,
    pub reason: Option<String>,
    /// Of oneself only.
    pub inactivity_timeout_seconds: Option<f64>,
}

#[derive(Deserialize, Debug, Clone, PartialEq)]
pub struct Presence {
    pub user_id: i64,
    pub online_status: String,
    pub last_seen: Option<Timestamp>,
    pub online_until: Option<Timestamp>,
    pub reason: Option<String>,
}

#[derive(Deserialize, Debug, Clone)]
pub struct Users {
    pub users: Vec<User>,
    pub total: usize,
    pub online: usize,
    pub next_cursor: Option<String>,
}

#[derive(Deserialize, Debug, Clone)]
pub struct Transition {
    pub id: String,
    pub at: Timestamp,
    pub presence: Presence,
}

#[derive(Deserialize, Debug, Clone)]
pub struct Changes {
    pub transitions: Vec<Transition>,
    pub next_cursor: String,
}

#[derive(Deserialize, Debug, Clone, Copy)]
pub struct Beat {
    pub last_seen: Timestamp,
    pub online_until: Timestamp,
}

impl Beat {
    /// As [`Timeline::add`] wants it.
    pub fn span(&self) -> (i64, i64) {
        (self.last_seen.0, self.online_until.0)
    }
}

#[derive(Deserialize, Debug, Clone)]
pub struct Pair {
    pub access: String,
    pub refresh: String,
}

#[derive(Deserialize)]
struct LoggedIn {
    access: String,
    refresh: String,
    user: User,
    inactivity_timeout_seconds: f64,
}

#[derive(Deserialize)]
struct OneUser {
    user: User,
}

#[derive(Deserialize)]
struct Presences {
    presences: Vec<Presence>,
}

impl Answer {
    /// The body of a success.
    #[track_caller]
    pub fn ok<T: DeserializeOwned>(self) -> T {
        assert!((200..300).contains(&self.status), "{self:#?}");
        let what = format!("{self:#?}");
        serde_json::from_value(self.body).unwrap_or_else(|error| panic!("{error}: {what}"))
    }

    /// A success without a body that matters.
    #[track_caller]
    pub fn done(self) {
        assert!((200..300).contains(&self.status), "{self:#?}");
    }

    /// A refusal with this status and code.
    #[track_caller]
    pub fn refused(self, status: u16, code: &str) -> Self {
        let kind = self.headers.get("content-type").and_then(|kind| kind.to_str().ok());
        assert_eq!(kind, Some("application/problem+json"), "{self:#?}");
        assert_eq!((self.status, self.body["code"].as_str()), (status, Some(code)), "{self:#?}");
        self
    }

    /// How long it took, in ms.
    pub fn took(&self) -> i64 {
        self.answered - self.asked
    }
}

impl Client {
    /// A client of nothing yet.
    pub fn new() -> Self {
        let http = reqwest::Client::builder().no_proxy().timeout(LONGEST);
        // Certificates here are the tests' own; the one that is about them looks at them.
        let http = http.tls_danger_accept_invalid_certs(true).build().unwrap();
        Self { http, base: Arc::default() }
    }

    /// From now on requests go there.
    pub fn moves_to(&self, address: &str) {
        *self.base.lock().unwrap() = address.to_owned();
    }

    /// Where requests go.
    pub fn base(&self) -> String {
        self.base.lock().unwrap().clone()
    }

    /// What is answered as plain text.
    pub async fn text(&self, path: &str) -> String {
        self.http.get(format!("{}{path}", self.base())).send().await.unwrap().text().await.unwrap()
    }

    /// Sends a request; an error where there was no answer.
    pub async fn try_send(
        &self,
        token: Option<&str>,
        method: Method,
        path: &str,
        body: Option<Value>,
        headers: &[(&str, &str)],
    ) -> Result<Answer, reqwest::Error> {
        let url = format!("{}{path}", self.base());
        let what = format!("{method} {path} {}", body.as_ref().unwrap_or(&Value::Null));
        let mut request = self.http.request(method, url);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = &body {
            request = request.json(body);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let asked = now();
        let answer = request.send().await?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let bytes = answer.bytes().await?;
        let answered = now();
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Ok(Answer { what, status, headers, body, asked, answered })
    }

    /// Sends a request without a token.
    pub async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        self.try_send(None, method, path, body, &[]).await.unwrap()
    }

    /// Tries to register.
    pub async fn try_register(&self, name: &str) -> Answer {
        let body = json!({ "username": name, "email": format!("{name}@example.org"), "password": PASSWORD });
        self.send(Method::POST, "/api/users/register/", Some(body)).await
    }

    /// Registers, and answers the new account.
    pub async fn register(&self, name: &str) -> User {
        self.try_register(name).await.ok::<OneUser>().user
    }

    /// Tries to log in.
    pub async fn try_log_in(&self, name: &str, password: &str) -> Answer {
        let body = json!({ "username": name, "password": password });
        self.send(Method::POST, "/api/users/login/", Some(body)).await
    }

    /// Logs in.
    pub async fn log_in(&self, name: &str) -> Session {
        Session::of(self, self.try_log_in(name, PASSWORD).await)
    }

    /// Tries to turn a refresh token.
    pub async fn try_refresh(&self, token: &str) -> Answer {
        self.send(Method::POST, "/api/users/token/refresh/", Some(json!({ "refresh": token }))).await
    }
}

impl Session {
    /// What a log-in has made.
    #[track_caller]
    pub fn of(client: &Client, answer: Answer) -> Self {
        let LoggedIn { access, refresh, user, inactivity_timeout_seconds } = answer.ok();
        assert_eq!(user.online_status, "online");
        let from = user.last_seen.unwrap().0;
        let until = from + (inactivity_timeout_seconds * 1_000.0).round() as i64;
        Self { client: client.clone(), user: user.id, access, refresh, online: (from, until) }
    }

    /// When the user is online by this log-in alone.
    pub fn timeline(&self) -> Timeline {
        let mut line = Timeline::default();
        line.add(self.online);
        line
    }

    /// The session's id, as the token has it.
    pub fn id(&self) -> i64 {
        let payload = self.access.split('.').nth(1).unwrap();
        let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).unwrap();
        serde_json::from_slice::<Value>(&bytes).unwrap()["sid"].as_i64().unwrap()
    }

    /// Sends a request with this session's token; an error where there was no answer.
    pub async fn try_send(&self, method: Method, path: &str, body: Option<Value>) -> Result<Answer, reqwest::Error> {
        self.client.try_send(Some(&self.access), method, path, body, &[]).await
    }

    /// Sends a request with this session's token.
    pub async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        self.try_send(method, path, body).await.unwrap()
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await
    }

    /// POST without a body.
    pub async fn post(&self, path: &str) -> Answer {
        self.send(Method::POST, path, None).await
    }

    /// A heartbeat.
    pub async fn heartbeat(&self) -> Answer {
        self.post("/api/users/heartbeat/").await
    }

    /// A heartbeat that is taken.
    pub async fn beat(&self) -> Beat {
        self.heartbeat().await.ok()
    }

    /// One's own profile.
    pub async fn me(&self) -> User {
        self.get("/api/users/me/").await.ok::<OneUser>().user
    }

    /// Changes one's own profile.
    pub async fn change_me(&self, changes: Value) -> Answer {
        self.send(Method::PATCH, "/api/users/me/", Some(changes)).await
    }

    /// Logs out.
    pub async fn log_out(&self) -> Answer {
        self.post("/api/users/logout/").await
    }

    /// Logs out on all devices.
    pub async fn log_out_everywhere(&self) -> Answer {
        self.send(Method::POST, "/api/users/logout/", Some(json!({ "everywhere": true }))).await
    }

    /// All users, on one page.
    pub async fn all_users(&self) -> Users {
        let users: Users = self.get("/api/users/all-users/?limit=1000").await.ok();
        assert_eq!(users.next_cursor, None);
        users
    }

    /// One user.
    pub async fn show(&self, user: i64) -> Answer {
        self.get(&format!("/api/users/{user}/")).await
    }

    /// Presences by ids.
    pub async fn presences(&self, users: &[i64]) -> Vec<Presence> {
        let body = json!({ "ids": users });
        self.send(Method::POST, "/api/users/presence/", Some(body)).await.ok::<Presences>().presences
    }

    /// What has changed since a cursor.
    pub async fn try_changes(&self, since: &str) -> Answer {
        self.get(&format!("/api/users/presence/changes/?since={since}")).await
    }

    /// What has changed since a cursor; without one the cursor of now.
    pub async fn changes(&self, since: Option<&str>) -> Changes {
        match since {
            Some(since) => self.try_changes(since).await.ok(),
            None => self.get("/api/users/presence/changes/").await.ok(),
        }
    }

    /// Does something to an account, as an admin.
    pub async fn act(&self, user: i64, action: &str) -> Answer {
        self.post(&format!("/api/users/{user}/{action}/")).await
    }

    /// Deletes an account, as an admin.
    pub async fn delete(&self, user: i64) -> Answer {
        self.send(Method::DELETE, &format!("/api/users/{user}/"), None).await
    }
}
