//! Reading users with their presence, exact at the moment of reading.

use std::collections::HashSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::sight::SeenUser;
use super::viewer::Asker;
use super::{Outcome, Service};
use crate::account::{Role, Status, names};
use crate::db::AnyConnection;
use crate::ids::UserId;
use crate::models::directory::{After, Corrections, Filter, Listed, PageQuery, Sort};
use crate::models::privacy::{Crowd, invisible};
use crate::presence::PresenceEngine;
use crate::presence::rule::{Known, OnlineStatus};
use crate::refusal::{Code, Failure, Refusal};

/// Which page of which users.
#[derive(Clone, Debug)]
pub struct DirectoryQuery {
    /// Users at most, 1 to 1000.
    pub limit: i64,
    /// Where the page before ended.
    pub cursor: Option<String>,
    /// Part of the name.
    pub search: Option<String>,
    /// By presence.
    pub online_status: Option<OnlineStatus>,
    /// By account status.
    pub status: Option<Status>,
    /// By role.
    pub role: Option<Role>,
    /// In which order.
    pub sort: Sort,
    /// The other way round.
    pub descending: bool,
    /// Whether the reader may see, and so search, addresses.
    pub sees_emails: bool,
}

/// A page of users.
#[derive(Clone, Debug)]
pub struct DirectoryPage {
    /// The users.
    pub users: Vec<SeenUser>,
    /// How many the filter selects.
    pub total: u64,
    /// How many of those are online.
    pub online: u64,
    /// Whether there are more of both: a search is not counted to its end.
    pub at_least: bool,
    /// Where the next page begins; `None` at the end.
    pub next_cursor: Option<String>,
}

/// What a page's cursor says: where it ended, and in which order.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PageCursor {
    /// `id`, `-username` and so on.
    o: String,
    /// The last user's id.
    i: i64,
    /// Its name's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    n: Option<String>,
    /// Its last seen, in ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    l: Option<i64>,
}

/// The longest text to search for, in characters.
pub const LONGEST_SEARCH: usize = 100;

fn order_word(sort: Sort, descending: bool) -> String {
    let word = match sort {
        Sort::Id => "id",
        Sort::Username => "username",
        Sort::LastSeen => "last_seen",
    };
    format!("{}{word}", if descending { "-" } else { "" })
}

impl DirectoryQuery {
    fn after(&self) -> Result<Option<After>, Refusal> {
        let Some(text) = &self.cursor else { return Ok(None) };
        let bad = || Refusal::new(Code::InvalidCursor, "cursor is none that this server gave out").about("cursor");
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| bad())?;
        let cursor: PageCursor = serde_json::from_slice(&bytes).map_err(|_| bad())?;
        if cursor.o != order_word(self.sort, self.descending) {
            return Err(Refusal::new(Code::InvalidCursor, "cursor is of another order").about("cursor"));
        }
        Ok(Some(match self.sort {
            Sort::Id => After::Id(cursor.i),
            // PostgreSQL refuses a text with NUL.
            Sort::Username => After::Username(cursor.n.filter(|n| !n.contains('\0')).ok_or_else(bad)?),
            Sort::LastSeen => After::LastSeen(cursor.l.ok_or_else(bad)?, cursor.i),
        }))
    }

    fn cursor_after(&self, last: &Listed) -> Option<String> {
        let cursor = PageCursor {
            o: order_word(self.sort, self.descending),
            i: last.id.0,
            n: (self.sort == Sort::Username).then(|| last.username_key.clone()),
            l: (self.sort == Sort::LastSeen).then_some(last.rank),
        };
        serde_json::to_vec(&cursor).ok().map(|json| URL_SAFE_NO_PAD.encode(json))
    }
}

impl Service {
    /// A page of users as the asker sees them. Unfiltered, it is one call of the engine, and a statement beside that which
    /// loads the viewer; a filter asks the engine before as well, whom the database may be wrong about. A viewer with
    /// contacts or blocks takes one statement more, which says whom of them it counts otherwise than everybody.
    ///
    /// # Errors
    /// `invalid_cursor`, `invalid_query`.
    pub async fn directory(&self, asker: Asker, query: DirectoryQuery) -> Outcome<DirectoryPage> {
        let after = query.after()?;
        if let Some(search) = &query.search {
            names::plain_text(search, LONGEST_SEARCH).map_err(|problem| Refusal::query("search", &problem))?;
        }
        let filter = Filter {
            search: query.search.as_deref().map(|part| (names::fold(part), query.sees_emails)),
            online_status: query.online_status,
            status: query.status,
            role: query.role,
        };
        let corrections =
            if filter.needs_corrections() { self.corrections(asker).await? } else { Corrections::default() };
        let (sort, descending, kind) = (query.sort, query.descending, filter.clone());
        // One more than asked for says whether there is a next page.
        let page = PageQuery { filter, sort, descending, after, limit: query.limit + 1 };
        let read = move |c: &mut AnyConnection| {
            let viewer = asker.load(c)?;
            let loaded = page.load(c, &viewer, &corrections)?;
            // What a search finds is counted there and then.
            let crowd = match page.filter.search {
                Some(_) => Crowd::default(),
                None => Crowd::load(c, &viewer, false)?,
            };
            Ok::<_, Failure>((viewer, loaded, crowd))
        };
        let (viewer, mut page, crowd) = self.db.run(read).await?;
        let more = page.users.len() as i64 > query.limit;
        page.users.truncate(usize::try_from(query.limit).unwrap_or(0));
        let next_cursor = page.users.last().filter(|_| more).and_then(|last| query.cursor_after(last));
        let counted = crowd.ids(&viewer);
        let asked: Vec<UserId> = counted.iter().copied().chain(page.users.iter().map(|user| user.id)).collect();
        let mut lookup = self.engine.lookup(&asked).await?;
        let on_page = lookup.known.split_off(counted.len());
        let online = page.online.of(&kind, crowd.online(&viewer, &counted, &lookup));
        let seen = page
            .users
            .into_iter()
            .zip(on_page)
            .map(|(user, known)| SeenUser::of(&viewer, user, known, &lookup.hidden));
        // Whoever changed between the database's answer and the engine's does not belong to this page any more.
        let belongs =
            |user: &SeenUser| query.online_status.is_none_or(|wanted| user.presence().online_status == wanted);
        let users = seen.filter(belongs).collect();
        let (total, online) = match query.online_status {
            None => (page.kind_total, online),
            Some(OnlineStatus::Online) => (online, online),
            Some(OnlineStatus::Offline) => (page.kind_total.saturating_sub(online), 0),
        };
        Ok(DirectoryPage { users, total, online, at_least: page.at_least, next_cursor })
    }

    /// Whom the database may be wrong about, for this asker: it is online itself, as this call says, and those behind whose
    /// being invisible it sees are what they are.
    async fn corrections(&self, asker: Asker) -> Outcome<Corrections> {
        let delta = self.engine.delta().await?;
        let mut online = HashSet::from([asker.user]);
        if asker.sees_behind_invisible() {
            let ids = self.db.run(invisible).await?;
            online.extend(self.engine.lookup(&ids).await?.hidden.into_keys());
        }
        let mut offline = HashSet::new();
        for (user, known) in delta.users {
            if matches!(known, Known::Online { .. }) {
                online.insert(user);
            } else if !online.contains(&user) {
                offline.insert(user);
            }
        }
        let ids = |users: HashSet<UserId>| users.into_iter().map(|user| user.0).collect();
        Ok(Corrections { online: ids(online), offline: ids(offline) })
    }
}
