//! A user's online intervals, and how many are online now.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::viewer::Asker;
use super::{Outcome, Service};
use crate::account::Standing;
use crate::db::AnyConnection;
use crate::ids::UserId;
use crate::models::directory::by_ids;
use crate::models::history::{Interval, IntervalQuery, accounts_by_standing};
use crate::models::privacy::Crowd;
use crate::presence::PresenceEngine;
use crate::presence::availability::Availability;
use crate::presence::rule::Known;
use crate::refusal::{Code, Failure, Refusal};
use crate::timestamp::Timestamp;

/// A page of intervals.
#[derive(Clone, Debug)]
pub struct HistoryPage {
    /// The newest first.
    pub intervals: Vec<Interval>,
    /// For the next page; `None` at the end.
    pub next_cursor: Option<String>,
}

/// How many there are, and how many are online, at this moment.
#[derive(Clone, Debug)]
pub struct Now {
    /// Accounts.
    pub total: u64,
    /// Users whom the asker sees online.
    pub online: u64,
    /// The same by availability.
    pub by_availability: BTreeMap<&'static str, u64>,
    /// Accounts by status; those that are not active are counted apart.
    pub by_status: BTreeMap<&'static str, u64>,
}

fn decode(cursor: &str) -> Result<(Timestamp, i64), Refusal> {
    let bad = || Refusal::new(Code::InvalidCursor, "cursor is none that this server gave out").about("cursor");
    let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| bad())?;
    let text = String::from_utf8(bytes).map_err(|_| bad())?;
    let (at, id) = text.split_once('.').ok_or_else(bad)?;
    Ok((Timestamp(at.parse().map_err(|_| bad())?), id.parse().map_err(|_| bad())?))
}

impl Service {
    /// A user's online intervals that touch the time from `from` to `to`, the newest first. An interval whose end the
    /// database does not know yet ends where the engine says.
    ///
    /// # Errors
    /// `user_not_found`, `invalid_cursor`; `hidden_by_privacy` where the asker may not see when the user was last seen.
    pub async fn history(
        &self,
        asker: Asker,
        user: UserId,
        from: Timestamp,
        to: Timestamp,
        cursor: Option<&str>,
        limit: i64,
    ) -> Outcome<HistoryPage> {
        let before = cursor.map(decode).transpose()?;
        let query = IntervalQuery { user, from, to, before, limit: limit + 1 };
        let read = move |c: &mut AnyConnection| {
            let viewer = asker.load(c)?;
            let listed = by_ids(c, &[user])?.pop().ok_or(Code::UserNotFound)?;
            if !viewer.sight(user, listed.privacy).last_seen {
                return Err(Code::HiddenByPrivacy.into());
            }
            Ok::<_, Failure>(query.load(c)?)
        };
        let mut intervals = self.db.run(read).await?;
        let more = intervals.len() as i64 > limit;
        intervals.truncate(usize::try_from(limit).unwrap_or(0));
        if let Some(open) = intervals.iter_mut().find(|interval| interval.ended.is_none())
            && let Some(Known::Offline { at, reason, .. }) = self.engine.lookup(&[user]).await?.known.first().cloned()
        {
            open.ended = Some((at.max(open.started_at), reason));
        }
        let place = |last: &Interval| URL_SAFE_NO_PAD.encode(format!("{}.{}", last.started_at.0, last.id));
        let next_cursor = intervals.last().filter(|_| more).map(place);
        Ok(HistoryPage { intervals, next_cursor })
    }

    /// How many accounts there are, and how many users the asker sees online.
    ///
    /// # Errors
    /// Where the engine or the database is away.
    pub async fn now(&self, asker: Asker) -> Outcome<Now> {
        let read = move |c: &mut AnyConnection| {
            let viewer = asker.load(c)?;
            let crowd = Crowd::load(c, &viewer, true)?;
            Ok::<_, Failure>((viewer, crowd, accounts_by_standing(c)?))
        };
        let (viewer, crowd, counts) = self.db.run(read).await?;
        let ids = crowd.ids(&viewer);
        let lookup = self.engine.lookup(&ids).await?;
        let counted = crowd.by_availability(&viewer, &ids, &lookup);
        let told = |availability: Availability, n: u64| availability != Availability::Invisible || n > 0;
        let mut by_availability: BTreeMap<&'static str, u64> =
            counted.iter().filter(|(a, n)| told(**a, **n)).map(|(a, n)| (a.as_str(), *n)).collect();
        if asker.sees_behind_invisible() {
            by_availability.entry(Availability::Invisible.as_str()).or_default();
        }
        let mut by_status = BTreeMap::from(Standing::WORDS.map(|word| (word, 0)));
        for (standing, n) in &counts {
            *by_status.entry(standing.word()).or_default() += n;
        }
        let (total, online) = (counts.iter().map(|(_, n)| n).sum(), counted.values().sum());
        Ok(Now { total, online, by_availability, by_status })
    }
}
