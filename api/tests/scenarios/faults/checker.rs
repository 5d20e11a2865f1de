//! What must be so, by what users did and were told: a model of its own, which knows nothing of the service's code.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use super::crowd::{Crowd, Deed, Deeds, What};
use crate::client::{Session, Transition};
use crate::harness::database::Interval;
use crate::time::now;

/// How long after its client gave up a request may still be carried out: as long as any call of the service may take.
const LATE: i64 = 15_000;

/// When what Redis held was lost: from the first moment to the last at which something of it may have been.
#[derive(Clone, Copy, Debug)]
pub struct Loss {
    pub from: i64,
    pub to: i64,
}

/// What all users are to be judged by.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The inactivity timeout, in ms.
    pub timeout: i64,
    pub losses: Vec<Loss>,
}

impl Rules {
    fn was_lost(&self, deed: &Deed, until: i64) -> bool {
        self.losses.iter().any(|loss| deed.asked <= loss.to && loss.from <= until)
    }

    /// Whether the user must have been online through all of this time.
    fn certainly_online(&self, deeds: &[Deed], from: i64, to: i64) -> bool {
        deeds.iter().any(|deed| {
            let ended = deeds
                .iter()
                .any(|other| other.what == What::LogOut && other.session == deed.session && other.asked <= to);
            let counts = deed.what != What::LogOut && deed.done && deed.answered <= from && deed.until > to;
            counts && !ended && !self.was_lost(deed, to)
        })
    }

    /// Whether the user may have been online at some moment of this time.
    fn possibly_online(&self, deeds: &[Deed], from: i64, to: i64) -> bool {
        deeds.iter().any(|deed| {
            let ended = deeds.iter().any(|other| {
                let over = other.what == What::LogOut && other.done && other.answered <= from;
                over && other.session == deed.session && deed.session != 0
            });
            let until = if deed.done { deed.until } else { deed.answered + LATE + self.timeout };
            deed.what != What::LogOut && deed.asked <= to && until > from && !ended
        })
    }
}

/// What was read, and what was wrong with it.
#[derive(Default, Debug)]
pub struct Reads {
    pub judged: AtomicU64,
    pub refused: AtomicU64,
    pub wrong: std::sync::Mutex<Vec<String>>,
}

/// Reads some users' presence again and again, by one replica and then another, and holds it against what they did.
pub fn read_all_along(
    crowd: &Arc<Crowd>,
    readers: Vec<Session>,
    users: &[i64],
    rules: Arc<std::sync::Mutex<Rules>>,
    stop: Arc<AtomicBool>,
) -> (Arc<Reads>, tokio::task::JoinHandle<()>) {
    let reads = Arc::new(Reads::default());
    let (crowd, users, noted) = (Arc::clone(crowd), users.to_vec(), Arc::clone(&reads));
    let task = tokio::spawn(async move {
        for round in 0.. {
            if stop.load(Ordering::Relaxed) {
                return;
            }
            let reader = &readers[round % readers.len()];
            let some: Vec<i64> = (0..40).map(|n| users[(round * 40 + n) % users.len()]).collect();
            let asked = now();
            let answer = reader.try_send(Method::POST, "/api/users/presence/", Some(json!({ "ids": some }))).await;
            let answered = now();
            let Some(answer) = answer.ok().filter(|answer| answer.status == 200) else {
                noted.refused.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            };
            for presence in answer.body["presences"].as_array().unwrap() {
                let user = presence["user_id"].as_i64().unwrap();
                let says_online = presence["online_status"] == "online";
                let (deeds, busy) = crowd.of(user);
                let rules = rules.lock().unwrap().clone();
                let wrong = match says_online {
                    true => !busy && !rules.possibly_online(&deeds, asked, answered),
                    // Something in hand may be a log-out.
                    false => !busy && rules.certainly_online(&deeds, asked, answered),
                };
                if wrong {
                    let last = &deeds[deeds.len().saturating_sub(4)..];
                    let text = format!("user {user}, asked {asked}, answered {answered}: {presence} after {last:#?}");
                    noted.wrong.lock().unwrap().push(text);
                }
                noted.judged.fetch_add(1, Ordering::Relaxed);
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    (reads, task)
}

/// Follows the changes all along. Answers each stretch without a gap: a new one begins where the place was lost.
pub fn follow(reader: Session, stop: Arc<AtomicBool>) -> tokio::task::JoinHandle<Vec<Vec<Transition>>> {
    tokio::spawn(async move {
        let mut stretches = vec![Vec::new()];
        let mut cursor: Option<String> = None;
        loop {
            let stopped = stop.load(Ordering::Relaxed);
            let path = match &cursor {
                Some(cursor) => format!("/api/users/presence/changes/?since={cursor}"),
                None => "/api/users/presence/changes/".to_owned(),
            };
            match reader.try_send(Method::GET, &path, None).await {
                Ok(answer) if answer.status == 200 => {
                    let changes: crate::client::Changes = answer.ok();
                    let more = !changes.transitions.is_empty();
                    stretches.last_mut().unwrap().extend(changes.transitions);
                    cursor = Some(changes.next_cursor);
                    if stopped && !more {
                        return stretches;
                    }
                }
                Ok(answer) if answer.status == 410 => {
                    stretches.push(Vec::new());
                    cursor = None;
                }
                Ok(_) | Err(_) => {}
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    })
}

/// Within a stretch each transition is told once, and each user's come and go by turns.
pub fn assert_told_once(stretches: &[Vec<Transition>]) -> usize {
    for stretch in stretches {
        let mut ids = HashSet::new();
        let mut online: HashMap<i64, bool> = HashMap::new();
        for transition in stretch {
            let is = transition.presence.online_status == "online";
            // Ids are a shard's own.
            assert!(ids.insert((transition.presence.user_id, &transition.id)), "told twice: {transition:?}");
            let before = online.insert(transition.presence.user_id, is);
            assert_ne!(before, Some(is), "something in between was not told: {transition:?}");
        }
    }
    stretches.iter().map(Vec::len).sum()
}

/// What was acknowledged is in the history, once and in its order. Answers how many log-ins and log-outs were looked for.
pub fn assert_history(deeds: &Deeds, intervals: &[Interval], rules: &Rules) -> (usize, usize) {
    let mut of_user: HashMap<i64, Vec<&Interval>> = HashMap::new();
    for interval in intervals {
        of_user.entry(interval.user_id).or_default().push(interval);
    }
    let (mut log_ins, mut log_outs) = (0, 0);
    for (user, deeds) in deeds {
        let own = of_user.get(user).map_or(&[][..], Vec::as_slice);
        for pair in own.windows(2) {
            let end = pair[0].ended_at_ms.unwrap_or_else(|| panic!("open before another: {pair:?}"));
            assert!(end <= pair[1].started_at_ms, "they overlap: {pair:?}");
        }
        for (place, deed) in deeds.iter().enumerate().filter(|(_, deed)| deed.done) {
            let others: Vec<Deed> = deeds.iter().filter(|other| other.session != deed.session).cloned().collect();
            let within = |moment: i64| (deed.asked..=deed.answered).contains(&moment);
            match deed.what {
                What::LogIn => {
                    let found: Vec<_> = own
                        .iter()
                        .filter(|one| one.session_id == Some(deed.session) && one.start_reason == "login")
                        .collect();
                    let alone = !rules.possibly_online(&deeds[..place], deed.asked, deed.answered);
                    let lost = rules.was_lost(deed, deed.answered + 5_000);
                    assert!(found.len() <= 1, "user {user}: {deed:?} is in the history twice: {found:?}");
                    // After a loss of data an interval that was open goes on when its user comes back, as is documented: its
                    // end may be what was lost.
                    let went_on = own.iter().any(|one| {
                        one.started_at_ms < deed.asked
                            && one.ended_at_ms.is_none_or(|end| deed.answered <= end)
                            && rules.losses.iter().any(|loss| one.started_at_ms <= loss.to && loss.from <= deed.asked)
                    });
                    if alone && !lost && !went_on {
                        assert!(
                            found.first().is_some_and(|one| within(one.started_at_ms)),
                            "user {user}: {deed:?} is not in the history: {own:#?}"
                        );
                        log_ins += 1;
                    }
                }
                What::LogOut => {
                    let was = rules.certainly_online(&deeds[..place], deed.asked, deed.answered);
                    let alone = !rules.possibly_online(&others, deed.asked, deed.answered);
                    let lost = rules.was_lost(deed, deed.answered + 5_000);
                    if was && alone && !lost {
                        let ended = |one: &&&Interval| {
                            one.end_reason.as_deref() == Some("logout") && one.ended_at_ms.is_some_and(within)
                        };
                        assert_eq!(
                            own.iter().filter(ended).count(),
                            1,
                            "user {user}: {deed:?} is not in the history once: {own:#?}"
                        );
                        log_outs += 1;
                    }
                }
                What::Beat => {}
            }
        }
    }
    (log_ins, log_outs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deed(what: What, asked: i64, done: bool) -> Deed {
        Deed { what, session: 7, asked, answered: asked + 10, done, until: asked + 1_000 }
    }

    fn judged(deeds: &[Deed], from: i64, losses: &[Loss]) -> (bool, bool) {
        let rules = Rules { timeout: 1_000, losses: losses.to_vec() };
        (rules.certainly_online(deeds, from, from + 5), rules.possibly_online(deeds, from, from + 5))
    }

    #[test]
    fn what_was_acknowledged_is_certain_until_its_deadline() {
        let beat = [deed(What::Beat, 100, true)];
        assert_eq!(judged(&beat, 50, &[]), (false, false));
        assert_eq!(judged(&beat, 105, &[]), (false, true), "it may have been done already");
        assert_eq!(judged(&beat, 110, &[]), (true, true));
        assert_eq!(judged(&beat, 1_098, &[]), (false, true), "the deadline comes while it is read");
        assert_eq!(judged(&beat, 1_100, &[]), (false, false), "a ghost");
        assert_eq!(judged(&beat, 500, &[Loss { from: 300, to: 310 }]), (false, true));
        assert_eq!(judged(&beat, 200, &[Loss { from: 300, to: 310 }]), (true, true));
    }

    #[test]
    fn what_was_not_acknowledged_may_have_been_done_or_not() {
        let lost = [deed(What::Beat, 100, false)];
        assert_eq!(judged(&lost, 200, &[]), (false, true));
        assert_eq!(judged(&lost, 110 + LATE + 1_000, &[]), (false, false));
        let out = [deed(What::Beat, 100, true), deed(What::LogOut, 200, false)];
        assert_eq!(judged(&out, 150, &[]), (true, true));
        assert_eq!(judged(&out, 300, &[]), (false, true));
        let out = [deed(What::Beat, 100, true), deed(What::LogOut, 200, true)];
        assert_eq!(judged(&out, 205, &[]), (false, true));
        assert_eq!(judged(&out, 210, &[]), (false, false), "a ghost");
    }
}
