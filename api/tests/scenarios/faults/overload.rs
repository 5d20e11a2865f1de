//! Three times as many requests as the service can answer: it goes on answering at its limit, tells the others so quickly, and
//! is itself again at once afterwards.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use crate::client::{Answer, Session};
use crate::harness::{Form, Setup, System};

/// How long it is too much.
const LONG: Duration = Duration::from_secs(6);
/// No answer may take longer, on a machine that has been given three times its work.
const QUICKLY: i64 = 8_000;

/// What was answered.
#[derive(Default)]
struct Answers {
    good: AtomicUsize,
    refused: AtomicUsize,
    unanswered: AtomicUsize,
    slowest: AtomicUsize,
}

impl Answers {
    fn note(&self, answer: Result<Answer, reqwest::Error>) {
        let Ok(answer) = answer else {
            self.unanswered.fetch_add(1, Ordering::Relaxed);
            return;
        };
        match answer.status {
            200 => self.good.fetch_add(1, Ordering::Relaxed),
            503 | 429 => {
                assert!(answer.headers.contains_key("retry-after"), "{answer:?}");
                self.refused.fetch_add(1, Ordering::Relaxed)
            }
            _ => panic!("{answer:?}"),
        };
        self.slowest.fetch_max(usize::try_from(answer.took()).unwrap_or(0), Ordering::Relaxed);
    }
}

async fn page(reader: &Session) -> Result<Answer, reqwest::Error> {
    reader.try_send(reqwest::Method::GET, "/api/users/all-users/?search=seed&limit=200", None).await
}

/// How many pages a second are answered to eight readers who wait for each other's.
async fn most(reader: &Session) -> f64 {
    let (begun, done) = (Instant::now(), AtomicUsize::new(0));
    let readers = (0..8).map(|_| async {
        while begun.elapsed() < Duration::from_secs(3) {
            assert_eq!(page(reader).await.unwrap().status, 200);
            done.fetch_add(1, Ordering::Relaxed);
        }
    });
    join_all(readers).await;
    done.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64()
}

fn resident(system: &System) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", system.api.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// With `alone` it has the machine for itself, so that rates tell something.
async fn overloaded(form: Form, alone: bool) {
    let setup = Setup::new(form).with(("LASTSEEN_INACTIVITY_TIMEOUT", "60s"));
    let system = setup.with(("LASTSEEN_DATABASE_CONNECTIONS", "2")).start().await;
    system.database.seed(2_000);
    let (reader, ann) = (system.admin().await, system.user("ann").await);
    most(&reader).await;
    let rate = most(&reader).await;
    let before = resident(&system);

    // Requests come at their times, whether others have been answered or not.
    let (answers, over) = (Arc::new(Answers::default()), Arc::new(AtomicBool::new(false)));
    let beating = {
        let (ann, over) = (ann.clone(), Arc::clone(&over));
        tokio::spawn(async move {
            let mut beats = 0;
            while !over.load(Ordering::Relaxed) {
                ann.beat().await;
                beats += 1;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            beats
        })
    };
    let (begun, mut sent) = (Instant::now(), 0_usize);
    let mut tasks = Vec::new();
    while begun.elapsed() < LONG {
        while (sent as f64) < begun.elapsed().as_secs_f64() * rate * 3.0 {
            let (reader, answers) = (reader.clone(), Arc::clone(&answers));
            tasks.push(tokio::spawn(async move { answers.note(page(&reader).await) }));
            sent += 1;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let at_most = resident(&system);
    let good_then = answers.good.load(Ordering::Relaxed);
    for task in tasks {
        task.await.unwrap();
    }
    let settled = begun.elapsed() - LONG;
    over.store(true, Ordering::Relaxed);
    let beats = beating.await.unwrap();
    let [good, refused, unanswered, slowest] =
        [&answers.good, &answers.refused, &answers.unanswered, &answers.slowest].map(|n| n.load(Ordering::Relaxed));
    eprintln!(
        "{form:?}: {rate:.0} pages a second; of {sent} in {LONG:?} {good} answered ({good_then} meanwhile), {refused} refused, \
         {unanswered} without an answer, the slowest after {slowest} ms; {beats} heartbeats; {before} kB and then {at_most} kB; \
         calm {settled:?} later"
    );
    assert_eq!(unanswered, 0, "nobody is left without an answer");
    assert!(slowest < usize::try_from(QUICKLY).unwrap(), "{slowest} ms");
    // A quarter of its limit at the least, with all its refusing and this test's own work on the same cores.
    assert!(!alone || good_then as f64 > rate * LONG.as_secs_f64() / 4.0, "it hardly answered anything");
    assert!(refused > 0, "it was not too much for it");
    assert!(beats > 5, "heartbeats wait for no connection of the database");
    assert!(at_most < before + 400_000, "{before} kB, then {at_most} kB");

    // It is itself again.
    let begun = Instant::now();
    assert_eq!(page(&reader).await.unwrap().status, 200);
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    assert!(!alone || most(&reader).await > rate / 3.0);
}

macro_rules! tests {
    ($($(#[$attribute:meta])* $name:ident: $form:ident, $alone:literal;)*) => {
        $(
            $(#[$attribute])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                Box::pin(overloaded(Form::$form, $alone)).await;
            }
        )*
    };
}

tests! {
    distributed: Distributed, false;
    standalone: StandAlone, false;
    #[ignore = "in make test-faults"]
    distributed_alone: Distributed, true;
    #[ignore = "in make test-faults"]
    standalone_alone: StandAlone, true;
}
