//! A user, as the API shows one.

use serde::Serialize;
use tokio_postgres::Row;
use uuid::Uuid;

/// RFC 5321 §4.5.3.1.3: a path of 256, less its angle brackets.
pub const EMAIL_MAX_BYTES: usize = 254;

/// The form an e-mail is stored and looked up in: trimmed and in lower case, so that one mailbox is one user. Only
/// ASCII letters change: Unicode has letters that become another's with their case (`K`, the Kelvin sign).
pub fn canonical_email(sent: &str) -> String {
    sent.trim().to_ascii_lowercase()
}

/// Who somebody is, without the password's hash.
#[derive(Clone, Serialize)]
pub struct User {
    /// UUIDv7.
    pub id: Uuid,
    /// Lower case, at most 254 bytes.
    pub email: String,
    /// As it was chosen, 1 to 50 of `A-Z a-z 0-9 _ -`.
    pub username: Option<String>,
}

impl TryFrom<&Row> for User {
    type Error = tokio_postgres::Error;

    fn try_from(row: &Row) -> Result<Self, Self::Error> {
        Ok(Self { id: row.try_get("id")?, email: row.try_get("email")?, username: row.try_get("username")? })
    }
}
