//! The job machinery over Redis (TEST_REDIS_URL) and in memory.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use lastseen_shared::queue::{Job, Place, Pushed, Queue};
use lastseen_shared::redis_client::{Connection, Redis, RedisSettings};
use lastseen_worker::attempt::Outcome;
use lastseen_worker::consume::{ConsumeSettings, consume};
use lastseen_worker::context::JobError;
use lastseen_worker::registry::{Policy, Runner};
use tokio::sync::watch;
use tokio::task::JoinHandle;

const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Clone, Copy)]
enum Behaviour {
    Work(Duration),
    /// Is followed by so many of its shard.
    GoOn(u64),
    Fail,
    Panic,
}

/// A runner that notes what it ran.
#[derive(Clone)]
struct Fake {
    who: &'static str,
    behaviour: Behaviour,
    policy: Policy,
    log: Log,
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<Run>>>, Arc<Mutex<Vec<Outcome>>>);

/// Who ran what, and when.
type Run = (&'static str, Job, Instant);

impl Log {
    fn runs(&self) -> Vec<(&'static str, Job, Instant)> {
        self.0.lock().unwrap().clone()
    }
    fn outcomes(&self) -> Vec<Outcome> {
        self.1.lock().unwrap().clone()
    }
    async fn until_outcomes(&self, n: usize) {
        let start = Instant::now();
        while self.outcomes().len() < n {
            assert!(start.elapsed() < PATIENCE, "{:?} of {n}", self.outcomes());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    async fn until_runs(&self, n: usize) {
        let start = Instant::now();
        while self.runs().len() < n {
            assert!(start.elapsed() < PATIENCE, "{:?} of {n}", self.runs());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Runner for Fake {
    fn policy(&self, _: &Job) -> Policy {
        self.policy
    }
    async fn run(&self, job: Job) -> Result<Option<Job>, JobError> {
        self.log.0.lock().unwrap().push((self.who, job.clone(), Instant::now()));
        match self.behaviour {
            Behaviour::Work(time) => {
                tokio::time::sleep(time).await;
                Ok(None)
            }
            Behaviour::GoOn(times) => {
                let done = self.log.runs().iter().filter(|(_, run, _)| run.shard() == job.shard()).count() as u64;
                let next = Job::Reconcile { shard: job.shard().unwrap(), from: Some(Place::Held(done)) };
                Ok((done <= times).then_some(next))
            }
            Behaviour::Fail => Err("no luck".into()),
            Behaviour::Panic => panic!("oh no"),
        }
    }
}

fn policy(attempts: u32) -> Policy {
    Policy { attempts, backoff: Duration::from_millis(50), timeout: Duration::from_secs(30) }
}

fn fake(who: &'static str, behaviour: Behaviour, attempts: u32, log: &Log) -> Fake {
    Fake { who, behaviour, policy: policy(attempts), log: log.clone() }
}

struct Worker {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Worker {
    async fn stop(self) {
        self.stop.send(true).unwrap();
        self.task.await.unwrap();
    }
    fn kill(self) {
        self.task.abort();
    }
}

fn start(queue: &Queue, concurrency: usize, runner: Fake) -> Worker {
    let (stop, stopped) = watch::channel(false);
    let settings =
        ConsumeSettings { concurrency, orphan_timeout: Duration::from_secs(3), ..ConsumeSettings::default() };
    let log = runner.log.clone();
    let observer = move |_: &'static str, outcome, _: Duration| log.1.lock().unwrap().push(outcome);
    let queue = queue.clone();
    let task = tokio::spawn(async move {
        consume(queue, settings, runner, Arc::new(observer), stopped).await.unwrap();
    });
    Worker { stop, task }
}

fn connection() -> Connection {
    let url = crate::world::required("TEST_REDIS_URL");
    Redis::new(&RedisSettings { url, key_prefix: String::new() }).unwrap().shared()
}

async fn redis_queue() -> (Queue, String) {
    let mut random = [0; 8];
    getrandom::fill(&mut random).unwrap();
    let prefix = format!("test{:x}:", u64::from_ne_bytes(random));
    (Queue::redis(connection(), &prefix, Duration::from_secs(60)), prefix)
}

async fn keys(prefix: &str) -> Vec<String> {
    let mut conn = connection();
    let mut keys: Vec<String> = redis::cmd("KEYS").arg(format!("{prefix}*")).query_async(&mut conn).await.unwrap();
    keys.sort();
    keys
}

async fn push_16(queue: &Queue, tick: i64) -> HashMap<bool, usize> {
    let mut counts = HashMap::new();
    for shard in 0..16 {
        let new = queue.push(Job::Sweep { shard }, tick).await.unwrap() == Pushed::New;
        *counts.entry(new).or_default() += 1;
    }
    counts
}

async fn both() -> Vec<Queue> {
    vec![redis_queue().await.0, Queue::memory(Duration::from_secs(60))]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_pushes_of_a_tick_are_one_run_each() {
    let (queue, _) = redis_queue().await;
    let log = Log::default();
    let workers: Vec<_> =
        ["a", "b"].map(|who| start(&queue, 4, fake(who, Behaviour::Work(Duration::from_millis(20)), 3, &log))).into();
    assert_eq!(push_16(&queue, 60_000).await, HashMap::from([(true, 16)]));
    assert_eq!(push_16(&queue, 60_000).await, HashMap::from([(false, 16)]));
    log.until_outcomes(16).await;
    assert_eq!(push_16(&queue, 60_000).await, HashMap::from([(false, 16)]));
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(log.runs().len(), 16);
    assert_eq!(push_16(&queue, 120_000).await, HashMap::from([(true, 16)]));
    log.until_outcomes(32).await;
    for w in workers {
        w.stop().await;
    }
    assert_eq!(log.runs().len(), 32);
    let depth = queue.depth().await.unwrap();
    assert_eq!((depth.waiting, depth.active, depth.dead), (0, 0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_oldest_task_that_waits_tells_for_how_long() {
    for queue in both().await {
        let oldest = async || queue.depth().await.unwrap().oldest;
        assert_eq!(oldest().await, Duration::ZERO, "none waits");
        queue.push(Job::Sweep { shard: 1 }, 60_000).await.unwrap();
        tokio::time::sleep(Duration::from_millis(1_200)).await;
        let second = Instant::now();
        queue.push(Job::Sweep { shard: 2 }, 60_000).await.unwrap();
        let waited = oldest().await;
        assert!((Duration::from_millis(1_200)..Duration::from_secs(20)).contains(&waited), "{waited:?}");
        // The first is taken, and done only much later: what waits is the second, then nothing.
        let log = Log::default();
        let worker = start(&queue, 1, fake("a", Behaviour::Work(Duration::from_millis(2_500)), 1, &log));
        log.until_runs(1).await;
        // The first has been there for 1.2 s longer; an id is of a whole millisecond.
        let waited = oldest().await;
        assert!(waited <= second.elapsed() + Duration::from_millis(1), "{waited:?}");
        log.until_runs(2).await;
        assert_eq!(oldest().await, Duration::ZERO);
        worker.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_runs_once_each() {
    let queue = Queue::memory(Duration::from_secs(60));
    let log = Log::default();
    let worker = start(&queue, 4, fake("m", Behaviour::Work(Duration::from_millis(20)), 3, &log));
    push_16(&queue, 60_000).await;
    push_16(&queue, 60_000).await;
    log.until_outcomes(16).await;
    worker.stop().await;
    assert_eq!(log.runs().len(), 16);
    let depth = queue.depth().await.unwrap();
    assert_eq!((depth.waiting, depth.active, depth.dead), (0, 0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_goes_on_lets_others_in_between() {
    for queue in both().await {
        let log = Log::default();
        // Both wait before the worker starts: else the first could be through before the second is there.
        queue.push(Job::reconcile(1), 60_000).await.unwrap();
        queue.push(Job::reconcile(2), 60_000).await.unwrap();
        let worker = start(&queue, 1, fake("a", Behaviour::GoOn(3), 1, &log));
        log.until_outcomes(8).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        worker.stop().await;
        let runs = log.runs();
        let shards: Vec<u32> = runs.iter().map(|(_, job, _)| job.shard().unwrap()).collect();
        assert_eq!(shards.len(), 8, "{runs:?}");
        assert!(shards[..4].contains(&1) && shards[..4].contains(&2), "{runs:?}");
        // The same again, as after a worker that died when it had pushed and before it was done: a duplicate.
        let again = Job::Reconcile { shard: 1, from: Some(Place::Held(1)) };
        assert_eq!(queue.push(again, 60_000).await.unwrap(), Pushed::Duplicate);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attempts_are_exact() {
    for queue in both().await {
        for (behaviour, attempts) in [(Behaviour::Fail, 3), (Behaviour::Panic, 2), (Behaviour::Fail, 1)] {
            let log = Log::default();
            // A memory queue has one consumer in its life.
            let queue = if matches!(queue, Queue::Memory(_)) {
                Queue::memory(Duration::from_secs(60))
            } else {
                queue.clone()
            };
            let before = queue.depth().await.unwrap().dead;
            let worker = start(&queue, 2, fake("a", behaviour, attempts, &log));
            queue.push(Job::Sweep { shard: 1 }, 0).await.unwrap();
            log.until_outcomes(attempts as usize).await;
            tokio::time::sleep(Duration::from_secs(3)).await;
            let mut expected = vec![Outcome::Retrying; attempts as usize - 1];
            expected.push(Outcome::Failed);
            assert_eq!(log.outcomes(), expected);
            assert_eq!(log.runs().len(), attempts as usize);
            if matches!(queue, Queue::Redis(_)) {
                let depth = queue.depth().await.unwrap();
                assert_eq!((depth.waiting, depth.active, depth.dead), (0, 0, before + 1));
            }
            worker.stop().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_attempt_that_takes_too_long_fails() {
    let (queue, _) = redis_queue().await;
    let log = Log::default();
    let mut runner = fake("a", Behaviour::Work(PATIENCE), 2, &log);
    runner.policy.timeout = Duration::from_millis(100);
    let worker = start(&queue, 2, runner);
    queue.push(Job::Sweep { shard: 1 }, 0).await.unwrap();
    log.until_outcomes(2).await;
    assert_eq!(log.outcomes(), [Outcome::Retrying, Outcome::Failed]);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_workers_tasks_are_taken_over() {
    let (queue, _) = redis_queue().await;
    let log = Log::default();
    let first = start(&queue, 4, fake("first", Behaviour::Work(PATIENCE), 1, &log));
    for shard in 0..3 {
        queue.push(Job::Sweep { shard }, 60_000).await.unwrap();
    }
    log.until_runs(3).await;
    let second = start(&queue, 4, fake("second", Behaviour::Work(Duration::ZERO), 1, &log));
    tokio::time::sleep(Duration::from_millis(1500)).await;
    first.kill();
    let killed = Instant::now();
    log.until_outcomes(3).await;
    println!("taken over {:?} after the kill", killed.elapsed());
    assert!(killed.elapsed() < Duration::from_secs(10));
    let last = log.runs().into_iter().skip(3).map(|(who, ..)| who).collect::<Vec<_>>();
    assert_eq!(last, ["second"; 3]);
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn busy_workers_count_as_alive() {
    let (queue, _) = redis_queue().await;
    let log = Log::default();
    let work = Behaviour::Work(Duration::from_secs(6));
    let workers: Vec<_> = ["a", "b"].map(|who| start(&queue, 1, fake(who, work, 1, &log))).into();
    for shard in 0..4 {
        queue.push(Job::Sweep { shard }, 60_000).await.unwrap();
    }
    log.until_outcomes(4).await;
    for w in workers {
        w.stop().await;
    }
    assert_eq!(log.runs().len(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_waits_for_the_work_in_hand() {
    for queue in both().await {
        let log = Log::default();
        let work = Behaviour::Work(Duration::from_secs(7));
        let first = start(&queue, 4, fake("first", work, 1, &log));
        queue.push(Job::Sweep { shard: 1 }, 60_000).await.unwrap();
        log.until_runs(1).await;
        let second = matches!(queue, Queue::Redis(_))
            .then(|| start(&queue, 4, fake("second", Behaviour::Work(Duration::ZERO), 1, &log)));
        let stopping = tokio::spawn(first.stop());
        tokio::time::sleep(Duration::from_millis(100)).await;
        queue.push(Job::Sweep { shard: 2 }, 60_000).await.unwrap();
        stopping.await.unwrap();
        let runs = log.runs();
        let by = |who| runs.iter().filter(|r| r.0 == who).map(|r| r.1.shard().unwrap()).collect::<Vec<_>>();
        assert_eq!(by("first"), [1]);
        if let Some(second) = second {
            log.until_outcomes(2).await;
            tokio::time::sleep(Duration::from_secs(5)).await;
            second.stop().await;
            let runs = log.runs();
            let by = |who| runs.iter().filter(|r| r.0 == who).map(|r| r.1.shard().unwrap()).collect::<Vec<_>>();
            assert_eq!(by("second"), [2], "a drain longer than the orphan time-out is not taken over");
            assert_eq!(by("first"), [1]);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_between_attempts_gives_the_task_back() {
    let (queue, _) = redis_queue().await;
    let log = Log::default();
    let mut runner = fake("first", Behaviour::Fail, 3, &log);
    runner.policy.backoff = PATIENCE;
    let first = start(&queue, 4, runner);
    queue.push(Job::Sweep { shard: 1 }, 60_000).await.unwrap();
    log.until_outcomes(1).await;
    let t = Instant::now();
    first.stop().await;
    assert!(t.elapsed() < Duration::from_secs(10));
    let second = start(&queue, 4, fake("second", Behaviour::Work(Duration::ZERO), 1, &log));
    log.until_outcomes(2).await;
    assert_eq!(log.runs()[1].0, "second");
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn finished_tasks_leave_nothing_behind() {
    let (queue, prefix) = redis_queue().await;
    let log = Log::default();
    let worker = start(&queue, 16, fake("a", Behaviour::Work(Duration::ZERO), 1, &log));
    for tick in 1..=20 {
        push_16(&queue, tick).await;
    }
    log.until_outcomes(320).await;
    worker.stop().await;
    let log2 = Log::default();
    let worker = start(&queue, 16, fake("a", Behaviour::Fail, 1, &log2));
    push_16(&queue, 100).await;
    log2.until_outcomes(16).await;
    worker.stop().await;
    assert_eq!(queue.depth().await.unwrap().dead, 16);
    assert_eq!(queue.clean_finished().await.unwrap(), 0);
    let hour = Duration::from_secs(3600);
    assert_eq!(queue.clean_finished_before(Duration::ZERO, hour).await.unwrap(), 320);
    assert_eq!(queue.depth().await.unwrap().dead, 16);
    assert_eq!(queue.clean_finished_before(Duration::ZERO, Duration::ZERO).await.unwrap(), 16);
    let left: Vec<_> = keys(&prefix).await.into_iter().filter(|k| !k.contains(":idempotency:")).collect();
    println!("{left:#?}");
    let mut conn = connection();
    for key in keys(&prefix).await {
        let ttl: i64 = redis::cmd("TTL").arg(&key).query_async(&mut conn).await.unwrap();
        if key.ends_with(":signal") {
            // Stays where the worker stopped without having looked in vain once more.
            let length: u64 = redis::cmd("LLEN").arg(&key).query_async(&mut conn).await.unwrap();
            assert_eq!(length, 1);
        } else if !key.ends_with(":workers") {
            assert!(ttl > 0, "{key} {ttl}");
        }
    }
    let expected = |key: &String| key.contains(":workers") || key.contains(":runs:") || key.ends_with(":signal");
    assert_eq!(left.iter().filter(|key| !expected(key)).count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payload_of_another_version_is_given_up_and_harms_nothing() {
    let (queue, prefix) = redis_queue().await;
    let log = Log::default();
    let Queue::Redis(redis_queue) = &queue else { unreachable!() };
    let name = redis_queue.name().to_owned();
    assert!(name.starts_with(&prefix));
    let config = apalis_redis::Config::default().queue(&name);
    let mut conn = connection();
    let task = apalis::prelude::TaskBuilder::new(br#"{"v":9,"job":"x"}"#.to_vec()).build();
    apalis_redis::queries::push_tasks(&mut conn, &config, &[task]).await.unwrap();
    let worker = start(&queue, 2, fake("a", Behaviour::Work(Duration::ZERO), 1, &log));
    log.until_outcomes(1).await;
    queue.push(Job::CleanTasks {}, 0).await.unwrap();
    log.until_outcomes(2).await;
    assert_eq!(log.outcomes(), [Outcome::Failed, Outcome::Succeeded]);
    worker.stop().await;
    assert_eq!(queue.depth().await.unwrap().dead, 1);
}
