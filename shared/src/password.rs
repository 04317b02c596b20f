//! Passwords: bcrypt, off the async executor.
//!
//! bcrypt reads 72 bytes and stops at a NUL; its libraries cut silently, so the limits are checked here.

use std::{sync::LazyLock, thread::available_parallelism};

use deserr::Deserr;
use tokio::sync::Semaphore;

use crate::{
    Config, config,
    error::Error,
    validation::{ValidationErrors, Violation},
};

/// bcrypt's own limit.
const MAX_BYTES: usize = 72;

/// NIST SP 800-63B §5.1.1.2, as is refusing the common ones.
const MIN_CHARACTERS: usize = 8;

/// Those of 8 characters and more among the 20,000 that most often turned up in leaks, in lower case, a line each.
/// Where it is from is in common-passwords.LICENSE.
const COMMON: &str = include_str!("common-passwords.txt");

/// A password fit to be stored: at least 8 characters, at most 72 bytes, no NUL, none of the most common. Exactly as it
/// was sent.
#[derive(Deserr)]
#[deserr(error = ValidationErrors, try_from(String) = Password::new -> Violation)]
pub struct Password(String);

impl Password {
    fn new(password: String) -> Result<Self, Violation> {
        if password.chars().count() < MIN_CHARACTERS {
            return Err(Violation::new("string_too_short", "Password should have at least 8 characters"));
        }
        if password.len() > MAX_BYTES {
            return Err(Violation::new("string_too_long", "Password should have at most 72 bytes"));
        }
        if password.contains('\0') {
            return Err(Violation::new("value_error", "Password should not contain a NUL character"));
        }
        // A line after the other, as it takes a thousandth of the time of the hash.
        if COMMON.lines().any(|common| common.eq_ignore_ascii_case(&password)) {
            return Err(Violation::new(
                "value_error",
                "Password should not be one of the most common, which are guessed first",
            ));
        }
        Ok(Self(password))
    }

    /// Whether it is `text`, in any case.
    pub fn is(&self, text: &str) -> bool {
        self.0.eq_ignore_ascii_case(text)
    }
}

/// Makes and checks bcrypt hashes at `BCRYPT_COST`.
#[derive(Clone)]
pub struct Hasher {
    cost: u32,
}

impl Hasher {
    /// Reads `BCRYPT_COST`: a hash takes 2^cost rounds (4 to 16, default 12; OWASP asks for 10 at least).
    ///
    /// # Errors
    /// The variable is unusable.
    pub fn new(config: &Config) -> Result<Self, config::Error> {
        Ok(Self { cost: config.number("BCRYPT_COST", 12, 4..=16)? })
    }

    /// The hash to store, `$2b$…`. Takes about 0.3 s of CPU at cost 12.
    ///
    /// # Errors
    /// [`Error::Internal`] when the system gives no random salt.
    pub async fn hash(&self, Password(password): Password) -> Result<String, Error> {
        let cost = self.cost;
        run_blocking(move || bcrypt::hash(password, cost)).await
    }

    /// Whether `password` belongs to `hash`. Without a hash the answer is no, after the same work, so that the
    /// time does not tell whether the account exists (for hashes of the configured cost). `$2a$`, `$2b$` and `$2y$`
    /// are all read; what is stored but no bcrypt hash is nobody's password.
    ///
    /// # Errors
    /// [`Error::Internal`] when the work cannot be done.
    pub async fn verify(&self, password: String, hash: Option<String>) -> Result<bool, Error> {
        let hash = hash.filter(|hash| {
            let is_bcrypt = hash.parse::<bcrypt::HashParts>().is_ok();
            if !is_bcrypt {
                tracing::error!("what is stored as a user's password hash is not bcrypt");
            }
            is_bcrypt
        });
        // What bcrypt would cut cannot have been stored, and is wrong even where the rest is right.
        let may_match = hash.is_some() && password.len() <= MAX_BYTES && !password.contains('\0');
        let hash = hash.unwrap_or_else(|| self.dummy_hash());
        let matches = run_blocking(move || bcrypt::verify(password, &hash)).await?;
        Ok(matches && may_match)
    }

    /// A well-formed hash that costs what a real one costs. It is of no password that anybody knows: salt and
    /// digest are the base64 digits in order.
    fn dummy_hash(&self) -> String {
        format!("$2b${:02}$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ0123u", self.cost)
    }
}

/// One hash per core at a time: more would make all of them late, where these keep the order in which they came.
static CORES: LazyLock<Semaphore> =
    LazyLock::new(|| Semaphore::new(available_parallelism().map_or(1, usize::from)));

async fn run_blocking<T: Send + 'static>(
    work: impl FnOnce() -> bcrypt::BcryptResult<T> + Send + 'static,
) -> Result<T, Error> {
    let failed = |error: String| {
        tracing::error!(error, "bcrypt");
        Error::Internal
    };
    let permit = CORES.acquire().await.map_err(|error| failed(error.to_string()))?;
    let done = tokio::task::spawn_blocking(move || {
        // Held until the work is done, though its request may have been given up.
        let _permit = permit;
        work()
    });
    match done.await {
        Ok(result) => result.map_err(|error| failed(error.to_string())),
        Err(error) => Err(failed(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, time::Instant};

    use super::*;

    fn hasher(cost: &str) -> Hasher {
        Hasher::new(&Config::from_iter([("BCRYPT_COST", cost)])).unwrap()
    }

    fn password(text: &str) -> Result<Password, &'static str> {
        Password::new(text.to_owned()).map_err(|rule| rule.kind)
    }

    #[test]
    fn the_limits_are_8_characters_and_72_bytes() {
        assert_eq!(password("1234567").err(), Some("string_too_short"));
        assert!(password("1234-678").is_ok());
        assert!(password(&"é".repeat(8)).is_ok());
        assert!(password(&"x".repeat(72)).is_ok());
        assert_eq!(password(&"x".repeat(73)).err(), Some("string_too_long"));
        assert_eq!(password(&"é".repeat(37)).err(), Some("string_too_long"));
        assert_eq!(password("12345678\0").err(), Some("value_error"));
    }

    #[test]
    fn the_most_common_passwords_are_refused_in_any_case() {
        for common in ["12345678", "password", "PassWord1", "qwertyuiop", "p@ssw0rd", "fallen_angel"] {
            assert_eq!(password(common).err(), Some("value_error"), "{common}");
        }
        for rare in ["correct horse battery staple", "password ", " password", "fallen_angel\n"] {
            assert!(password(rare).is_ok(), "{rare:?}");
        }
    }

    #[test]
    fn the_list_of_common_passwords_holds_what_could_otherwise_be_chosen_in_lower_case_and_once() {
        let lines: BTreeSet<_> = COMMON.lines().collect();
        assert_eq!(lines.len(), 8346);
        assert_eq!(COMMON.lines().count(), lines.len());
        for line in lines {
            assert!(line.is_ascii() && (8..=72).contains(&line.len()), "{line}");
            assert_eq!(line, line.to_lowercase());
        }
    }

    #[tokio::test]
    async fn a_hash_verifies_its_password_and_no_other() {
        let hasher = hasher("4");
        let longest = "x".repeat(72);
        let hash = hasher.hash(password(&longest).unwrap()).await.unwrap();
        assert!(hash.starts_with("$2b$04$"));
        assert!(hasher.verify(longest.clone(), Some(hash.clone())).await.unwrap());
        for wrong in ["x".repeat(71), longest.clone() + "x", "X".repeat(72)] {
            assert!(!hasher.verify(wrong, Some(hash.clone())).await.unwrap());
        }
    }

    #[tokio::test]
    async fn what_follows_a_nul_is_not_ignored() {
        let hasher = hasher("4");
        let hash = hasher.hash(password("abcdefgx").unwrap()).await.unwrap();
        assert!(!hasher.verify("abcdefgx\0anything".to_owned(), Some(hash)).await.unwrap());
    }

    #[tokio::test]
    async fn what_is_not_bcrypt_is_nobodys_password() {
        for stored in ["", "correct horse battery", "$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA"] {
            let verified =
                hasher("4").verify("correct horse battery".to_owned(), Some(stored.to_owned())).await;
            assert!(!verified.unwrap(), "{stored}");
        }
    }

    #[tokio::test]
    async fn passlibs_hashes_verify() {
        // bcrypt.using(rounds=4, ident=…).hash("correct horse battery")
        let hasher = hasher("12");
        for hash in PASSLIB {
            let password = "correct horse battery".to_owned();
            assert!(hasher.verify(password, Some(hash.to_owned())).await.unwrap(), "{hash}");
        }
    }

    const PASSLIB: [&str; 3] = [
        "$2a$04$jewtRygHXI9F7kHXnjLL2.UF7.0KognaG1v1Ogl6sGicop0z3bWMS",
        "$2b$04$qfWzBk/1zMT2kz.QcesjMOZLnQRjQWY5q.hbKRz0pvTPbx427pVU.",
        "$2y$04$iygwN0.hT3QIY1PPRWToW.QpO9Z9kka8UiLO3ghqukmxaI.jqzPxK",
    ];

    #[tokio::test]
    async fn hashes_are_made_one_after_the_other_and_not_all_late_together() {
        let started = Instant::now();
        let hashes = (0..40).map(async |_| {
            hasher("9").verify("correct horse battery".to_owned(), None).await.unwrap();
            started.elapsed()
        });
        let mut times = futures_util::future::join_all(hashes).await;
        times.sort();
        assert!(times[9] < times[39] / 2, "{times:?}");
    }

    #[tokio::test]
    async fn dummy_hash_costs_what_a_real_one_costs_and_matches_nothing() {
        for cost in ["4", "12"] {
            let hash: bcrypt::HashParts = hasher(cost).dummy_hash().parse().unwrap();
            assert_eq!(hash.get_cost().to_string(), cost);
        }
        assert!(!hasher("4").verify("correct horse battery".to_owned(), None).await.unwrap());
    }
}
