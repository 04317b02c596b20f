//! `GET /health`: 200 when the database answers, else 503. No authentication.

use axum::{Router, extract::State, routing::get};
use serde_json::{Value, json};
use shared::{Config, Db, Error, config, extract::Json};

/// The variables that may come from SSM Parameter Store. template.yaml allows the function to read them there.
pub const SECRETS: &[&str] = &["DATABASE_URL", "DATABASE_CA"];

/// The routes of this function.
pub fn router(_: &Config, db: Db) -> Result<Router, config::Error> {
    Ok(Router::new().route("/health", get(check)).with_state(db))
}

async fn check(State(db): State<Db>) -> Result<Json<Value>, Error> {
    db.query_opt("SELECT 1", &[]).await?;
    Ok(Json(json!({ "status": "ok" })))
}
