//! The caller's account and sessions: `/auth/me`, `/auth/sessions`, `/auth/refresh` and `/auth/logout`.

mod me;
mod refresh;
mod sessions;

use axum::{
    Router,
    extract::FromRef,
    routing::{delete, get, post},
};
use shared::{
    Config, Db, config,
    jwt::{Issuer, Verifier},
    session::Lifetimes,
};

/// The variables that may come from SSM Parameter Store. template.yaml allows the function to read them there.
pub const SECRETS: &[&str] = &["DATABASE_URL", "DATABASE_CA", "JWT_SECRET", "JWT_SECRET_PREVIOUS"];

#[derive(Clone, FromRef)]
struct AppState {
    db: Db,
    issuer: Issuer,
    verifier: Verifier,
    lifetimes: Lifetimes,
}

impl AppState {
    fn new(config: &Config, db: Db) -> Result<Self, config::Error> {
        Ok(Self {
            db,
            issuer: Issuer::new(config)?,
            verifier: Verifier::new(config)?,
            lifetimes: Lifetimes::new(config)?,
        })
    }
}

/// The routes of this function.
pub fn router(config: &Config, db: Db) -> Result<Router, config::Error> {
    Ok(Router::new()
        .route("/auth/me", get(me::read).patch(me::update))
        .route("/auth/sessions", get(sessions::list).delete(sessions::end_others))
        .route("/auth/sessions/{id}", delete(sessions::end))
        .route("/auth/refresh", post(refresh::refresh))
        .route("/auth/logout", post(sessions::log_out))
        .with_state(AppState::new(config, db)?))
}
