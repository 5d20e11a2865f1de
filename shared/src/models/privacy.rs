//! The rule of who may see what, for the database: what it is decided by, and the same rule as conditions.
//!
//! [`Conditions`] says in SQL what [`Viewer::sight`] says; a test holds the two against each other.

use std::collections::{HashMap, HashSet};

use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Bool, Nullable, Text};

use super::account::standing;
use super::sql::{Statement, Value};
use crate::account::Standing;
use crate::db::{AnyConnection, DbError};
use crate::ids::UserId;
use crate::presence::availability::{Availability, Privacy, Visibility};
use crate::presence::engine::{Counts, Lookup};
use crate::presence::rule::Known;
use crate::privacy::Viewer;
use crate::timestamp::Timestamp;

/// What decides what a user may see of others: its own privacy, and whom it is related to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Relations {
    /// What it hides of itself.
    pub privacy: Privacy,
    /// Its contacts.
    pub contacts: HashSet<UserId>,
    /// Whom it has blocked, and who has blocked it.
    pub blocked: HashSet<UserId>,
}

#[derive(QueryableByName)]
struct RelationRow {
    #[diesel(sql_type = Text)]
    online_visibility: String,
    #[diesel(sql_type = Text)]
    last_seen_visibility: String,
    #[diesel(sql_type = Nullable<BigInt>)]
    other_id: Option<i64>,
    #[diesel(sql_type = Nullable<Text>)]
    state: Option<String>,
}

impl Relations {
    /// A user's; `None` where there is no such account. One statement.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn load(connection: &mut AnyConnection, user: UserId) -> Result<Option<Self>, DbError> {
        let mut statement = Statement::on(connection);
        let id = statement.value(Value::Int(user.0));
        statement.keep().push(&format!(
            "SELECT a.online_visibility, a.last_seen_visibility, c.other_id, c.state FROM accounts a LEFT JOIN ( \
                 SELECT other_id, state FROM contacts WHERE user_id = {id} AND state IN ('accepted', 'blocked') \
                 UNION ALL SELECT user_id, state FROM contacts WHERE other_id = {id} AND state = 'blocked' \
             ) c ON TRUE WHERE a.id = {id}"
        ));
        let rows: Vec<RelationRow> = statement.load(connection)?;
        let Some(first) = rows.first() else { return Ok(None) };
        let privacy = privacy(&first.online_visibility, &first.last_seen_visibility)?;
        let mut relations = Self { privacy, ..Self::default() };
        for (other, state) in rows.iter().filter_map(|row| row.other_id.zip(row.state.as_deref())) {
            let of_this_kind = if state == "blocked" { &mut relations.blocked } else { &mut relations.contacts };
            of_this_kind.insert(UserId(other));
        }
        Ok(Some(relations))
    }
}

pub(super) fn privacy(online: &str, last_seen: &str) -> Result<Privacy, DbError> {
    let visibility = |word: &str| word.parse().map_err(DbError::Content);
    Ok(Privacy { online: visibility(online)?, last_seen: visibility(last_seen)? })
}

/// Whom `accounts_private` has an index of: they are few, and everybody else is seen by all whom nobody has blocked.
pub const PRIVATE: &str = "(a.online_visibility <> 'everyone' OR a.last_seen_visibility <> 'everyone')";

/// A viewer's sight as conditions on `accounts a`, none of which is ever NULL.
#[derive(Clone, Debug)]
pub struct Conditions {
    /// The viewer may see whether the user is online.
    pub online: String,
    /// It may see when it was last seen.
    pub last_seen: String,
    /// Those of whom it may not see whether they are online, as branches of which each user is in one at most.
    pub no_online: Vec<String>,
    /// Those whose last seen it may not see, likewise.
    pub no_last_seen: Vec<String>,
}

impl Conditions {
    /// A viewer's, with its lists as values of the statement.
    #[must_use]
    pub fn of(viewer: &Viewer, statement: &mut Statement) -> Self {
        let overrules = viewer.overrules();
        let mut own =
            vec![(viewer.privacy.online, overrules.online), (viewer.privacy.last_seen, overrules.last_seen)];
        own.retain(|(_, overruled)| !overruled);
        // A value that no condition uses is none of the statement's: SQLite counts those that are used.
        let me = if own.is_empty() { String::new() } else { statement.value(Value::Int(viewer.id.0)) };
        let is_own = |visibility| own.iter().any(|(own, _)| *own == visibility);
        let (is_contacts, is_everyone) = (is_own(Visibility::Contacts), is_own(Visibility::Everyone));
        let mut list = |users: HashSet<UserId>, used: bool| {
            (used && !users.is_empty()).then(|| {
                let mut ids: Vec<i64> = users.iter().map(|user| user.0).collect();
                ids.sort_unstable();
                format!("a.id IN {}", statement.list(ids))
            })
        };
        // The viewer is among its contacts here: one list is a join by ids, of which the plan is as small as the list.
        let mut near: HashSet<UserId> = viewer.contacts.difference(&viewer.blocked).copied().collect();
        near.insert(viewer.id);
        let is_near = list(near.clone(), is_contacts || (is_everyone && near.len() > 1));
        let is_blocked = list(viewer.blocked.clone(), is_everyone);
        let part = |column: &str, own: Visibility, overruled: bool| match own {
            _ if overruled => "TRUE".to_owned(),
            Visibility::Nobody => format!("a.id = {me}"),
            Visibility::Contacts => {
                let is_near = is_near.as_deref().unwrap_or("FALSE");
                format!("({is_near} AND (a.id = {me} OR {column} <> 'nobody'))")
            }
            Visibility::Everyone => {
                let not_blocked = is_blocked.as_ref().map(|is_blocked| format!(" AND NOT {is_blocked}"));
                let everybody = format!("({column} = 'everyone'{})", not_blocked.unwrap_or_default());
                let contacts = is_near.as_ref().map(|is_near| format!(" OR ({column} = 'contacts' AND {is_near})"));
                format!("(a.id = {me} OR {everybody}{})", contacts.unwrap_or_default())
            }
        };
        let online = part("a.online_visibility", viewer.privacy.online, overrules.online);
        let last_seen = part("a.last_seen_visibility", viewer.privacy.last_seen, overrules.last_seen);
        let last_seen = match own.is_empty() {
            true => "TRUE".to_owned(),
            false => format!("({online} AND {last_seen})"),
        };
        let hidden = |own: &[Visibility], seen: &str| {
            if own.is_empty() {
                return Vec::new();
            }
            if own.iter().any(|own| *own != Visibility::Everyone) {
                // Nearly everybody.
                return vec![format!("NOT {seen}")];
            }
            // The few who hide it, and the few who are blocked.
            let mut hidden = vec![format!("{PRIVATE} AND NOT {seen}")];
            let blocked = is_blocked.as_ref();
            hidden.extend(blocked.map(|is_blocked| format!("{is_blocked} AND NOT {PRIVATE} AND NOT {seen}")));
            hidden
        };
        let own_online: Vec<Visibility> = (!overrules.online).then_some(viewer.privacy.online).into_iter().collect();
        let own: Vec<Visibility> = own.iter().map(|(own, _)| *own).collect();
        let (no_online, no_last_seen) = (hidden(&own_online, &online), hidden(&own, &last_seen));
        Self { online, last_seen, no_online, no_last_seen }
    }
}

/// A user, as far as who may see what of it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Who.
    pub id: UserId,
    /// The account's standing.
    pub standing: Standing,
    /// Who may see what of it.
    pub privacy: Privacy,
}

/// The columns of a [`SubjectRow`].
pub(super) const SUBJECT_COLUMNS: &str = "a.id, a.status, a.is_active, a.online_visibility, a.last_seen_visibility";

#[derive(QueryableByName)]
pub(super) struct SubjectRow {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = Text)]
    status: String,
    #[diesel(sql_type = Bool)]
    is_active: bool,
    #[diesel(sql_type = Text)]
    online_visibility: String,
    #[diesel(sql_type = Text)]
    last_seen_visibility: String,
}

impl SubjectRow {
    pub(super) fn into_subject(self) -> Result<Subject, DbError> {
        Ok(Subject {
            id: UserId(self.id),
            standing: standing(&self.status, self.is_active)?,
            privacy: privacy(&self.online_visibility, &self.last_seen_visibility)?,
        })
    }
}

/// Whom a viewer counts otherwise than the engine: from the engine's number of all who are online, and what is known of
/// these, follows the viewer's own.
#[derive(Clone, Debug, Default)]
pub struct Crowd {
    subjects: HashMap<UserId, Subject>,
}

/// What of the engine's number a viewer's begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Begin {
    /// All who are online.
    All,
    /// Those whom everyone may see.
    Open,
    /// Nobody: it counts whom it may see, one by one.
    Nobody,
}

fn begin(viewer: &Viewer) -> Begin {
    match viewer.privacy.online {
        _ if viewer.overrules().online => Begin::All,
        Visibility::Everyone => Begin::Open,
        Visibility::Contacts | Visibility::Nobody => Begin::Nobody,
    }
}

impl Crowd {
    /// A viewer's: one statement, or none where it has neither contacts nor blocks. With `limited` also all whom not
    /// everyone may see, who are counted by availability.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn load(connection: &mut AnyConnection, viewer: &Viewer, limited: bool) -> Result<Self, DbError> {
        let mut statement = Statement::on(connection);
        let mut which = Vec::new();
        let mut add = |statement: &mut Statement, users: &HashSet<UserId>, visibility: &str| {
            if !users.is_empty() {
                let list = statement.list(users.iter().map(|user| user.0).collect());
                which.push(format!("a.id IN {list} AND a.online_visibility {visibility}"));
            }
        };
        match begin(viewer) {
            Begin::All => {}
            Begin::Open => {
                add(&mut statement, &viewer.contacts, "= 'contacts'");
                add(&mut statement, &viewer.blocked, "= 'everyone'");
            }
            Begin::Nobody if viewer.privacy.online == Visibility::Contacts => {
                add(&mut statement, &viewer.contacts, "<> 'nobody'");
            }
            Begin::Nobody => {}
        }
        if limited && begin(viewer) == Begin::Open {
            which.push(format!("{PRIVATE} AND a.online_visibility <> 'everyone'"));
        }
        if viewer.overrules().invisible {
            let now = statement.value(Value::Int(Timestamp::now().0));
            which.push(invisible_by(&now));
        }
        if which.is_empty() {
            return Ok(Self::default());
        }
        let branches: Vec<String> =
            which.iter().map(|which| format!("SELECT {SUBJECT_COLUMNS} FROM accounts a WHERE {which}")).collect();
        statement.keep().push(&branches.join(" UNION ALL "));
        let rows: Vec<SubjectRow> = statement.load(connection)?;
        let subjects = rows.into_iter().map(|row| row.into_subject().map(|subject| (subject.id, subject)));
        Ok(Self { subjects: subjects.collect::<Result<_, DbError>>()? })
    }

    /// Of whom the engine has to be asked, the viewer itself included.
    #[must_use]
    pub fn ids(&self, viewer: &Viewer) -> Vec<UserId> {
        self.subjects.keys().copied().filter(|id| *id != viewer.id).chain([viewer.id]).collect()
    }

    /// How many users the viewer sees online, of a lookup that has all of [`Self::ids`], given in this order.
    #[must_use]
    pub fn online(&self, viewer: &Viewer, ids: &[UserId], lookup: &Lookup) -> u64 {
        let begin = begin(viewer);
        let counts = lookup.counts;
        let all = match begin {
            Begin::All => counts.online,
            Begin::Open => counts.online.saturating_sub(counts.limited),
            Begin::Nobody => 0,
        };
        let mut more = 0;
        for (known, subject) in self.known(viewer, ids, lookup) {
            let is_online = matches!(known, Known::Online { .. });
            let counted = match begin {
                Begin::All => is_online,
                Begin::Open => is_online && subject.privacy.online == Visibility::Everyone,
                Begin::Nobody => false,
            };
            more += i64::from(sees(viewer, &subject, known, lookup).is_some()) - i64::from(counted);
        }
        all.saturating_add_signed(more)
    }

    /// How many users the viewer sees online, by availability; of a crowd that was loaded with all who are limited.
    #[must_use]
    pub fn by_availability(&self, viewer: &Viewer, ids: &[UserId], lookup: &Lookup) -> HashMap<Availability, u64> {
        let from_all = begin(viewer) != Begin::Nobody;
        let Counts { online, away, dnd, .. } = if from_all { lookup.counts } else { Counts::default() };
        let available = online.saturating_sub(away).saturating_sub(dnd);
        let mut counted: HashMap<Availability, u64> =
            [(Availability::Available, available), (Availability::Away, away), (Availability::Dnd, dnd)].into();
        let mut add = |known: &Known, n: i64| {
            if let Known::Online { shown, .. } = known {
                let count = counted.entry(shown.availability).or_default();
                *count = count.saturating_add_signed(n);
            }
        };
        for (known, subject) in self.known(viewer, ids, lookup) {
            if from_all {
                add(known, -1);
            }
            if let Some(known) = sees(viewer, &subject, known, lookup) {
                add(known, 1);
            }
        }
        counted
    }

    /// What is known of each of the crowd, the viewer included.
    fn known<'a>(
        &'a self,
        viewer: &'a Viewer,
        ids: &'a [UserId],
        lookup: &'a Lookup,
    ) -> impl Iterator<Item = (&'a Known, Subject)> {
        let own = Subject { id: viewer.id, standing: Standing::ACTIVE, privacy: viewer.privacy };
        let subject = move |id: &UserId| match *id == viewer.id {
            true => Some(own),
            false => self.subjects.get(id).copied(),
        };
        ids.iter().zip(&lookup.known).filter_map(move |(id, known)| Some((known, subject(id)?)))
    }
}

/// What a viewer knows of a subject that it sees online; `None` of one that it does not.
fn sees<'a>(viewer: &Viewer, subject: &Subject, known: &'a Known, lookup: &'a Lookup) -> Option<&'a Known> {
    let behind = lookup.hidden.get(&subject.id).filter(|_| viewer.sees_behind_invisible(subject.id));
    let known = behind.unwrap_or(known);
    let is_online = matches!(known, Known::Online { .. }) && subject.standing.bar().is_none();
    (is_online && viewer.sight(subject.id, subject.privacy).online).then_some(known)
}

/// Those who have chosen to be invisible, at a moment.
fn invisible_by(now: &str) -> String {
    format!("a.availability = 'invisible' AND (a.availability_until_ms IS NULL OR a.availability_until_ms > {now})")
}

/// Those who have chosen to be invisible, whether or not they hold sessions.
///
/// # Errors
/// [`DbError`].
pub fn invisible(connection: &mut AnyConnection) -> Result<Vec<UserId>, DbError> {
    #[derive(QueryableByName)]
    struct Id {
        #[diesel(sql_type = BigInt)]
        id: i64,
    }
    let mut statement = Statement::on(connection);
    let now = statement.value(Value::Int(Timestamp::now().0));
    statement.push(&format!("SELECT a.id FROM accounts a WHERE {}", invisible_by(&now)));
    let rows: Vec<Id> = statement.load(connection)?;
    Ok(rows.into_iter().map(|row| UserId(row.id)).collect())
}

#[cfg(test)]
mod tests;
