//! Time in these tests: all programs run on this machine, so its clock is theirs, and a test can say to the millisecond
//! what is true when. Nothing sleeps for a fixed time; what is waited for is polled.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How often something is looked at while it is waited for.
pub const POLL: Duration = Duration::from_millis(20);

/// Milliseconds since 1970.
pub fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// Looks until there is an answer. Panics with what was amiss at the last look once `within` has passed.
pub async fn eventually<T>(within: Duration, mut look: impl AsyncFnMut() -> Result<T, String>) -> T {
    let start = Instant::now();
    loop {
        match look().await {
            Ok(answer) => return answer,
            Err(amiss) if start.elapsed() > within => panic!("not within {within:?}: {amiss}"),
            Err(_) => tokio::time::sleep(POLL).await,
        }
    }
}

/// Looks again and again for as long as `during`: what is true must stay so.
pub async fn stays(during: Duration, mut look: impl AsyncFnMut()) {
    let start = Instant::now();
    while start.elapsed() < during {
        look().await;
        tokio::time::sleep(POLL).await;
    }
}

/// Waits until this machine's clock shows `at`.
pub async fn until(at: i64) {
    while now() < at {
        tokio::time::sleep(Duration::from_millis(u64::try_from(at - now()).unwrap_or(0).clamp(1, 20))).await;
    }
}

/// When a user was online, as far as its own answers tell: each sign of life, to the deadline that it brought.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    spans: Vec<(i64, i64)>,
}

impl Timeline {
    /// Adds a sign of life with its deadline.
    pub fn add(&mut self, (from, until): (i64, i64)) {
        self.spans.push((from, until));
        self.spans.sort_unstable();
        self.spans.dedup_by(|later, earlier| {
            let touches = later.0 <= earlier.1;
            if touches {
                earlier.1 = earlier.1.max(later.1);
            }
            touches
        });
    }

    /// What a question that was asked and answered at these moments must have been told; `None` where something
    /// changed in between.
    pub fn says(&self, asked: i64, answered: i64) -> Option<bool> {
        if self.spans.iter().any(|(from, until)| *from <= asked && answered < *until) {
            return Some(true);
        }
        let apart = self.spans.iter().all(|(from, until)| *until <= asked || answered < *from);
        apart.then_some(false)
    }

    /// The longest time without a gap, in ms.
    pub fn longest(&self) -> i64 {
        self.spans.iter().map(|(from, until)| until - from).max().unwrap_or(0)
    }

    /// The last deadline.
    pub fn end(&self) -> i64 {
        self.spans.last().map_or(0, |(_, until)| *until)
    }
}
