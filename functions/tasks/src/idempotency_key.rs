//! The header `Idempotency-Key` of a create, which makes it safe to send again (draft-ietf-httpapi-idempotency-key-header).

use axum::{
    extract::FromRequestParts,
    http::{HeaderName, request::Parts},
};
use ring::digest;
use shared::{
    Error,
    validation::{ValidationErrors, Violation},
};
use uuid::{Builder, Uuid};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The header of an answer that made no new task.
pub const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// A key that the client made for one new task: 1 to 64 visible ASCII characters but `"` and `\`, bare or in quotes.
pub struct IdempotencyKey(Option<String>);

impl IdempotencyKey {
    /// Makes the id of the user's task with this key, or a new id if there is no key. The same key of the same user is the same
    /// id, so that no table of keys is needed: a UUIDv8 of SHA-256 (RFC 9562 §5.8 and B.2).
    pub fn task_id(&self, user: Uuid) -> Uuid {
        let Some(key) = &self.0 else { return Uuid::now_v7() };
        let mut hash = digest::Context::new(&digest::SHA256);
        hash.update(user.as_bytes());
        hash.update(key.as_bytes());
        let mut bytes = [0; 16];
        for (byte, hashed) in bytes.iter_mut().zip(hash.finish().as_ref()) {
            *byte = *hashed;
        }
        Builder::from_custom_bytes(bytes).into_uuid()
    }

    /// True if the client sent one.
    pub fn is_some(&self) -> bool {
        self.0.is_some()
    }

    fn parse(sent: &[u8]) -> Option<String> {
        let key = match sent {
            [b'"', key @ .., b'"'] => key,
            key => key,
        };
        let is_valid = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\');
        let key = str::from_utf8(key).ok()?;
        ((1..=64).contains(&key.len()) && key.as_bytes().iter().all(is_valid)).then(|| key.to_owned())
    }
}

impl<S: Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        let mut sent = parts.headers.get_all(IDEMPOTENCY_KEY).iter();
        let key = match (sent.next(), sent.next()) {
            (None, _) => return Ok(Self(None)),
            (Some(key), None) => Self::parse(key.as_bytes()),
            (Some(_), Some(_)) => None,
        };
        if key.is_some() {
            return Ok(Self(key));
        }
        let violation = Violation::new(
            "value_error",
            "Idempotency-Key should have 1 to 64 visible ASCII characters without quotes and backslashes",
        );
        Err(Error::Invalid(ValidationErrors::header("Idempotency-Key", violation)))
    }
}
