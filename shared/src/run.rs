//! The life of a Lambda function: read the configuration, connect, answer events.

use std::process::ExitCode;

use axum::Router;
use tracing_subscriber::filter::LevelFilter;

use crate::{Config, Db, config, http, parameters, telemetry};

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
    let routes = http::finish(routes, move |answered| telemetry::to_cloudwatch(&function, answered));
    match lambda_http::run(routes).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
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
}

fn fail(error: &dyn std::fmt::Display) -> ExitCode {
    tracing::error!("{error}");
    ExitCode::FAILURE
}
