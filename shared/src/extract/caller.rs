//! The user who sent the request.

use axum::{
    extract::{FromRef, FromRequestParts},
    http::{HeaderMap, header, request::Parts},
};
use jiff::Timestamp;
use uuid::Uuid;

use crate::{
    Error,
    jwt::{AccessClaims, Verifier},
    telemetry,
};

/// The holder of a valid token. It is extracted without I/O, so the session may have ended: the handler's statement begins
/// at it.
#[derive(Clone, Copy, Debug)]
pub struct Caller {
    /// The user's id.
    pub id: Uuid,
    /// The session's id.
    pub session: Uuid,
}

/// The holder of a token that is valid or has expired: who signs out need not sign in first.
pub struct FormerCaller(pub Caller);

impl<S> FromRequestParts<S> for Caller
where
    S: Sync,
    Verifier: FromRef<S>,
{
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        Self::new(&parts.headers, |token| Verifier::from_ref(state).access(token, Timestamp::now()))
    }
}

impl<S> FromRequestParts<S> for FormerCaller
where
    S: Sync,
    Verifier: FromRef<S>,
{
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        Caller::new(&parts.headers, |token| Verifier::from_ref(state).expired_access(token, Timestamp::now()))
            .map(Self)
    }
}

impl Caller {
    fn new(headers: &HeaderMap, verify: impl FnOnce(&str) -> Option<AccessClaims>) -> Result<Self, Error> {
        let claims = bearer(headers).and_then(verify).ok_or(Error::InvalidToken)?;
        telemetry::record(|fields| fields.user_id = Some(claims.sub));
        Ok(Self { id: claims.sub, session: claims.sid })
    }
}

/// Returns the token of the `Authorization: Bearer` header, if there is exactly one; one or more spaces are before it
/// (RFC 9110 §11.4). API Gateway joins two headers of one name with a comma, so a value with a comma is refused too.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next()?.to_str().ok()?;
    if values.next().is_some() || value.contains(',') {
        return None;
    }
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim_start_matches(' '))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use proptest::{collection::vec, prelude::*};

    use super::*;

    #[test]
    fn the_scheme_of_a_bearer_token_is_in_any_case_and_spaces_follow_it() {
        let token = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::AUTHORIZATION, value.parse().unwrap());
            }
            bearer(&headers).map(str::to_owned)
        };
        for scheme in ["Bearer", "bearer", "bEaReR"] {
            for spaces in [" ", "  ", "      "] {
                assert_eq!(token(&[&format!("{scheme}{spaces}a.b.c")]).as_deref(), Some("a.b.c"));
            }
        }
        for refused in [
            &[][..],
            &[""],
            &["Bearer"],
            &["Basic a.b.c"],
            &["Bearer a.b.c,Bearer a.b.c"],
            &["Bearer a", "Bearer a"],
        ] {
            assert_eq!(token(refused), None, "{refused:?}");
        }
    }

    proptest! {
        #[test]
        fn the_token_follows_the_word_bearer_and_spaces(
            values in vec(
                "([bB][eE][aA][rR][eE][rR]|\\PC{0,7})[ \t,]{0,3}[!-~]{0,9}[ ,é\t]?[!-~]{0,3}",
                0..3,
            ),
        ) {
            let mut headers = HeaderMap::new();
            for value in &values {
                headers.append(header::AUTHORIZATION, HeaderValue::from_bytes(value.as_bytes()).unwrap());
            }
            let expected = match values.as_slice() {
                [value] if value.is_ascii() && !value.contains(',') => match value.as_bytes() {
                    [b, e, a, r, e2, r2, b' ', rest @ ..] => {
                        let spaces = rest.iter().take_while(|byte| **byte == b' ').count();
                        [b, e, a, r, e2, r2].map(u8::to_ascii_lowercase).eq(b"bearer").then_some(&rest[spaces..])
                    }
                    _ => None,
                },
                _ => None,
            };
            prop_assert_eq!(bearer(&headers).map(str::as_bytes), expected);
        }
    }
}
