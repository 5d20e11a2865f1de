//! An application of its own for each test: its own folder or database, its own port.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection};
use lastseen_api::startup::{Application, first_admin};
use lastseen_shared::service::Service;
use lastseen_shared::settings::{Form, Raw, Settings};
use lastseen_shared::timestamp::Timestamp;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};

pub const ADMIN_PASSWORD: &str = "correct horse battery";
pub const PASSWORD: &str = "through the looking-glass";
pub const SECRET: &str = "0123456789abcdef0123456789abcdef";

pub struct TestApp {
    pub base: String,
    pub service: Service,
    http: reqwest::Client,
    left: Left,
}

/// What is to be removed in the end.
enum Left {
    Folder(PathBuf),
    Database(String, String),
}

/// What an answer was.
#[derive(Debug)]
pub struct Answered {
    pub status: StatusCode,
    pub headers: reqwest::header::HeaderMap,
    pub body: Value,
}

impl Answered {
    /// The problem's code; fails where the answer is none.
    pub fn code(&self) -> &str {
        let kind = self.headers.get("content-type").map(|v| v.to_str().unwrap());
        assert_eq!(kind, Some("application/problem+json"), "{self:?}");
        for field in ["type", "title", "status", "detail", "code"] {
            assert!(!self.body[field].is_null(), "no {field} in {self:?}");
        }
        assert_eq!(self.body["status"], self.status.as_u16());
        self.body["code"].as_str().unwrap()
    }
}

/// A user who is logged in.
pub struct User {
    pub id: i64,
    pub access: String,
    pub refresh: String,
}

impl TestApp {
    pub async fn start(form: Form) -> Self {
        Self::with(form, &[]).await
    }

    pub async fn with(form: Form, changes: &[(&str, &str)]) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("lastseen_api_{}_{count}_{}", std::process::id(), Timestamp::now().0);
        let mut values = vec![
            ("LASTSEEN_BIND", "127.0.0.1:0".to_owned()),
            ("LASTSEEN_JWT_SECRET", SECRET.to_owned()),
            ("LASTSEEN_ADMIN_PASSWORD", ADMIN_PASSWORD.to_owned()),
            ("LASTSEEN_THREADS", "1".to_owned()),
        ];
        let left = match form {
            Form::StandAlone => {
                let folder = std::env::temp_dir().join(&name);
                values.push(("DATABASE_URL", format!("sqlite://{}/lastseen.db", folder.display())));
                values.push(("LASTSEEN_BCRYPT_COST", "4".to_owned()));
                Left::Folder(folder)
            }
            Form::Distributed => {
                let server = required("TEST_DATABASE_URL");
                let mut connection = PgConnection::establish(&server).unwrap();
                connection.batch_execute(&format!("CREATE DATABASE {name}")).unwrap();
                let (base, _) = server.rsplit_once('/').unwrap();
                values.push(("DATABASE_URL", format!("{base}/{name}")));
                values.push(("REDIS_URL", required("TEST_REDIS_URL")));
                values.push(("LASTSEEN_KEY_PREFIX", format!("{name}:")));
                values.push(("LASTSEEN_BCRYPT_COST", "10".to_owned()));
                Left::Database(server, name)
            }
        };
        values.extend(changes.iter().map(|(variable, value)| (*variable, (*value).to_owned())));
        let raw = Raw::new(values.into_iter().map(|(variable, value)| (variable.to_owned(), value)));
        let settings = Settings::check(&raw, form).unwrap();
        let application = Application::build(&settings).await.unwrap();
        first_admin(&application.service, settings.accounts.first_admin).await.unwrap();
        actix_web::rt::spawn(application.server);
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { base: format!("http://{}", application.address), service: application.service, http, left }
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base))
    }

    pub async fn send(&self, request: RequestBuilder) -> Answered {
        let response: Response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await.unwrap();
        let body =
            if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap_or(Value::String(text)) };
        Answered { status, headers, body }
    }

    pub async fn get(&self, path: &str, access: &str) -> Answered {
        self.send(self.request(Method::GET, path).bearer_auth(access)).await
    }

    pub async fn post(&self, path: &str, access: &str, body: &Value) -> Answered {
        self.send(self.request(Method::POST, path).bearer_auth(access).json(body)).await
    }

    pub async fn patch_me(&self, access: &str, body: &Value) -> Answered {
        self.send(self.request(Method::PATCH, "/api/users/me/").bearer_auth(access).json(body)).await
    }

    pub async fn delete(&self, path: &str, access: &str) -> Answered {
        self.send(self.request(Method::DELETE, path).bearer_auth(access)).await
    }

    /// Makes two users contacts.
    pub async fn befriend(&self, one: &User, other: &User) {
        for (from, to) in [(one, other), (other, one)] {
            let asked = self.post("/api/contacts/", &from.access, &json!({ "user_id": to.id })).await;
            assert_eq!(asked.status, 201, "{asked:?}");
        }
    }

    pub async fn block(&self, one: &User, other: &User) {
        let path = format!("/api/contacts/{}/block/", other.id);
        let blocked = self.post(&path, &one.access, &json!({})).await;
        assert_eq!(blocked.status, 200, "{blocked:?}");
    }

    /// What the projector would do, which does not run here; answers how many notifications it made.
    pub async fn project(&self) -> usize {
        use lastseen_shared::models::projection::{Applied, Offset, ShardOf, apply};
        use lastseen_shared::presence::PresenceEngine;
        let (shards, mut made) = (self.service.engine.shards(), 0);
        for shard in 0..shards {
            let from = self.service.db.run(move |c| Offset::load(c, shard)).await.unwrap();
            let after = from.as_ref().map(|offset| offset.id).unwrap_or_default();
            let stretch = self.service.engine.transitions(shard, after, 1_000).await.unwrap();
            let Some(last) = stretch.entries.last() else { continue };
            let to = Offset { epoch: stretch.epoch.id.clone(), id: last.id };
            let telling = self.service.presence().telling();
            let write =
                move |c: &mut _| apply(c, ShardOf { shard, shards }, from.as_ref(), &to, &stretch.entries, telling);
            let Applied::Yes(written) = self.service.db.run(write).await.unwrap() else { panic!("overtaken") };
            made += written.notifications.len();
        }
        made
    }

    /// What has changed since a cursor, and the next one.
    pub async fn changes(&self, user: &User, since: Option<&str>) -> (Vec<Value>, String) {
        let since = since.map(|cursor| format!("?since={cursor}")).unwrap_or_default();
        let answer = self.get(&format!("/api/users/presence/changes/{since}"), &user.access).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let transitions = answer.body["transitions"].as_array().unwrap().clone();
        (transitions, answer.body["next_cursor"].as_str().unwrap().to_owned())
    }

    pub async fn log_in(&self, name: &str, password: &str) -> User {
        let body = json!({ "username": name, "password": password });
        let answer = self.send(self.request(Method::POST, "/api/users/login/").json(&body)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let text = |field: &str| answer.body[field].as_str().unwrap().to_owned();
        let id = answer.body["user"]["id"].as_i64().unwrap();
        User { id, access: text("access"), refresh: text("refresh") }
    }

    pub async fn admin(&self) -> User {
        self.log_in("admin", ADMIN_PASSWORD).await
    }

    pub async fn register(&self, name: &str) -> Answered {
        let body = json!({ "username": name, "email": format!("{name}@example.org"), "password": PASSWORD });
        self.send(self.request(Method::POST, "/api/users/register/").json(&body)).await
    }

    pub async fn user(&self, name: &str) -> User {
        assert_eq!(self.register(name).await.status, 201);
        self.log_in(name, PASSWORD).await
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        match &self.left {
            Left::Folder(folder) => drop(std::fs::remove_dir_all(folder)),
            Left::Database(server, name) => {
                if let Ok(mut connection) = PgConnection::establish(server) {
                    let _ = connection.batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)"));
                }
                let client = redis::Client::open(required("TEST_REDIS_URL")).unwrap();
                if let Ok(mut connection) = client.get_connection() {
                    let keys: Vec<String> =
                        redis::cmd("KEYS").arg(format!("{name}:*")).query(&mut connection).unwrap_or_default();
                    if !keys.is_empty() {
                        let _ = redis::cmd("DEL").arg(keys).query::<i64>(&mut connection);
                    }
                }
            }
        }
    }
}

/// What the distributed form needs from outside: `make test` sets it.
fn required(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| panic!("{variable} is not set: run the tests with `make test`"))
}

/// Makes a test of each function, in each form.
macro_rules! in_both_forms {
    ($($name:ident),+ $(,)?) => {
        mod stand_alone { $(#[actix_web::test] async fn $name() {
            super::$name(lastseen_shared::settings::Form::StandAlone).await; })+ }
        mod distributed { $(#[actix_web::test] async fn $name() {
            super::$name(lastseen_shared::settings::Form::Distributed).await; })+ }
    };
}
pub(crate) use in_both_forms;
