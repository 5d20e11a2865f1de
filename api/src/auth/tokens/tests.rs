use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::EncodePrivateKey;
use ed25519_dalek::pkcs8::spki::EncodePublicKey;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use jsonwebtoken::{Algorithm, EncodingKey, Header};

use super::*;

fn secret(text: &str) -> Secret {
    Secret::new(text.repeat(32))
}

/// An Ed25519 key, and its public half, as PEM.
fn pair(seed: u8) -> [Secret; 2] {
    let key = SigningKey::from_bytes(&[seed; 32]);
    let public = key.verifying_key().to_public_key_pem(LineEnding::LF).unwrap();
    [Secret::new(key.to_pkcs8_pem(LineEnding::LF).unwrap().to_string()), Secret::new(public)]
}

fn made(key: &Secret, others: &[Secret]) -> Tokens {
    Tokens::new(key, others, Duration::from_secs(60)).unwrap()
}

/// With a key of each kind: the one it has, and another one.
fn of_each_kind() -> [(Tokens, Tokens); 2] {
    [(made(&secret("a"), &[]), made(&secret("x"), &[])), (made(&pair(1)[0], &[]), made(&pair(2)[0], &[]))]
}

fn access() -> Access {
    let claimed = Claimed { user: UserId(7), session: SessionId(9), timeout: Duration::from_secs(120) };
    Access { claimed, role: Role::User }
}

fn claims(aud: Option<&str>, exp: i64) -> Claims {
    Claims {
        sub: "7".into(),
        sid: 9,
        role: Role::User,
        tmo: 120_000,
        iss: ISSUER.into(),
        aud: aud.map(str::to_owned),
        iat: 1,
        exp,
        jti: "x".into(),
    }
}

#[test]
fn a_token_is_read_back() {
    for (tokens, _) in of_each_kind() {
        let token = tokens.issue(access()).unwrap();
        assert!(token.starts_with(&tokens.keys[0].head), "the short way is taken");
        assert_eq!(tokens.read(&token), Ok(access()));
    }
}

#[test]
fn keys_can_be_rotated() {
    let (a, b, [private, public]) = (secret("a"), secret("b"), pair(1));
    for (old, new, to_read) in [(&a, &b, &a), (&a, &private, &a), (&private, &a, &private), (&private, &a, &public)] {
        let token = made(old, &[]).issue(access()).unwrap();
        let after = made(new, std::slice::from_ref(to_read));
        assert_eq!(after.read(&token), Ok(access()));
        assert_eq!(made(new, &[]).read(&token), Err(Code::TokenInvalid));
        // Before the new key signs, it can be known to all who read.
        assert_eq!(made(old, std::slice::from_ref(new)).read(&after.issue(access()).unwrap()), Ok(access()));
    }
}

#[test]
fn public_keys_are_published_and_secrets_are_not() {
    let [private, public] = pair(1);
    let tokens = made(&secret("a"), &[private.clone(), pair(2)[1].clone()]);
    let published = tokens.published();
    assert_eq!(published.len(), 2);
    assert_eq!(published[0].kid, made(&private, &[public]).keys[1].id, "both halves have one name");
    let token = made(&private, &[]).issue(access()).unwrap();
    let decoding = jsonwebtoken::DecodingKey::from_ed_components(&published[0].x).unwrap();
    let mut validation = jsonwebtoken::Validation::new(Algorithm::EdDSA);
    validation.set_audience(&[AUDIENCE]);
    let read = jsonwebtoken::decode::<Claims>(&token, &decoding, &validation).unwrap();
    assert_eq!((read.claims.sub.as_str(), read.header.kid), ("7", Some(published[0].kid.clone())));
}

#[test]
fn what_is_no_key_is_refused_and_not_told() {
    let broken = Secret::new(pair(1)[0].expose().replacen("\nM", "\nN", 1));
    let within = broken.expose().lines().nth(1).unwrap()[10..30].to_owned();
    let rsa = Secret::new("-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n".to_owned());
    for (key, others, place) in [
        (&broken, vec![], 0),
        (&rsa, vec![], 0),
        (&pair(1)[1], vec![], 0),
        (&secret("a"), vec![secret("b"), broken.clone()], 2),
    ] {
        let Err((wrong, error)) = Tokens::new(key, &others, Duration::from_secs(60)) else { panic!("it is no key") };
        assert_eq!(wrong, place, "{error}");
        assert!(!error.to_string().contains(&within), "{error}");
    }
    // As in an environment that has no line breaks.
    let one_line = Secret::new(pair(1)[0].expose().replace('\n', "\\n"));
    assert_eq!(made(&one_line, &[]).keys[0].id, made(&pair(1)[0], &[]).keys[0].id);
}

#[test]
fn foreign_and_twisted_tokens_are_refused() {
    for (tokens, foreign) in of_each_kind() {
        let good = tokens.issue(access()).unwrap();
        let (head, rest) = good.split_once('.').unwrap();
        let encode = |json: &str| URL_SAFE_NO_PAD.encode(json);
        let foreign = foreign.issue(access()).unwrap();
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
}

/// What everybody knows of an Ed25519 key is no secret to sign with.
#[test]
fn a_public_key_is_not_taken_for_a_secret() {
    let [private, public] = pair(1);
    let tokens = made(&private, &[secret("a")]);
    let raw = SigningKey::from_bytes(&[1; 32]).verifying_key().to_bytes();
    let far = Timestamp::now().plus(Duration::from_secs(60)).0 / 1_000;
    for known in [public.expose().as_bytes(), public.expose().trim().as_bytes(), &raw] {
        for kid in [Some(tokens.keys[0].id.clone()), None] {
            let header = Header { kid, ..Header::new(Algorithm::HS256) };
            let forged =
                jsonwebtoken::encode(&header, &claims(Some(AUDIENCE), far), &EncodingKey::from_secret(known));
            assert_eq!(tokens.read(&forged.unwrap()), Err(Code::TokenInvalid));
        }
    }
}

#[test]
fn a_token_of_ours_under_another_header_is_one_too() {
    for (tokens, _) in of_each_kind() {
        let key = &tokens.keys[0];
        let own = tokens.issue(access()).unwrap();
        let claims: Claims = jsonwebtoken::decode(&own, &key.decoding, &key.validation).unwrap().claims;
        let SignWith { key: signing, header } = &tokens.signing;
        for header in [Header::new(header.alg), Header { cty: Some("JWT".into()), ..header.clone() }] {
            let token = jsonwebtoken::encode(&header, &claims, signing).unwrap();
            assert!(!token.starts_with(&key.head));
            assert_eq!(tokens.read(&token), Ok(access()));
        }
    }
}

#[test]
fn no_letter_of_a_token_can_be_another() {
    for (tokens, _) in of_each_kind() {
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
}

#[test]
fn an_expired_token_says_so() {
    for (tokens, _) in of_each_kind() {
        let SignWith { key, header } = &tokens.signing;
        let token = jsonwebtoken::encode(header, &claims(None, 2), key).unwrap();
        assert_eq!(tokens.read(&token), Err(Code::TokenExpired));
    }
}
