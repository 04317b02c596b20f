//! The id in a path.

use axum::{
    extract::{FromRequestParts, RawPathParams},
    http::request::Parts,
};
use uuid::Uuid;

use crate::Error;

/// The `{id}` of the path, which is a UUID in any case (RFC 9562 §4). Anything else is `None`: the id of nothing.
pub struct PathId(pub Option<Uuid>);

impl<S: Send + Sync> FromRequestParts<S> for PathId {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        // Fails for bytes that are not UTF-8.
        let Ok(params) = RawPathParams::from_request_parts(parts, state).await else { return Ok(Self(None)) };
        let (_, id) = params.iter().next().ok_or(Error::Internal)?;
        // The parser also takes forms without hyphens and in braces.
        let uuid = Uuid::try_parse(id).ok().filter(|uuid| uuid.to_string().eq_ignore_ascii_case(id));
        Ok(Self(uuid))
    }
}
