//! JSON bodies of requests and answers.

use axum::{
    body::Body,
    extract::{FromRequest, OptionalFromRequest, Request},
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
};
use deserr::Deserr;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value};

use crate::{Error, validation::ValidationErrors};

/// The largest body that is read, in bytes. A task with every field at its limit and every character escaped takes a third
/// of it.
pub const BODY_LIMIT: usize = 64 * 1024;

/// The JSON body of a request, or of an answer.
///
/// It is stricter than axum's: a body has at most [`BODY_LIMIT`] bytes, and an object no two members of one name (parsers
/// disagree about which one counts, RFC 8259 §4). A 422 names every invalid field at once. For `Option<Json<T>>`, an empty
/// body is `None`.
pub struct Json<T>(pub T);

const APPLICATION_JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");

impl<T: serde::Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(body) => json_response(body),
            Err(error) => Error::from(error).into_response(),
        }
    }
}

/// Makes an answer of JSON text.
pub fn json_response(body: impl Into<Body>) -> Response {
    ([(header::CONTENT_TYPE, APPLICATION_JSON)], body.into()).into_response()
}

impl<T: Deserr<ValidationErrors>, S: Sync> FromRequest<S> for Json<T> {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self, Error> {
        <Self as OptionalFromRequest<S>>::from_request(request, state).await?.ok_or(Error::EmptyBody)
    }
}

impl<T: Deserr<ValidationErrors>, S: Sync> OptionalFromRequest<S> for Json<T> {
    type Rejection = Error;

    async fn from_request(request: Request, _: &S) -> Result<Option<Self>, Error> {
        let is_json = is_json(request.headers());
        let body = match Limited::new(request.into_body(), BODY_LIMIT).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) if error.is::<LengthLimitError>() => return Err(Error::BodyTooLarge),
            Err(_) => return Err(Error::UnreadableBody),
        };
        if body.is_empty() {
            return Ok(None);
        }
        if !is_json {
            return Err(Error::NotJson);
        }
        let UniqueKeys(value) = serde_json::from_slice(&body).map_err(|error| {
            // `UniqueKeysVisitor` makes the only error of this category.
            if error.is_data() {
                Error::DuplicateKey
            } else {
                Error::MalformedJson { line: error.line(), column: error.column() }
            }
        })?;
        deserr::deserialize(value)
            .map(|value| Some(Self(value)))
            .map_err(|invalid: ValidationErrors| Error::Invalid(invalid.within("body")))
    }
}

/// True if there is one `Content-Type` and it is JSON with any parameters (RFC 9110 §8.3).
fn is_json(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return false };
    let essence = value.to_str().ok().and_then(|value| value.split(';').next());
    essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"))
}

/// A JSON value in which no object has two members of one name.
struct UniqueKeys(Value);

impl<'de> Deserialize<'de> for UniqueKeys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UniqueKeysVisitor).map(Self)
    }
}

struct UniqueKeysVisitor;

impl<'de> Visitor<'de> for UniqueKeysVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JSON without repeated keys")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(UniqueKeys(value)) = seq.next_element()? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some((key, UniqueKeys(value))) = map.next_entry()? {
            if members.insert(key, value).is_some() {
                return Err(de::Error::custom("repeated key"));
            }
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unique_keys(json: &str) -> Option<Value> {
        serde_json::from_str(json).ok().map(|UniqueKeys(value)| value)
    }

    #[test]
    fn a_repeated_key_is_refused_at_any_depth() {
        for json in [r#"{"a":1,"a":1}"#, r#"{"a":1,"b":{"c":1,"c":2}}"#, r#"[{"a":1,"\u0061":2}]"#] {
            assert!(unique_keys(json).is_none(), "{json}");
        }
    }

    #[test]
    fn json_without_repeated_keys_is_read_unchanged() {
        let json = r#"{"a":[1,-1,1.5,true,null,"\u00e9"],"b":{"a":{}}}"#;
        assert_eq!(unique_keys(json).unwrap(), serde_json::from_str::<Value>(json).unwrap());
    }
}
