//! Who may see what of whom: one rule, as pure functions. docs/PRIVACY.md says it in words, and names every way out.
//!
//! [`SeenPresence`] can be made by the rule alone, and what goes over the wire is made of it alone.

use std::collections::HashSet;

use crate::account::{Bar, Standing};
use crate::ids::UserId;
use crate::presence::Presence;
use crate::presence::availability::{Privacy, Shown, Visibility};
use crate::presence::rule::{Known, OnlineStatus, Projected, presence};

/// What a viewer and a subject are to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Relation {
    /// The same user.
    Oneself,
    /// Each is the other's contact.
    Contact,
    /// Nothing.
    Stranger,
    /// Either has blocked the other.
    Blocked,
}

/// What a viewer may see of a subject's presence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Sight {
    /// Whether it is online, and all that goes with it.
    pub online: bool,
    /// When it was last seen; never without the first, which it would tell.
    pub last_seen: bool,
}

/// What admins see whatever users say: the operator's policy. Without one, nothing more than other users do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct AdminSight {
    /// Who is online, invisible users aside.
    pub online: bool,
    /// When somebody was last seen, where they see whether it is online.
    pub last_seen: bool,
    /// Who is invisible.
    pub invisible: bool,
}

/// Who looks.
#[derive(Clone, Debug)]
pub struct Viewer {
    /// The user.
    pub id: UserId,
    /// Whether it is an admin.
    pub admin: bool,
    /// Its own privacy: what it hides from others it does not see of them.
    pub privacy: Privacy,
    /// Its contacts.
    pub contacts: HashSet<UserId>,
    /// Whom it has blocked, and who has blocked it.
    pub blocked: HashSet<UserId>,
    /// What admins see whatever users say.
    pub policy: AdminSight,
}

impl Sight {
    /// Everything.
    pub const ALL: Self = Self { online: true, last_seen: true };
}

impl AdminSight {
    /// Reads what users may hide from admins: words separated by commas, or `none`.
    ///
    /// # Errors
    /// A sentence, for anything else.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut sight = Self { online: true, last_seen: true, invisible: true };
        if text == "none" {
            return Ok(sight);
        }
        for word in text.split(',') {
            match word.trim() {
                "online" => sight.online = false,
                "last_seen" => sight.last_seen = false,
                "invisible" => sight.invisible = false,
                other => {
                    return Err(format!("must be none, or some of online, last_seen and invisible, not {other:?}"));
                }
            }
        }
        Ok(sight)
    }
}

/// Whether a setting admits a user of this relation.
fn admits(visibility: Visibility, relation: Relation) -> bool {
    match relation {
        Relation::Oneself => true,
        Relation::Blocked => false,
        Relation::Contact => visibility != Visibility::Nobody,
        Relation::Stranger => visibility == Visibility::Everyone,
    }
}

impl Viewer {
    /// A user who looks at itself alone.
    #[must_use]
    pub fn oneself(id: UserId) -> Self {
        Self {
            id,
            admin: false,
            privacy: Privacy::default(),
            contacts: HashSet::new(),
            blocked: HashSet::new(),
            policy: AdminSight::default(),
        }
    }

    /// A program that admins have things told to: an admin whom nobody knows and who hides nothing.
    #[must_use]
    pub fn webhook(policy: AdminSight) -> Self {
        Self { admin: true, policy, ..Self::oneself(UserId(0)) }
    }

    /// What the two are to each other.
    #[must_use]
    pub fn relation(&self, subject: UserId) -> Relation {
        if self.id == subject {
            Relation::Oneself
        } else if self.blocked.contains(&subject) {
            Relation::Blocked
        } else if self.contacts.contains(&subject) {
            Relation::Contact
        } else {
            Relation::Stranger
        }
    }

    /// What the viewer may see of a subject with this privacy.
    #[must_use]
    pub fn sight(&self, subject: UserId, privacy: Privacy) -> Sight {
        let relation = self.relation(subject);
        let both_ways = |theirs, own| admits(theirs, relation) && admits(own, relation);
        let online = self.overrules().online || both_ways(privacy.online, self.privacy.online);
        let last_seen = self.overrules().last_seen || both_ways(privacy.last_seen, self.privacy.last_seen);
        Sight { online, last_seen: online && last_seen }
    }

    /// Whether the viewer sees that a subject is invisible, where it sees whether it is online.
    #[must_use]
    pub fn sees_behind_invisible(&self, subject: UserId) -> bool {
        self.id == subject || self.overrules().invisible
    }

    /// What the viewer sees whatever others say: nothing, unless it is an admin and the policy says so.
    #[must_use]
    pub fn overrules(&self) -> AdminSight {
        if self.admin { self.policy } else { AdminSight::default() }
    }
}

/// What the viewer is shown of a presence.
#[must_use]
pub fn shown_to(viewer: &Viewer, subject: UserId, privacy: Privacy, presence: Presence) -> Presence {
    let sight = viewer.sight(subject, privacy);
    if !sight.online {
        return Presence {
            online_status: OnlineStatus::Offline,
            last_seen: None,
            online_until: None,
            reason: None,
            shown: Shown::default(),
        };
    }
    if !sight.last_seen {
        return Presence { last_seen: None, online_until: None, ..presence };
    }
    presence
}

/// A user's presence as a viewer may see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenPresence {
    user: UserId,
    presence: Presence,
}

impl SeenPresence {
    /// Applies the rule. A barred account's reason is its account status, which every list shows anyway.
    #[must_use]
    pub fn of(viewer: &Viewer, subject: UserId, privacy: Privacy, standing: Standing, presence: Presence) -> Self {
        let mut presence = shown_to(viewer, subject, privacy, presence);
        presence.reason = standing.bar().map(Bar::reason).or(presence.reason);
        Self { user: subject, presence }
    }

    /// Of an account that has never been online.
    #[must_use]
    pub fn never_seen(subject: UserId, standing: Standing) -> Self {
        let nothing = Projected { last_seen: None, reason: None };
        Self { user: subject, presence: presence(standing, Known::Settled, nothing) }
    }

    /// Whose.
    #[must_use]
    pub fn user(&self) -> UserId {
        self.user
    }

    /// What is seen of it.
    #[must_use]
    pub fn presence(&self) -> &Presence {
        &self.presence
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::Status;
    use crate::presence::Reason;
    use crate::presence::availability::Availability;
    use crate::timestamp::{Deadline, Timestamp};

    const SETTINGS: [Visibility; 3] = [Visibility::Everyone, Visibility::Contacts, Visibility::Nobody];
    const ME: UserId = UserId(1);
    const OTHER: UserId = UserId(2);

    /// How the subject is met.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Met {
        AsOneself,
        AsContact,
        AsStranger,
        Blocked,
        BlockedThoughContact,
    }
    const MEETINGS: [Met; 5] =
        [Met::AsOneself, Met::AsContact, Met::AsStranger, Met::Blocked, Met::BlockedThoughContact];

    /// Whether one's setting lets the other in, one line a setting, in the order of `MEETINGS`.
    const LETS_IN: [[bool; 5]; 3] =
        [[true, true, true, false, false], [true, true, false, false, false], [true, false, false, false, false]];

    fn privacies() -> impl Iterator<Item = (Privacy, usize, usize)> {
        (0..9).map(|n| (Privacy { online: SETTINGS[n / 3], last_seen: SETTINGS[n % 3] }, n / 3, n % 3))
    }

    fn policies() -> impl Iterator<Item = AdminSight> {
        (0..8).map(|n| AdminSight { online: n & 1 > 0, last_seen: n & 2 > 0, invisible: n & 4 > 0 })
    }

    fn viewer(met: Met, privacy: Privacy, admin: bool, policy: AdminSight) -> (Viewer, UserId) {
        let only = |is: bool| if is { HashSet::from([OTHER]) } else { HashSet::new() };
        let contacts = only(matches!(met, Met::AsContact | Met::BlockedThoughContact));
        let blocked = only(matches!(met, Met::Blocked | Met::BlockedThoughContact));
        let subject = if met == Met::AsOneself { ME } else { OTHER };
        (Viewer { id: ME, admin, privacy, contacts, blocked, policy }, subject)
    }

    fn presence() -> Presence {
        Presence {
            online_status: OnlineStatus::Online,
            last_seen: Some(Timestamp(5)),
            online_until: Some(Deadline(Timestamp(9))),
            reason: Some(Reason::Login),
            shown: Shown { availability: Availability::Dnd, words: None },
        }
    }

    #[test]
    fn the_rule_for_every_pair() {
        let mut checked = 0;
        for (place, met) in MEETINGS.into_iter().enumerate() {
            for (theirs, their_online, their_seen) in privacies() {
                for (own, own_online, own_seen) in privacies() {
                    for (admin, policy) in policies().flat_map(|policy| [(false, policy), (true, policy)]) {
                        // What the two settings say, then what the operator says to an admin.
                        let mut online = LETS_IN[their_online][place] && LETS_IN[own_online][place];
                        let mut last_seen = LETS_IN[their_seen][place] && LETS_IN[own_seen][place];
                        if admin && policy.online {
                            online = true;
                        }
                        if admin && policy.last_seen {
                            last_seen = true;
                        }
                        let (viewer, subject) = viewer(met, own, admin, policy);
                        let what = format!("{met:?} {theirs:?} {own:?} {admin} {policy:?}");
                        let sight = viewer.sight(subject, theirs);
                        assert_eq!(sight, Sight { online, last_seen: online && last_seen }, "{what}");
                        let behind = met == Met::AsOneself || (admin && policy.invisible);
                        assert_eq!(viewer.sees_behind_invisible(subject), behind, "{what}");
                        let shown = shown_to(&viewer, subject, theirs, presence());
                        let expected = match (online, last_seen) {
                            (true, true) => presence(),
                            (true, false) => Presence { last_seen: None, online_until: None, ..presence() },
                            (false, _) => Presence {
                                online_status: OnlineStatus::Offline,
                                last_seen: None,
                                online_until: None,
                                reason: None,
                                shown: Shown::default(),
                            },
                        };
                        assert_eq!(shown, expected, "{what}");
                        checked += 1;
                    }
                }
            }
        }
        assert_eq!(checked, 5 * 81 * 16);
    }

    #[test]
    fn a_bar_is_no_secret_and_nothing_else_is_told_beside_it() {
        let hidden = Privacy { online: Visibility::Nobody, last_seen: Visibility::Nobody };
        let (viewer, subject) = viewer(Met::AsStranger, Privacy::default(), false, AdminSight::default());
        let barred = Standing { status: Status::Banned, is_active: true };
        let seen = SeenPresence::of(&viewer, subject, hidden, barred, presence());
        assert_eq!(seen.presence().reason, Some(Reason::Banned));
        assert_eq!((seen.presence().is_online(), seen.presence().last_seen), (false, None));
        // One that was barred once, and is not any more, does not tell by it that it has not come back since.
        let was = Presence { reason: Some(Reason::Banned), ..presence() };
        let seen = SeenPresence::of(&viewer, subject, hidden, Standing::ACTIVE, was);
        assert_eq!(seen.presence().reason, None);
    }

    #[test]
    fn policies_are_read() {
        let sight = |online, last_seen, invisible| Ok(AdminSight { online, last_seen, invisible });
        for (text, expected) in [
            ("online,last_seen,invisible", sight(false, false, false)),
            ("none", sight(true, true, true)),
            ("invisible", sight(true, true, false)),
            ("last_seen, online", sight(false, false, true)),
        ] {
            assert_eq!(AdminSight::parse(text), expected);
        }
        for bad in ["", "all", "online,", "none,online", "Online"] {
            assert!(AdminSight::parse(bad).is_err(), "{bad:?}");
        }
    }
}
