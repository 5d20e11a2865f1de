//! Processes under test: started without our environment, watched by what they log, ended by their own pid.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::time::{POLL, eventually};

/// How long a program may take to start, on a machine that does much else.
const STARTS_WITHIN: Duration = Duration::from_secs(30);
/// How long a process may take to end by itself once a test is over.
const GRACE: Duration = Duration::from_secs(2);

/// A process; gone when dropped.
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
    asked_to_end: Option<Instant>,
}

impl Process {
    /// Starts a program in `folder`, with its output in a file there, and of our environment PATH and HOME alone.
    pub fn spawn(name: &str, program: &Path, args: &[&str], env: &[(&str, String)], folder: &Path) -> Self {
        let log = folder.join(format!("{name}-{}.log", unique()));
        let file = File::create(&log).unwrap();
        let kept = ["PATH", "HOME"].into_iter().filter_map(|name| Some((name, std::env::var(name).ok()?)));
        let child = Command::new(program)
            .args(args)
            .env_clear()
            .envs(kept)
            .envs(env.iter().map(|(name, value)| (name, value)))
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap_or_else(|error| panic!("{} could not be started: {error}", program.display()));
        Self { name: name.to_owned(), child, log, asked_to_end: None }
    }

    /// Waits for a line with `phrase`, and answers what follows it there; `Err` where the process ends before.
    pub async fn says(&mut self, phrase: &str) -> Result<String, ExitStatus> {
        eventually(STARTS_WITHIN, async || {
            let said = self.said();
            // Its end first: what it said before that is in the log by then.
            if let Some(status) = self.child.try_wait().unwrap() {
                return Ok(Err(status));
            }
            let rest = said.lines().find_map(|line| line.split_once(phrase)).map(|(_, rest)| rest.trim().to_owned());
            rest.map(Ok).ok_or_else(|| format!("{} has not said {phrase:?}:\n{said}", self.name))
        })
        .await
    }

    /// As [`Self::says`], for a process that has to start.
    pub async fn must_say(&mut self, phrase: &str) -> String {
        match self.says(phrase).await {
            Ok(rest) => rest,
            Err(status) => panic!("{} ended at its start ({status}):\n{}", self.name, self.said()),
        }
    }

    /// All that it has put out.
    pub fn said(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Its name and its log, for whoever looks into a failure.
    pub fn report(&self) -> String {
        format!("--- {} (pid {})\n{}", self.name, self.child.id(), self.said())
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL: no last word.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        self.child.wait().unwrap();
    }

    /// SIGTERM, without waiting.
    pub fn ask_to_end(&mut self) {
        if self.asked_to_end.is_some() || self.child.try_wait().unwrap().is_some() {
            return;
        }
        self.asked_to_end = Some(Instant::now());
        // The pid is ours until it is waited for, which only this type does.
        let command = format!("kill -s TERM {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &command]).status().unwrap().success(), "{command}");
    }

    /// Waits for its end.
    pub async fn ended(&mut self, within: Duration) -> ExitStatus {
        eventually(within, async || {
            self.child.try_wait().unwrap().ok_or_else(|| format!("{} still runs:\n{}", self.name, self.said()))
        })
        .await
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.ask_to_end();
        let asked = self.asked_to_end.unwrap_or_else(Instant::now);
        while matches!(self.child.try_wait(), Ok(None)) {
            if asked.elapsed() > GRACE {
                self.kill();
                return;
            }
            std::thread::sleep(POLL);
        }
    }
}

/// A text that no other test, in this process or another, has: for names of folders, databases and keys.
pub fn unique() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{}_{:x}_{count}", std::process::id(), crate::time::now())
}

/// A folder that is gone when dropped.
pub struct Folder(pub PathBuf);

impl Folder {
    /// A new one, for us alone.
    pub fn new() -> Self {
        use std::os::unix::fs::DirBuilderExt;
        let path = std::env::temp_dir().join(format!("lastseen-scenario-{}", unique()));
        std::fs::DirBuilder::new().mode(0o700).create(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
