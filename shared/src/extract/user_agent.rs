//! The program that a request comes from.

use axum::{
    extract::FromRequestParts,
    http::{header, request::Parts},
};

use crate::Error;

/// The longest text that is kept, in characters.
const MAX_CHARACTERS: usize = 200;

/// The `User-Agent` of a request, by which a user recognises a session: cut, and made valid text.
pub struct UserAgent(pub Option<String>);

impl<S: Sync> FromRequestParts<S> for UserAgent {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        let sent = parts.headers.get(header::USER_AGENT);
        let text =
            sent.map(|sent| String::from_utf8_lossy(sent.as_bytes()).chars().take(MAX_CHARACTERS).collect());
        Ok(Self(text))
    }
}
