//! Access tokens: JWT (RFC 7519), signed with HMAC-SHA-256.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use lastseen_shared::account::Role;
use lastseen_shared::ids::{SessionId, UserId};
use lastseen_shared::refusal::{Code, Failure};
use lastseen_shared::service::Claimed;
use lastseen_shared::settings::Secret;
use lastseen_shared::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Who made the tokens.
const ISSUER: &str = "lastseen";
/// Whom they are for.
const AUDIENCE: &str = "lastseen-api";
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

struct Key {
    id: String,
    decoding: DecodingKey,
    /// What tokens that this process signs with the key begin with: the header, encoded, and a dot.
    head: String,
    /// Has taken in the key.
    mac: Hmac<Sha256>,
}

/// Makes and reads access tokens.
pub struct Tokens {
    signing: EncodingKey,
    header: Header,
    keys: Vec<Key>,
    validation: Validation,
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

/// The key's name in a token: its hash's beginning, so that it follows from the key.
fn key_id(secret: &Secret) -> String {
    URL_SAFE_NO_PAD.encode(&Sha256::digest(secret.expose().as_bytes())[..6])
}

fn unsigned(error: impl std::fmt::Display) -> Failure {
    Failure::Internal(format!("a token could not be signed: {error}"))
}

impl Tokens {
    /// Tokens signed with `secret`, read also where one of `previous` signed them, living for `ttl`.
    ///
    /// # Errors
    /// Where a secret can't be made a key.
    pub fn new(secret: &Secret, previous: &[Secret], ttl: Duration) -> Result<Self, Failure> {
        let header = |secret: &Secret| Header { kid: Some(key_id(secret)), ..Header::new(Algorithm::HS256) };
        let key = |secret: &Secret| {
            let bytes = secret.expose().as_bytes();
            let token =
                jsonwebtoken::encode(&header(secret), &(), &EncodingKey::from_secret(bytes)).map_err(unsigned)?;
            let head = token.split_inclusive('.').next().unwrap_or_default().to_owned();
            let mac = Hmac::new_from_slice(bytes).map_err(unsigned)?;
            Ok(Key { id: key_id(secret), decoding: DecodingKey::from_secret(bytes), head, mac })
        };
        // HS256 and nothing else: neither `none` nor a public-key algorithm with our secret as its key.
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "iss", "sub"]);
        validation.leeway = 0;
        Ok(Self {
            signing: EncodingKey::from_secret(secret.expose().as_bytes()),
            header: header(secret),
            keys: std::iter::once(secret).chain(previous).map(key).collect::<Result<_, Failure>>()?,
            validation,
            ttl,
        })
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
        jsonwebtoken::encode(&self.header, &claims, &self.signing).map_err(unsigned)
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
        // Signed with our secret by somebody else, or nothing of ours.
        let named = jsonwebtoken::decode_header(token).map_err(|_| Code::TokenInvalid)?.kid;
        let key = match &named {
            Some(id) => self.keys.iter().find(|key| key.id == *id),
            None => self.keys.first(),
        };
        let key = key.ok_or(Code::TokenInvalid)?;
        let claims = jsonwebtoken::decode::<Claims>(token, &key.decoding, &self.validation)
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
    // In constant time, and of the whole length.
    key.mac.clone().chain_update(signed).verify_slice(&buffer[..length]).map_err(|_| Code::TokenInvalid)?;
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
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::new(text.repeat(32))
    }

    fn access() -> Access {
        let claimed = Claimed { user: UserId(7), session: SessionId(9), timeout: Duration::from_secs(120) };
        Access { claimed, role: Role::User }
    }

    #[test]
    fn a_token_is_read_back() {
        let tokens = Tokens::new(&secret("a"), &[], Duration::from_secs(60)).unwrap();
        assert_eq!(tokens.read(&tokens.issue(access()).unwrap()), Ok(access()));
    }

    #[test]
    fn keys_can_be_rotated() {
        let before = Tokens::new(&secret("a"), &[], Duration::from_secs(60)).unwrap();
        let token = before.issue(access()).unwrap();
        let after = Tokens::new(&secret("b"), &[secret("a")], Duration::from_secs(60)).unwrap();
        assert_eq!(after.read(&token), Ok(access()));
        let later = Tokens::new(&secret("b"), &[], Duration::from_secs(60)).unwrap();
        assert_eq!(later.read(&token), Err(Code::TokenInvalid));
    }

    #[test]
    fn foreign_and_twisted_tokens_are_refused() {
        let tokens = Tokens::new(&secret("a"), &[], Duration::from_secs(60)).unwrap();
        let good = tokens.issue(access()).unwrap();
        let (head, rest) = good.split_once('.').unwrap();
        let encode = |json: &str| URL_SAFE_NO_PAD.encode(json);
        let foreign = Tokens::new(&secret("x"), &[], Duration::from_secs(60)).unwrap().issue(access()).unwrap();
        let payload = rest.split('.').next().unwrap();
        let none = format!("{}.{payload}.", encode(r#"{"alg":"none","typ":"JWT"}"#));
        let rs256 = format!("{}.{rest}", encode(r#"{"alg":"RS256","typ":"JWT"}"#));
        let hs512 = format!("{}.{rest}", encode(r#"{"alg":"HS512","typ":"JWT"}"#));
        let cut = good[..good.len() - 2].to_owned();
        let swapped = format!("{head}.{}.{}", encode(r#"{"sub":"1"}"#), rest.split('.').nth(1).unwrap());
        for bad in [foreign, none, rs256, hs512, cut, swapped, String::new(), "a.b.c".into(), "x".repeat(5_000)] {
            assert_eq!(tokens.read(&bad), Err(Code::TokenInvalid), "{bad}");
        }
    }

    #[test]
    fn a_token_of_ours_under_another_header_is_one_too() {
        let tokens = Tokens::new(&secret("a"), &[], Duration::from_secs(60)).unwrap();
        let own = tokens.issue(access()).unwrap();
        let claims: Claims = jsonwebtoken::decode(&own, &tokens.keys[0].decoding, &tokens.validation).unwrap().claims;
        for header in [Header::new(Algorithm::HS256), Header { cty: Some("JWT".into()), ..tokens.header.clone() }] {
            let token = jsonwebtoken::encode(&header, &claims, &tokens.signing).unwrap();
            assert!(!token.starts_with(&tokens.keys[0].head));
            assert_eq!(tokens.read(&token), Ok(access()));
        }
    }

    #[test]
    fn no_letter_of_a_token_can_be_another() {
        let tokens = Tokens::new(&secret("a"), &[], Duration::from_secs(60)).unwrap();
        let good = tokens.issue(access()).unwrap();
        for place in 0..good.len() {
            for other in ['A', 'w', '.', '=', '+', 'é'] {
                let mut bad: Vec<char> = good.chars().collect();
                bad[place] = other;
                let bad: String = bad.into_iter().collect();
                assert!(bad == good || tokens.read(&bad) == Err(Code::TokenInvalid), "{bad}");
            }
            assert_eq!(tokens.read(&good[..place]), Err(Code::TokenInvalid));
        }
    }

    #[test]
    fn an_expired_token_says_so() {
        let tokens = Tokens::new(&secret("a"), &[], Duration::from_secs(60)).unwrap();
        let claims = Claims {
            sub: "7".into(),
            sid: 9,
            role: Role::User,
            tmo: 1,
            iss: ISSUER.into(),
            aud: None,
            iat: 1,
            exp: 2,
            jti: "x".into(),
        };
        let token = jsonwebtoken::encode(&tokens.header, &claims, &tokens.signing).unwrap();
        assert_eq!(tokens.read(&token), Err(Code::TokenExpired));
    }
}
