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
