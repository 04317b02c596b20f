//! The middleware around every function's routes.

use std::{
    panic::AssertUnwindSafe,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Body,
    extract::{MatchedPath, Request},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use futures_util::FutureExt;
use lambda_http::{RequestExt, request::RequestContext};
use percent_encoding::percent_decode_str;
use tokio::time::timeout;
use tracing::Instrument;
use uuid::Uuid;

use crate::{
    Cors, Error, Prefix,
    extract::Json,
    telemetry::{self, RequestLog},
};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// How long an answer may take before it is 503: more than a statement may with all its tries ([`db`](crate::db)), and
/// less than the function's own timeout, 25 s in template.yaml, and API Gateway's 30 s, which would end it without a reason.
pub const REQUEST_DEADLINE: Duration = Duration::from_secs(22);

/// Whether this process has answered nothing yet.
static IS_FIRST: AtomicBool = AtomicBool::new(true);

/// Wraps a function's routes in what every answer needs: the prefix taken off, 404 and 405 in our shape, a request id,
/// the common headers, those that let pages of other origins read it, a deadline, 500 instead of a crash, and one line of
/// log, which `log` writes.
pub fn with_middleware(
    routes: Router,
    cors: Cors,
    log: impl Fn(&RequestLog) + Clone + Send + Sync + 'static,
) -> Router {
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
    log: impl Fn(&RequestLog),
) -> Response {
    let started = Instant::now();
    let request_id = request_id(&request);
    let lambda_request_id = request.lambda_context_ref().map(|context| context.request_id.clone());
    let method = request.method().clone();
    let cors = cors.of(&method, request.headers());
    let span = tracing::info_span!("request", request_id, lambda_request_id);
    async {
        let answering = timeout(REQUEST_DEADLINE, AssertUnwindSafe(answer_to(request, next)).catch_unwind());
        let (answer, fields) = telemetry::recorded(answering).await;
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
            // A safe method changes nothing.
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
        log(&RequestLog {
            request_id: &request_id,
            lambda_request_id: lambda_request_id.as_deref(),
            method: method.as_str(),
            route: fields.route.as_ref().map(MatchedPath::as_str),
            status: response.status().as_u16(),
            code: error.as_ref().map(Error::code),
            duration: started.elapsed(),
            database: fields.database,
            resent: fields.resent,
            cold_start,
            user_id: fields.user_id,
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
pub(crate) fn error_response(error: &Error, request_id: &str) -> Response {
    let mut response = with_body(error.clone().into_response(), error, request_id, false);
    add_headers(response.headers_mut(), request_id);
    response
}

async fn note_route(route: Option<MatchedPath>, request: Request, next: Next) -> Response {
    telemetry::record(|fields| fields.route = route);
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

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn a_panic_is_a_500_of_fixed_text_and_the_next_request_is_answered() {
        let routes = Router::new()
            .route("/panic", get(async || -> Response { panic!("a secret of the code") }))
            .route("/fine", get(async || "fine"));
        let app = with_middleware(routes, Cors::default(), telemetry::to_terminal);
        for (path, status) in [("/panic", 500), ("/fine", 200)] {
            let request = Request::get(path).body(Body::empty()).unwrap();
            let response = app.clone().oneshot(request).await.unwrap();
            assert_eq!(response.status().as_u16(), status);
            let body = response.into_body().collect().await.unwrap().to_bytes();
            assert!(!String::from_utf8_lossy(&body).contains("secret"), "{body:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_no_answer_at_the_deadline_is_503() {
        let routes = Router::new().route("/hangs", get(std::future::pending::<Response>));
        let started = tokio::time::Instant::now();
        let request = Request::get("/hangs").body(Body::empty()).unwrap();
        let response =
            with_middleware(routes, Cors::default(), telemetry::to_terminal).oneshot(request).await.unwrap();
        assert_eq!(response.status().as_u16(), 503);
        assert_eq!(response.headers()[header::RETRY_AFTER], "1");
        assert_eq!(started.elapsed().as_secs(), REQUEST_DEADLINE.as_secs());
    }
}
