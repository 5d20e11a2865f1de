//! Presence as its rule reads, and as slowly as it likes: a list of sessions, and every deadline taken in its turn as
//! time passes. No engine's code was looked at for it.

use std::collections::HashSet;

use lastseen_shared::presence::Reason;

/// A live session: its last sign of life and the timeout that counts from it.
#[derive(Clone, Debug)]
struct Session {
    id: i64,
    seen: i64,
    timeout: i64,
}

impl Session {
    fn deadline(&self) -> i64 {
        self.seen + self.timeout
    }
}

/// What happened to a user.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Told {
    Came { at: i64, reason: &'static str, session: i64 },
    Went { at: i64, last_seen: i64, reason: &'static str, session: i64, own: i64 },
    Left { session: i64, last_seen: i64 },
}

/// What a reader is to see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum View {
    Online { until: i64, last_seen: i64, reason: &'static str },
    Offline { at: i64, last_seen: i64, reason: &'static str },
    Never,
}

/// What is to become of a connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Live(i64),
    Ended,
    /// Too old: whether the engine still remembers what it missed is its own affair.
    Refused,
}

/// One user.
#[derive(Clone, Debug, Default)]
pub struct User {
    sessions: Vec<Session>,
    /// Since the user came online: the newest sign of life, and what began it.
    newest: i64,
    began: &'static str,
    ended: HashSet<i64>,
    pub timeout: i64,
    pub told: Vec<Told>,
}

impl User {
    pub fn new(timeout: i64) -> Self {
        Self { timeout, ..Self::default() }
    }

    /// Lets time pass up to `now`: whoever falls silent leaves at that very moment.
    pub fn pass(&mut self, now: i64) {
        while let Some(first) = self.sessions.iter().min_by_key(|s| (s.deadline(), s.id)).cloned()
            && first.deadline() <= now
        {
            self.leave(first.id, first.deadline(), Reason::Timeout);
        }
    }

    fn leave(&mut self, id: i64, at: i64, reason: Reason) {
        let place = self.sessions.iter().position(|s| s.id == id).unwrap();
        let Session { seen, .. } = self.sessions.remove(place);
        self.told.push(if self.sessions.is_empty() {
            // Nobody goes offline before the last sign of life.
            Told::Went {
                at: at.max(self.newest),
                last_seen: self.newest,
                reason: reason.as_str(),
                session: id,
                own: seen,
            }
        } else {
            Told::Left { session: id, last_seen: seen }
        });
    }

    fn sign(&mut self, id: i64, now: i64) -> i64 {
        let timeout = self.timeout;
        self.newest = self.newest.max(now);
        self.sessions.retain(|s| s.id != id);
        self.sessions.push(Session { id, seen: now, timeout });
        now + timeout
    }

    pub fn touch(&mut self, id: i64, now: i64) -> Option<i64> {
        self.sessions.iter().any(|s| s.id == id).then(|| self.sign(id, now))
    }

    pub fn connect(&mut self, id: i64, now: i64, reason: Reason, read_at: i64, fresh_for: i64) -> Outcome {
        if now - read_at > fresh_for {
            return Outcome::Refused;
        }
        if self.ended.contains(&id) {
            return Outcome::Ended;
        }
        if self.sessions.is_empty() {
            self.newest = now;
            self.began = reason.as_str();
            self.told.push(Told::Came { at: now, reason: self.began, session: id });
        }
        Outcome::Live(self.sign(id, now))
    }

    /// Ends sessions for good. Answers whether the user went offline by it.
    pub fn end(&mut self, ids: &[i64], now: i64, reason: Reason) -> bool {
        self.ended.extend(ids);
        let mut leaving: Vec<Session> = self.sessions.iter().filter(|s| ids.contains(&s.id)).cloned().collect();
        leaving.sort_by_key(|s| (s.deadline(), s.id));
        for session in &leaving {
            self.leave(session.id, now, reason);
        }
        !leaving.is_empty() && self.sessions.is_empty()
    }

    pub fn retime(&mut self, timeout: i64, now: i64) {
        self.timeout = timeout;
        for session in &mut self.sessions {
            session.timeout = timeout;
        }
        self.pass(now);
    }

    pub fn view(&self) -> View {
        if let Some(until) = self.sessions.iter().map(Session::deadline).max() {
            return View::Online { until, last_seen: self.newest, reason: self.began };
        }
        match self.told.last() {
            Some(&Told::Went { at, last_seen, reason, .. }) => View::Offline { at, last_seen, reason },
            _ => View::Never,
        }
    }

    /// The live sessions: id, timeout, deadline.
    pub fn live(&self) -> Vec<(i64, i64, i64)> {
        let mut all: Vec<_> = self.sessions.iter().map(|s| (s.id, s.timeout, s.deadline())).collect();
        all.sort_unstable();
        all
    }

    /// The next deadline that will be reached.
    pub fn next_deadline(&self) -> Option<i64> {
        self.sessions.iter().map(Session::deadline).min()
    }
}
