//! Random lives, lived on an engine and by the plain rule at once, and compared after every step.

mod driver;
mod rule;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::harness::Harness;
use driver::Driver;
use rule::{Look, Seers};

/// Everything in whole tens of seconds, so that deadlines meet each other and the steps of time.
const TIMEOUTS: [u64; 3] = [20_000, 30_000, 50_000];

/// One step of a life. Users and sessions are named by their places, since ids are never used again.
#[derive(Clone, Debug)]
pub enum Step {
    /// Logs in, or sends the heartbeat of a session that is not known to be live.
    Connect {
        user: usize,
        slot: usize,
    },
    /// Reads a session's row, for a connect that takes its time.
    Read {
        user: usize,
        slot: usize,
    },
    /// Connects with the row that was read.
    Slow {
        user: usize,
        slot: usize,
    },
    /// Reads a session's row, and connects with it after something else has happened to the same user.
    Meanwhile {
        user: usize,
        slot: usize,
        happens: Vec<Step>,
    },
    /// A batch of heartbeats: the user and the slot of each.
    Touch(Vec<(usize, usize)>),
    Disconnect {
        user: usize,
        slot: usize,
    },
    /// Ends all sessions up to one.
    EvictUpTo {
        user: usize,
        slot: usize,
    },
    /// Bars the user.
    EvictAll {
        user: usize,
    },
    /// Lets a barred user in again.
    Admit {
        user: usize,
    },
    Retime {
        user: usize,
        timeout: u64,
    },
    Pass(u64),
    /// Goes to the next deadline, or so many milliseconds past it.
    PassToDeadline(i64),
    Expire {
        shard: u32,
        most: usize,
    },
    Project {
        shard: u32,
    },
    /// Changes what a user shows, perhaps for so long, and to whom.
    Choose {
        user: usize,
        look: Look,
        after: Option<u64>,
        seers: Seers,
    },
    /// A device says whether it is idle.
    Idle {
        user: usize,
        slot: usize,
        idle: bool,
    },
    Snapshot,
    /// Stops the process and starts it again, where the engine has a journal.
    Restart,
}

fn time() -> impl Strategy<Value = u64> {
    prop::sample::select(vec![1, 999, 9_999, 10_000, 10_000, 20_000, 30_000, 30_001, 61_000, 1_000_000])
}

fn chosen(user: usize) -> impl Strategy<Value = Step> {
    let availability = prop::sample::select(vec!["available", "away", "dnd", "invisible", "invisible"]);
    let after = prop::option::of(prop::sample::select(vec![0, 1, 10_000, 20_000, 30_000, 61_000]));
    let seen_by = || prop::sample::select(vec!["everyone", "everyone", "contacts", "nobody"]);
    (availability, 0..3_u8, after, (seen_by(), seen_by())).prop_map(move |(availability, words, after, seers)| {
        Step::Choose { user, look: (availability, words), after, seers }
    })
}

/// What happens to one user.
fn event(user: usize) -> impl Strategy<Value = Step> {
    let slot = || 0..3_usize;
    prop_oneof![
        6 => slot().prop_map(move |slot| Step::Connect { user, slot }),
        3 => slot().prop_map(move |slot| Step::Read { user, slot }),
        3 => slot().prop_map(move |slot| Step::Slow { user, slot }),
        3 => slot().prop_map(move |slot| Step::Disconnect { user, slot }),
        1 => slot().prop_map(move |slot| Step::EvictUpTo { user, slot }),
        1 => Just(Step::EvictAll { user }),
        2 => Just(Step::Admit { user }),
        4 => chosen(user),
        4 => (slot(), any::<bool>()).prop_map(move |(slot, idle)| Step::Idle { user, slot, idle }),
        2 => prop::sample::select(&TIMEOUTS[..]).prop_map(move |timeout| Step::Retime { user, timeout }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let meanwhile = (0..3_usize, 0..3_usize).prop_flat_map(|(user, slot)| {
        let happens = vec(prop_oneof![3 => event(user), 1 => time().prop_map(Step::Pass)], 1..4);
        happens.prop_map(move |happens| Step::Meanwhile { user, slot, happens })
    });
    prop_oneof![
        20 => (0..3_usize).prop_flat_map(event),
        5 => meanwhile,
        6 => vec((0..3_usize, 0..3_usize), 1..8).prop_map(Step::Touch),
        5 => time().prop_map(Step::Pass),
        5 => (-1..=1_i64).prop_map(Step::PassToDeadline),
        3 => (0..2_u32, 1..4_usize).prop_map(|(shard, most)| Step::Expire { shard, most }),
        3 => (0..2_u32).prop_map(|shard| Step::Project { shard }),
        2 => Just(Step::Snapshot),
        1 => Just(Step::Restart),
    ]
}

/// Lives `cases` lives of up to 60 steps, or as many as `PROPTEST_CASES` says.
fn live_lives(cases: u32, harness: impl AsyncFn() -> Harness) {
    let cases = std::env::var("PROPTEST_CASES").map_or(cases, |cases| cases.parse().unwrap());
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 3_000, ..Config::default() };
    let played = TestRunner::new(config).run(&vec(step(), 1..60), |steps| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let harness = runtime.block_on(harness());
        runtime.block_on(async {
            let mut driver = Driver::new(harness).await;
            for step in &steps {
                driver.play(step).await;
                driver.compare().await;
            }
            driver.compare_stories().await;
        });
        Ok(())
    });
    if let Err(error) = played {
        panic!("{error}");
    }
}

#[test]
fn memory() {
    live_lives(400, async || Harness::memory());
}

#[test]
fn journaled() {
    live_lives(32, Harness::journaled);
}

#[test]
fn redis() {
    live_lives(64, async || Harness::redis());
}
