//! JSON bodies of requests and answers.

use axum::{
    body::Body,
    extract::{FromRequest, OptionalFromRequest, Request},
    http::{HeaderValue, Method, header},
    response::{IntoResponse, Response},
};
use deserr::Deserr;
use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value};

use super::body::{has_content_type, read_body};
use crate::{Error, validation::ValidationErrors};

/// The JSON body of a request, or of an answer.
///
/// It is stricter than axum's: a body has at most [`BODY_LIMIT`](super::BODY_LIMIT) bytes, and an object no two members of one name (parsers
/// disagree about which one counts, RFC 8259 §4). A 422 names every invalid field at once. A byte order mark is skipped, as
/// RFC 8259 §8.1 allows. For `Option<Json<T>>`, an empty body is `None`.
pub struct Json<T>(pub T);

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

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
        let is_patch = request.method() == Method::PATCH;
        let (headers, body) = read_body(request).await?;
        let text = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&body);
        if text.is_empty() {
            return Ok(None);
        }
        let is_json = has_content_type(&headers, "application/json")
            // An update changes what is sent, and null clears it: RFC 7396 is what it does anyway.
            || is_patch && has_content_type(&headers, "application/merge-patch+json");
        if !is_json {
            return Err(Error::NotJson);
        }
        // JSON begins with two ASCII characters: a NUL is half of one in UTF-16 (RFC 4627 §3).
        if text.iter().take(2).any(|byte| *byte == 0) {
            return Err(Error::NotUtf8);
        }
        let text = str::from_utf8(text).map_err(|_| Error::NotUtf8)?;
        let UniqueKeys(value) = serde_json::from_str(text).map_err(|error| {
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
