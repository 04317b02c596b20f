//! The life of a Lambda function: reading the configuration, connecting, answering events.

use std::{
    convert::Infallible,
    panic::{self, PanicHookInfo},
    process::ExitCode,
};

use axum::Router;
use http_body_util::BodyExt;
use lambda_http::{
    Body, LambdaEvent, Request, RequestExt, Service,
    aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse},
    lambda_runtime,
    request::LambdaRequest,
    service_fn,
};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::runtime::{Builder, Runtime};
use tracing_subscriber::filter::LevelFilter;

use crate::{
    Config, Cors, Db, Error, config, middleware, other_event, ssm,
    telemetry::{self, RequestLog},
    with_middleware,
};

/// A function's `router`. A pointer, so that all that runs it is compiled once, in this crate.
type Build = fn(&Config, Db) -> Result<Router, config::Error>;

/// Runs a function under the Lambda Runtime API until Lambda ends the process.
///
/// `secrets` are the variables that may come from SSM Parameter Store. `build` makes the function's routes from the
/// configuration and the database. A missing or unusable variable ends the process with a message that names it. A database
/// that cannot be reached does not: each request tries again, and is answered with 503.
///
/// The function answers one event at a time, in one thread, unless Lambda sets `AWS_LAMBDA_MAX_CONCURRENCY`, as on
/// [Managed Instances][lmi].
///
/// [lmi]: https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances.html
pub fn run(secrets: &[&str], build: Build) -> ExitCode {
    serve(async |config| init(config, secrets, build).await)
}

/// Runs a function without a database and secrets, like [`run`].
pub fn run_without_database(routes: Router) -> ExitCode {
    serve(async |_| Ok(routes))
}

fn serve(init: impl AsyncFnOnce(Config) -> Result<Router, config::Error>) -> ExitCode {
    let config = Config::from_env();
    init_log(&config);
    let function = config.get("AWS_LAMBDA_FUNCTION_NAME").unwrap_or("unknown").to_owned();
    let log = move |answered: &RequestLog| telemetry::to_cloudwatch(&function, answered);
    let running = tokio_runtime(&config).and_then(|runtime| {
        runtime.block_on(async {
            // lambda_runtime panics without it.
            if config.get("AWS_LAMBDA_RUNTIME_API").is_none() {
                return Err(config::Error::new(
                    "AWS_LAMBDA_RUNTIME_API is not set: this program runs under Lambda, `cargo lambda watch` or `sam local`; \
                     `cargo dev` answers the same requests without them"
                        .to_owned(),
                ));
            }
            let cors = Cors::new(&config)?;
            let routes = init(config).await?;
            // lambda_runtime::run would add a span for each request. Ours has more in it.
            let runtime = lambda_runtime::Runtime::new(answer_events(routes, cors, log));
            // Each wake-up of the future of block_on costs a system call, that of a task does not.
            let ended = tokio::spawn(runtime.run_concurrent()).await;
            let error = ended.map_err(Into::into).flatten().err();
            error.map_or(Ok(()), |error: lambda_http::Error| Err(config::Error::new(error.to_string())))
        })
    });
    match running {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Reads `AWS_LAMBDA_MAX_CONCURRENCY`: the number of requests that this process answers at a time (1 to 10,000, default 1).
/// Lambda sets it on [Managed Instances][lmi].
///
/// [lmi]: https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances.html
pub(crate) fn max_concurrency(config: &Config) -> Result<usize, config::Error> {
    config.number("AWS_LAMBDA_MAX_CONCURRENCY", 1, 1..=10_000)
}

/// Builds tokio's runtime, with threads only if requests come at the same time: they cost memory and a little time.
fn tokio_runtime(config: &Config) -> Result<Runtime, config::Error> {
    let mut builder = match max_concurrency(config)? {
        1 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    let runtime = builder.enable_all().build();
    runtime.map_err(|error| config::Error::new(format!("tokio's runtime cannot be started: {error}")))
}

/// Makes the routes, and connects to the database from the moment its URL is known.
async fn init(mut config: Config, secrets: &[&str], build: Build) -> Result<Router, config::Error> {
    let connect = |config: &Config| {
        let db = Db::new(config)?;
        let connecting = db.clone();
        Ok((db, tokio::spawn(async move { connecting.warm_up().await })))
    };
    // SSM may still hold the authorities to trust.
    let is_known = config.get("SSM_PARAMETER_PATH").is_none() || config.get("DATABASE_CA").is_some();
    let url = config.get("DATABASE_URL").filter(|_| is_known);
    let early = url.map(|_| connect(&config)).transpose()?;
    ssm::complete(&mut config, secrets).await?;
    let (db, connecting) = early.map_or_else(|| connect(&config), Ok)?;
    let routes = build(&config, db)?;
    // The first request need not wait for it then. A panic in it has been logged.
    let _ = connecting.await;
    Ok(routes)
}

/// Makes the service that Lambda calls with an event of API Gateway's HTTP API (payload version 2.0).
///
/// lambda_http panics at some events (malformed base64, a space in the query, a malformed Host), and Lambda would answer them
/// with a 500 of its own. Here they are a 400. An event that is not a request is a 400 too; it is described in the log and
/// not counted.
pub fn answer_events(
    routes: Router,
    cors: Cors,
    log: impl Fn(&RequestLog) + Clone + Send + Sync + 'static,
) -> impl Service<
    LambdaEvent<Box<RawValue>>,
    Response = ApiGatewayV2httpResponse,
    Error = Infallible,
    Future = impl Future<Output = Result<ApiGatewayV2httpResponse, Infallible>> + Send,
> + Clone
+ Send {
    let requests = with_middleware(routes, cors.clone(), log.clone());
    let malformed = with_middleware(Router::new().fallback(async || Error::MalformedRequest), cors, log);
    service_fn(move |LambdaEvent { payload, context }: LambdaEvent<Box<RawValue>>| {
        let (mut requests, mut malformed) = (requests.clone(), malformed.clone());
        async move {
            let read = panic::catch_unwind(|| {
                let event = serde_json::from_str(payload.get()).ok()?;
                Some(Request::from(LambdaRequest::ApiGatewayV2(event)))
            });
            let response = match read {
                Ok(Some(request)) => requests.call(request.with_lambda_context(context)).await?,
                _ => match other_event::describe(&payload) {
                    None => malformed.call(request_with_id(&payload).with_lambda_context(context)).await?,
                    Some(description) => {
                        let lambda_request_id = context.request_id;
                        tracing::warn!(
                            lambda_request_id,
                            "the event is not a request of an HTTP API but {description}"
                        );
                        middleware::error_response(&Error::MalformedRequest, &lambda_request_id)
                    }
                },
            };
            Ok(into_lambda_response(response).await)
        }
    })
}

/// Converts an answer. lambda_http's `Adapter` copies the body, and is not `Send` with axum's.
async fn into_lambda_response(response: axum::response::Response) -> ApiGatewayV2httpResponse {
    let (parts, body) = response.into_parts();
    let mut response = ApiGatewayV2httpResponse::default();
    response.status_code = parts.status.as_u16().into();
    response.headers = parts.headers;
    match body.collect().await {
        Ok(body) => {
            // Text goes as it is, and what `docs` has compressed as base64.
            let text = String::from_utf8(body.to_bytes().into());
            response.is_base64_encoded = text.is_err();
            response.body = Some(text.map_or_else(|error| Body::Binary(error.into_bytes()), Body::Text));
        }
        Err(error) => {
            tracing::error!(%error, "an answer cannot be sent");
            response.status_code = 500;
        }
    }
    response
}

/// Makes a request that has only the id from an event.
fn request_with_id(event: &RawValue) -> Request {
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Event {
        request_context: Context,
    }
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Context {
        request_id: Option<String>,
    }
    let Event { request_context: Context { request_id } } =
        serde_json::from_str(event.get()).unwrap_or_default();
    let mut request = ApiGatewayV2httpRequest::default();
    request.raw_path = Some("/".to_owned());
    request.request_context.request_id = request_id;
    LambdaRequest::ApiGatewayV2(request).into()
}

/// Writes the log as lines of JSON, each with a level and a time: [Lambda takes a line without them for INFO][levels].
///
/// [levels]: https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html
fn init_log(config: &Config) {
    let level = config.get("AWS_LAMBDA_LOG_LEVEL").and_then(|level| level.parse().ok());
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_span_list(false)
        .with_target(false)
        .with_max_level(level.unwrap_or(LevelFilter::INFO))
        .init();
    // The place only: the message may quote the request.
    panic::set_hook(Box::new(|panic: &PanicHookInfo| {
        let place = panic.location().map(ToString::to_string);
        tracing::error!(place, "panic");
    }));
}
