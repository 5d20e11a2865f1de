//! Holds the engine and the database against each other, and has the engine restate what one of them missed: after
//! Redis lost its data, after a crash at the wrong moment.
//!
//! It never writes presence to the database itself: the engine appends a transition, and the projector writes it in
//! its order. So it can't overtake anything.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use lastseen_shared::db::DbError;
use lastseen_shared::ids::{SessionId, UserId};
use lastseen_shared::models::projection::{OpenInterval, ShardOf, offline_among};
use lastseen_shared::models::{Account, Session};
use lastseen_shared::presence::availability::Profile;
use lastseen_shared::presence::engine::Restatement;
use lastseen_shared::presence::rule::{HeldSession, Known};
use lastseen_shared::presence::transition::Epoch;
use lastseen_shared::presence::{PresenceEngine, Reason};
use lastseen_shared::queue::Place;
use lastseen_shared::timestamp::Timestamp;

use crate::context::{Context, JobError};

/// Users of one page.
const PAGE: i64 = 500;
/// Users of one statement, each with some sessions: far below what a statement takes.
const PAGE_USERS: usize = 500;

/// How long a job goes on before it leaves the rest to the next: what is more urgent waits behind it for a free slot.
pub const SLICE: Duration = Duration::from_secs(1);

/// How many times as long as a page took nothing is done after it: others want Redis and the database more.
const REST: u32 = 2;

/// Reconciles a shard from a place on, the beginning without one, for `slice`, or one page where a page takes longer.
/// Answers where to go on, or `None` at the end.
///
/// # Errors
/// The engine's or the database's.
pub async fn run(
    context: &Context,
    shard: u32,
    from: Option<Place>,
    slice: Duration,
) -> Result<Option<Place>, JobError> {
    let begun = Instant::now();
    let mut place = from.unwrap_or(Place::Held(0));
    loop {
        let page = Instant::now();
        let next = match place {
            Place::Held(cursor) => Some(take_out_what_is_over(context, shard, cursor).await?),
            Place::Open(after) => close_what_is_gone(context, shard, after).await?,
        };
        match next {
            Some(next) if begun.elapsed() < slice => place = next,
            next => return Ok(next),
        }
        tokio::time::sleep(page.elapsed() * REST).await;
    }
}

/// Sessions that live in the engine although their rows are over, users who show something else than their rows say, and
/// users whom the database says to be offline: a page of those whom the engine holds. Answers where to go on.
async fn take_out_what_is_over(context: &Context, shard: u32, cursor: u64) -> Result<Place, JobError> {
    let scan = context.engine.scan(shard, cursor).await?;
    let (_, now) = context.engine.epoch(shard).await?;
    for users in scan.users.chunks(PAGE_USERS) {
        settle_with_rows(context, users, now).await?;
    }
    Ok(scan.next.map_or(Place::Open(UserId(0)), Place::Held))
}

async fn settle_with_rows(
    context: &Context,
    held: &[(UserId, Vec<HeldSession>, Profile)],
    now: Timestamp,
) -> Result<(), JobError> {
    let ids: Vec<SessionId> =
        held.iter().flat_map(|(_, sessions, _)| sessions.iter().map(|held| held.session)).collect();
    let users: Vec<UserId> = held.iter().map(|(user, ..)| *user).collect();
    let (rows, offline) = context
        .db
        .run(move |connection| {
            let rows = Session::find_many(connection, &ids)?;
            Ok::<_, DbError>((rows, offline_among(connection, &users)?))
        })
        .await?;
    let rows: HashMap<SessionId, (Session, Account)> = rows.into_iter().map(|row| (row.0.id(), row)).collect();
    for (user, sessions, profile) in held {
        let mut account = None;
        for HeldSession { session, .. } in sessions {
            let row = rows.get(session);
            match over(*user, row) {
                Some(reason) => {
                    log::info!("session {session} of user {user} is over ({reason}): taken out");
                    context.engine.disconnect(*user, *session, reason).await?;
                }
                None => account = row.map(|(_, account)| account),
            }
        }
        if account.is_some_and(|account| account.profile().at(now) != profile.at(now)) {
            repair_profile(context, *user, profile.at(now), now).await?;
        }
    }
    for user in offline {
        let nothing = Restatement { at: Timestamp(0), last_seen: Timestamp(0), reason: Reason::Timeout };
        if context.engine.restate(user, false, nothing).await? {
            log::info!("user {user} is online, which the database did not know");
        }
    }
    Ok(())
}

/// Has the engine show what the row says, where a crash between the two left something else.
async fn repair_profile(context: &Context, user: UserId, mut shown: Profile, now: Timestamp) -> Result<(), JobError> {
    /// How often a row is read again that changes in between.
    const TRIES: usize = 3;
    for _ in 0..TRIES {
        let Some(account) = context.db.run(move |c| Account::find(c, user)).await? else { return Ok(()) };
        let chosen = account.profile();
        if chosen.at(now) == shown {
            return Ok(());
        }
        log::info!("user {user} showed something else than its account's row says");
        context.engine.present(user, &shown, &chosen).await?;
        // A change meanwhile may have been overtaken by this one: what the row says in the end holds.
        shown = chosen.at(now);
    }
    Ok(())
}

/// Why a session is over; `None` where it is not.
fn over(user: UserId, row: Option<&(Session, Account)>) -> Option<Reason> {
    let row = row.filter(|(session, _)| session.user() == user);
    let Some((session, account)) = row else { return Some(Reason::Deleted) };
    if let Some(bar) = account.standing.bar() {
        return Some(bar.reason());
    }
    let reason = session.ended().and_then(|(_, reason)| reason).unwrap_or(Reason::Logout);
    session.is_over(Timestamp::now()).then_some(reason)
}

/// Users whose interval is open and of whom the engine knows nothing. Only once the longest timeout has passed
/// since the engine's data began: before that, a heartbeat may still bring them back, and their history should not split.
/// A page of those whose rows come after this user's. Answers where to go on.
async fn close_what_is_gone(context: &Context, shard: u32, after: UserId) -> Result<Option<Place>, JobError> {
    let (epoch, now) = context.engine.epoch(shard).await?;
    if epoch.born.plus(context.presence.timeout_max) > now {
        return Ok(None);
    }
    let shards = context.engine.shards();
    let page = context
        .db
        .run(move |connection| OpenInterval::page(connection, ShardOf { shard, shards }, after, PAGE))
        .await?;
    let users: Vec<UserId> = page.iter().map(OpenInterval::user).collect();
    let known = context.engine.lookup(&users).await?.known;
    for (row, known) in page.iter().zip(known) {
        if known == Known::Settled && context.engine.restate(row.user(), true, ended(context, row, &epoch)).await? {
            log::info!("user {} is offline, which the database did not know", row.user());
        }
    }
    Ok(users.last().copied().map(Place::Open))
}

/// What can be said of a user whose end nobody noted: it was online, as far as is known, when the engine lost its data;
/// or, where it did not, for its timeout after the last sign of life.
fn ended(context: &Context, row: &OpenInterval, epoch: &Epoch) -> Restatement {
    let timeout = row.own_timeout().unwrap_or(context.presence.inactivity_timeout);
    let at = if epoch.born > row.last_seen() { epoch.born } else { row.last_seen().plus(timeout) };
    Restatement { at, last_seen: row.last_seen(), reason: Reason::Timeout }
}
