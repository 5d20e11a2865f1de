//! Usernames and e-mail addresses that are known to be good: built by parsing, so no bad one can be held.

use unicode_normalization::UnicodeNormalization;

/// A username: 3 to 64 letters, digits, `_`, `.` or `-` after NFKC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Username {
    shown: String,
    key: String,
}

/// An e-mail address: not more than 254 bytes, one `@` with something on both sides, no white space or controls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email {
    shown: String,
    key: String,
}

/// The longest name, in characters.
pub const LONGEST_NAME: usize = 64;
/// The shortest, likewise.
pub const SHORTEST_NAME: usize = 3;
/// The longest address, in bytes: RFC 5321 §4.5.3.1.3 less the angle brackets.
pub const LONGEST_EMAIL: usize = 254;

impl Username {
    /// Reads a name as a person typed it.
    ///
    /// # Errors
    /// A sentence for that person.
    pub fn parse(text: &str) -> Result<Self, String> {
        // NFKC makes a text at most 18 times longer: what is far too long is refused before that work.
        if text.len() > LONGEST_NAME * 18 {
            return Err(format!("must be {SHORTEST_NAME} to {LONGEST_NAME} characters"));
        }
        let shown: String = text.nfkc().collect();
        let length = shown.chars().count();
        if !(SHORTEST_NAME..=LONGEST_NAME).contains(&length) {
            return Err(format!("must be {SHORTEST_NAME} to {LONGEST_NAME} characters"));
        }
        if let Some(bad) = shown.chars().find(|c| !is_name_character(*c)) {
            return Err(format!("may hold letters, digits, '_', '.' and '-' only, not {}", bad.escape_default()));
        }
        // A mark combines with the letter before it, so it can't come first.
        if shown.chars().next().is_some_and(unicode_normalization::char::is_combining_mark) {
            return Err("must begin with a letter, a digit, '_', '.' or '-'".to_owned());
        }
        let key = fold(&shown);
        Ok(Self { shown, key })
    }

    /// As it is shown: what was typed, in NFKC.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.shown
    }

    /// What is compared: two names with the same key are the same name.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }
}

impl Email {
    /// Reads an address as a person typed it.
    ///
    /// # Errors
    /// A sentence for that person.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > LONGEST_EMAIL {
            return Err(format!("must be at most {LONGEST_EMAIL} bytes"));
        }
        let well_formed = text
            .split_once('@')
            .is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty() && !domain.contains('@'));
        let bad = |c: char| c.is_whitespace() || is_unfit(c);
        if !well_formed || text.chars().any(bad) {
            return Err("must be an e-mail address such as ann@example.org".to_owned());
        }
        Ok(Self { shown: text.to_owned(), key: fold(text) })
    }

    /// As it was typed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.shown
    }

    /// What is compared: without regard to case.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }
}

/// The form of a text in which upper and lower case and compatible forms are the same: NFKC, then lower case,
/// until nothing changes.
#[must_use]
pub fn fold(text: &str) -> String {
    let mut key: String = text.nfkc().collect();
    // Lower-casing can leave NFKC (İ becomes i and a combining dot) and upper-casing first joins what only
    // upper case shares (final and other sigma, ß and ss). Few texts need a second turn.
    for _ in 0..4 {
        let next: String = key.to_uppercase().to_lowercase().nfkc().collect();
        let next = next.replace('ς', "σ");
        if next == key {
            break;
        }
        key = next;
    }
    key
}

fn is_name_character(c: char) -> bool {
    let part_of_a_word = c.is_alphanumeric() || unicode_normalization::char::is_combining_mark(c);
    (part_of_a_word || matches!(c, '_' | '.' | '-')) && !is_unfit(c)
}

/// Characters that no text from a client may hold: controls, bidirectional controls, invisible joiners and
/// non-characters. PostgreSQL can't store NUL; the others deceive the eye.
#[must_use]
pub fn is_unfit(c: char) -> bool {
    let code = u32::from(c);
    c.is_control()
        || matches!(code,
            0x061C | 0x200B..=0x200F | 0x2028..=0x202E | 0x2060..=0x206F | 0xFEFF | 0xFFF9..=0xFFFB
            | 0x115F | 0x1160 | 0x3164 | 0xFFA0 | 0x00AD | 0x034F | 0x180B..=0x180F | 0xE0000..=0xE0FFF)
        || (0xFDD0..=0xFDEF).contains(&code)
        || code & 0xFFFE == 0xFFFE
        || (0xFE00..=0xFE0F).contains(&code)
}

/// A free text of a client's (a reason, a device's name): at most `longest` characters, nothing unfit.
///
/// # Errors
/// A sentence that says what is wrong.
pub fn plain_text(text: &str, longest: usize) -> Result<(), String> {
    if text.chars().nth(longest).is_some() {
        return Err(format!("must be at most {longest} characters"));
    }
    match text.chars().find(|c| is_unfit(*c) && *c != '\u{200D}' && !(0xFE00..=0xFE0F).contains(&u32::from(*c))) {
        Some(bad) => Err(format!("must not hold the character {}", bad.escape_default())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_differ_by_case_or_form_are_one() {
        for (one, other) in [
            ("Ann", "aNN"),
            ("ＡＮＮ", "ann"),
            ("straße", "STRASSE"),
            ("Σίσυφος", "ΣΊΣΥΦΟΣ"),
            ("ﬁsh", "FISH"),
            ("Ångström", "A\u{30a}ngstro\u{308}m"),
        ] {
            let (one, other) = (Username::parse(one).unwrap(), Username::parse(other).unwrap());
            assert_eq!(one.key(), other.key());
        }
    }

    #[test]
    fn good_names_are_taken() {
        for name in ["ann", "a.b-c_d", "用户名", "أحمد", "देवनागरी", &"x".repeat(64)] {
            assert!(Username::parse(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn bad_names_are_refused() {
        for name in [
            "",
            "ab",
            "a b",
            "a\0b",
            "ab\u{202e}c",
            "ab\u{200d}c",
            "abc\u{ffff}",
            "abc\u{fdd0}",
            "<b>",
            "a/b",
            "a@b",
            "ann\n",
            "\u{301}abc",
            "ㅤㅤㅤ",
            &"x".repeat(65),
            &"x".repeat(10_000),
            "ab\u{e0041}",
        ] {
            assert!(Username::parse(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn folding_is_stable() {
        for text in ["İstanbul", "ΑΣ", "ǅ", "ﬃ", "K", "ẞ"] {
            let once = fold(text);
            assert_eq!(fold(&once), once, "{text}");
        }
    }

    #[test]
    fn addresses() {
        assert_eq!(Email::parse("Ann@Example.org").unwrap().key(), "ann@example.org");
        for bad in ["", "ann", "@x", "x@", "a@b@c", "a b@c", "a@b\0", &format!("{}@x.org", "x".repeat(300))] {
            assert!(Email::parse(bad).is_err(), "{bad:?}");
        }
    }
}
