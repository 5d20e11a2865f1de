//! Signing secrets, and signatures by the Standard Webhooks specification: HMAC-SHA256 over `id.timestamp.body`.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha2::Sha256;

/// What a secret begins with.
const PREFIX: &str = "whsec_";
/// Random bytes of a new one; the specification asks for 24 to 64.
const BYTES: usize = 32;

/// A secret that deliveries are signed with.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningSecret {
    text: String,
    key: Vec<u8>,
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningSecret(…)")
    }
}

impl SigningSecret {
    /// A new one.
    ///
    /// # Errors
    /// Where the system has no random numbers.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let mut key = vec![0; BYTES];
        getrandom::fill(&mut key)?;
        Ok(Self { text: format!("{PREFIX}{}", STANDARD.encode(&key)), key })
    }

    /// Reads one.
    ///
    /// # Errors
    /// What is none.
    pub fn parse(text: &str) -> Result<Self, String> {
        let encoded = text.strip_prefix(PREFIX).ok_or("it does not begin with whsec_")?;
        let key = STANDARD.decode(encoded).map_err(|error| error.to_string())?;
        if !(24..=64).contains(&key.len()) {
            return Err("it is not 24 to 64 bytes long".to_owned());
        }
        Ok(Self { text: text.to_owned(), key })
    }

    /// `whsec_…`, for whoever verifies.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.text
    }

    /// The signature of a message: `v1,…`. `timestamp` is in seconds since 1970.
    #[must_use]
    pub fn sign(&self, id: &str, timestamp: i64, body: &str) -> String {
        // A key of any length will do for an HMAC.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.key) else { return String::new() };
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(body.as_bytes());
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's reference libraries.
    #[test]
    fn signs_as_the_reference_does() {
        let secret = SigningSecret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signature = secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    /// The client's tests have the public library of the specification verify the same message.
    #[test]
    fn signs_what_receivers_verify() {
        let message: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/fixtures/webhook.json")).unwrap();
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        let (headers, body) = (&message["headers"], text(&message["body"]));
        let at = text(&headers["webhook-timestamp"]).parse().unwrap();
        let sign =
            |secret| SigningSecret::parse(&text(secret)).unwrap().sign(&text(&headers["webhook-id"]), at, &body);
        let both: Vec<String> = message["secrets"].as_array().unwrap().iter().map(sign).collect();
        assert_eq!(both.join(" "), text(&headers["webhook-signature"]));
    }

    #[test]
    fn a_new_one_can_be_read() {
        let secret = SigningSecret::generate().unwrap();
        assert_eq!(SigningSecret::parse(secret.reveal()).unwrap(), secret);
        assert_ne!(SigningSecret::generate().unwrap(), secret);
        assert!(!format!("{secret:?}").contains(&secret.reveal()[6..]));
        for bad in ["", "whsec_", "whsec_AAAA", "secret", "whsec_!"] {
            assert!(SigningSecret::parse(bad).is_err(), "{bad:?}");
        }
    }
}
