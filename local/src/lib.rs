//! The developer's machine: every function's routes together, as API Gateway would route to them.

use axum::Router;
use shared::{Config, Db, config, http, telemetry};

/// Every route of every function, and what surrounds them in each.
///
/// # Errors
/// When a variable of `config` is missing or unfit.
pub fn api(config: &Config) -> Result<Router, config::Error> {
    let db = Db::new(config)?;
    let routes = Router::new()
        .merge(signup::router(signup::App::new(config, db.clone())?))
        .merge(login::router(login::App::new(config, db.clone())?))
        .merge(account::router(account::App::new(config, db.clone())?))
        .merge(tasks::router(tasks::App::new(config, db.clone())?))
        .merge(health::router(db));
    Ok(http::finish(routes, telemetry::to_terminal))
}
