//! HTTP: what surrounds every function's routes, and the extractors that carry our error shape.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    panic::AssertUnwindSafe,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Body,
    extract::{FromRef, FromRequest, FromRequestParts, MatchedPath, OptionalFromRequest, Request},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header, request::Parts},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use deserr::Deserr;
use futures_util::FutureExt;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use jiff::Timestamp;
use lambda_http::{RequestExt, request::RequestContext};
use percent_encoding::percent_decode_str;
use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value};
use tokio::time::timeout;
use tracing::Instrument;
use uuid::Uuid;

use crate::{
    Cors, Error, Prefix,
    jwt::Verifier,
    telemetry::{self, Answered},
    validation::ValidationErrors,
};

/// The largest body that is read, in bytes. The largest sensible one, a task with every field at its limit
/// and every character escaped, is a third of it.
pub const BODY_LIMIT: usize = 64 * 1024;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// How long an answer may take before it is 503: more than a statement may with all its tries ([`db`](crate::db)), and
/// less than the function's own timeout, 25 s in template.yaml, and API Gateway's 30 s, which would end it without a reason.
pub const REQUEST_DEADLINE: Duration = Duration::from_secs(22);

/// Whether this process has answered nothing yet.
static IS_FIRST: AtomicBool = AtomicBool::new(true);

/// Wraps a function's routes in what every answer needs: the prefix taken off, 404 and 405 in our shape, a request id,
/// the common headers, those that let pages of other origins read it, a deadline, 500 instead of a crash, and one line of
/// log, which `log` writes.
pub fn finish(routes: Router, cors: Cors, log: impl Fn(&Answered) + Clone + Send + Sync + 'static) -> Router {
    let answer = middleware::from_fn(move |request, next| {
        answer(request, next, cors.clone(), IS_FIRST.swap(false, Ordering::Relaxed), log.clone())
    });
    // The layer must run before the routes are matched, so it stands around them, not in them.
    Router::new().fallback_service(routes.layer(middleware::from_fn(note_route))).layer(answer)
}

async fn answer(
    request: Request,
    next: Next,
    cors: Cors,
    cold_start: bool,
    log: impl Fn(&Answered),
) -> Response {
    let started = Instant::now();
    let request_id = request_id(&request);
    let lambda_request_id = request.lambda_context_ref().map(|context| context.request_id.clone());
    let method = request.method().clone();
    let cors = cors.of(&method, request.headers());
    let span = tracing::info_span!("request", request_id, lambda_request_id);
    async {
        let answering = timeout(REQUEST_DEADLINE, AssertUnwindSafe(answer_to(request, next)).catch_unwind());
        let (answer, notes) = telemetry::noted(answering).await;
        let mut response = match answer {
            Ok(Ok(response)) => response,
            // The panic hook has logged where. What the panic says may quote what was sent.
            Ok(Err(_)) => Error::Internal.into_response(),
            Err(_) => {
                tracing::error!("no answer within {REQUEST_DEADLINE:?}");
                Error::OutcomeUnknown.into_response()
            }
        };
        let error = match error_of(&mut response) {
            // Which changes nothing.
            Some(Error::OutcomeUnknown) if method.is_safe() => Some(Error::Unavailable),
            // OPTIONS asks for the methods, which are in `Allow`.
            Some(Error::MethodNotAllowed) if method == Method::OPTIONS => {
                *response.status_mut() = StatusCode::NO_CONTENT;
                None
            }
            error => error.filter(|_| !cors.is_allowed_preflight()),
        };
        if let Some(error) = &error {
            response = with_body(response, error, &request_id, method == Method::HEAD);
        }
        add_headers(response.headers_mut(), &request_id);
        cors.add_to(&mut response);
        log(&Answered {
            request_id: &request_id,
            lambda_request_id: lambda_request_id.as_deref(),
            method: method.as_str(),
            route: notes.route.as_ref().map(MatchedPath::as_str),
            status: response.status().as_u16(),
            code: error.as_ref().map(Error::code),
            duration: started.elapsed(),
            database: notes.database,
            resent: notes.resent,
            cold_start,
            user_id: notes.user_id,
        });
        response
    }
    .instrument(span)
    .await
}

async fn answer_to(mut request: Request, next: Next) -> Response {
    if is_altered(&request) {
        return Error::NotFound.into_response();
    }
    Prefix::take_off(&mut request);
    next.run(request).await
}

/// The error that an answer stands for: a handler's, or a router's, which has the status alone.
fn error_of(response: &mut Response) -> Option<Error> {
    let of_handler = response.extensions_mut().remove();
    of_handler.or_else(|| match response.status() {
        StatusCode::NOT_FOUND => Some(Error::NotFound),
        StatusCode::METHOD_NOT_ALLOWED => Some(Error::MethodNotAllowed),
        _ => None,
    })
}

/// The answer to an event that is no request, from which nothing is counted.
pub(crate) fn refuse(error: &Error, request_id: &str) -> Response {
    let mut response = with_body(error.clone().into_response(), error, request_id, false);
    add_headers(response.headers_mut(), request_id);
    response
}

async fn note_route(route: Option<MatchedPath>, request: Request, next: Next) -> Response {
    telemetry::note(|notes| notes.route = route);
    next.run(request).await
}

fn with_body(response: Response, error: &Error, request_id: &str, is_head: bool) -> Response {
    let (mut parts, _) = response.into_parts();
    let (json, body) = Json(error.body(request_id)).into_response().into_parts();
    parts.headers.extend(json.headers);
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, if is_head { Body::empty() } else { body })
}

fn add_headers(headers: &mut HeaderMap, request_id: &str) {
    // But for what the docs are made of.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(request_id) = HeaderValue::from_str(request_id) {
        headers.insert(X_REQUEST_ID, request_id);
    }
}

/// Whether the path is not the one that was asked for. API Gateway decodes it, and lambda_http reads what comes out as
/// a URL again, which drops control characters and resolves dots: `/tasks/{id}%0D%0A` would be the task of that id.
fn is_altered(request: &Request) -> bool {
    let asked_for = request.raw_http_path();
    !asked_for.is_empty() && !percent_decode_str(request.uri().path()).eq(asked_for.bytes())
}

/// API Gateway's id of the request; a new one where there is no API Gateway. Never the client's: it goes to
/// the log.
fn request_id(request: &Request) -> String {
    match request.extensions().get() {
        Some(RequestContext::ApiGatewayV2(context)) => context.request_id.clone(),
        _ => None,
    }
    .unwrap_or_else(|| Uuid::now_v7().to_string())
}

/// Where a request comes from, as attempts are counted: an IPv4 address, or the first half of an IPv6 address, which is
/// what one subscriber has at least ([RFC 6177] §2).
///
/// It is the address that API Gateway saw, never what the client says in a header. Where there is no API Gateway it is
/// the extension of this type, which `cargo dev` sets to the socket's peer, and without either all come from `0.0.0.0`.
///
/// [RFC 6177]: https://www.rfc-editor.org/rfc/rfc6177#section-2
#[derive(Clone, Copy, Debug)]
pub struct SourceAddress(pub IpAddr);

impl<S: Sync> FromRequestParts<S> for SourceAddress {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        let address = match parts.extensions.get() {
            Some(RequestContext::ApiGatewayV2(context)) => {
                context.http.source_ip.as_deref().and_then(|address| address.parse().ok())
            }
            _ => parts.extensions.get().map(|SourceAddress(address)| *address),
        };
        Ok(Self(network(address.unwrap_or(Ipv4Addr::UNSPECIFIED.into()))))
    }
}

fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address => address,
    }
}

/// Who sends the request: the holder of a good token. Costs no I/O, so it does not tell whether the user still
/// exists; the handler's statement does.
#[derive(Clone, Copy, Debug)]
pub struct Caller {
    /// The user's id.
    pub id: Uuid,
}

impl<S> FromRequestParts<S> for Caller
where
    S: Sync,
    Verifier: FromRef<S>,
{
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let token = bearer(&parts.headers).ok_or(Error::InvalidToken)?;
        let id = Verifier::from_ref(state).verify(token, Timestamp::now()).ok_or(Error::InvalidToken)?;
        telemetry::note(|notes| notes.user_id = Some(id));
        Ok(Self { id })
    }
}

/// The token of the one `Authorization: Bearer` header. API Gateway joins two headers of one name with a
/// comma, so two of them are refused whether they come joined or apart.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next()?.to_str().ok()?;
    if values.next().is_some() || value.contains(',') {
        return None;
    }
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

/// A JSON body as `T`, or the answer as JSON.
///
/// Stricter than axum's: at most [`BODY_LIMIT`] bytes, no two members of one name (parsers disagree about
/// which one counts, RFC 8259 §4), and 422 names every bad field at once. As `Option<Json<T>>`, an empty body
/// is `None`.
pub struct Json<T>(pub T);

const APPLICATION_JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");

impl<T: serde::Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(body) => json_response(body),
            Err(error) => {
                tracing::error!(%error, "answer cannot be written as JSON");
                Error::Internal.into_response()
            }
        }
    }
}

/// An answer whose body is JSON already.
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
            // Our visitor's own complaint is the only one of this category.
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

/// Whether there is one `Content-Type`, and it is JSON, whatever its parameters (RFC 9110 §8.3).
fn is_json(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return false };
    let essence = value.to_str().ok().and_then(|value| value.split(';').next());
    essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"))
}

/// Any JSON value in which no object has two members of one name.
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

/// The query string as `T`. Unknown parameters are ignored; of a repeated one the last counts.
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

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use proptest::{collection::vec, prelude::*};
    use tower::ServiceExt;

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
    fn other_json_is_read_as_it_is() {
        let json = r#"{"a":[1,-1,1.5,true,null,"\u00e9"],"b":{"a":{}}}"#;
        assert_eq!(unique_keys(json).unwrap(), serde_json::from_str::<Value>(json).unwrap());
    }

    #[tokio::test]
    async fn a_panic_is_a_500_of_fixed_text_and_the_next_request_is_answered() {
        let routes = Router::new()
            .route("/panic", get(async || -> Response { panic!("a secret of the code") }))
            .route("/fine", get(async || "fine"));
        let app = finish(routes, Cors::default(), telemetry::to_terminal);
        for (path, status) in [("/panic", 500), ("/fine", 200)] {
            let request = Request::get(path).body(Body::empty()).unwrap();
            let response = app.clone().oneshot(request).await.unwrap();
            assert_eq!(response.status().as_u16(), status);
            let body = response.into_body().collect().await.unwrap().to_bytes();
            assert!(!String::from_utf8_lossy(&body).contains("secret"), "{body:?}");
        }
    }

    #[test]
    fn an_ipv6_64_is_one_network_and_an_ipv4_address_too() {
        for (address, expected) in [
            ("203.0.113.7", "203.0.113.7"),
            ("::ffff:203.0.113.7", "203.0.113.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
            ("2001:db8:1:2:ffff::", "2001:db8:1:2::"),
            ("2001:db8:1:3::", "2001:db8:1:3::"),
        ] {
            assert_eq!(network(address.parse().unwrap()).to_string(), expected);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_no_answer_at_the_deadline_is_503() {
        let routes = Router::new().route("/hangs", get(std::future::pending::<Response>));
        let started = tokio::time::Instant::now();
        let request = Request::get("/hangs").body(Body::empty()).unwrap();
        let response =
            finish(routes, Cors::default(), telemetry::to_terminal).oneshot(request).await.unwrap();
        assert_eq!(response.status().as_u16(), 503);
        assert_eq!(response.headers()[header::RETRY_AFTER], "1");
        assert_eq!(started.elapsed().as_secs(), REQUEST_DEADLINE.as_secs());
    }

    #[test]
    fn one_bearer_token_is_taken_in_any_case_of_the_scheme() {
        let token = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::AUTHORIZATION, value.parse().unwrap());
            }
            bearer(&headers).map(str::to_owned)
        };
        for scheme in ["Bearer", "bearer", "bEaReR"] {
            assert_eq!(token(&[&format!("{scheme} a.b.c")]).as_deref(), Some("a.b.c"));
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
        fn a_token_is_what_follows_the_word_bearer_and_a_space(
            values in vec(
                "([bB][eE][aA][rR][eE][rR]|\\PC{0,7})[ \t,]{0,2}[!-~]{0,9}[ ,é\t]?[!-~]{0,3}",
                0..3,
            ),
        ) {
            let mut headers = HeaderMap::new();
            for value in &values {
                headers.append(header::AUTHORIZATION, HeaderValue::from_bytes(value.as_bytes()).unwrap());
            }
            let expected = match values.as_slice() {
                [value] if value.is_ascii() && !value.contains(',') => match value.as_bytes() {
                    [b, e, a, r, e2, r2, b' ', token @ ..] => {
                        [b, e, a, r, e2, r2].map(u8::to_ascii_lowercase).eq(b"bearer").then_some(token)
                    }
                    _ => None,
                },
                _ => None,
            };
            prop_assert_eq!(bearer(&headers).map(str::as_bytes), expected);
        }
    }
}
