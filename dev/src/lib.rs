//! The routes of all functions in one router, as API Gateway serves them.

use axum::Router;
use shared::{Config, Cors, Db, config, telemetry, with_middleware};

/// Returns all routes with the middleware that each function has.
///
/// # Errors
/// Fails if a variable of `config` is missing or invalid.
pub fn api(config: &Config) -> Result<Router, config::Error> {
    Ok(with_middleware(routes(config)?, Cors::new(config)?, telemetry::to_terminal))
}

/// Returns all routes without middleware.
///
/// # Errors
/// Fails if a variable of `config` is missing or invalid.
pub fn routes(config: &Config) -> Result<Router, config::Error> {
    let db = Db::new(config)?;
    Ok(Router::new()
        .merge(signup::router(config, db.clone())?)
        .merge(login::router(config, db.clone())?)
        .merge(account::router(config, db.clone())?)
        .merge(password::router(config, db.clone())?)
        .merge(tasks::router(config, db.clone())?)
        .merge(health::router(config, db)?)
        .merge(docs::router()))
}
