//! Hashes as Django keeps them, for accounts that were imported: `pbkdf2_sha256$iterations$salt$hash`, where the salt is text
//! and the hash base64 (django.contrib.auth.hashers.PBKDF2PasswordHasher). Whoever logs in with one gets bcrypt's instead.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::Sha256;

const ALGORITHM: &str = "pbkdf2_sha256";
/// Django 5.2 takes a million. More than this is no password's hash but a way to keep a thread busy.
const MOST_ITERATIONS: u32 = 10_000_000;
/// The same of bcrypt's: what `LASTSEEN_BCRYPT_COST` may be at most.
const HIGHEST_COST: u32 = 15;
/// What stands in the place of a hash where there is no password: Django's own sign, and nobody's hash.
const NO_PASSWORD: char = '!';

/// One hash of Django's.
#[derive(Debug, PartialEq, Eq)]
pub struct DjangoHash<'a> {
    iterations: u32,
    salt: &'a str,
    hash: Vec<u8>,
}

impl<'a> DjangoHash<'a> {
    /// Whether a stored hash is one of these.
    #[must_use]
    pub fn is_one(stored: &str) -> bool {
        stored.split_once('$').is_some_and(|(algorithm, _)| algorithm == ALGORITHM)
    }

    /// Reads a stored hash.
    ///
    /// # Errors
    /// A sentence that says what is wrong with it.
    pub fn parse(stored: &'a str) -> Result<Self, String> {
        let parts: Vec<&str> = stored.split('$').collect();
        let [ALGORITHM, iterations, salt, hash] = parts[..] else {
            return Err(format!("must be {ALGORITHM}$iterations$salt$hash"));
        };
        let iterations = iterations.parse().ok().filter(|n| (1..=MOST_ITERATIONS).contains(n));
        let iterations = iterations.ok_or_else(|| format!("must have 1 to {MOST_ITERATIONS} iterations"))?;
        let hash = STANDARD.decode(hash).ok().filter(|hash| hash.len() == 32);
        let hash = hash.ok_or("must end with 32 bytes in base64")?;
        Ok(Self { iterations, salt, hash })
    }

    /// Whether a typed password is the one behind it.
    #[must_use]
    pub fn verify(&self, password: &[u8]) -> bool {
        let made: [u8; 32] = pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(password, self.salt.as_bytes(), self.iterations);
        // All of it is looked at, wherever the first difference is.
        made.iter().zip(&self.hash).fold(0, |differences, (a, b)| differences | (a ^ b)) == 0
    }
}

/// What is kept of a hash in Django's table: its PBKDF2 hashes as they are, its bcrypt hashes as bcrypt writes them, and of an
/// account without a password that it has none.
///
/// # Errors
/// A sentence that says what is taken.
pub fn kept(stored: &str) -> Result<String, String> {
    if stored.is_empty() || stored.starts_with(NO_PASSWORD) {
        return Ok(NO_PASSWORD.to_string());
    }
    if DjangoHash::is_one(stored) {
        DjangoHash::parse(stored)?;
        return Ok(stored.to_owned());
    }
    let bare = stored.strip_prefix("bcrypt$").unwrap_or(stored);
    if let Ok(parts) = bare.parse::<bcrypt::HashParts>() {
        return match parts.get_cost() {
            ..=HIGHEST_COST => Ok(bare.to_owned()),
            cost => Err(format!("must have a cost of {HIGHEST_COST} at most, not {cost}")),
        };
    }
    let algorithm = stored.split('$').next().unwrap_or_default().chars().take(40).collect::<String>();
    Err(format!("must be of {ALGORITHM} or bcrypt, not {}", algorithm.escape_default()))
}

/// Whether there is a password at all.
#[must_use]
pub fn has_password(stored: &str) -> bool {
    !stored.starts_with(NO_PASSWORD)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by Django 5.2.19, but for the last: by its hasher with the iterations of Django 1.11.
    const MADE_BY_DJANGO: [(&str, &str); 3] = [
        (
            "correct horse battery",
            "pbkdf2_sha256$1000000$kDJptZDPCNCmUqYKC8UJlj$fuzpa1vkt6ZjZxWR2QUx/S+iaDTiCzd+AIwmeb0to8Y=",
        ),
        (
            "pässwörd mit ümlaut",
            "pbkdf2_sha256$1000000$JX0bml8kfyKfTIkfPTInmp$pZUdH0sFisohH45LZ9huZtHxCuAl4VdLWgIIH4oSuV0=",
        ),
        ("an older one", "pbkdf2_sha256$36000$seasalt12$cHMbhV0ipmJdQnBKPE5F9jl1atJID/Ft8BrjZSmWUnI="),
    ];

    #[test]
    fn hashes_made_by_django_are_verified() {
        for (password, stored) in MADE_BY_DJANGO {
            let hash = DjangoHash::parse(stored).unwrap();
            assert!(hash.verify(password.as_bytes()), "{stored}");
            assert!(!hash.verify(b"another"), "{stored}");
            assert_eq!(kept(stored).unwrap(), stored);
        }
    }

    #[test]
    fn what_is_no_such_hash_is_refused() {
        for bad in [
            "pbkdf2_sha256$0$salt$cHMbhV0ipmJdQnBKPE5F9jl1atJID/Ft8BrjZSmWUnI=",
            "pbkdf2_sha256$99999999$salt$cHMbhV0ipmJdQnBKPE5F9jl1atJID/Ft8BrjZSmWUnI=",
            "pbkdf2_sha256$x$salt$cHMbhV0ipmJdQnBKPE5F9jl1atJID/Ft8BrjZSmWUnI=",
            "pbkdf2_sha256$36000$salt$short",
            "pbkdf2_sha256$36000$salt",
            "pbkdf2_sha1$36000$salt$cHMbhV0ipmJdQnBKPE5F9jl1atJID/Ft8BrjZSmWUnI=",
            "bcrypt_sha256$$2b$12$YBQ5UoTxZZ1tr.Ae/uQb/uRwQvoet9FhEte42Pcd59mpyJpTWkIWi",
            "bcrypt$$2b$16$g3ewALsz.jZ0SmeFshZSr.35HJQvba8irWslbWeNwQkUjhxJvgg/a",
            "plain",
        ] {
            assert!(kept(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn bcrypt_of_djangos_is_bcrypt() {
        let stored = "bcrypt$$2b$12$g3ewALsz.jZ0SmeFshZSr.35HJQvba8irWslbWeNwQkUjhxJvgg/a";
        assert_eq!(kept(stored).unwrap(), stored.strip_prefix("bcrypt$").unwrap());
        assert!(bcrypt::verify("correct horse battery", &kept(stored).unwrap()).unwrap());
    }

    #[test]
    fn an_account_may_have_no_password() {
        for stored in ["", "!", "!mZpkM0dreFgWyRnRrGClqmK47iZP6fyc2Qz2XNdQ"] {
            assert!(!has_password(&kept(stored).unwrap()));
        }
    }
}
