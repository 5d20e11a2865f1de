//! The rule for passwords. Hashing is in [`super::hashing`].

use std::fmt;

/// bcrypt reads no further than this; a longer password is refused, not cut.
pub const LONGEST_PASSWORD_BYTES: usize = 72;
/// NIST SP 800-63B §5.1.1.2 asks for at least this.
pub const SHORTEST_PASSWORD_CHARACTERS: usize = 8;

/// A password that someone may choose. Never printed.
#[derive(Clone)]
pub struct Password(String);

impl Password {
    /// Holds a text to the rule: 8 characters at least, 72 bytes at most, no NUL, not just one character again and
    /// again, and not the name that it guards.
    ///
    /// # Errors
    /// A sentence for the person who chose it.
    pub fn choose(text: String, username: &str) -> Result<Self, String> {
        if text.len() > LONGEST_PASSWORD_BYTES {
            return Err(format!("must be at most {LONGEST_PASSWORD_BYTES} bytes"));
        }
        if text.contains('\0') {
            return Err("must not hold the character NUL".to_owned());
        }
        if text.chars().count() < SHORTEST_PASSWORD_CHARACTERS {
            return Err(format!("must be at least {SHORTEST_PASSWORD_CHARACTERS} characters"));
        }
        let first = text.chars().next();
        if text.chars().all(|c| Some(c) == first) {
            return Err("must not be one character again and again".to_owned());
        }
        if super::names::fold(&text) == super::names::fold(username) {
            return Err("must not be the username".to_owned());
        }
        Ok(Self(text))
    }

    /// A password as it was typed at log-in: whatever it is, it is only compared.
    #[must_use]
    pub fn typed(text: String) -> Self {
        Self(text)
    }

    /// Whether bcrypt could have hashed this at all.
    #[must_use]
    pub fn is_hashable(&self) -> bool {
        self.0.len() <= LONGEST_PASSWORD_BYTES && !self.0.contains('\0')
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weak_passwords_are_refused() {
        for bad in ["", "short", "aaaaaaaaaa", "annabella", "with\0nul-in-it", &"x1".repeat(37)] {
            assert!(Password::choose(bad.to_owned(), "Annabella").is_err(), "{bad:?}");
        }
        assert!(Password::choose("x1".repeat(36), "ann").is_ok());
    }

    #[test]
    fn is_never_printed() {
        assert_eq!(format!("{:?}", Password::typed("secret".into())), "Password(…)");
    }
}
