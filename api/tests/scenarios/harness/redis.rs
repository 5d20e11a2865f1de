//! The Redis under test: a part of the one that all tests share, or a server of a test's own.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::database::needed;
use super::process::{Process, unique};
use crate::time::eventually;

/// How long a Redis that starts slowly loads at the least.
const LOADS_FOR: Duration = Duration::from_millis(1_500);

/// Where presence is.
pub enum Redis {
    /// Keys of our own on `TEST_REDIS_URL`, or on `TEST_REDIS_CLUSTER_URL`; deleted with this, but for a Cluster's, which
    /// ends with the run.
    Shared { url: String, prefix: String },
    /// A server of our own.
    Private(Server),
}

/// A Redis server that a test may empty and end.
pub struct Server {
    program: PathBuf,
    folder: PathBuf,
    port: u16,
    /// Whether it writes an append-only file; else it keeps nothing on the disk.
    keeps: bool,
    process: Process,
}

impl Redis {
    /// A part of the shared one.
    pub fn shared(cluster: bool) -> Self {
        let url = needed(if cluster { "TEST_REDIS_CLUSTER_URL" } else { "TEST_REDIS_URL" });
        Self::Shared { url, prefix: format!("scenario:{}:", unique()) }
    }

    /// Its address.
    pub fn url(&self) -> String {
        match self {
            Self::Shared { url, .. } => url.clone(),
            Self::Private(server) => format!("redis://127.0.0.1:{}", server.port),
        }
    }

    /// What stands before our keys.
    pub fn prefix(&self) -> &str {
        match self {
            Self::Shared { prefix, .. } => prefix,
            Self::Private(_) => "",
        }
    }

    /// A connection.
    pub fn connect(&self) -> Box<dyn redis::ConnectionLike + Send> {
        let url = self.url();
        match url.contains(',') {
            true => Box::new(redis::cluster::ClusterClient::new(url.split(',')).unwrap().get_connection().unwrap()),
            false => Box::new(redis::Client::open(url).unwrap().get_connection().unwrap()),
        }
    }

    /// The server, where it is the test's own.
    pub fn server(&mut self) -> &mut Server {
        match self {
            Self::Private(server) => server,
            Self::Shared { .. } => panic!("a test ends no server that others use"),
        }
    }
}

impl Server {
    /// Starts one on a port that is free, below those that the kernel gives to outgoing connections: one of these
    /// could take it while the server is down.
    pub async fn start(folder: PathBuf, keeps: bool) -> Self {
        let program =
            std::env::var_os("LASTSEEN_TEST_REDIS_SERVER").map_or_else(|| "redis-server".into(), PathBuf::from);
        for attempt in 0..10 {
            let mixed = std::process::id()
                .wrapping_mul(31)
                .wrapping_add(u32::try_from(crate::time::now() % 12_000).unwrap_or(0));
            let port = 20_000 + u16::try_from((mixed + attempt * 997) % 12_000).unwrap_or(0);
            if let Some(process) = serve(&program, &folder, port, keeps).await {
                return Self { program, folder, port, keeps, process };
            }
        }
        panic!("no port for {} was free, or it doesn't start", program.display());
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again, on the same port; empty, unless it keeps what it has. With `slowly` it takes some time to load that,
    /// in which it answers `LOADING`.
    pub async fn start_again(&mut self, slowly: bool) {
        let args: &[&str] = if slowly { &["--key-load-delay", "100"] } else { &[] };
        let mut process = spawn(&self.program, &self.folder, self.port, self.keeps, args);
        if slowly {
            let url = format!("redis://127.0.0.1:{}", self.port);
            let mut connection = eventually(Duration::from_secs(10), async || {
                let client = redis::Client::open(url.as_str()).unwrap();
                let mut connection = client.get_connection().map_err(|error| error.to_string())?;
                match redis::cmd("GET").arg("ballast").query::<redis::Value>(&mut connection) {
                    Err(error) if error.kind() == redis::ErrorKind::Server(redis::ServerErrorKind::BusyLoading) => {
                        Ok(connection)
                    }
                    other => Err(format!("it does not load: {other:?}")),
                }
            })
            .await;
            tokio::time::sleep(LOADS_FOR).await;
            // The rest as fast as it can, however much there is.
            let mut hurry = redis::cmd("CONFIG");
            let _ = hurry.arg("SET").arg("key-load-delay").arg(0).query::<redis::Value>(&mut connection);
        }
        process.says("Ready to accept connections").await.expect("the port is ours");
        self.process = process;
    }
}

/// `None` where it ends at once, as it does where the port is taken.
async fn serve(program: &Path, folder: &Path, port: u16, keeps: bool) -> Option<Process> {
    let mut process = spawn(program, folder, port, keeps, &[]);
    process.says("Ready to accept connections").await.ok()?;
    Some(process)
}

fn spawn(program: &Path, folder: &Path, port: u16, keeps: bool, more: &[&str]) -> Process {
    let port = port.to_string();
    let folder_name = folder.to_str().unwrap();
    let args = [
        "--port",
        &port,
        "--bind",
        "127.0.0.1",
        "--dir",
        folder_name,
        "--save",
        "",
        "--appendonly",
        if keeps { "yes" } else { "no" },
    ];
    Process::spawn("redis", program, &[&args, more].concat(), &[], folder)
}

impl Drop for Redis {
    fn drop(&mut self) {
        let Self::Shared { url, prefix } = self else { return };
        if url.contains(',') {
            return;
        }
        // A server that is gone has forgotten them with the rest.
        let Some(mut connection) = redis::Client::open(url.as_str()).ok().and_then(|c| c.get_connection().ok())
        else {
            return;
        };
        let mut scan = redis::cmd("SCAN");
        let keys: Vec<String> =
            match scan.cursor_arg(0).arg("MATCH").arg(format!("{prefix}*")).clone().iter(&mut connection) {
                Ok(keys) => keys.filter_map(Result::ok).collect(),
                Err(_) => return,
            };
        for some in keys.chunks(500) {
            let _ = redis::cmd("DEL").arg(some).query::<()>(&mut connection);
        }
        // The one key without a prefix, apalis's own.
        let queue = format!("{prefix}{{core:apalis:queues:list}}:jobs:workers");
        let _ = redis::cmd("ZREM").arg("core:apalis:queues:list").arg(queue).query::<()>(&mut connection);
    }
}
