//! Users who log in, send heartbeats and log out, and note what they did and what they were told.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::Method;

use crate::client::{Answer, Beat, Client, Session};
use crate::time::now;

/// What a user did. Times are this machine's, which all programs share.
#[derive(Clone, Debug)]
pub struct Deed {
    pub what: What,
    pub session: i64,
    pub asked: i64,
    pub answered: i64,
    /// Whether it was acknowledged. One that was not may have been done all the same.
    pub done: bool,
    /// Until when the user is online by it.
    pub until: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    LogIn,
    Beat,
    LogOut,
}

/// All deeds of each user, in their order.
pub type Deeds = HashMap<i64, Vec<Deed>>;

/// The users at work.
pub struct Crowd {
    deeds: Arc<Mutex<Deeds>>,
    /// Users with a deed in hand.
    busy: Arc<Mutex<HashSet<i64>>>,
    stop: Arc<AtomicBool>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

/// A mixed-up number, the same in every run.
fn mixed(number: i64, round: u64) -> u64 {
    (number.unsigned_abs().wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ round.wrapping_mul(0xD1B5_4A32_D192_ED03))
        .rotate_left(17)
}

impl Crowd {
    /// Starts the users `seed1` and so on, whose ids these are: each logs in, sends some heartbeats, logs out or just logs in
    /// again, and so on. They go to the replicas in turn, to another one where there was no answer.
    /// With `seamless` nobody may be refused anything.
    pub fn start(users: &[i64], replicas: &[Client], interval: Duration, seamless: bool) -> Self {
        let deeds: Arc<Mutex<Deeds>> = Arc::default();
        let busy: Arc<Mutex<HashSet<i64>>> = Arc::default();
        let stop = Arc::new(AtomicBool::new(false));
        let tasks = users.iter().enumerate().map(|(place, user)| {
            let user = User {
                id: *user,
                name: format!("seed{}", place + 1),
                replicas: replicas.to_vec(),
                interval,
                deeds: Arc::clone(&deeds),
                busy: Arc::clone(&busy),
                stop: Arc::clone(&stop),
                seamless,
            };
            let first = interval.mul_f64(place as f64 / users.len() as f64);
            tokio::spawn(async move {
                tokio::time::sleep(first).await;
                user.live().await;
            })
        });
        Self { tasks: tasks.collect(), deeds, busy, stop }
    }

    /// What a user has done so far, and whether it is doing something at this moment.
    pub fn of(&self, user: i64) -> (Vec<Deed>, bool) {
        // In this order: a deed that ends in between is seen twice, and none is overlooked.
        let busy = self.busy.lock().unwrap().contains(&user);
        (self.deeds.lock().unwrap().get(&user).cloned().unwrap_or_default(), busy)
    }

    /// Ends it: whoever is online stays so until its deadline. Answers what everybody did.
    pub async fn end(self) -> Deeds {
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await.unwrap();
        }
        std::mem::take(&mut *self.deeds.lock().unwrap())
    }
}

struct User {
    id: i64,
    name: String,
    replicas: Vec<Client>,
    interval: Duration,
    deeds: Arc<Mutex<Deeds>>,
    busy: Arc<Mutex<HashSet<i64>>>,
    stop: Arc<AtomicBool>,
    seamless: bool,
}

impl User {
    async fn live(&self) {
        for round in 0.. {
            let Some(mut session) = self.log_in(round).await else { return };
            let beats = 3 + mixed(self.id, round) % 12;
            for beat in 0..beats {
                tokio::time::sleep(self.interval).await;
                if self.stop.load(Ordering::Relaxed) {
                    return;
                }
                if !self.beat(&mut session, beat).await {
                    break;
                }
            }
            if !mixed(self.id, round).is_multiple_of(3) {
                self.log_out(&session).await;
                tokio::time::sleep(self.interval.mul_f64(0.5 + (mixed(self.id, round) % 4) as f64)).await;
            }
            if self.stop.load(Ordering::Relaxed) {
                return;
            }
        }
    }

    fn begin(&self) -> i64 {
        self.busy.lock().unwrap().insert(self.id);
        now()
    }

    fn end(&self, deed: Deed) {
        self.deeds.lock().unwrap().entry(self.id).or_default().push(deed);
        self.busy.lock().unwrap().remove(&self.id);
    }

    async fn log_in(&self, round: u64) -> Option<Session> {
        for attempt in 0.. {
            if self.stop.load(Ordering::Relaxed) {
                return None;
            }
            let client = &self.replicas[usize::try_from(round + attempt).unwrap() % self.replicas.len()];
            let asked = self.begin();
            let body = serde_json::json!({ "username": self.name, "password": crate::client::PASSWORD });
            let answer = client.try_send(None, Method::POST, "/api/users/login/", Some(body), &[]).await;
            let answered = now();
            let deed = Deed { what: What::LogIn, session: 0, asked, answered, done: false, until: 0 };
            match answer {
                Ok(answer) if answer.status == 200 => {
                    let session = Session::of(client, answer);
                    let (id, until) = (session.id(), session.online.1);
                    self.end(Deed { session: id, until, done: true, ..deed });
                    return Some(session);
                }
                answer => {
                    self.excused(answer);
                    self.end(deed);
                }
            }
            tokio::time::sleep(self.interval / 4).await;
        }
        None
    }

    /// Answers whether the session is still good.
    async fn beat(&self, session: &mut Session, beat: u64) -> bool {
        for attempt in 0..20 {
            let place = usize::try_from(mixed(self.id, beat + attempt)).unwrap_or(0) % self.replicas.len();
            session.client = self.replicas[place].clone();
            let asked = self.begin();
            let answer = session.try_send(Method::POST, "/api/users/heartbeat/", None).await;
            let answered = now();
            let deed = Deed { what: What::Beat, session: session.id(), asked, answered, done: false, until: 0 };
            match answer {
                Ok(answer) if answer.status == 200 => {
                    self.end(Deed { until: answer.ok::<Beat>().online_until.0, done: true, ..deed });
                    return true;
                }
                answer => {
                    self.excused(answer);
                    self.end(deed);
                }
            }
            if self.stop.load(Ordering::Relaxed) {
                return false;
            }
            tokio::time::sleep(self.interval / 4).await;
        }
        false
    }

    async fn log_out(&self, session: &Session) {
        for attempt in 0..20 {
            let mut session = session.clone();
            session.client = self.replicas[attempt % self.replicas.len()].clone();
            let asked = self.begin();
            let answer = session.try_send(Method::POST, "/api/users/logout/", None).await;
            let deed =
                Deed { what: What::LogOut, session: session.id(), asked, answered: now(), done: false, until: 0 };
            match answer {
                Ok(answer) if answer.status == 204 => return self.end(Deed { done: true, ..deed }),
                // It was done, and nobody heard of it.
                Ok(answer) if answer.status == 401 && attempt > 0 => return self.end(deed),
                answer => {
                    self.excused(answer);
                    self.end(deed);
                }
            }
            tokio::time::sleep(self.interval / 4).await;
        }
    }

    /// Nobody is refused for anything but a fault.
    fn excused(&self, answer: Result<Answer, reqwest::Error>) {
        if let Ok(answer) = answer {
            assert!(answer.status == 503 && !self.seamless, "{}: {answer:?}", self.name);
            assert!(answer.headers.contains_key("retry-after"), "{answer:?}");
        }
    }
}
