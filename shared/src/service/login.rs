//! Log-in and log-out.

use super::refresh::Seed;
use super::{Outcome, RefreshToken, Service};
use crate::account::django::DjangoHash;
use crate::account::hashing::HashError;
use crate::account::{Password, names};
use crate::db::write_transaction;
use crate::ids::{SessionId, UserId};
use crate::limits;
use crate::models::{Account, NewSession, Session};
use crate::presence::engine::{Connect, Connected};
use crate::presence::rule::{Known, Projected, presence};
use crate::presence::{PresenceEngine, Reason};
use crate::privacy::{SeenPresence, Viewer};
use crate::refusal::{Code, Failure, Refusal};
use crate::statistics::Platform;
use crate::timestamp::Timestamp;

/// What a client sends to log in.
#[derive(Clone, Debug)]
pub struct Login {
    /// Name or address.
    pub username: String,
    /// As typed.
    pub password: Password,
    /// The device's name.
    pub device: Option<String>,
    /// What the client calls itself, its User-Agent.
    pub agent: String,
    /// Where the request comes from.
    pub address: String,
}

/// A log-in that succeeded.
pub struct LoggedIn {
    /// Whose.
    pub account: Account,
    /// The new session.
    pub session: SessionId,
    /// Its first refresh token.
    pub refresh: RefreshToken,
    /// Online, that is.
    pub presence: SeenPresence,
}

/// No name and no address is longer, in characters.
const LONGEST_LOGIN: usize = 300;
/// The longest name of a device, in characters.
pub const LONGEST_DEVICE: usize = 200;
/// More sessions than this are nobody's devices: the oldest are logged out.
const MOST_SESSIONS: usize = 100;

impl Service {
    /// Logs in. The user is online when this answers.
    ///
    /// # Errors
    /// `invalid_credentials` for an unknown name and a wrong password alike; `account_…` after the right password;
    /// `too_many_requests`; `overloaded`, `engine_unavailable`, `database_unavailable`.
    pub async fn log_in(&self, login: Login) -> Outcome<LoggedIn> {
        if let Some(device) = &login.device {
            names::plain_text(device, LONGEST_DEVICE).map_err(|problem| Refusal::field("device", &problem))?;
        }
        let account = self.verify(&login.username, login.password, &login.address).await?;
        let platform = Platform::of(login.device.as_deref().unwrap_or_default(), &login.agent);
        // Tried twice, since a log-out everywhere at the same moment may end the first session as it begins.
        for _ in 0..2 {
            if let Some(logged_in) = self.open_session(&account, login.device.clone(), platform).await? {
                return Ok(logged_in);
            }
        }
        Err(Code::Conflicting.into())
    }

    /// The account whose name or address, and password, these are.
    pub(super) async fn verify(&self, username: &str, password: Password, address: &str) -> Outcome<Account> {
        let key = names::fold(username);
        // By name and address together: nobody can lock another out from elsewhere.
        // A name that is too long to be one is not kept whole.
        let tries = format!("{} from {}", key.chars().take(LONGEST_LOGIN).collect::<String>(), address);
        tokio::try_join!(
            self.limits.check(&limits::LOG_IN, &tries),
            self.limits.check(&limits::LOG_IN_ADDRESS, address)
        )?;
        // Nobody's name or address: not asked for, since PostgreSQL takes no NUL, but verified like any other.
        let possible = !key.contains('\0') && key.chars().nth(LONGEST_LOGIN).is_none();
        let account = match possible {
            true => self.db.run(move |c| Account::find_for_login(c, &key)).await?,
            false => None,
        };
        let hash = account.as_ref().map(|account| account.password_hash.clone());
        let right = self.inner.hasher.verify(password.clone(), hash).await?;
        let account = match account.filter(|_| right) {
            Some(account) => self.with_bcrypt(account, password).await?,
            None => None,
        };
        let Some(account) = account else {
            self.limits.failed(&limits::LOG_IN, &tries).await;
            self.limits.failed(&limits::LOG_IN_ADDRESS, address).await;
            return Err(Code::InvalidCredentials.into());
        };
        self.limits.succeeded(&limits::LOG_IN, &tries).await;
        Ok(account)
    }

    /// The account whose password was right, with a hash of bcrypt's where it was imported with another: the only moment at
    /// which the password is known. `None` where another has taken its place meanwhile.
    async fn with_bcrypt(&self, mut account: Account, password: Password) -> Outcome<Option<Account>> {
        if !DjangoHash::is_one(&account.password_hash) || !password.is_hashable() {
            return Ok(Some(account));
        }
        let hash = match self.inner.hasher.hash(password.clone()).await {
            Ok(hash) => hash,
            // At the next log-in, then.
            Err(HashError::Busy) => return Ok(Some(account)),
            Err(error) => return Err(error.into()),
        };
        let (user, old, new) = (account.id, account.password_hash.clone(), hash.clone());
        if self.db.run(move |c| Account::rehash(c, user, &old, &new)).await? {
            account.password_hash = hash;
            return Ok(Some(account));
        }
        // Two who log in at once for the first time: the other was quicker. Or it is another password now.
        let Some(account) = self.db.run(move |c| Account::find(c, user)).await? else { return Ok(None) };
        let right = self.inner.hasher.verify(password, Some(account.password_hash.clone())).await?;
        Ok(Some(account).filter(|_| right))
    }

    /// Makes a session and brings it online; `None` where it was ended as it began.
    async fn open_session(
        &self,
        account: &Account,
        device: Option<String>,
        platform: Platform,
    ) -> Outcome<Option<LoggedIn>> {
        let user = account.id;
        // Before the rows are read; and where the engine is away, before anything is written.
        let read_at = self.engine.now(user).await?;
        let seed = Seed::new()?;
        let (family_hash, refresh_hash) = seed.hashes();
        let now = Timestamp::now();
        let expires_at = now.plus(self.inner.accounts.refresh_ttl);
        // By the engine's clock: it is never later than the session's first sign of life.
        let new = NewSession { user, device, platform, family_hash, refresh_hash, created_at: read_at, expires_at };
        let verified = account.password_hash.clone();
        let (account, session, surplus) = self
            .db
            .run(move |connection| {
                write_transaction(connection, |c| {
                    // With the row held, a bar comes wholly before this session or wholly after it.
                    let account = Account::lock_shared(c, user)?.ok_or(Code::InvalidCredentials)?;
                    if account.password_hash != verified && DjangoHash::is_one(&verified) {
                        // Another log-in may have put bcrypt's in its place, of the same password: asked again, it is known.
                        return Err(Code::Overloaded.into());
                    }
                    if account.password_hash != verified {
                        // It was changed while the old one was being verified.
                        return Err(Code::InvalidCredentials.into());
                    }
                    if let Some(bar) = account.standing.bar() {
                        return Err(bar.into());
                    }
                    let session = Session::insert(c, &new)?;
                    let surplus: Vec<SessionId> =
                        Session::of_user(c, user, now)?.iter().skip(MOST_SESSIONS).map(Session::id).collect();
                    Ok::<_, Failure>((account, session, surplus))
                })
            })
            .await?;
        let timeout = self.timeout_of(&account);
        let profile = account.profile();
        let choice = profile.choice.clone();
        let connect = Connect { user, session, timeout, profile, reason: Reason::Login, read_at };
        let connected = self.engine.connect(connect).await;
        if let Ok(Connected::Live { now, deadline }) = connected {
            for old in surplus {
                if let Err(error) = self.end_session(user, old, Reason::Logout).await {
                    log::warn!("session {old} of user {user} is one too many, but could not be ended: {error}");
                }
            }
            // This device is not idle, and so its user is not away by that.
            let shown = choice.at(now);
            let known = Known::Online { until: deadline, last_seen: now, reason: Reason::Login, shown };
            let projected = Projected { last_seen: None, reason: None };
            let presence = presence(account.standing, known, projected);
            let presence =
                SeenPresence::of(&Viewer::oneself(user), user, account.privacy, account.standing, presence);
            return Ok(Some(LoggedIn { account, session, refresh: seed.token(session), presence }));
        }
        // Nobody was told of this session: it ends unseen, also where the call was carried out and its answer lost.
        if connected.is_err()
            && let Err(error) = self.engine.disconnect(user, session, Reason::Logout).await
        {
            log::warn!("user {user} may be online for a timeout without a session: {error}");
        }
        let ended = self.db.run(move |c| Session::end(c, session, Reason::Logout, now)).await;
        connected?;
        ended?;
        Ok(None)
    }

    /// Logs one session out. Is no sign of life.
    ///
    /// # Errors
    /// `session_ended`, `account_…`; `engine_unavailable`, and nothing has changed then.
    pub async fn log_out(&self, user: UserId, session: SessionId) -> Outcome<()> {
        let row = self.inner.rows.read(session).await?;
        self.may_be_alive(row)?;
        self.end_session(user, session, Reason::Logout).await
    }

    /// Logs all of the caller's sessions out.
    ///
    /// # Errors
    /// As [`Self::log_out`].
    pub async fn log_out_everywhere(&self, user: UserId, session: SessionId) -> Outcome<()> {
        let row = self.inner.rows.read(session).await?;
        self.may_be_alive(row)?;
        self.end_all_sessions(user, Reason::Logout).await
    }

    /// Ends all sessions that there are now; one that begins later is not concerned.
    pub(super) async fn end_all_sessions(&self, user: UserId, reason: Reason) -> Outcome<()> {
        let up_to = self.newest_session(user).await?;
        let ended = self.engine.evict(user, up_to, reason).await?;
        self.db.run(move |c| Session::end_all(c, user, up_to, reason, ended.now)).await?;
        Ok(())
    }

    /// The newest session's id. The account's row is locked for it, so that every log-in has either been counted or
    /// will get a larger id.
    pub(super) async fn newest_session(&self, user: UserId) -> Outcome<SessionId> {
        self.db
            .run(move |connection| {
                write_transaction(connection, |c| {
                    Account::lock(c, user)?.ok_or(Code::UserNotFound)?;
                    Ok::<_, Failure>(Session::newest_of(c, user)?)
                })
            })
            .await
    }
}
