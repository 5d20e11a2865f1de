//! The job board over HTTP: who may see it, what it shows, and dead letters that are put back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use lastseen_shared::account::hashing::Hasher;
use lastseen_shared::account::{Email, Password, Role, Standing, Status, Username};
use lastseen_shared::db::AnyConnection;
use lastseen_shared::ids::UserId;
use lastseen_shared::models::account::AccountChanges;
use lastseen_shared::models::{Account, NewAccount};
use lastseen_shared::queue::{Job, Queue};
use lastseen_shared::redis_client::{Redis, RedisSettings};
use lastseen_shared::service::Service;
use lastseen_shared::settings::{Form, Raw, Settings};
use lastseen_worker::consume::{ConsumeSettings, consume};
use lastseen_worker::context::JobError;
use lastseen_worker::http;
use lastseen_worker::registry::{Policy, Runner};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value;
use tokio::sync::watch;

use crate::world::{Database, World, required};

const PASSWORD: &str = "correct horse battery";
const PATIENCE: Duration = Duration::from_secs(20);

/// A world with the worker's listener.
struct Listening {
    world: World,
    base: String,
    http: reqwest::Client,
    hasher: Hasher,
}

impl Listening {
    async fn start(queue: Queue, limits: &str) -> Self {
        let mut world = World::new(Database::Sqlite).await;
        world.context.queue = queue;
        let raw = Raw::new([("LASTSEEN_RATE_LIMITS".to_owned(), limits.to_owned())]);
        let settings = Settings::check(&raw, Form::StandAlone).unwrap();
        let hasher = Hasher::new(4, 2, 100).unwrap();
        let (db, engine) = (world.context.db.clone(), world.context.engine.clone());
        let service = Service::new(db, engine, hasher.clone(), settings.presence, settings.accounts);
        let (server, at) = http::serve(&world.context, &service, "127.0.0.1:0".parse().unwrap()).unwrap();
        tokio::spawn(server);
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { world, base: format!("http://{at}"), http, hasher }
    }

    async fn account(&self, name: &str, role: Role) -> UserId {
        let new = NewAccount {
            username: Username::parse(name).unwrap(),
            email: Email::parse(&format!("{name}@example.org")).unwrap(),
            password_hash: self.hash(PASSWORD).await,
            role,
            standing: Standing::ACTIVE,
        };
        self.world.context.db.run(move |c: &mut AnyConnection| Account::insert(c, &new)).await.unwrap().id
    }

    async fn hash(&self, password: &str) -> String {
        self.hasher.hash(Password::typed(password.to_owned())).await.unwrap()
    }

    async fn change(&self, user: UserId, changes: AccountChanges) {
        let change = move |c: &mut AnyConnection| Account::change(c, user, &changes);
        self.world.context.db.run(change).await.unwrap().unwrap();
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base))
    }

    async fn get(&self, path: &str, name: &str, password: &str) -> Response {
        self.request(Method::GET, path).basic_auth(name, Some(password)).send().await.unwrap()
    }

    async fn status(&self, name: &str, password: &str) -> u16 {
        self.get("/board/jobs", name, password).await.status().as_u16()
    }

    async fn board(&self) -> Value {
        let answer = self.get("/board/jobs", "admin", PASSWORD).await;
        assert_eq!(answer.status(), 200);
        answer.json().await.unwrap()
    }

    /// The board, once it is as it should be.
    async fn until(&self, done: impl Fn(&Value) -> bool) -> Value {
        let start = Instant::now();
        loop {
            let board = self.board().await;
            if done(&board) {
                return board;
            }
            assert!(start.elapsed() < PATIENCE, "{board:#}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn redis_queue() -> Queue {
    let mut random = [0; 8];
    getrandom::fill(&mut random).unwrap();
    let prefix = format!("board{:x}:", u64::from_ne_bytes(random));
    let settings = RedisSettings { url: required("TEST_REDIS_URL"), key_prefix: String::new() };
    Queue::redis(Redis::new(&settings).unwrap().shared(), &prefix, Duration::from_secs(60))
}

/// Fails until it is told otherwise.
#[derive(Clone)]
struct Fickle {
    works: Arc<AtomicBool>,
    policy: Policy,
}

impl Runner for Fickle {
    fn policy(&self, _: &Job) -> Policy {
        self.policy
    }

    async fn run(&self, _: Job) -> Result<Option<Job>, JobError> {
        if self.works.load(Ordering::SeqCst) { Ok(None) } else { Err("no <b>luck</b>".into()) }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_for_admins() {
    let listening = Listening::start(Queue::memory(PATIENCE), "off").await;
    listening.account("admin", Role::Admin).await;
    listening.account("ann", Role::User).await;
    for (method, path) in [
        (Method::GET, "/board"),
        (Method::GET, "/board/"),
        (Method::GET, "/board/jobs"),
        (Method::GET, "/board/jobs/"),
        (Method::POST, "/board/jobs/1/retry"),
        (Method::POST, "/board/jobs/1/retry/"),
    ] {
        let ask = || listening.request(method.clone(), path);
        let tries = [
            (ask(), 401),
            (ask().header("authorization", "Basic !"), 401),
            (ask().header("authorization", "Basic bm9jb2xvbg=="), 401),
            (ask().bearer_auth("admin"), 401),
            (ask().basic_auth("admin", Some("wrong")), 401),
            (ask().basic_auth("nobody", Some(PASSWORD)), 401),
            (ask().basic_auth("ann", Some(PASSWORD)), 403),
            (ask().basic_auth("admin", Some(PASSWORD)), if method == Method::GET { 200 } else { 404 }),
        ];
        for (place, (request, expected)) in tries.into_iter().enumerate() {
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), expected, "{method} {path}, try {place}");
            let asks = answer.headers().get("www-authenticate").is_some();
            assert_eq!(asks, expected == 401, "{method} {path}, try {place}");
            if expected > 400 {
                assert_eq!(answer.headers()["content-type"], "application/problem+json");
            }
        }
    }
    // Health and metrics are for machines.
    assert_eq!(listening.request(Method::GET, "/healthz").send().await.unwrap().status(), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_no_admin_any_more_is_out_at_once() {
    let listening = Listening::start(Queue::memory(PATIENCE), "on").await;
    let user = listening.account("admin", Role::Admin).await;
    assert_eq!(listening.status("admin", PASSWORD).await, 200);
    let role = |role| AccountChanges { role: Some(role), ..AccountChanges::default() };
    let standing = |status| {
        let standing = Some(Standing { status, is_active: true });
        AccountChanges { standing, ..AccountChanges::default() }
    };
    for (out, back) in [(role(Role::User), role(Role::Admin)), (standing(Status::Banned), standing(Status::Active))] {
        listening.change(user, out).await;
        assert_eq!(listening.status("admin", PASSWORD).await, 403);
        listening.change(user, back).await;
        assert_eq!(listening.status("admin", PASSWORD).await, 200);
    }
    let password_hash = Some(listening.hash("another one by far").await);
    listening.change(user, AccountChanges { password_hash, ..AccountChanges::default() }).await;
    assert_eq!(listening.status("admin", PASSWORD).await, 401);
    assert_eq!(listening.status("admin", "another one by far").await, 200);
    let gone = move |c: &mut AnyConnection| Account::delete(c, user);
    assert!(listening.world.context.db.run(gone).await.unwrap());
    assert_eq!(listening.status("admin", "another one by far").await, 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guesses_are_limited_as_log_ins_are() {
    let listening = Listening::start(Queue::memory(PATIENCE), "on").await;
    listening.account("admin", Role::Admin).await;
    for _ in 0..10 {
        assert_eq!(listening.status("admin", "a guess").await, 401);
    }
    let answer = listening.get("/board/jobs", "admin", PASSWORD).await;
    assert_eq!(answer.status(), 429, "also the right one");
    assert!(answer.headers().contains_key("retry-after"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_job_is_put_back_by_hand() {
    for queue in [redis_queue(), Queue::memory(PATIENCE)] {
        let listening = Listening::start(queue.clone(), "on").await;
        listening.account("admin", Role::Admin).await;
        let before = listening.board().await;
        assert_eq!(before["jobs"].as_object().unwrap().len(), Job::NAMES.len(), "each kind has its row");
        assert_eq!(before["dead"], serde_json::json!([]));
        queue.push(Job::Sweep { shard: 3 }, 0).await.unwrap();
        assert_eq!(listening.board().await["jobs"]["sweep"]["waiting"], 1);

        let works = Arc::new(AtomicBool::new(false));
        let policy = Policy { attempts: 3, backoff: Duration::from_millis(1), timeout: PATIENCE };
        let runner = Fickle { works: Arc::clone(&works), policy };
        let (stop, stopped) = watch::channel(false);
        let consumed = queue.clone();
        let consumer = tokio::spawn(async move {
            consume(consumed, ConsumeSettings::default(), runner, Arc::new(|_, _, _| {}), stopped).await.unwrap();
        });
        // It is read in steps, and so a task may be seen at two places for a moment.
        let numbers = ["waiting", "running", "retrying", "dead"];
        let given_up = |board: &Value| {
            let sweep = &board["jobs"]["sweep"];
            numbers.map(|name| sweep[name].as_i64().unwrap()) == [0, 0, 0, 1] && sweep["attempts"]["failed"] == 1
        };
        let board = listening.until(given_up).await;
        let sweep = &board["jobs"]["sweep"];
        assert_eq!((&sweep["attempts"]["retrying"], &sweep["attempts"]["succeeded"]), (&2.into(), &0.into()));
        assert_eq!(
            (&sweep["last"]["outcome"], &sweep["last"]["error"]),
            (&"failed".into(), &"no <b>luck</b>".into())
        );
        let dead = &board["dead"][0];
        assert_eq!(dead["job"], "sweep");
        assert!(dead["payload"].as_str().unwrap().contains("\"shard\":3"), "{dead}");
        assert!(dead["error"].as_str().unwrap().contains("no <b>luck</b>"), "{dead}");
        let at = lastseen_shared::timestamp::Timestamp::parse(dead["at"].as_str().unwrap()).unwrap();
        assert!(lastseen_shared::timestamp::Timestamp::now().0 - at.0 < 60_000, "{dead}");

        let page = listening.get("/board/", "admin", PASSWORD).await;
        assert!(page.headers()["content-security-policy"].to_str().unwrap().contains("frame-ancestors 'none'"));
        let page = page.text().await.unwrap();
        let path = format!("/board/jobs/{}/retry", dead["id"].as_str().unwrap());
        assert!(page.contains(&format!("action=\"{path}\"")) && page.contains("no &lt;b&gt;luck"), "{page}");
        let metrics = listening.request(Method::GET, "/metrics").send().await.unwrap().text().await.unwrap();
        for line in ["{state=\"dead\"} 1\n", "{state=\"retrying\"} 0\n", "{state=\"waiting\"} 0\n"] {
            assert!(metrics.contains(&format!("lastseen_queue_tasks{line}")), "{line} in {metrics}");
        }

        // Not from another site, whose page a browser gives the password, too.
        let post = || listening.request(Method::POST, &path).basic_auth("admin", Some(PASSWORD));
        for request in [
            post().header("sec-fetch-site", "cross-site"),
            post().header("sec-fetch-site", "same-site"),
            post().header("sec-fetch-site", "none"),
            post().header("origin", "https://evil.example"),
            post().header("origin", "null"),
        ] {
            assert_eq!(request.send().await.unwrap().status(), 403);
        }
        assert_eq!(listening.board().await["jobs"]["sweep"]["dead"], 1);

        works.store(true, Ordering::SeqCst);
        let retried = post().header("origin", &listening.base).send().await.unwrap();
        assert_eq!((retried.status().as_u16(), &retried.headers()["location"]), (303, &"/board/".parse().unwrap()));
        let board = listening.until(|board| board["jobs"]["sweep"]["attempts"]["succeeded"] == 1).await;
        assert_eq!((&board["jobs"]["sweep"]["dead"], &board["dead"]), (&0.into(), &serde_json::json!([])));
        assert_eq!(board["jobs"]["sweep"]["last"]["outcome"], "succeeded");
        assert_eq!(post().send().await.unwrap().status(), 404, "once");
        stop.send(true).unwrap();
        consumer.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_tried_again_is_seen() {
    for queue in [redis_queue(), Queue::memory(PATIENCE)] {
        let listening = Listening::start(queue.clone(), "on").await;
        listening.account("admin", Role::Admin).await;
        let policy = Policy { attempts: 2, backoff: Duration::from_secs(3_600), timeout: PATIENCE };
        let runner = Fickle { works: Arc::default(), policy };
        let (stop, stopped) = watch::channel(false);
        let consumed = queue.clone();
        let consumer = tokio::spawn(async move {
            consume(consumed, ConsumeSettings::default(), runner, Arc::new(|_, _, _| {}), stopped).await.unwrap();
        });
        queue.push(Job::CleanTasks {}, 0).await.unwrap();
        let board = listening.until(|board| board["jobs"]["clean_tasks"]["retrying"] == 1).await;
        assert_eq!(board["jobs"]["clean_tasks"]["running"], 1);
        assert_eq!(board["jobs"]["clean_tasks"]["last"]["outcome"], "retrying");
        let metrics = listening.request(Method::GET, "/metrics").send().await.unwrap().text().await.unwrap();
        assert!(metrics.contains("lastseen_queue_tasks{state=\"retrying\"} 1\n"), "{metrics}");
        stop.send(true).unwrap();
        consumer.await.unwrap();
    }
}
