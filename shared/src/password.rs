//! Passwords and their bcrypt hashes.
//!
//! bcrypt reads 72 bytes and stops at a NUL. Its libraries cut the rest silently, so the limits are checked here.
//!
//! Keyboards and systems compose letters such as `ü` in different ways. Passwords are stored in Unicode's form NFC (RFC 8265
//! §4.2.2), so that the same letters are the same password on each device.

use std::{sync::LazyLock, thread::available_parallelism};

use bcrypt::HashParts;
use deserr::Deserr;
use tokio::sync::Semaphore;
use unicode_normalization::UnicodeNormalization;

use crate::{
    Config, config,
    error::Error,
    validation::{ValidationErrors, Violation},
};

/// The limit of bcrypt.
const MAX_BYTES: usize = 72;

/// The least that NIST SP 800-63B §5.1.1.2 allows; it also asks to refuse common passwords.
const MIN_CHARACTERS: usize = 8;

/// The passwords of 8 characters and more among the 20,000 most common in leaks, in lower case, one on each line. Their
/// source is in common-passwords.LICENSE.
const COMMON: &str = include_str!("common-passwords.txt");

/// A password that may be stored: in NFC, and otherwise exactly as it was sent. In NFC it has at least 8 characters, at most
/// 72 bytes and no NUL, and is not one of the most common.
#[derive(Deserr)]
#[deserr(error = ValidationErrors, try_from(String) = Password::new -> Violation)]
pub struct Password(String);

impl Password {
    fn new(sent: String) -> Result<Self, Violation> {
        let password: String = sent.nfc().collect();
        if password.chars().count() < MIN_CHARACTERS {
            return Err(Violation::new("string_too_short", "Password should have at least 8 characters"));
        }
        if password.len() > MAX_BYTES {
            return Err(Violation::new("string_too_long", "Password should have at most 72 bytes"));
        }
        if password.contains('\0') {
            return Err(Violation::new("value_error", "Password should not contain a NUL character"));
        }
        // A search through all lines takes a thousandth of the time of the hash.
        if COMMON.lines().any(|common| common.eq_ignore_ascii_case(&password)) {
            return Err(Violation::new(
                "value_error",
                "Password should not be one of the most common, which are guessed first",
            ));
        }
        Ok(Self(password))
    }

    /// Refuses the e-mail and the username as the password, in any case, because they are guessed first.
    ///
    /// # Errors
    /// The password is one of them.
    pub fn reject_guessable(&self, email: &str, username: Option<&str>) -> Result<(), Violation> {
        if [Some(email), username].into_iter().flatten().any(|text| self.0.eq_ignore_ascii_case(text)) {
            return Err(Violation::new("value_error", "Password should not be the email or the username"));
        }
        Ok(())
    }
}

/// Makes and verifies bcrypt hashes of the cost `BCRYPT_COST`.
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

    /// Returns the hash to store, `$2b$…`. It takes about 0.2 s of CPU at cost 12.
    ///
    /// # Errors
    /// [`Error::Internal`] if the system gives no random salt.
    pub async fn hash(&self, Password(password): Password) -> Result<String, Error> {
        let cost = self.cost;
        run_blocking(move || bcrypt::hash(password, cost)).await
    }

    /// True if the password that was sent belongs to `hash` (`$2a$`, `$2b$` or `$2y$`). NFC is tried and, if it differs, the
    /// password as it was sent, because other programs store passwords that are not in NFC. A stored text that is not a
    /// bcrypt hash matches no password.
    ///
    /// The time depends on what was sent, not on what is stored, so that it does not tell whether the account exists: both
    /// forms are tried even if the first matches, without a hash the work is the same, and a hash of a lower cost is
    /// followed by what is left of the work. Only a hash of a higher cost than the configured one takes longer.
    ///
    /// # Errors
    /// [`Error::Internal`] if bcrypt fails.
    pub async fn verify(&self, sent: String, hash: Option<String>) -> Result<bool, Error> {
        let stored = hash.and_then(|hash| {
            let cost = cost_of(&hash);
            if cost.is_none() {
                tracing::error!("the stored hash of a user's password is not bcrypt");
            }
            Some((hash, cost?))
        });
        let is_stored = stored.is_some();
        let (hash, cost) = stored.unwrap_or_else(|| (self.dummy_hash(), self.cost));
        let missing_costs = cost..self.cost;
        run_blocking(move || {
            let nfc: String = sent.nfc().collect();
            let forms = [Some(sent).filter(|sent| *sent != nfc), Some(nfc)];
            let mut matches = false;
            for form in forms.into_iter().flatten() {
                // A password that bcrypt would cut cannot have been stored. It is wrong even if its beginning is right.
                let may_match = is_stored && form.len() <= MAX_BYTES && !form.contains('\0');
                matches |= bcrypt::verify(&form, &hash)? && may_match;
                // The costs c, c, c + 1, … C - 1 are together the work of the cost C.
                for cost in missing_costs.clone() {
                    bcrypt::hash(&form, cost)?;
                }
            }
            Ok(matches)
        })
        .await
    }

    /// Returns a hash of the configured cost that belongs to no known password: its salt and digest are the base64 digits in
    /// order.
    fn dummy_hash(&self) -> String {
        format!("$2b${:02}$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ0123u", self.cost)
    }
}

/// Returns the cost of a bcrypt hash, and `None` for any other text.
fn cost_of(hash: &str) -> Option<u32> {
    hash.parse().ok().as_ref().map(HashParts::get_cost).filter(|cost| (4..=31).contains(cost))
}

/// One hash per core at a time, in the order in which they came. More at a time would make all of them late.
static CORES: LazyLock<Semaphore> =
    LazyLock::new(|| Semaphore::new(available_parallelism().map_or(1, usize::from)));

/// Runs `work` in a thread of its own, because it would block the async executor.
async fn run_blocking<T: Send + 'static>(
    work: impl FnOnce() -> bcrypt::BcryptResult<T> + Send + 'static,
) -> Result<T, Error> {
    let failed = |error: String| {
        tracing::error!(error, "bcrypt");
        Error::Internal
    };
    let permit = CORES.acquire().await.map_err(|error| failed(error.to_string()))?;
    let done = tokio::task::spawn_blocking(move || {
        // The permit is held until the work is done, even if the request was cancelled.
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
        Password::new(text.to_owned()).map_err(|violation| violation.kind)
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
    fn the_limits_apply_to_a_password_in_nfc() {
        // `ü`, 2 bytes, and as u and a diaeresis, 3 bytes.
        assert_eq!(password(&"u\u{308}".repeat(7)).err(), Some("string_too_short"));
        assert!(password(&"u\u{308}".repeat(36)).is_ok());
        assert_eq!(password(&"u\u{308}".repeat(37)).err(), Some("string_too_long"));
        // The Ångström sign and the letter are one in NFC.
        let angstrom = password("\u{212b}ngstro\u{308}m").unwrap();
        assert!(angstrom.reject_guessable("Ångström", None).is_err());
        // The Kelvin sign is a K in NFC, and `kingston` is common.
        assert_eq!(password("\u{212a}ingston").err(), Some("value_error"));
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
    fn common_passwords_are_in_lower_case_distinct_and_within_the_limits() {
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
    async fn the_text_after_a_nul_is_not_ignored() {
        let hasher = hasher("4");
        let hash = hasher.hash(password("abcdefgx").unwrap()).await.unwrap();
        assert!(!hasher.verify("abcdefgx\0anything".to_owned(), Some(hash)).await.unwrap());
    }

    #[tokio::test]
    async fn a_stored_text_that_is_not_bcrypt_matches_no_password() {
        let with_cost = |cost| PASSLIB[0].replace("$04$", cost);
        for stored in [
            "",
            "correct horse battery",
            "$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA",
            &with_cost("$03$"),
            &with_cost("$32$"),
        ] {
            let verified =
                hasher("4").verify("correct horse battery".to_owned(), Some(stored.to_owned())).await;
            assert!(!verified.unwrap(), "{stored}");
        }
    }

    const NFC: &str = "M\u{fc}ller im Caf\u{e9}";
    const NFD: &str = "Mu\u{308}ller im Cafe\u{301}";

    #[tokio::test]
    async fn a_password_verifies_however_its_letters_are_composed() {
        let hasher = hasher("4");
        for stored in [NFC, NFD] {
            let hash = hasher.hash(password(stored).unwrap()).await.unwrap();
            for sent in [NFC, NFD, "Mu\u{308}ller im Caf\u{e9}"] {
                assert!(
                    hasher.verify(sent.to_owned(), Some(hash.clone())).await.unwrap(),
                    "{stored:?} {sent:?}"
                );
            }
            assert!(!hasher.verify("Muller im Cafe".to_owned(), Some(hash)).await.unwrap());
        }
    }

    #[tokio::test]
    async fn a_hash_of_a_password_that_is_not_in_nfc_verifies_it() {
        let hash = Some(bcrypt::hash(NFD, 4).unwrap());
        assert!(hasher("4").verify(NFD.to_owned(), hash.clone()).await.unwrap());
        assert!(!hasher("4").verify(NFC.to_owned(), hash).await.unwrap());
    }

    #[tokio::test]
    async fn each_form_of_a_sent_password_has_the_limit_of_72_bytes_by_itself() {
        let hasher = hasher("4");
        // 72 bytes in NFC, 108 as it is sent.
        let (nfc, nfd) = ("\u{fc}".repeat(36), "u\u{308}".repeat(36));
        let hash = hasher.hash(password(&nfc).unwrap()).await.unwrap();
        assert!(hasher.verify(nfd.clone(), Some(hash)).await.unwrap());
        let of_the_first_72_bytes = bcrypt::hash(&nfd, 4).unwrap();
        assert!(!hasher.verify(nfd, Some(of_the_first_72_bytes)).await.unwrap());
        // Some letters take more bytes in NFC: these 72 bytes become 144.
        let grows = "\u{fb2c}".repeat(24);
        assert_eq!((grows.len(), grows.nfc().collect::<String>().len()), (72, 144));
        assert!(hasher.verify(grows.clone(), Some(bcrypt::hash(&grows, 4).unwrap())).await.unwrap());
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
    async fn hashes_are_made_in_order_so_that_not_all_are_late() {
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
    async fn the_dummy_hash_costs_as_much_as_a_real_one_and_matches_nothing() {
        for cost in ["4", "12"] {
            let hash: bcrypt::HashParts = hasher(cost).dummy_hash().parse().unwrap();
            assert_eq!(hash.get_cost().to_string(), cost);
        }
        assert!(!hasher("4").verify("correct horse battery".to_owned(), None).await.unwrap());
    }
}
