//! The life of a Lambda function: read the configuration, connect, answer events.

use std::{
    convert::Infallible,
    panic::{self, AssertUnwindSafe, PanicHookInfo},
    process::ExitCode,
};

use axum::Router;
use lambda_http::{
    Adapter, LambdaEvent, Service, aws_lambda_events::apigw::ApiGatewayV2httpRequest, lambda_runtime,
    request::LambdaRequest, service_fn,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tracing_subscriber::filter::LevelFilter;

use crate::{
    Config, Db, config, http, parameters,
    telemetry::{self, Answered},
};

/// Runs a function under the Lambda Runtime API until Lambda ends the process.
///
/// `secrets` are the variables that may come from SSM Parameter Store, and `build` makes the function's routes from the
/// configuration and the database. A missing or unfit variable ends the process with a sentence that names it. A
/// database that cannot be reached does not: the function starts all the same, and each invocation tries again and
/// answers 503.
pub async fn run(
    secrets: &[&str],
    build: impl FnOnce(&Config, Db) -> Result<Router, config::Error>,
) -> ExitCode {
    let mut config = Config::from_env();
    init_log(&config);
    // Without it lambda_runtime panics.
    if config.get("AWS_LAMBDA_RUNTIME_API").is_none() {
        return fail(
            &"AWS_LAMBDA_RUNTIME_API is not set: this runs under Lambda, `cargo lambda watch` or `sam local`; \
              without them `cargo dev` answers the same requests",
        );
    }
    if let Err(error) = parameters::complete(&mut config, secrets).await {
        return fail(&error);
    }
    let db = match Db::new(&config) {
        Ok(db) => db,
        Err(error) => return fail(&error),
    };
    let routes = match build(&config, db.clone()) {
        Ok(routes) => routes,
        Err(error) => return fail(&error),
    };
    // The first request should not have to wait for it.
    db.warm_up().await;
    let function = config.get("AWS_LAMBDA_FUNCTION_NAME").unwrap_or("unknown").to_owned();
    let log = move |answered: &Answered| telemetry::to_cloudwatch(&function, answered);
    match lambda_runtime::run(answer_events(routes, log)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

/// A function as Lambda calls it: an event of API Gateway's HTTP API (payload version 2.0) in, the answer's JSON out.
///
/// lambda_http panics at some events (base64 that is none, a space in the query, a malformed Host), which Lambda would
/// answer with a 500 of its own. What cannot be read is a 400 of ours.
pub fn answer_events(
    routes: Router,
    log: impl Fn(&Answered) + Clone + Send + Sync + 'static,
) -> impl Service<LambdaEvent<Box<RawValue>>, Response = impl Serialize, Error = Infallible> {
    let mut answers = Adapter::from(http::finish(routes, log.clone()));
    let mut refuses = Adapter::from(http::refuse(log));
    service_fn(move |LambdaEvent { payload, context }: LambdaEvent<Box<RawValue>>| {
        let read = panic::catch_unwind(AssertUnwindSafe(|| {
            let request = serde_json::from_str(payload.get()).ok()?;
            Some(answers.call(LambdaEvent::new(LambdaRequest::ApiGatewayV2(request), context.clone())))
        }));
        read.ok().flatten().unwrap_or_else(|| {
            refuses.call(LambdaEvent::new(LambdaRequest::ApiGatewayV2(only_the_id(&payload)), context))
        })
    })
}

/// A request of which nothing is known but the id that API Gateway gave it, if that.
fn only_the_id(event: &RawValue) -> ApiGatewayV2httpRequest {
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
    request
}

/// Lines of JSON, each with its level and its time: without either, [Lambda takes it to be of level INFO][levels].
/// lambda_runtime's own have no time.
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
    // Where, and not what: the message may quote what a client sent.
    panic::set_hook(Box::new(|panic: &PanicHookInfo| {
        let place = panic.location().map(ToString::to_string);
        tracing::error!(place, "panic");
    }));
}

fn fail(error: &dyn std::fmt::Display) -> ExitCode {
    tracing::error!("{error}");
    ExitCode::FAILURE
}
