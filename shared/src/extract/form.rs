//! Forms of requests.

use axum::{
    extract::{FromRef, FromRequest, Request},
    http::HeaderMap,
};
use deserr::Deserr;
use percent_encoding::percent_decode;
use serde_json::{Map, Value};

use super::body::{has_content_type, read_body};
use crate::{Cors, Error, validation::ValidationErrors};

/// A form in the body of a request (`application/x-www-form-urlencoded`, [URL standard][form]), with at most
/// [`BODY_LIMIT`](super::BODY_LIMIT) bytes and no repeated field.
///
/// A browser asks no preflight before it sends a form, so a form from a page of another origin is refused here, unless the
/// origin is one of [`Cors`].
///
/// [form]: https://url.spec.whatwg.org/#application/x-www-form-urlencoded
pub struct Form<T>(pub T);

/// True if the body is a form.
pub fn is_form(headers: &HeaderMap) -> bool {
    has_content_type(headers, "application/x-www-form-urlencoded")
}

impl<T, S> FromRequest<S> for Form<T>
where
    T: Deserr<ValidationErrors>,
    S: Sync,
    Cors: FromRef<S>,
{
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self, Error> {
        if Cors::from_ref(state).is_foreign(&request) {
            return Err(Error::ForeignOrigin);
        }
        let (_, body) = read_body(request).await?;
        if body.is_empty() {
            return Err(Error::EmptyBody);
        }
        percent_decode(&body).decode_utf8().map_err(|_| Error::NotUtf8)?;
        let mut fields = Map::new();
        for (name, value) in form_urlencoded::parse(&body) {
            if fields.insert(name.into_owned(), Value::String(value.into_owned())).is_some() {
                return Err(Error::DuplicateKey);
            }
        }
        deserr::deserialize(Value::Object(fields))
            .map(Self)
            .map_err(|invalid: ValidationErrors| Error::Invalid(invalid.within("body")))
    }
}
