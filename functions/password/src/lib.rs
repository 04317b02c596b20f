//! `POST /auth/password` and `POST /auth/me/delete`: requests that need the current password.

mod change;
mod check;
mod delete;

use axum::{Router, extract::FromRef, routing::post};
use shared::{
    Config, Db, config,
    jwt::{Issuer, Verifier},
    limits::LoginLimits,
    password::Hasher,
    session::Lifetimes,
};

/// The variables that may come from SSM Parameter Store. template.yaml allows the function to read them there.
pub const SECRETS: &[&str] = &["DATABASE_URL", "DATABASE_CA", "JWT_SECRET", "JWT_SECRET_PREVIOUS"];

#[derive(Clone, FromRef)]
struct AppState {
    db: Db,
    issuer: Issuer,
    verifier: Verifier,
    hasher: Hasher,
    lifetimes: Lifetimes,
    limits: LoginLimits,
}

/// The routes of this function.
pub fn router(config: &Config, db: Db) -> Result<Router, config::Error> {
    let app = AppState {
        db,
        issuer: Issuer::new(config)?,
        verifier: Verifier::new(config)?,
        hasher: Hasher::new(config)?,
        lifetimes: Lifetimes::new(config)?,
        limits: LoginLimits::new(config)?,
    };
    Ok(Router::new()
        .route("/auth/password", post(change::change))
        .route("/auth/me/delete", post(delete::delete))
        .with_state(app))
}
