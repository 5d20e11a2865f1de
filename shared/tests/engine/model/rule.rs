//! Presence as its rule reads, and as slowly as it likes: a list of sessions, and every deadline and every end of a
//! choice taken in its turn as time passes. No engine's code was looked at for it.

use std::collections::HashSet;

use lastseen_shared::presence::Reason;

/// A live session: its last sign of life and the timeout that counts from it.
#[derive(Clone, Debug)]
struct Session {
    id: i64,
    seen: i64,
    timeout: i64,
    idle: bool,
}

impl Session {
    fn deadline(&self) -> i64 {
        self.seen + self.timeout
    }
}

/// How available somebody is, and which of a few words it says; and so on.
pub type Look = (&'static str, u8);
/// Who may see online, and last seen.
pub type Seers = (&'static str, &'static str);

const NOTHING: Look = ("available", 0);

/// What a user has chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chosen {
    pub look: Look,
    pub until: Option<i64>,
    pub seers: Seers,
}

impl Default for Chosen {
    fn default() -> Self {
        Self { look: NOTHING, until: None, seers: ("everyone", "everyone") }
    }
}

/// What happened to a user.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Told {
    Came { at: i64, last_seen: i64, reason: &'static str, session: Option<i64>, look: Look, seers: Seers },
    Went { at: i64, last_seen: i64, reason: &'static str, session: Option<i64>, own: i64, seers: Seers },
    Shows { at: i64, last_seen: i64, reason: &'static str, look: Look, seers: Seers },
    Privacy { before: Seers, after: Seers },
    Left { session: i64, last_seen: i64 },
}

/// What a reader is to see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum View {
    Online { until: i64, last_seen: i64, reason: &'static str, look: Look },
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
    /// Since the user came to have sessions: the newest sign of life. Since it was seen to come online: what began it.
    newest: i64,
    began: &'static str,
    ended: HashSet<i64>,
    pub timeout: i64,
    pub chosen: Chosen,
    pub told: Vec<Told>,
}

impl User {
    pub fn new(timeout: i64) -> Self {
        Self { timeout, ..Self::default() }
    }

    /// Lets time pass up to `now`: whoever falls silent leaves at that very moment, and a choice ends at its own; of a
    /// deadline and an end at the same moment the deadline is first.
    pub fn pass(&mut self, now: i64) {
        while let Some(moment) = self.next_moment().filter(|moment| *moment <= now) {
            self.turn(moment, |user| {
                let mut leaving: Vec<i64> =
                    user.sessions.iter().filter(|s| s.deadline() == moment).map(|s| s.id).collect();
                leaving.sort_unstable();
                for id in leaving {
                    user.leave(id, moment, Reason::Timeout);
                }
                if user.chosen.until == Some(moment) {
                    user.chosen = Chosen { seers: user.chosen.seers, ..Chosen::default() };
                }
            });
        }
    }

    /// Changes something, and tells whoever watches what it has come to, if the user is still there.
    fn turn<T>(&mut self, at: i64, change: impl FnOnce(&mut Self) -> T) -> T {
        let (before, was_there) = (self.look(), !self.sessions.is_empty());
        let answer = change(self);
        if was_there && !self.sessions.is_empty() {
            let (look, seers, last_seen) = (self.look(), self.chosen.seers, self.newest.min(at));
            match (before.0 == "invisible", look.0 == "invisible") {
                (false, true) => {
                    let (at, last_seen) = (at.max(self.newest), self.newest);
                    let (reason, session) = (Reason::Logout.as_str(), None);
                    self.told.push(Told::Went { at, last_seen, reason, session, own: last_seen, seers });
                }
                (true, false) => {
                    self.began = Reason::Login.as_str();
                    let session = self.sessions.iter().max_by_key(|s| (s.seen, s.id)).map(|s| s.id);
                    self.told.push(Told::Came { at, last_seen, reason: self.began, session, look, seers });
                }
                (false, false) if before != look => {
                    self.told.push(Told::Shows { at, last_seen, reason: self.began, look, seers });
                }
                _ => {}
            }
        }
        answer
    }

    /// What there would be to see.
    fn look(&self) -> Look {
        match self.chosen.look {
            ("available", words) if !self.sessions.is_empty() && self.sessions.iter().all(|s| s.idle) => {
                ("away", words)
            }
            look => look,
        }
    }

    pub fn is_hidden(&self) -> bool {
        self.chosen.look.0 == "invisible"
    }

    fn leave(&mut self, id: i64, at: i64, reason: Reason) {
        let place = self.sessions.iter().position(|s| s.id == id).unwrap();
        let Session { seen, .. } = self.sessions.remove(place);
        self.told.push(if self.sessions.is_empty() && !self.is_hidden() {
            // Nobody goes offline before the last sign of life.
            Told::Went {
                at: at.max(self.newest),
                last_seen: self.newest,
                reason: reason.as_str(),
                session: Some(id),
                own: seen,
                seers: self.chosen.seers,
            }
        } else {
            Told::Left { session: id, last_seen: seen }
        });
    }

    fn sign(&mut self, id: i64, now: i64) -> i64 {
        let timeout = self.timeout;
        self.newest = self.newest.max(now);
        let idle = self.sessions.iter().any(|s| s.id == id && s.idle);
        self.sessions.retain(|s| s.id != id);
        self.sessions.push(Session { id, seen: now, timeout, idle });
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
            if !self.is_hidden() {
                let (look, seers) = (self.chosen.look, self.chosen.seers);
                let came = Told::Came { at: now, last_seen: now, reason: self.began, session: Some(id), look, seers };
                self.told.push(came);
            }
        }
        Outcome::Live(self.turn(now, |user| user.sign(id, now)))
    }

    /// Ends sessions for good. Answers whether the user went offline by it.
    pub fn end(&mut self, ids: &[i64], now: i64, reason: Reason) -> bool {
        self.ended.extend(ids);
        let mut leaving: Vec<Session> = self.sessions.iter().filter(|s| ids.contains(&s.id)).cloned().collect();
        leaving.sort_by_key(|s| (s.deadline(), s.id));
        self.turn(now, |user| {
            for session in &leaving {
                user.leave(session.id, now, reason);
            }
        });
        !leaving.is_empty() && self.sessions.is_empty() && !self.is_hidden()
    }

    pub fn retime(&mut self, timeout: i64, now: i64) {
        self.timeout = timeout;
        for session in &mut self.sessions {
            session.timeout = timeout;
        }
        self.pass(now);
    }

    /// Chooses something. One that has ended already is none.
    pub fn choose(&mut self, mut chosen: Chosen, now: i64) {
        if chosen.until.is_some_and(|until| until <= now) {
            chosen = Chosen { seers: chosen.seers, ..Chosen::default() };
        }
        let before = self.chosen.seers;
        if before != chosen.seers {
            self.told.push(Told::Privacy { before, after: chosen.seers });
        }
        self.turn(now, |user| user.chosen = chosen);
    }

    /// Answers whether the session is live.
    pub fn idle(&mut self, id: i64, idle: bool, now: i64) -> bool {
        self.turn(now, |user| match user.sessions.iter_mut().find(|s| s.id == id) {
            Some(session) => {
                session.idle = idle;
                true
            }
            None => false,
        })
    }

    /// What everybody is to see.
    pub fn view(&self) -> View {
        if !self.is_hidden()
            && let Some(online) = self.truth()
        {
            return online;
        }
        let last = self.told.iter().rev().find(|told| matches!(told, Told::Came { .. } | Told::Went { .. }));
        match last {
            Some(&Told::Went { at, last_seen, reason, .. }) => View::Offline { at, last_seen, reason },
            _ => View::Never,
        }
    }

    /// What the user itself is to see while it is online.
    pub fn truth(&self) -> Option<View> {
        let until = self.sessions.iter().map(Session::deadline).max()?;
        Some(View::Online { until, last_seen: self.newest, reason: self.began, look: self.look() })
    }

    /// Online, not for everyone, away, not to be disturbed.
    pub fn counts(&self) -> [u64; 4] {
        let View::Online { look, .. } = self.view() else { return [0; 4] };
        [true, self.chosen.seers.0 != "everyone", look.0 == "away", look.0 == "dnd"].map(u64::from)
    }

    /// The live sessions: id, timeout, deadline, idle.
    pub fn live(&self) -> Vec<(i64, i64, i64, bool)> {
        let mut all: Vec<_> = self.sessions.iter().map(|s| (s.id, s.timeout, s.deadline(), s.idle)).collect();
        all.sort_unstable();
        all
    }

    /// The next deadline, or end of a choice that shows something.
    pub fn next_visible_moment(&self) -> Option<i64> {
        let until = self.chosen.until.filter(|_| self.chosen.look != NOTHING);
        self.sessions.iter().map(Session::deadline).chain(until).min()
    }

    /// The next deadline or end of a choice that will be reached.
    pub fn next_moment(&self) -> Option<i64> {
        self.sessions.iter().map(Session::deadline).chain(self.chosen.until).min()
    }
}
