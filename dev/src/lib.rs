//! The developer's machine: every function's routes together, as API Gateway would route to them.

use axum::Router;
use shared::{Config, Cors, Db, config, telemetry, with_middleware};

/// Every route of every function, and what surrounds them in each.
///
/// # Errors
/// When a variable of `config` is missing or unfit.
pub fn api(config: &Config) -> Result<Router, config::Error> {
    Ok(with_middleware(routes(config)?, Cors::new(config)?, telemetry::to_terminal))
}

/// Every route of every function.
///
/// # Errors
/// When a variable of `config` is missing or unfit.
pub fn routes(config: &Config) -> Result<Router, config::Error> {
    let db = Db::new(config)?;
    Ok(Router::new()
        .merge(signup::router(config, db.clone())?)
        .merge(login::router(config, db.clone())?)
        .merge(account::router(config, db.clone())?)
        .merge(tasks::router(config, db.clone())?)
        .merge(health::router(config, db)?)
        .merge(docs::router()))
}
