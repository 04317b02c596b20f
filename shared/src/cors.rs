//! Cross-origin requests: which pages may call the API from a browser ([Fetch standard][cors]).
//!
//! API Gateway has the same origins (`CorsConfiguration` in template.yaml), but a preflight for a route with `ANY` reaches
//! the function (docs/design.md).
//!
//! [cors]: https://fetch.spec.whatwg.org/#http-cors-protocol

use std::sync::Arc;

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use lambda_http::request::RequestContext;
use url::Url;

use crate::{Config, config};

const ALLOW_METHODS: HeaderValue = HeaderValue::from_static("GET, POST, PUT, PATCH, DELETE");

/// Any header: tracing libraries add theirs. `*` does not include `Authorization`.
const ALLOW_HEADERS: HeaderValue = HeaderValue::from_static("authorization, *");

const EXPOSE_HEADERS: HeaderValue =
    HeaderValue::from_static("ETag, Idempotent-Replayed, Link, Location, Retry-After, X-Request-Id");

/// The time that a browser may keep the answer to a preflight, in seconds. Chromium's limit is two hours.
const MAX_AGE: HeaderValue = HeaderValue::from_static("7200");

/// The origins whose pages may call the API. The default is none.
#[derive(Clone, Debug, Default)]
pub struct Cors {
    origins: Arc<[HeaderValue]>,
}

impl Cors {
    /// Reads `CORS_ALLOW_ORIGINS`: origins separated by commas, or `*` for any. Unset or empty means none.
    ///
    /// # Errors
    /// An origin is not written as browsers send it, so that it would never match.
    pub fn new(config: &Config) -> Result<Self, config::Error> {
        let origins = config.get("CORS_ALLOW_ORIGINS").map(|origins| origins.split(',').map(str::trim));
        let origins = origins.into_iter().flatten().map(|origin| {
            if origin != "*" && !is_origin(origin) {
                return Err(config::Error::new(format!(
                    "CORS_ALLOW_ORIGINS has `{origin}`: it should be origins as browsers send them, such as \
                     https://todo.example.com or http://localhost:3000, separated by commas; no path, no slash at the \
                     end, no capitals, no port that is the scheme's own"
                )));
            }
            HeaderValue::from_str(origin).map_err(|error| config::Error::new(error.to_string()))
        });
        Ok(Self { origins: origins.collect::<Result<_, _>>()? })
    }

    /// True if a page sent the request whose origin is neither allowed nor the request's own host. `null`, the origin of
    /// pages that hide theirs, is nobody's. Programs that are no browsers send no origin.
    pub(crate) fn is_foreign(&self, request: &Request) -> bool {
        let mut origins = request.headers().get_all(header::ORIGIN).iter();
        let Some(origin) = origins.next() else { return false };
        let is_one = origins.next().is_none() && origin != "null";
        !is_one || self.find(origin).is_none() && !is_own(origin, request)
    }

    /// Returns the allowed origin, or the `*`, that this one matches.
    fn find(&self, origin: &HeaderValue) -> Option<&HeaderValue> {
        self.origins.iter().find(|allowed| *allowed == "*" || *allowed == origin)
    }

    /// Compares the request's origin with the allowed ones.
    pub(crate) fn check(&self, method: &Method, request: &HeaderMap) -> CorsHeaders {
        CorsHeaders {
            varies: !self.origins.is_empty(),
            allow_origin: request.get(header::ORIGIN).and_then(|origin| self.find(origin)).cloned(),
            is_preflight: method == Method::OPTIONS
                && request.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD),
        }
    }
}

/// The CORS headers of one answer.
pub(crate) struct CorsHeaders {
    varies: bool,
    allow_origin: Option<HeaderValue>,
    is_preflight: bool,
}

impl CorsHeaders {
    /// True if the request only asks whether another may be sent, and it may.
    pub(crate) fn is_allowed_preflight(&self) -> bool {
        self.is_preflight && self.allow_origin.is_some()
    }

    /// Adds the headers that let the page read the answer, or send the request that it asked for.
    pub(crate) fn add_to(self, response: &mut Response) {
        let is_allowed_preflight = self.is_allowed_preflight();
        if is_allowed_preflight {
            *response.status_mut() = StatusCode::NO_CONTENT;
        }
        let headers = response.headers_mut();
        // A cache must not give one origin the answer to another. Of two such lines Lambda sends only the first.
        if self.varies {
            let both = headers.get(header::VARY).map(|vary| [vary.as_bytes(), b", Origin"].concat());
            let both = both.and_then(|vary| HeaderValue::from_bytes(&vary).ok());
            headers.insert(header::VARY, both.unwrap_or(HeaderValue::from_static("Origin")));
        }
        let Some(origin) = self.allow_origin else { return };
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        if is_allowed_preflight {
            headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, ALLOW_METHODS);
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, ALLOW_HEADERS);
            headers.insert(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE);
        } else {
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSE_HEADERS);
        }
    }
}

/// True if the origin is the host that the request was sent to: API Gateway's `domainName`, or `Host`, which no page can set.
fn is_own(origin: &HeaderValue, request: &Request) -> bool {
    let origin = origin.to_str().unwrap_or_default();
    let Some(authority) = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://")) else {
        return false;
    };
    let domain_name = match request.extensions().get() {
        Some(RequestContext::ApiGatewayV2(context)) => context.domain_name.as_deref(),
        _ => None,
    };
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    [domain_name, host].into_iter().flatten().any(|own| own.eq_ignore_ascii_case(authority))
}

/// True if a browser would send exactly this text as the `Origin` of a page. Neither browsers nor API Gateway know a star
/// for a part of an origin, though a host may contain one.
fn is_origin(text: &str) -> bool {
    let is_serialized =
        |url: Url| url.origin().ascii_serialization() == text && url.scheme().starts_with("http");
    !text.contains('*') && Url::parse(text).is_ok_and(is_serialized)
}
