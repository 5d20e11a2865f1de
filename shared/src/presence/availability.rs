//! What users say of themselves beside being online, and who may see it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::timestamp::Timestamp;

/// Words for a closed set, as they are in JSON, in the database and in the engines.
macro_rules! words {
    ($type:ident, $what:literal: $($variant:ident $word:literal),+) => {
        impl $type {
            /// The word for it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl std::str::FromStr for $type {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    other => Err(format!(concat!("{:?} is no ", $what), other)),
                }
            }
        }
    };
}

/// How available a user is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Availability {
    /// There.
    #[default]
    Available,
    /// Not at the device: said by the user, or because nobody has touched any of its live devices for long.
    Away,
    /// Not to be disturbed.
    Dnd,
    /// Online, but nobody else is to know.
    Invisible,
}
words!(Availability, "availability": Available "available", Away "away", Dnd "dnd", Invisible "invisible");

/// Who may see something of a user. A later one is stricter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    /// Everybody who is logged in.
    #[default]
    Everyone,
    /// The user's contacts.
    Contacts,
    /// Nobody but the user.
    Nobody,
}
words!(Visibility, "visibility": Everyone "everyone", Contacts "contacts", Nobody "nobody");

/// Who may see what of a user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Privacy {
    /// Whether it is online.
    pub online: Visibility,
    /// When it was last seen. Whoever may not see the first does not see this either.
    pub last_seen: Visibility,
}

impl Visibility {
    /// All of them, the least strict first.
    pub const ALL: [Self; 3] = [Self::Everyone, Self::Contacts, Self::Nobody];
}

impl Privacy {
    /// Each that there can be.
    pub fn all() -> impl Iterator<Item = Self> {
        let of = |online| Visibility::ALL.into_iter().map(move |last_seen| Self { online, last_seen });
        Visibility::ALL.into_iter().flat_map(of)
    }
}

/// A user's own words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Words {
    /// A short text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// One emoji.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emoji: Option<String>,
}

impl Words {
    /// `None` where there are neither text nor emoji.
    #[must_use]
    pub fn of(text: Option<String>, emoji: Option<String>) -> Option<Arc<Self>> {
        (text.is_some() || emoji.is_some()).then(|| Arc::new(Self { text, emoji }))
    }
}

/// What is shown of an online user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Shown {
    /// How available it is; [`Availability::Invisible`] only to itself and to those who may see behind it.
    #[serde(default)]
    pub availability: Availability,
    /// Its own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub words: Option<Arc<Words>>,
}

/// What a user has chosen to show.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// What is shown while it holds.
    #[serde(flatten)]
    pub shown: Shown,
    /// From then on it does not hold any more; `None` for one without an end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

impl Choice {
    /// Whether it shows nothing that would not be shown anyway.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.shown == Shown::default()
    }

    /// What holds of it at `now`: all of it, or, once its end has come, nothing.
    #[must_use]
    pub fn at(&self, now: Timestamp) -> Shown {
        if self.until.is_some_and(|until| until <= now) { Shown::default() } else { self.shown.clone() }
    }
}

/// What an engine keeps of a user beside its sessions, while it has any.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// What the user has chosen to show.
    #[serde(default)]
    pub choice: Choice,
    /// Who may see it.
    #[serde(default)]
    pub privacy: Privacy,
}

impl Profile {
    /// Whether it is everybody's who has chosen nothing.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.choice.is_plain() && self.privacy == Privacy::default()
    }

    /// What holds of it at `now`: without a choice that has ended, and without an end of one that shows nothing.
    #[must_use]
    pub fn at(&self, now: Timestamp) -> Self {
        let holds = !self.choice.is_plain() && self.choice.until.is_none_or(|until| until > now);
        Self { choice: if holds { self.choice.clone() } else { Choice::default() }, privacy: self.privacy }
    }
}
