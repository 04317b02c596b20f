//! The bytes of a request's body.

use axum::{
    body::Bytes,
    extract::Request,
    http::{HeaderMap, header},
};
use http_body_util::{BodyExt, LengthLimitError, Limited};

use crate::Error;

/// The largest body that is read, in bytes. A task with every field at its limit and every character escaped takes a third
/// of it.
pub const BODY_LIMIT: usize = 64 * 1024;

/// Reads the body, and returns it with the request's headers. A body in a content coding (RFC 9110 §8.4) is refused.
pub(super) async fn read_body(request: Request) -> Result<(HeaderMap, Bytes), Error> {
    let (parts, body) = request.into_parts();
    let body = match Limited::new(body, BODY_LIMIT).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => return Err(Error::BodyTooLarge),
        Err(_) => return Err(Error::UnreadableBody),
    };
    if !body.is_empty() && parts.headers.contains_key(header::CONTENT_ENCODING) {
        return Err(Error::ContentEncoding);
    }
    Ok((parts.headers, body))
}

/// True if there is one `Content-Type` and it is `essence`, with any parameters (RFC 9110 §8.3).
pub(super) fn has_content_type(headers: &HeaderMap, essence: &str) -> bool {
    let mut values = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return false };
    let sent = value.to_str().ok().and_then(|value| value.split(';').next());
    sent.is_some_and(|sent| sent.trim().eq_ignore_ascii_case(essence))
}
