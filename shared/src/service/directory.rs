//! Reading users with their presence, exact at the moment of reading.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::{Outcome, Service};
use crate::account::{Role, Status, names};
use crate::ids::UserId;
use crate::models::directory::{After, Corrections, Filter, Listed, Page, PageQuery, Sort, by_ids};
use crate::presence::PresenceEngine;
use crate::presence::rule::{Known, OnlineStatus, Presence, presence};
use crate::refusal::{Code, Refusal};

/// A user as a reader sees it.
#[derive(Clone, Debug)]
pub struct SeenUser {
    /// The account.
    pub listed: Listed,
    /// Its presence.
    pub presence: Presence,
}

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
const LONGEST_SEARCH: usize = 100;

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
            l: (self.sort == Sort::LastSeen).then(|| last.projected.last_seen.map_or(0, |at| at.0)),
        };
        serde_json::to_vec(&cursor).ok().map(|json| URL_SAFE_NO_PAD.encode(json))
    }
}

impl Service {
    /// A page of users. Unfiltered, it is one statement and one call of the engine; a filter asks the engine before
    /// as well, whom the database may be wrong about.
    ///
    /// # Errors
    /// `invalid_cursor`, `invalid_query`.
    pub async fn directory(&self, query: DirectoryQuery) -> Outcome<DirectoryPage> {
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
        let corrections = if filter.needs_corrections() { self.corrections().await? } else { Corrections::default() };
        let (sort, descending, kind) = (query.sort, query.descending, filter.clone());
        // One more than asked for says whether there is a next page.
        let page = PageQuery { filter, sort, descending, after, limit: query.limit + 1 };
        let mut page: Page = self.db.run(move |c| page.load(c, &corrections)).await?;
        let more = page.users.len() as i64 > query.limit;
        page.users.truncate(usize::try_from(query.limit).unwrap_or(0));
        let next_cursor = page.users.last().filter(|_| more).and_then(|last| query.cursor_after(last));
        let (mut users, online) = self.see(page.users).await?;
        // Whoever changed between the database's answer and the engine's does not belong to this page any more.
        users.retain(|user| query.online_status.is_none_or(|wanted| user.presence.online_status == wanted));
        let online = page.online.of(&kind, online);
        let (total, online) = match query.online_status {
            None => (page.kind_total, online),
            Some(OnlineStatus::Online) => (online, online),
            Some(OnlineStatus::Offline) => (page.kind_total.saturating_sub(online), 0),
        };
        Ok(DirectoryPage { users, total, online, next_cursor })
    }

    /// Whom the database may be wrong about.
    async fn corrections(&self) -> Outcome<Corrections> {
        let delta = self.engine.delta().await?;
        let (online, offline): (Vec<_>, Vec<_>) =
            delta.users.into_iter().partition(|(_, known)| matches!(known, Known::Online { .. }));
        let ids = |users: Vec<(UserId, Known)>| users.into_iter().map(|(user, _)| user.0).collect();
        Ok(Corrections { online: ids(online), offline: ids(offline) })
    }

    /// Adds to each account what is true of its presence; and how many users are online in all.
    async fn see(&self, listed: Vec<Listed>) -> Outcome<(Vec<SeenUser>, u64)> {
        let ids: Vec<UserId> = listed.iter().map(|user| user.id).collect();
        let lookup = self.engine.lookup(&ids).await?;
        let seen = listed.into_iter().zip(lookup.known).map(|(listed, known)| {
            let presence = presence(listed.standing, known, listed.projected);
            SeenUser { listed, presence }
        });
        Ok((seen.collect(), lookup.counts.online))
    }

    /// Users by their ids, those that there are, in the order asked for, each once.
    ///
    /// # Errors
    /// Where the engine or the database is away.
    pub async fn users(&self, ids: Vec<UserId>) -> Outcome<Vec<SeenUser>> {
        let asked = ids.clone();
        let listed = self.db.run(move |c| by_ids(c, &asked)).await?;
        let (seen, _) = self.see(listed).await?;
        let mut by_id: std::collections::HashMap<UserId, SeenUser> =
            seen.into_iter().map(|user| (user.listed.id, user)).collect();
        Ok(ids.iter().filter_map(|id| by_id.remove(id)).collect())
    }

    /// One user.
    ///
    /// # Errors
    /// `user_not_found`.
    pub async fn user(&self, id: UserId) -> Outcome<SeenUser> {
        self.users(vec![id]).await?.pop().ok_or_else(|| Code::UserNotFound.into())
    }
}
