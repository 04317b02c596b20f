//! The user, as the API shows it.

use deserr::Deserr;
use serde::Serialize;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::validation::{ValidationErrors, Violation};

/// The limit of RFC 5321 §4.5.3.1.3: 256 bytes less the angle brackets.
pub const EMAIL_MAX_BYTES: usize = 254;

/// Returns an e-mail in the form in which it is stored and looked up: trimmed and in lower case, so that one mailbox is one
/// user. Only ASCII letters change: some letters of Unicode become another letter in lower case (`K`, the Kelvin sign).
pub fn canonical_email(sent: &str) -> String {
    sent.trim().to_ascii_lowercase()
}

/// A user without the password's hash.
#[derive(Clone, Serialize)]
pub struct User {
    /// UUIDv7.
    pub id: Uuid,
    /// In lower case, at most 254 bytes.
    pub email: String,
    /// In the spelling of the user: 1 to 50 characters of `A-Z a-z 0-9 _ -`.
    pub username: Option<String>,
}

impl TryFrom<&Row> for User {
    type Error = tokio_postgres::Error;

    fn try_from(row: &Row) -> Result<Self, Self::Error> {
        Ok(Self { id: row.try_get("id")?, email: row.try_get("email")?, username: row.try_get("username")? })
    }
}

/// A username that may be stored: trimmed, with 1 to 50 characters of `A-Z a-z 0-9 _ -`. A blank one means none, because a
/// form sends its empty fields too.
#[derive(Debug, Default, Deserr, Eq, PartialEq)]
#[deserr(error = ValidationErrors, try_from(Option<String>) = Username::new -> Violation)]
pub struct Username(pub Option<String>);

impl Username {
    fn new(sent: Option<String>) -> Result<Self, Violation> {
        let name = sent.as_deref().map(str::trim).filter(|name| !name.is_empty());
        let fits = |name: &str| {
            name.len() <= 50
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
        };
        match name {
            Some(name) if !fits(name) => Err(Violation::new(
                "value_error",
                "Username should have 1 to 50 characters of A-Z, a-z, 0-9, _ and -",
            )),
            name => Ok(Self(name.map(str::to_owned))),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse_username(sent: Option<String>) -> Result<Option<String>, Violation> {
        Username::new(sent).map(|Username(name)| name)
    }

    #[test]
    fn a_username_has_1_to_50_allowed_characters() {
        for good in ["a", "A_b-9", &"x".repeat(50)] {
            assert_eq!(parse_username(Some(good.to_owned())).unwrap().as_deref(), Some(good));
        }
        for bad in ["a b", "a.b", "ä", "a\0", "\u{200b}", &"x".repeat(51)] {
            assert!(parse_username(Some(bad.to_owned())).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_username_is_trimmed_and_a_blank_one_is_none() {
        for blank in [None, Some(""), Some(" "), Some("\u{3000}\t\r\n")] {
            assert_eq!(parse_username(blank.map(str::to_owned)).unwrap(), None, "{blank:?}");
        }
        for sent in ["ada ", " ada", "\tada\u{a0}\n"] {
            assert_eq!(parse_username(Some(sent.to_owned())).unwrap().as_deref(), Some("ada"), "{sent:?}");
        }
        let longest = "x".repeat(50);
        assert_eq!(parse_username(Some(format!(" {longest} "))).unwrap(), Some(longest));
    }

    proptest! {
        #[test]
        fn a_username_is_accepted_trimmed_or_refused(sent in "\\s?(.{0,60}|[a-zA-Z0-9_-]{0,60})\\s?") {
            let name = sent.trim();
            let fits = name.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c)) && name.len() <= 50;
            let taken = Some(name.to_owned()).filter(|name| !name.is_empty());
            prop_assert_eq!(parse_username(Some(sent.clone())).ok(), fits.then_some(taken));
        }
    }
}
