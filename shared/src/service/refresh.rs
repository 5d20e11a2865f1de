//! Refresh tokens: turned at every use, with reuse noticed.
//!
//! A token is `session.family.turn` in base64url. The family stays for the session's life and tells a token of ours
//! from a guess; the turn changes. The row holds hashes only. The next turn is HMAC-SHA-256 of a salt under the turn
//! before, so that within the grace the one before gives the same successor again, although nobody has stored it.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

use super::{Outcome, Service};
use crate::ids::SessionId;
use crate::limits;
use crate::models::session::Turn;
use crate::models::{Account, Session};
use crate::presence::{PresenceEngine, Reason};
use crate::refusal::{Code, Failure};
use crate::timestamp::Timestamp;

/// How long the turn before still answers: two tabs may race.
pub const GRACE: Duration = Duration::from_secs(5);

const FAMILY: usize = 16;
const TURN: usize = 32;

/// A refresh token.
#[derive(Clone, PartialEq, Eq)]
pub struct RefreshToken {
    session: SessionId,
    family: [u8; FAMILY],
    turn: [u8; TURN],
}

/// What a refresh answers.
pub struct Refreshed {
    /// Whose session it is.
    pub account: Account,
    /// Which.
    pub session: SessionId,
    /// The successor.
    pub token: RefreshToken,
}

/// Random bytes of the operating system's.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], Failure> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| Failure::Internal(format!("no random numbers: {error}")))?;
    Ok(bytes)
}

fn hash(bytes: &[u8]) -> Vec<u8> {
    Sha256::digest(bytes).to_vec()
}

/// What a new session's tokens are made of, before its id is known.
pub(super) struct Seed {
    family: [u8; FAMILY],
    turn: [u8; TURN],
}

impl Seed {
    pub(super) fn new() -> Outcome<Self> {
        Ok(Self { family: random()?, turn: random()? })
    }

    pub(super) fn hashes(&self) -> (Vec<u8>, Vec<u8>) {
        (hash(&self.family), hash(&self.turn))
    }

    pub(super) fn token(self, session: SessionId) -> RefreshToken {
        RefreshToken { session, family: self.family, turn: self.turn }
    }
}

impl RefreshToken {
    /// The text for the client.
    #[must_use]
    pub fn encode(&self) -> String {
        let session = self.session.0.to_be_bytes();
        let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        format!("{}.{}.{}", part(&session), part(&self.family), part(&self.turn))
    }

    /// Reads a client's text; `None` for one that is none of ours.
    #[must_use]
    pub fn decode(text: &str) -> Option<Self> {
        if text.len() > 128 {
            return None;
        }
        let mut parts = text.split('.').map(|part| URL_SAFE_NO_PAD.decode(part).ok());
        let session = i64::from_be_bytes(parts.next()??.try_into().ok()?);
        let family = parts.next()??.try_into().ok()?;
        let turn = parts.next()??.try_into().ok()?;
        parts.next().is_none().then_some(Self { session: SessionId(session), family, turn })
    }

    fn next(&self, salt: &[u8]) -> Outcome<Self> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.turn)
            .map_err(|error| Failure::Internal(format!("HMAC: {error}")))?;
        mac.update(salt);
        Ok(Self { turn: mac.finalize().into_bytes().into(), ..self.clone() })
    }
}

impl Service {
    /// Turns a refresh token. Is no sign of life.
    ///
    /// # Errors
    /// `token_invalid` for what is none of ours, `refresh_reused`, `session_ended`, `account_…`, `too_many_requests`.
    pub async fn refresh(&self, token: &str) -> Outcome<Refreshed> {
        let token = RefreshToken::decode(token).ok_or(Code::TokenInvalid)?;
        self.limits.take(&limits::REFRESH, &token.session.to_string()).await?;
        // A second time where another turned it between the reading and the turning.
        for _ in 0..2 {
            let id = token.session;
            let (session, account) = self.db.run(move |c| Session::find(c, id)).await?.ok_or(Code::SessionEnded)?;
            if session.family_hash != hash(&token.family) {
                return Err(Code::TokenInvalid.into());
            }
            self.may_be_alive(Some((session.clone(), account.clone())))?;
            let presented = hash(&token.turn);
            if session.refresh_hash == presented {
                if let Some(token) = self.turn(&token, presented).await? {
                    return Ok(Refreshed { account, session: id, token });
                }
                continue;
            }
            let before = session.previous_refresh_hash.as_deref() == Some(presented.as_slice());
            let in_grace = session.rotated_at().is_some_and(|at| at.plus(GRACE) > Timestamp::now());
            if let (true, true, Some(salt)) = (before, in_grace, &session.rotation_salt) {
                return Ok(Refreshed { account, session: id, token: token.next(salt)? });
            }
            log::warn!("a refresh token of session {id} of user {} was used again: the session is ended", account.id);
            self.end_session(account.id, id, Reason::Logout).await?;
            return Err(Code::RefreshReused.into());
        }
        Err(Code::Conflicting.into())
    }

    async fn turn(&self, token: &RefreshToken, presented: Vec<u8>) -> Outcome<Option<RefreshToken>> {
        let salt: [u8; 16] = random()?;
        let next = token.next(&salt)?;
        let now = Timestamp::now();
        let turn = Turn {
            refresh_hash: hash(&next.turn),
            salt: salt.to_vec(),
            at: now,
            expires_at: now.plus(self.inner.accounts.refresh_ttl),
        };
        let id = token.session;
        let turned = self.db.run(move |c| Session::rotate(c, id, &presented, &turn)).await?;
        Ok(turned.then_some(next))
    }

    /// Ends one session: in the engine, then its row.
    pub(super) async fn end_session(
        &self,
        user: crate::ids::UserId,
        session: SessionId,
        reason: Reason,
    ) -> Outcome<()> {
        let ended = self.engine.disconnect(user, session, reason).await?;
        self.db.run(move |c| Session::end(c, session, reason, ended.now)).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_back_and_nothing_else_is() {
        let token = RefreshToken { session: SessionId(7), family: [1; FAMILY], turn: [2; TURN] };
        assert!(RefreshToken::decode(&token.encode()) == Some(token.clone()));
        for bad in ["", ".", "..", "a.b.c", "x", &token.encode()[1..], &format!("{}.x", token.encode())] {
            assert!(RefreshToken::decode(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_salt_gives_the_same_successor_again() {
        let token = RefreshToken { session: SessionId(7), family: [1; FAMILY], turn: [2; TURN] };
        assert!(token.next(b"salt").unwrap() == token.next(b"salt").unwrap());
        assert!(token.next(b"salt").unwrap() != token.next(b"pepper").unwrap());
    }
}
