//! Many sockets at once: what an idle one costs the API, and how soon a transition is told to its watchers.
//!
//! Half of the crowd have a socket each and watch ten of the other half, whose comings and goings are the transitions:
//! so each transition goes to ten sockets, and each socket gets its share.

mod changes;
mod client;

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt};
use lastseen_api::auth::tokens::{Access, Tokens};
use lastseen_shared::account::Role;
use lastseen_shared::ids::{SessionId, UserId};
use lastseen_shared::service::Claimed;
use lastseen_shared::settings::Secret;
use tokio::time::{Instant, sleep};

use crate::Failed;
use crate::crowd::setting;

/// Users whom each socket watches, and so sockets that each transition is told to.
pub const WATCHED: usize = 10;
/// Handshakes in hand at a time.
const AT_A_TIME: usize = 100;
/// How long the last frames may take: a session that is leaving counts for ten seconds.
const LAST_FRAMES: Duration = Duration::from_secs(25);

/// What is to be done.
pub struct Plan {
    /// Where the API listens.
    pub address: SocketAddr,
    /// Its process.
    pub api: i64,
    /// Sockets to open; the crowd has twice as many users.
    pub count: usize,
    /// The inactivity timeout in the tokens.
    pub timeout: Duration,
    /// How long to do nothing before the memory is read.
    pub idle: Duration,
    /// Transitions a second.
    pub rate: usize,
    /// For how long.
    pub seconds: usize,
}

/// What all sockets write down.
pub struct Seen {
    count: usize,
    tokens: Tokens,
    timeout: Duration,
    /// Pings that were answered.
    pings: Cell<u64>,
    /// Sockets that ended.
    ended: Cell<usize>,
    /// Transitions told: of each socket, of each whom it watches.
    told: RefCell<Vec<u32>>,
    /// Whether that one was online by the last frame.
    online: RefCell<Vec<bool>>,
    /// Frames that said what the one before had said.
    again: Cell<u64>,
    /// From the transition's own time to the frame's arrival, in microseconds.
    delays: RefCell<Vec<u64>>,
}

impl Seen {
    fn token(&self, number: usize) -> Result<String, Failed> {
        let id = i64::try_from(number)?;
        let claimed = Claimed { user: UserId(id), session: SessionId(id), timeout: self.timeout };
        self.tokens.issue(Access { claimed, role: Role::User }).map_err(|error| format!("{error:?}").into())
    }

    /// How far the watched users of one socket are apart: no two sockets watch the same ten.
    fn stride(&self) -> usize {
        self.count / (WATCHED + 1) + 1
    }

    /// The users whom a socket watches, by number.
    fn watched(&self, socket: usize) -> impl Iterator<Item = usize> {
        let (count, stride) = (self.count, self.stride());
        (0..WATCHED).map(move |place| count + 1 + (socket + place * stride) % count)
    }

    /// A frame tells a socket of a transition.
    fn tell(&self, socket: usize, user: usize, online: bool, delay: u64) {
        let Some(place) = self.watched(socket).position(|watched| watched == user) else {
            self.again.set(self.again.get() + 1);
            return;
        };
        let slot = socket * WATCHED + place;
        self.told.borrow_mut()[slot] += 1;
        if std::mem::replace(&mut self.online.borrow_mut()[slot], online) == online {
            self.again.set(self.again.get() + 1);
        }
        self.delays.borrow_mut().push(delay);
    }

    /// Frames that are missing, and frames that are too many, by how often each user has changed.
    fn held_against(&self, made: &[u32]) -> (u64, u64) {
        let (mut missing, mut more) = (0, self.again.get());
        for socket in 0..self.count {
            for (place, user) in self.watched(socket).enumerate() {
                let (told, made) = (self.told.borrow()[socket * WATCHED + place], made[user - self.count - 1]);
                missing += u64::from(made.saturating_sub(told));
                more += u64::from(told.saturating_sub(made));
            }
        }
        (missing, more)
    }
}

/// Opens the sockets, measures, and prints a line of JSON.
pub async fn measure(plan: Plan) -> Result<(), Failed> {
    let tokens = Tokens::new(&Secret::new(setting("LASTSEEN_JWT_SECRET")?), &[], Duration::from_secs(86_400))
        .map_err(|(_, error)| error.to_string())?;
    let seen = Rc::new(Seen {
        count: plan.count,
        tokens,
        timeout: plan.timeout,
        pings: Cell::default(),
        ended: Cell::default(),
        told: RefCell::new(vec![0; plan.count * WATCHED]),
        online: RefCell::new(vec![true; plan.count * WATCHED]),
        again: Cell::default(),
        delays: RefCell::default(),
    });
    let changer = changes::Changer::new(&plan, &seen)?;
    let (before, begun) = (resident(plan.api)?, Instant::now());
    let sockets = futures_util::stream::iter(0..plan.count).map(|socket| client::open(&seen, plan.address, socket));
    sockets.buffer_unordered(AT_A_TIME).try_for_each(|()| async { Ok(()) }).await?;
    let opening = begun.elapsed();
    let (cpu, pings) = (cpu(plan.api)?, seen.pings.get());
    sleep(plan.idle).await;
    let (idle, idle_cpu) = (resident(plan.api)?, self::cpu(plan.api)? - cpu);
    let pings = seen.pings.get() - pings;

    let cpu = self::cpu(plan.api)?;
    let begun = Instant::now();
    let made = changer.run(plan.rate, plan.seconds).await?;
    let took = begun.elapsed();
    let transitions: u64 = made.iter().map(|made| u64::from(*made)).sum();
    let expected = transitions * WATCHED as u64;
    let until = Instant::now() + LAST_FRAMES;
    while (seen.delays.borrow().len() as u64) < expected && Instant::now() < until {
        sleep(Duration::from_millis(10)).await;
    }
    // What is told twice comes late.
    sleep(Duration::from_secs(1)).await;
    let frame_cpu = self::cpu(plan.api)? - cpu;
    let (missing, more) = seen.held_against(&made);
    let mut delays = seen.delays.take();
    delays.sort_unstable();
    let part = |part: f64| {
        let place = (delays.len() as f64 * part) as usize;
        delays.get(place.min(delays.len().saturating_sub(1))).map_or(0.0, |us| *us as f64 / 1_000.0)
    };
    println!(
        "{{\"sockets\": {}, \"ended\": {}, \"opened_a_second\": {:.0}, \"bytes_before\": {before}, \"bytes_idle\": {idle}, \
         \"bytes_a_socket\": {}, \"idle_seconds\": {}, \"pings_answered\": {pings}, \"idle_cpu_ms_a_second\": {:.1}, \
         \"transitions\": {transitions}, \"transitions_a_second\": {:.0}, \"frames\": {}, \"missing\": {missing}, \"too_many\": {more}, \
         \"p50_ms\": {:.1}, \"p99_ms\": {:.1}, \"longest_ms\": {:.1}, \"api_cpu_us_a_frame\": {:.1}, \"bytes_after\": {}}}",
        plan.count,
        seen.ended.get(),
        plan.count as f64 / opening.as_secs_f64(),
        idle.saturating_sub(before) / plan.count as u64,
        plan.idle.as_secs(),
        idle_cpu.as_secs_f64() * 1_000.0 / plan.idle.as_secs_f64().max(1.0),
        transitions as f64 / took.as_secs_f64(),
        delays.len(),
        part(0.5),
        part(0.99),
        part(1.0),
        frame_cpu.as_secs_f64() * 1e6 / delays.len().max(1) as f64,
        resident(plan.api)?,
    );
    Ok(())
}

/// The memory of a process that is in RAM, in bytes.
fn resident(process: i64) -> Result<u64, Failed> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").trim().parse::<u64>()? * 1024)
}

/// The time that a process has had, in steps of 10 ms.
fn cpu(process: i64) -> Result<Duration, Failed> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    let hundredths: u64 = [11, 12].iter().filter_map(|place| fields.get(*place)?.parse::<u64>().ok()).sum();
    Ok(Duration::from_millis(hundredths * 10))
}
