//! What fuzzers feed: everything that reads what strangers send, each as a function of bytes. They end in a panic where
//! something is not as it must be. `fuzz/` runs them guided by coverage (`make fuzz`); a test runs them on the corpus that is
//! kept there, and on pieces of it that are mixed up.

use std::sync::OnceLock;
use std::time::Duration;

use lastseen_shared::account::{Email, Username};
use lastseen_shared::presence::cursor::Cursor;
use lastseen_shared::settings::table::SETTINGS;
use lastseen_shared::settings::{Form, Raw, Secret, Settings};
use lastseen_shared::timestamp::Timestamp;

use crate::auth::tokens::Tokens;
use crate::live::frames::FromClient;

/// The secret that tokens of the corpus are signed with.
const SECRET: &str = "fuzzing needs a secret of thirty-two bytes or more";

/// A target.
pub type Target = fn(&[u8]);

/// All targets, by the names of their folders in the corpus.
pub const TARGETS: [(&str, Target); 5] =
    [("token", token), ("cursor", cursor), ("settings", settings), ("frame", frame), ("names", names)];

/// Access tokens. The only good ones are of the corpus, whose end has long passed.
///
/// # Panics
/// Where a token is taken that nobody signed.
pub fn token(bytes: &[u8]) {
    static TOKENS: OnceLock<Tokens> = OnceLock::new();
    let made = || Tokens::new(&Secret::new(SECRET.to_owned()), &[], Duration::from_secs(60)).ok();
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if TOKENS.get().is_none()
        && let Some(tokens) = made()
    {
        let _ = TOKENS.set(tokens);
    }
    if let Some(tokens) = TOKENS.get() {
        assert!(tokens.read(text).is_err(), "a token is taken that nobody signed: {text}");
    }
}

/// Cursors into the transitions.
///
/// # Panics
/// Where one that is taken is written otherwise than it reads.
pub fn cursor(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(cursor) = Cursor::decode(text) {
        let written = cursor.encode();
        assert_eq!(Cursor::decode(&written).ok().as_ref(), Some(&cursor), "{text}");
    }
}

/// Settings, a `NAME=VALUE` a line.
///
/// # Panics
/// Where a problem does not begin with a setting's name, or tells a secret.
pub fn settings(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let given: Vec<(String, String)> = text
        .lines()
        .filter_map(|line| line.split_once('='))
        // These two look names up, which is the system's to do.
        .filter(|(name, _)| !name.ends_with("_BIND"))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    for form in [Form::StandAlone, Form::Distributed] {
        let Err(error) = Settings::check(&Raw::new(given.clone()), form) else { continue };
        for problem in &error.problems {
            let named = SETTINGS.iter().find(|setting| problem.starts_with(setting.variable));
            assert!(named.is_some(), "{problem}");
        }
        for (name, value) in &given {
            let secret = name.starts_with("LASTSEEN_JWT") || name.ends_with("PASSWORD");
            let told =
                error.problems.iter().any(|problem| problem.starts_with(name) && problem.contains(value.trim()));
            assert!(!secret || value.trim().len() < 12 || !told, "{error}");
        }
    }
}

/// A socket's frames.
///
/// # Panics
/// Never, whatever comes.
pub fn frame(bytes: &[u8]) {
    let _ = serde_json::from_slice::<FromClient>(bytes);
}

/// Names, addresses and times.
///
/// # Panics
/// Where one that is taken is not itself again.
pub fn names(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(name) = Username::parse(text) {
        assert_eq!(Username::parse(name.as_str()).ok().as_ref().map(Username::key), Some(name.key()), "{text:?}");
    }
    if let Ok(email) = Email::parse(text) {
        assert_eq!(Email::parse(email.as_str()).ok().as_ref().map(Email::key), Some(email.key()), "{text:?}");
    }
    if let Ok(at) = Timestamp::parse(text) {
        assert_eq!(Timestamp::parse(&at.to_string()).ok(), Some(at), "{text:?}");
    }
}
