//! Access tokens: JWT (RFC 7519), signed with what [`super::keys`] takes for a key.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::errors::ErrorKind;
use lastseen_shared::account::Role;
use lastseen_shared::ids::{SessionId, UserId};
use lastseen_shared::refusal::{Code, Failure};
use lastseen_shared::service::Claimed;
use lastseen_shared::settings::Secret;
use lastseen_shared::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

use super::keys::{self, Key, KeyError, PublicKey, SignWith};

/// Who made the tokens.
pub(super) const ISSUER: &str = "lastseen";
/// Whom they are for.
pub(super) const AUDIENCE: &str = "lastseen-api";
/// No token of ours is longer.
const LONGEST: usize = 1_024;

#[derive(Serialize, Deserialize)]
struct Claims {
    /// The user's id, as text: RFC 7519 §4.1.2 wants it so.
    sub: String,
    sid: i64,
    role: Role,
    /// The user's inactivity timeout, in ms, when the token was made.
    tmo: u64,
    iss: String,
    /// Tokens that were made before there was an audience have none, and are over within minutes.
    aud: Option<String>,
    iat: i64,
    exp: i64,
    jti: String,
}

/// Of [`Claims`], what a request is answered by.
#[derive(Deserialize)]
struct Told<'a> {
    sub: &'a str,
    sid: i64,
    role: Role,
    tmo: u64,
    iss: &'a str,
    #[serde(default)]
    aud: Option<&'a str>,
    exp: i64,
}

/// Makes and reads access tokens.
pub struct Tokens {
    signing: SignWith,
    /// The one that signs comes first.
    keys: Vec<Key>,
    ttl: Duration,
}

/// What a token tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// Whose session it is.
    pub claimed: Claimed,
    /// The user's role when the token was made. A role that changes ends the sessions, and so the tokens.
    pub role: Role,
}

fn unsigned(error: impl std::fmt::Display) -> Failure {
    Failure::Internal(format!("a token could not be signed: {error}"))
}

impl Tokens {
    /// Tokens signed with `key`, read also where one of `others` signed them, living for `ttl`. A key is a secret, or
    /// Ed25519 in PEM: to read, a public key will do.
    ///
    /// # Errors
    /// The first that is no key, of `key` and `others` in their order, and why.
    pub fn new(key: &Secret, others: &[Secret], ttl: Duration) -> Result<Self, (usize, KeyError)> {
        let (first, signing) = keys::parse(key).map_err(|error| (0, error))?;
        let signing = signing.ok_or((0, KeyError::Public))?;
        let mut all = vec![first];
        for (other, place) in others.iter().zip(1..) {
            all.push(keys::parse(other).map_err(|error| (place, error))?.0);
        }
        Ok(Self { signing, keys: all, ttl })
    }

    /// The public keys, for others who read our tokens.
    #[must_use]
    pub fn published(&self) -> Vec<PublicKey> {
        self.keys.iter().filter_map(Key::published).collect()
    }

    /// A token for a session.
    ///
    /// # Errors
    /// Where the system has no random numbers.
    pub fn issue(&self, access: Access) -> Result<String, Failure> {
        let now = Timestamp::now();
        let mut id = [0; 12];
        getrandom::fill(&mut id).map_err(|error| Failure::Internal(format!("no random numbers: {error}")))?;
        let claims = Claims {
            sub: access.claimed.user.to_string(),
            sid: access.claimed.session.0,
            role: access.role,
            tmo: u64::try_from(access.claimed.timeout.as_millis()).unwrap_or(u64::MAX),
            iss: ISSUER.to_owned(),
            aud: Some(AUDIENCE.to_owned()),
            iat: now.0 / 1_000,
            exp: now.plus(self.ttl).0.div_euclid(1_000) + i64::from(now.plus(self.ttl).0.rem_euclid(1_000) > 0),
            jti: URL_SAFE_NO_PAD.encode(id),
        };
        jsonwebtoken::encode(&self.signing.header, &claims, &self.signing.key).map_err(unsigned)
    }

    /// Reads a token.
    ///
    /// # Errors
    /// [`Code::TokenExpired`] for one of ours past its time, [`Code::TokenInvalid`] for everything else.
    pub fn read(&self, token: &str) -> Result<Access, Code> {
        self.read_with_end(token).map(|(access, _)| access)
    }

    /// Reads a token, and until when it holds.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_with_end(&self, token: &str) -> Result<(Access, Timestamp), Code> {
        if token.len() > LONGEST {
            return Err(Code::TokenInvalid);
        }
        for key in &self.keys {
            if let Some(rest) = token.strip_prefix(&key.head) {
                return read_own(key, token, rest);
            }
        }
        // Signed with our key by somebody else, or nothing of ours.
        let named = jsonwebtoken::decode_header(token).map_err(|_| Code::TokenInvalid)?.kid;
        let key = match &named {
            Some(id) => self.keys.iter().find(|key| key.id == *id),
            None => self.keys.first(),
        };
        let key = key.ok_or(Code::TokenInvalid)?;
        let claims = jsonwebtoken::decode::<Claims>(token, &key.decoding, &key.validation)
            .map_err(|error| match error.kind() {
                ErrorKind::ExpiredSignature => Code::TokenExpired,
                _ => Code::TokenInvalid,
            })?
            .claims;
        told(&Told {
            sub: &claims.sub,
            sid: claims.sid,
            role: claims.role,
            tmo: claims.tmo,
            iss: &claims.iss,
            aud: claims.aud.as_deref(),
            exp: claims.exp,
        })
    }
}

/// Reads a token whose header is the one that we write with this key, `rest` being what follows it. Every request comes by
/// here: the key is taken in once, and nothing is read or copied twice.
fn read_own(key: &Key, token: &str, rest: &str) -> Result<(Access, Timestamp), Code> {
    let (payload, signature) = rest.split_once('.').ok_or(Code::TokenInvalid)?;
    let mut buffer = [0; LONGEST];
    let decode =
        |text: &str, into: &mut [u8]| URL_SAFE_NO_PAD.decode_slice(text, into).map_err(|_| Code::TokenInvalid);
    let signed = &token.as_bytes()[..key.head.len() + payload.len()];
    let length = decode(signature, &mut buffer)?;
    if !key.verifies(signed, &buffer[..length]) {
        return Err(Code::TokenInvalid);
    }
    let length = decode(payload, &mut buffer)?;
    told(&serde_json::from_slice(&buffer[..length]).map_err(|_| Code::TokenInvalid)?)
}

/// What claims tell whose signature is good: who, and until when (RFC 7519 §4.1.4: from then on it is not accepted).
fn told(claims: &Told<'_>) -> Result<(Access, Timestamp), Code> {
    if claims.iss != ISSUER || claims.aud.is_some_and(|audience| audience != AUDIENCE) {
        return Err(Code::TokenInvalid);
    }
    let end = Timestamp(claims.exp.saturating_mul(1_000));
    if end <= Timestamp::now() {
        return Err(Code::TokenExpired);
    }
    let claimed = Claimed {
        user: UserId(claims.sub.parse().map_err(|_| Code::TokenInvalid)?),
        session: SessionId(claims.sid),
        timeout: Duration::from_millis(claims.tmo),
    };
    Ok((Access { claimed, role: claims.role }, end))
}

#[cfg(test)]
mod tests;
