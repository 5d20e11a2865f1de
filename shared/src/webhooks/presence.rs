//! Which events a stretch of the transitions makes.

use std::collections::HashMap;

use super::events::{Event, EventType};
use crate::account::Standing;
use crate::ids::UserId;
use crate::presence::availability::{Availability, Choice, Privacy, Shown};
use crate::presence::rule::{OnlineStatus, Presence};
use crate::presence::transition::{Entry, Event as Told, Transition};
use crate::privacy::{AdminSight, SeenPresence, Viewer};
use crate::timestamp::Timestamp;

/// A user before the stretch.
#[derive(Clone, Debug)]
pub struct Before {
    /// Whether the transitions so far left it online.
    pub online: bool,
    /// Who may see what of it, as its account says now.
    pub privacy: Privacy,
    /// What it has chosen to show, as its account says now.
    pub choice: Choice,
}

/// The events, in the order of the entries. What an endpoint is told is what an admin may see whom nobody knows. A user who
/// is not among `users` is gone.
#[must_use]
pub fn events(entries: &[Entry], mut users: HashMap<UserId, Before>, policy: AdminSight) -> Vec<Event> {
    let viewer = Viewer::webhook(policy);
    entries.iter().filter_map(|entry| event(entry, &mut users, &viewer)).collect()
}

/// Of whom an entry may make an event.
#[must_use]
pub fn subject(entry: &Entry) -> Option<UserId> {
    match &entry.event {
        Told::Transition(t) | Told::Shown(t) => Some(t.user),
        Told::Privacy { user, .. } => Some(*user),
        Told::Relation { .. } | Told::SessionLeft { .. } => None,
    }
}

fn event(entry: &Entry, users: &mut HashMap<UserId, Before>, viewer: &Viewer) -> Option<Event> {
    match &entry.event {
        Told::Transition(t) => match users.get_mut(&t.user) {
            // Stated once more, after a loss: whoever listens has been told.
            Some(user) if user.online == t.online => None,
            Some(user) => {
                user.online = t.online;
                let kind = if t.online { EventType::PresenceOnline } else { EventType::PresenceOffline };
                told(kind, t, strictest(t.privacy, user.privacy), viewer)
            }
            // The account was deleted before this was written: its end is told, and nothing else of it any more.
            None if !t.online => told(EventType::PresenceOffline, t, t.privacy, viewer),
            None => None,
        },
        Told::Shown(t) => {
            let user = users.get(&t.user).filter(|user| user.online)?;
            told(EventType::PresenceAvailability, t, strictest(t.privacy, user.privacy), viewer)
        }
        Told::Privacy { user: id, before, after } => {
            let user = users.get(id).filter(|user| user.online)?;
            let at = Timestamp(entry.id.ms.cast_signed());
            let sees = |privacy| viewer.sight(*id, privacy).online;
            let (presence, kind) = match (sees(*before), sees(*after)) {
                (true, false) => (online(false, Shown::default()), EventType::PresenceOffline),
                (false, true) if sees(user.privacy) => {
                    let shown = user.choice.at(at);
                    // A transition that is yet to come says that it went offline.
                    if shown.availability == Availability::Invisible {
                        return None;
                    }
                    (online(true, shown), EventType::PresenceOnline)
                }
                _ => return None,
            };
            let seen = SeenPresence::of(viewer, *id, *after, Standing::ACTIVE, presence);
            Some(Event::of_presence(kind, at, &seen))
        }
        Told::Relation { .. } | Told::SessionLeft { .. } => None,
    }
}

/// By what held then and by what holds now.
fn strictest(then: Privacy, now: Privacy) -> Privacy {
    Privacy { online: then.online.max(now.online), last_seen: then.last_seen.max(now.last_seen) }
}

/// Of which nothing else is known.
fn online(online: bool, shown: Shown) -> Presence {
    let online_status = if online { OnlineStatus::Online } else { OnlineStatus::Offline };
    Presence { online_status, last_seen: None, online_until: None, reason: None, shown }
}

fn told(kind: EventType, t: &Transition, privacy: Privacy, viewer: &Viewer) -> Option<Event> {
    let shown = if t.online { t.shown.clone() } else { Shown::default() };
    let presence = Presence { last_seen: t.last_seen.nonzero(), reason: Some(t.reason), ..online(t.online, shown) };
    let seen = SeenPresence::of(viewer, t.user, privacy, Standing::ACTIVE, presence);
    viewer.sight(t.user, privacy).online.then(|| Event::of_presence(kind, t.at, &seen))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::presence::Reason;
    use crate::presence::availability::Visibility;
    use crate::presence::transition::TransitionId;

    const HIDDEN: Privacy = Privacy { online: Visibility::Nobody, last_seen: Visibility::Nobody };
    const OPEN: Privacy = Privacy { online: Visibility::Everyone, last_seen: Visibility::Everyone };

    fn transition(online: bool, reason: Reason, privacy: Privacy) -> Transition {
        let at = Timestamp(5);
        let (user, shown) = (UserId(1), Shown::default());
        Transition { user, online, at, last_seen: at, reason, session: None, session_seen: at, shown, privacy }
    }

    fn run(online: bool, privacy: Privacy, told: Vec<Told>) -> Vec<(EventType, bool)> {
        run_as(AdminSight::default(), online, privacy, told)
    }

    fn run_as(policy: AdminSight, online: bool, privacy: Privacy, told: Vec<Told>) -> Vec<(EventType, bool)> {
        let entries: Vec<Entry> =
            told.into_iter().map(|event| Entry { id: TransitionId { ms: 9, seq: 0 }, event }).collect();
        let users = HashMap::from([(UserId(1), Before { online, privacy, choice: Choice::default() })]);
        let seen = |event: Event| (event.kind, event.body.contains(r#""last_seen":"1970"#));
        events(&entries, users, policy).into_iter().map(seen).collect()
    }

    #[test]
    fn each_change_is_told_once() {
        use EventType::{PresenceAvailability, PresenceOffline, PresenceOnline};
        let on = || Told::Transition(transition(true, Reason::Login, OPEN));
        let off = || Told::Transition(transition(false, Reason::Timeout, OPEN));
        let shown = || Told::Shown(transition(true, Reason::Login, OPEN));
        assert_eq!(
            run(false, OPEN, vec![on(), on(), shown(), off(), off(), shown()]),
            [(PresenceOnline, true), (PresenceAvailability, true), (PresenceOffline, true)]
        );
        assert_eq!(run(true, OPEN, vec![on(), off(), on()]), [(PresenceOffline, true), (PresenceOnline, true)]);
    }

    #[test]
    fn what_is_hidden_from_admins_is_not_told() {
        let on = |privacy| Told::Transition(transition(true, Reason::Login, privacy));
        assert_eq!(run(false, HIDDEN, vec![on(HIDDEN)]), []);
        assert_eq!(run(false, HIDDEN, vec![on(OPEN)]), [], "by what holds now, too");
        assert_eq!(run(false, OPEN, vec![on(HIDDEN)]), []);
        let no_last_seen = Privacy { last_seen: Visibility::Contacts, ..OPEN };
        assert_eq!(run(false, OPEN, vec![on(no_last_seen)]), [(EventType::PresenceOnline, false)]);
        let all = AdminSight { online: true, last_seen: true, invisible: true };
        assert_eq!(run_as(all, false, HIDDEN, vec![on(HIDDEN)]), [(EventType::PresenceOnline, true)]);
    }

    #[test]
    fn hiding_is_going_offline() {
        let change = |before, after| Told::Privacy { user: UserId(1), before, after };
        assert_eq!(run(true, HIDDEN, vec![change(OPEN, HIDDEN)]), [(EventType::PresenceOffline, false)]);
        assert_eq!(run(true, OPEN, vec![change(HIDDEN, OPEN)]), [(EventType::PresenceOnline, false)]);
        assert_eq!(run(false, OPEN, vec![change(HIDDEN, OPEN), change(OPEN, HIDDEN)]), []);
        let seen = Privacy { last_seen: Visibility::Nobody, ..OPEN };
        assert_eq!(run(true, OPEN, vec![change(OPEN, seen)]), []);
    }

    #[test]
    fn of_the_deleted_the_end_is_told() {
        let entry = |t| Entry { id: TransitionId { ms: 9, seq: 0 }, event: Told::Transition(t) };
        let entries = [
            entry(transition(true, Reason::Login, OPEN)),
            entry(transition(false, Reason::Deleted, OPEN)),
            entry(transition(false, Reason::Deleted, HIDDEN)),
        ];
        let told = events(&entries, HashMap::new(), AdminSight::default());
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].kind, EventType::PresenceOffline);
    }
}
