//! The query string of a request.

use axum::{extract::FromRequestParts, http::request::Parts};
use deserr::Deserr;
use serde_json::{Map, Value};

use crate::{Error, validation::ValidationErrors};

/// The query string of a request. Unknown parameters are ignored. If a parameter is repeated, the last one counts.
pub struct Query<T>(pub T);

impl<T: Deserr<ValidationErrors>, S: Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        let query = parts.uri.query().unwrap_or_default();
        let values: Map<String, Value> = form_urlencoded::parse(query.as_bytes())
            .map(|(name, value)| (name.into_owned(), Value::String(value.into_owned())))
            .collect();
        deserr::deserialize(Value::Object(values))
            .map(Self)
            .map_err(|invalid: ValidationErrors| Error::Invalid(invalid.within("query")))
    }
}
