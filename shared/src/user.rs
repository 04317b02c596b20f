//! The user, as the API shows it.

use serde::Serialize;
use tokio_postgres::Row;
use uuid::Uuid;

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
