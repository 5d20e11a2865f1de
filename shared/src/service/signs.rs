//! Signs of life: every authenticated request, and the heartbeat above all.

use std::time::Duration;

use super::{Outcome, Service};
use crate::ids::{SessionId, UserId};
use crate::models::{Account, Session};
use crate::presence::engine::{Connect, Connected};
use crate::presence::{PresenceEngine, Reason};
use crate::refusal::{Code, Refusal};
use crate::timestamp::{Deadline, Timestamp};

/// What an access token says, once its signature and time are known to be good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// Whose.
    pub user: UserId,
    /// Which session.
    pub session: SessionId,
    /// The inactivity timeout when the token was made.
    pub timeout: Duration,
}

/// What a sign of life has brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alive {
    /// When it was noted: the user's last sign of life now.
    pub last_seen: Timestamp,
    /// When the user goes offline unless there is another.
    pub until: Deadline,
}

/// How long a session that said it is leaving still counts.
const LEAVING_GRACE: Duration = Duration::from_secs(10);

/// How often a row is read again before the client is told to come back.
const TRIES: usize = 3;

impl Service {
    /// The slow path of a sign of life: `touch` did not know the session at `read_at`, the engine's time. Reads the row
    /// and makes the session live again, if account and session still are.
    ///
    /// # Errors
    /// `account_…`, `session_ended`; `engine_unavailable` and the like where it can't be said.
    pub async fn revive(&self, claimed: Claimed, mut read_at: Timestamp) -> Outcome<Alive> {
        for _ in 0..TRIES {
            let row = self.inner.rows.read(claimed.session).await?;
            // A row of another user's is none of this token's: after a restored backup ids may come again.
            let account = self.may_be_alive(row.filter(|(session, _)| session.user() == claimed.user))?;
            let connect = Connect {
                user: claimed.user,
                session: claimed.session,
                timeout: self.timeout_of(&account),
                profile: account.profile(),
                reason: Reason::Heartbeat,
                read_at,
            };
            match self.engine.connect(connect).await? {
                Connected::Live { now, deadline } => return Ok(Alive { last_seen: now, until: deadline }),
                // Ended after the row was read, or the row is old: the row says by now, or will soon.
                Connected::Ended | Connected::Stale => read_at = self.engine.now(claimed.user).await?,
            }
        }
        // An end is under way whose row is not written yet.
        Err(Refusal::plain(Code::Conflicting).into())
    }

    /// Whether a session's row allows a sign of life. Account status outranks the session's end.
    pub(super) fn may_be_alive(&self, row: Option<(Session, Account)>) -> Outcome<Account> {
        let Some((session, account)) = row else { return Err(Code::SessionEnded.into()) };
        if let Some(bar) = account.standing.bar() {
            return Err(bar.into());
        }
        if session.is_over(Timestamp::now()) {
            return Err(Code::SessionEnded.into());
        }
        Ok(account)
    }

    /// A session whose page is being closed or reloaded: unless there is another sign of life, its user goes offline
    /// after a short grace, not after the whole timeout.
    ///
    /// # Errors
    /// The engine's.
    pub async fn leave(&self, claimed: Claimed, alive: Alive) -> Outcome<Alive> {
        // Long enough for a page to load again, and short beside the timeout even where that is short.
        let grace = LEAVING_GRACE.min(claimed.timeout / 3);
        let until = self.engine.leave(claimed.user, claimed.session, grace).await?;
        let Some(until) = until else { return Ok(alive) };
        // What readers are told: the grace counts from the moment of saying so, which was the later sign of life.
        Ok(Alive { last_seen: alive.last_seen.max(until.0.minus(grace)), until })
    }
}
