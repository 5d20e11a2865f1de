//! Starts the service as its operator would, in either form, with everything around it; and takes it all away again.
//!
//! - [`process`]: programs and their logs.
//! - [`database`]: the database, read past the programs.
//! - [`redis`]: the Redis, shared or of the test's own.
//! - [`socket`]: a WebSocket client.
//! - [`receiver`]: a receiver of webhooks.

pub mod database;
pub mod process;
pub mod receiver;
pub mod redis;
pub mod socket;

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::client::{ADMIN, Client, PASSWORD, Session};
use crate::faults::proxy::Proxy;
use database::Database;
use process::{Folder, Process};
use redis::{Redis, Server};

/// How often clients are told to send heartbeats here, and the silence that makes offline.
pub const INTERVAL: Duration = Duration::from_millis(300);
pub const TIMEOUT: Duration = Duration::from_secs(1);
/// A sweep that does not come in a test's time.
pub const NO_SWEEP: (&str, &str) = ("LASTSEEN_SWEEP_CRON", "0 0 0 1 1 *");

const SIGNING_SECRET: &str = "a secret of the scenarios, and of theirs alone";

/// A timeout that nobody reaches in a test's time.
pub const PATIENT: (&str, &str) = ("LASTSEEN_INACTIVITY_TIMEOUT", "60s");

/// The two forms of the service, the second on one Redis and on a Cluster of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One process, with SQLite.
    StandAlone,
    /// One API and two workers, with PostgreSQL and Redis.
    Distributed,
    /// The same with a Redis Cluster of three masters.
    Cluster,
}

/// What is to be started.
pub struct Setup {
    form: Form,
    settings: Vec<(&'static str, String)>,
    private_redis: bool,
    redis_keeps: bool,
    through_ways: bool,
    skewed: bool,
    small_disk: bool,
    programs: PathBuf,
    workers: usize,
}

/// The ways from the programs to what they need.
pub struct Ways {
    /// To Redis.
    pub redis: Proxy,
    /// To PostgreSQL.
    pub database: Proxy,
}

/// How far clocks are from this machine's where they are skewed: those of the first API and worker ahead, of the others
/// behind.
pub const SKEW: i64 = 300;

/// The service, running. Its parts end in the order of the fields.
pub struct System {
    form: Form,
    settings: Vec<(&'static str, String)>,
    skewed: bool,
    /// Where the programs are that are started from now on.
    programs: PathBuf,
    /// Where clients send their requests: it moves when the API is started again.
    pub client: Client,
    /// The API, or the stand-alone program.
    pub api: Process,
    /// The workers; none stand-alone.
    pub workers: Vec<Process>,
    /// `None` stand-alone.
    pub redis: Option<Redis>,
    /// The ways that a test may close.
    pub ways: Option<Ways>,
    /// The database.
    pub database: Database,
    folder: Folder,
}

impl Setup {
    /// This form with short times.
    pub fn new(form: Form) -> Self {
        let settings = [
            ("LASTSEEN_BIND", "127.0.0.1:0"),
            ("LASTSEEN_WORKER_BIND", "127.0.0.1:0"),
            ("LASTSEEN_HEARTBEAT_INTERVAL", "300ms"),
            ("LASTSEEN_INACTIVITY_TIMEOUT", "1s"),
            ("LASTSEEN_SWEEP_CRON", "* * * * * *"),
            ("LASTSEEN_RATE_LIMITS", "off"),
            ("LASTSEEN_ADMIN_USERNAME", ADMIN),
            ("LASTSEEN_ADMIN_PASSWORD", PASSWORD),
            ("LASTSEEN_BCRYPT_COST", if form == Form::StandAlone { "4" } else { "10" }),
        ];
        let settings = settings.into_iter().map(|(name, value)| (name, value.to_owned())).collect();
        Self {
            form,
            settings,
            private_redis: false,
            redis_keeps: false,
            through_ways: false,
            skewed: false,
            small_disk: false,
            programs: newest_programs(),
            workers: 2,
        }
    }

    /// Another value of a setting.
    pub fn with(mut self, (name, value): (&'static str, &str)) -> Self {
        self.settings.retain(|(other, _)| *other != name);
        self.settings.push((name, value.to_owned()));
        self
    }

    /// With a Redis that the test may empty and end.
    pub fn with_own_redis(mut self) -> Self {
        self.private_redis = true;
        self
    }

    /// The test's own Redis writes an append-only file.
    pub fn that_keeps(mut self) -> Self {
        self.redis_keeps = true;
        self
    }

    /// With ways to Redis and PostgreSQL that the test may close.
    pub fn with_ways(mut self) -> Self {
        self.through_ways = true;
        self
    }

    /// With clocks that are [`SKEW`] seconds ahead and behind.
    pub fn with_skewed_clocks(mut self) -> Self {
        self.skewed = true;
        self
    }

    /// With PostgreSQL's tables on a small disk that the test may fill.
    pub fn on_small_disk(mut self) -> Self {
        self.small_disk = true;
        self
    }

    /// With programs of an older version at first, until [`System::upgrade`]: those in the folder of `TEST_OLDER_PROGRAMS`.
    pub fn of_older_programs(mut self) -> Self {
        self.programs = older_programs();
        self
    }

    /// Starts it all.
    pub async fn start(self) -> System {
        let Self {
            form,
            mut settings,
            private_redis,
            redis_keeps,
            through_ways,
            skewed,
            small_disk,
            programs,
            workers,
        } = self;
        let folder = Folder::new();
        let (database, redis) = match form {
            Form::StandAlone => (Database::Sqlite(folder.0.join("lastseen.db")), None),
            Form::Distributed | Form::Cluster => {
                let database = if small_disk { Database::postgres_on_small_disk() } else { Database::postgres() };
                let redis = match private_redis {
                    true => Redis::Private(Server::start(folder.0.clone(), redis_keeps).await),
                    false => Redis::shared(form == Form::Cluster),
                };
                (database, Some(redis))
            }
        };
        let (mut database_url, mut redis_url) = (database.url(), redis.as_ref().map(Redis::url));
        let ways = match (through_ways, &mut redis_url) {
            (true, Some(redis_url)) => Some(Ways {
                redis: Proxy::in_place_of(redis_url).await,
                database: Proxy::in_place_of(&mut database_url).await,
            }),
            _ => None,
        };
        settings.push(("DATABASE_URL", database_url));
        if let (Some(redis), Some(redis_url)) = (&redis, redis_url) {
            settings.push(("REDIS_URL", redis_url));
            settings.push(("LASTSEEN_KEY_PREFIX", redis.prefix().to_owned()));
            if !settings.iter().any(|(name, _)| *name == "LASTSEEN_JWT_SECRET") {
                settings.push(("LASTSEEN_JWT_SECRET", SIGNING_SECRET.to_owned()));
            }
        }
        // All at once, as a machine that boots does.
        let clock = |n: usize| skewed.then_some(if n == 0 { SKEW } else { -SKEW });
        let api = spawn_api(&programs, form, &with_clock(&settings, clock(0)), &folder);
        let workers = match form {
            Form::StandAlone => Vec::new(),
            Form::Distributed | Form::Cluster => {
                (0..workers).map(|n| spawn_worker(&programs, &with_clock(&settings, clock(n)), &folder)).collect()
            }
        };
        let client = Client::new();
        let mut system =
            System { form, settings, skewed, programs, client, api, workers, redis, ways, database, folder };
        system.wait_for_api().await;
        system.wait_for_workers().await;
        system
    }
}

/// The environment of a program whose clock is so many seconds ahead, by libfaketime; how time passes is as it is.
fn with_clock(settings: &[(&'static str, String)], ahead: Option<i64>) -> Vec<(&'static str, String)> {
    let mut all = settings.to_vec();
    if let Some(seconds) = ahead {
        let library = std::env::var("LASTSEEN_TEST_FAKETIME").unwrap_or_else(|_| {
            panic!("LASTSEEN_TEST_FAKETIME is not set: run `make test`, which installs libfaketime")
        });
        all.push(("LD_PRELOAD", library));
        all.push(("FAKETIME", format!("{seconds:+}s")));
        all.push(("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()));
    }
    all
}

/// Where the programs of this version are.
fn newest_programs() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_lastseen-api")).with_file_name("")
}

fn older_programs() -> PathBuf {
    std::env::var("TEST_OLDER_PROGRAMS").expect("TEST_OLDER_PROGRAMS names no folder of older programs").into()
}

fn spawn_api(programs: &Path, form: Form, settings: &[(&str, String)], folder: &Folder) -> Process {
    let command = if form == Form::StandAlone { "standalone" } else { "serve" };
    Process::spawn("api", &programs.join("lastseen-api"), &[command], settings, &folder.0)
}

fn spawn_worker(programs: &Path, settings: &[(&str, String)], folder: &Folder) -> Process {
    let program = programs.join("lastseen-worker");
    assert!(
        program.is_file(),
        "{} is missing: run `make test`, or `cargo build --workspace` first",
        program.display()
    );
    Process::spawn("worker", &program, &[], settings, &folder.0)
}

impl System {
    /// This form with short times.
    pub async fn start(form: Form) -> Self {
        Setup::new(form).start().await
    }

    /// This form with a timeout that nobody reaches: where nobody is to fall silent, however slow the machine is.
    pub async fn patient(form: Form) -> Self {
        Setup::new(form).with(PATIENT).start().await
    }

    async fn wait_for_api(&mut self) {
        let address = self.api.must_say("listening on ").await;
        self.client.moves_to(&address);
    }

    async fn wait_for_workers(&mut self) {
        for worker in &mut self.workers {
            worker.must_say("health and metrics on ").await;
        }
    }

    /// Starts the API, or the stand-alone program, again after its end.
    pub async fn start_api_again(&mut self) {
        self.api = spawn_api(&self.programs, self.form, &with_clock(&self.settings, self.clock(0)), &self.folder);
        self.wait_for_api().await;
    }

    /// Another replica of the API, with a client of it.
    pub async fn another_api(&self) -> (Client, Process) {
        let mut process =
            spawn_api(&self.programs, self.form, &with_clock(&self.settings, self.clock(1)), &self.folder);
        let client = Client::new();
        client.moves_to(&process.must_say("listening on ").await);
        (client, process)
    }

    /// Starts a worker again after its end.
    pub async fn start_worker_again(&mut self, place: usize) {
        self.workers[place] =
            spawn_worker(&self.programs, &with_clock(&self.settings, self.clock(place)), &self.folder);
        self.workers[place].must_say("health and metrics on ").await;
    }

    /// Starts the workers again after their end.
    pub async fn start_workers_again(&mut self) {
        for place in 0..self.workers.len() {
            self.workers[place] =
                spawn_worker(&self.programs, &with_clock(&self.settings, self.clock(place)), &self.folder);
        }
        self.wait_for_workers().await;
    }

    /// How far the clock of the first programs and of the others is ahead.
    fn clock(&self, place: usize) -> Option<i64> {
        self.skewed.then_some(if place == 0 { SKEW } else { -SKEW })
    }

    /// Brings the database to the schema of this version, whose programs are the ones that start from now on.
    pub fn upgrade(&mut self) {
        self.programs = newest_programs();
        let migrate = std::process::Command::new(self.programs.join("lastseen-api"))
            .arg("migrate")
            .env("DATABASE_URL", self.database.url())
            .output()
            .unwrap();
        assert!(migrate.status.success(), "{}", String::from_utf8_lossy(&migrate.stderr));
    }

    /// Programs that start from now on are the older ones again; the schema stays.
    pub fn go_back(&mut self) {
        self.programs = older_programs();
    }

    /// Another value of a setting, for programs that start from now on.
    pub fn set(&mut self, name: &'static str, value: &str) {
        self.settings.retain(|(other, _)| *other != name);
        self.settings.push((name, value.to_owned()));
    }

    /// A file in the test's own folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.0.join(name)
    }

    /// Ends all programs, in order.
    pub async fn stop(&mut self) {
        for process in std::iter::once(&mut self.api).chain(&mut self.workers) {
            process.ask_to_end();
        }
        for process in std::iter::once(&mut self.api).chain(&mut self.workers) {
            assert_eq!(process.ended(Duration::from_secs(25)).await.code(), Some(0), "{}", process.report());
        }
    }

    /// The first admin, logged in.
    pub async fn admin(&self) -> Session {
        self.client.log_in(ADMIN).await
    }

    /// A new user, logged in.
    pub async fn user(&self, name: &str) -> Session {
        self.client.register(name).await;
        self.client.log_in(name).await
    }
}

/// What every scenario's programs know, and may not write into a log: passwords, the signing secret, and tokens, which begin
/// with the same letters whoever they are of.
const SECRETS: [&str; 4] = [PASSWORD, SIGNING_SECRET, "eyJ0eX", "MC4CAQAwBQYDK2Vw"];

/// Looks through the logs of all processes there were, those that were killed as well.
fn find_secrets(folder: &Folder) {
    for entry in std::fs::read_dir(&folder.0).unwrap().flatten() {
        if entry.path().extension().is_some_and(|kind| kind == "log") {
            let log = String::from_utf8_lossy(&std::fs::read(entry.path()).unwrap_or_default()).into_owned();
            for secret in SECRETS {
                let line = log.lines().find(|line| line.contains(secret));
                assert!(line.is_none(), "a secret stands in {}: {line:?}", entry.path().display());
            }
        }
    }
}

impl Drop for System {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            find_secrets(&self.folder);
        }
        let processes = || std::iter::once(&self.api).chain(&self.workers);
        if std::thread::panicking() {
            for process in processes() {
                eprintln!("{}", process.report());
            }
        }
        // All at once, and then each is waited for.
        for process in std::iter::once(&mut self.api).chain(&mut self.workers) {
            process.ask_to_end();
        }
    }
}
