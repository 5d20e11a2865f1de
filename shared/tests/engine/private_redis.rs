//! A Redis server of a test's own, which it may empty, stop and count.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::harness::Folder;

/// A server that ends with the test.
pub struct PrivateRedis {
    port: u16,
    folder: Folder,
    /// What it is started with beside its port and folder.
    arguments: Vec<String>,
    child: Option<Child>,
}

impl PrivateRedis {
    /// One that keeps nothing on the disk.
    pub fn start() -> Self {
        Self::start_with(&["--save", "", "--appendonly", "no"])
    }

    pub fn start_with(arguments: &[&str]) -> Self {
        let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        // Free at this moment; a server that meets it taken ends at once, and the next one is tried.
        for _ in 0..10 {
            let port = free_port();
            let mut server = Self { port, folder: Folder::new(), arguments: arguments.clone(), child: None };
            if server.run() {
                return server;
            }
        }
        panic!("no Redis server could be started: {}", program());
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// The port that a node of a Cluster talks to others by.
    pub fn bus_port(&self) -> String {
        self.arguments.iter().skip_while(|argument| *argument != "--cluster-port").nth(1).unwrap().clone()
    }

    /// Runs a command on a connection of its own.
    pub fn command<T: redis::FromRedisValue>(&self, words: &[&str]) -> redis::RedisResult<T> {
        let mut connection = redis::Client::open(self.url())?.get_connection()?;
        redis::cmd(words[0]).arg(&words[1..]).query(&mut connection)
    }

    /// Kills it.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Starts it again on the same port: empty, unless it keeps something on the disk.
    pub fn restart(&mut self) {
        assert!(self.run(), "the Redis server did not start again on port {}", self.port);
    }

    /// Keeps it from answering while its connections stay open, or lets it go on.
    pub fn freeze(&self, frozen: bool) {
        let id = self.child.as_ref().unwrap().id().to_string();
        let signal = if frozen { "-STOP" } else { "-CONT" };
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
        // The signal may take its time; ps says T of a process that has stopped.
        let state = || Command::new("ps").args(["-o", "state=", "-p", &id]).output().unwrap().stdout;
        while state().starts_with(b"T") != frozen {
            std::thread::yield_now();
        }
    }

    fn run(&mut self) -> bool {
        let mut command = Command::new(program());
        // A Sentinel writes to the file that it is configured by.
        let file = self.folder.path().join("redis.conf");
        if !file.exists() {
            std::fs::write(&file, "").unwrap();
        }
        command.arg(&file).args(["--bind", "127.0.0.1", "--port", &self.port.to_string()]).args(&self.arguments);
        command.arg("--dir").arg(self.folder.path()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap_or_else(|error| {
            panic!("{} does not start ({error}): install redis-server, or name it in {VARIABLE}", program())
        });
        let client = redis::Client::open(self.url()).unwrap();
        let asked = Instant::now();
        while asked.elapsed() < Duration::from_secs(10) {
            if child.try_wait().unwrap().is_some() {
                return false;
            }
            if client.get_connection().is_ok_and(|mut c| redis::cmd("PING").query::<()>(&mut c).is_ok()) {
                self.child = Some(child);
                return true;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = child.kill();
        let _ = child.wait();
        false
    }
}

impl Drop for PrivateRedis {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A port that is free at this moment.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

const VARIABLE: &str = "LASTSEEN_TEST_REDIS_SERVER";

fn program() -> String {
    std::env::var(VARIABLE).unwrap_or_else(|_| "redis-server".to_owned())
}
