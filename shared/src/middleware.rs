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

/// The time limit for an answer, after which it is 503. It is more than the limit for a statement with all its attempts
/// ([`db::DEADLINE`](crate::db::DEADLINE)), and less than the function's timeout (25 s in template.yaml) and API Gateway's (30 s), whose
/// answers give no reason.
pub const REQUEST_DEADLINE: Duration = Duration::from_secs(22);

/// True until this process answers its first request.
static IS_COLD: AtomicBool = AtomicBool::new(true);

/// Wraps a function's routes in the middleware that every answer needs. It removes the path's prefix, gives 404 and 405 the
/// API's shape, adds a request id, the common headers and the CORS headers, sets a deadline, answers 500 after a panic, and
/// passes one line of log to `log`.
pub fn with_middleware(
    routes: Router,
    cors: Cors,
    log: impl Fn(&RequestLog) + Clone + Send + Sync + 'static,
) -> Router {
    let handle = middleware::from_fn(move |request, next| {
        handle(request, next, cors.clone(), IS_COLD.swap(false, Ordering::Relaxed), log.clone())
    });
    // The prefix must be removed before the routes are matched, so the layer is around the router, not in it.
    Router::new().fallback_service(routes.layer(middleware::from_fn(record_route))).layer(handle)
}

async fn handle(
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
    let cors = cors.check(&method, request.headers());
    let span = tracing::info_span!("request", request_id, lambda_request_id);
    async {
        let answering = timeout(REQUEST_DEADLINE, AssertUnwindSafe(route(request, next)).catch_unwind());
        let (answer, fields) = telemetry::recorded(answering).await;
        let mut response = match answer {
            Ok(Ok(response)) => response,
            // The panic hook has logged the place. The message is not logged, because it may quote the request.
            Ok(Err(_)) => Error::Internal.into_response(),
            Err(_) => {
                tracing::error!("no answer within {REQUEST_DEADLINE:?}");
                Error::OutcomeUnknown.into_response()
            }
        };
        let error = match take_error(&mut response) {
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
            refresh_token_reused: fields.refresh_token_reused,
            cold_start,
            user_id: fields.user_id,
        });
        response
    }
    .instrument(span)
    .await
}

async fn route(mut request: Request, next: Next) -> Response {
    if is_altered(&request) {
        return Error::NotFound.into_response();
    }
    Prefix::strip(&mut request);
    next.run(request).await
}

/// Returns the error of an answer: a handler's, or the router's, which has only the status.
fn take_error(response: &mut Response) -> Option<Error> {
    let handlers_error = response.extensions_mut().remove();
    handlers_error.or_else(|| match response.status() {
        StatusCode::NOT_FOUND => Some(Error::NotFound),
        StatusCode::METHOD_NOT_ALLOWED => Some(Error::MethodNotAllowed),
        _ => None,
    })
}

/// Makes the answer to an event that is not a request. It is not counted in the metrics.
pub(crate) fn error_response(error: &Error, request_id: &str) -> Response {
    let mut response = with_body(error.clone().into_response(), error, request_id, false);
    add_headers(response.headers_mut(), request_id);
    response
}

async fn record_route(route: Option<MatchedPath>, request: Request, next: Next) -> Response {
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
    // The files of the docs set their own.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(request_id) = HeaderValue::from_str(request_id) {
        headers.insert(X_REQUEST_ID, request_id);
    }
}

/// True if the path is not the one that the client sent. API Gateway decodes it, and lambda_http parses the result as a URL
/// again, which drops control characters and resolves dots: `/tasks/{id}%0D%0A` would become the task of that id.
fn is_altered(request: &Request) -> bool {
    let sent = request.raw_http_path();
    !sent.is_empty() && !percent_decode_str(request.uri().path()).eq(sent.bytes())
}

/// Returns API Gateway's id of the request, or a new one without API Gateway. It is never from the client, because it goes
/// to the log.
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
    async fn a_panic_is_a_500_with_a_fixed_text_and_the_next_request_is_answered() {
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
    async fn a_request_without_an_answer_at_the_deadline_is_503() {
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
