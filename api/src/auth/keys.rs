//! What access tokens are signed with: a secret (HMAC-SHA-256, RFC 7518 §3.2) or an Ed25519 key (EdDSA, RFC 8037), whose
//! tokens others can read too: with the public key, which is published (RFC 7517).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::pkcs8::{DecodePrivateKey, DecodePublicKey, EncodePrivateKey};
use ed25519_dalek::{Signature, SigningKey, VerifyingKey};
use hmac::{Hmac, Mac};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use lastseen_shared::settings::Secret;
use sha2::{Digest, Sha256};

use super::tokens::{AUDIENCE, ISSUER};

/// What a PEM text begins with (RFC 7468). A secret that is none does not.
const PEM: &str = "-----BEGIN ";

/// How a key checks a signature.
enum Check {
    /// Has taken in the secret.
    Hmac(Hmac<Sha256>),
    Ed25519(Box<VerifyingKey>),
}

/// A key that tokens are read with.
pub(super) struct Key {
    /// Its name in a token: a hash's beginning, so that it follows from the key.
    pub(super) id: String,
    /// What tokens of ours that are signed with it begin with: the header, encoded, and a dot.
    pub(super) head: String,
    /// For tokens of another header.
    pub(super) decoding: DecodingKey,
    /// The key's algorithm and nothing else: neither `none`, nor a public key that is taken for a secret.
    pub(super) validation: Validation,
    check: Check,
}

/// A key that tokens are signed with.
pub(super) struct SignWith {
    pub(super) key: EncodingKey,
    pub(super) header: Header,
}

/// Why a text is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// It looks like PEM, and is not what is wanted.
    #[error("is PEM, but no Ed25519 key of PKCS #8: {0}")]
    Pem(String),
    /// The key to sign with.
    #[error("is a public key: tokens can't be signed with it")]
    Public,
    /// The library does not take it.
    #[error("can't be a key: {0}")]
    Unfit(String),
}

/// The key that a setting's text holds, and how it signs, where it can.
///
/// # Errors
/// [`KeyError`], without the text.
pub(super) fn parse(text: &Secret) -> Result<(Key, Option<SignWith>), KeyError> {
    if !text.expose().starts_with(PEM) {
        return shared_secret(text.expose().as_bytes());
    }
    // Where an environment has no line breaks, they are written as \n.
    let pem = text.expose().replace("\\n", "\n");
    let unfit = |error: &dyn std::fmt::Display| KeyError::Pem(error.to_string());
    if pem.starts_with("-----BEGIN PUBLIC KEY-----") {
        let public = VerifyingKey::from_public_key_pem(&pem).map_err(|error| unfit(&error))?;
        return Ok((ed25519(public), None));
    }
    let private = SigningKey::from_pkcs8_pem(&pem).map_err(|error| unfit(&error))?;
    let der = private.to_pkcs8_der().map_err(|error| unfit(&error))?;
    let key = ed25519(private.verifying_key());
    let header = header(Algorithm::EdDSA, &key.id);
    Ok((key, Some(SignWith { key: EncodingKey::from_ed_der(der.as_bytes()), header })))
}

fn shared_secret(bytes: &[u8]) -> Result<(Key, Option<SignWith>), KeyError> {
    let unfit = |error: &dyn std::fmt::Display| KeyError::Unfit(error.to_string());
    let mac = Hmac::new_from_slice(bytes).map_err(|error| unfit(&error))?;
    let key = Key::new(bytes, Algorithm::HS256, DecodingKey::from_secret(bytes), Check::Hmac(mac));
    let header = header(Algorithm::HS256, &key.id);
    Ok((key, Some(SignWith { key: EncodingKey::from_secret(bytes), header })))
}

fn ed25519(public: VerifyingKey) -> Key {
    let bytes = public.to_bytes();
    Key::new(&bytes, Algorithm::EdDSA, DecodingKey::from_ed_der(&bytes), Check::Ed25519(Box::new(public)))
}

fn header(algorithm: Algorithm, id: &str) -> Header {
    Header { kid: Some(id.to_owned()), ..Header::new(algorithm) }
}

impl Key {
    fn new(bytes: &[u8], algorithm: Algorithm, decoding: DecodingKey, check: Check) -> Self {
        let id = URL_SAFE_NO_PAD.encode(&Sha256::digest(bytes)[..6]);
        let mut validation = Validation::new(algorithm);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "iss", "sub"]);
        validation.leeway = 0;
        let json = serde_json::to_vec(&header(algorithm, &id)).unwrap_or_default();
        let head = format!("{}.", URL_SAFE_NO_PAD.encode(json));
        Self { id, head, decoding, validation, check }
    }

    /// Whether this is the signature of these bytes: of HMAC in constant time and of the whole length, of Ed25519 as
    /// strictly as RFC 8032 allows, so that a token has one signature only.
    pub(super) fn verifies(&self, signed: &[u8], signature: &[u8]) -> bool {
        match &self.check {
            Check::Hmac(mac) => mac.clone().chain_update(signed).verify_slice(signature).is_ok(),
            Check::Ed25519(public) => Signature::from_slice(signature)
                .is_ok_and(|signature| public.verify_strict(signed, &signature).is_ok()),
        }
    }

    /// The key as others may have it: a JWK (RFC 8037 §2); `None` of a secret.
    pub(super) fn published(&self) -> Option<PublicKey> {
        let Check::Ed25519(public) = &self.check else { return None };
        let x = URL_SAFE_NO_PAD.encode(public.as_bytes());
        Some(PublicKey { kty: "OKP", crv: "Ed25519", alg: "EdDSA", r#use: "sig", kid: self.id.clone(), x })
    }
}

/// A public key as a JWK (RFC 7517, RFC 8037).
#[derive(Clone, Debug, serde::Serialize, utoipa::ToSchema)]
pub struct PublicKey {
    /// The type: octet key pair.
    #[schema(value_type = String, example = "OKP")]
    pub kty: &'static str,
    /// The curve.
    #[schema(value_type = String, example = "Ed25519")]
    pub crv: &'static str,
    /// What it signs by.
    #[schema(value_type = String, example = "EdDSA")]
    pub alg: &'static str,
    /// What it is for.
    #[schema(value_type = String, example = "sig")]
    pub r#use: &'static str,
    /// Its name in the header of a token.
    pub kid: String,
    /// The key: base64url of its 32 bytes.
    pub x: String,
}
