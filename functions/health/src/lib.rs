//! `GET /health`: 200 when the database answers, else 503. No authentication.

use axum::{Router, extract::State, routing::get};
use serde_json::{Value, json};
use shared::{Db, Error, http::Json};

/// The variables that may come from SSM Parameter Store, and that template.yaml lets the function read there.
pub const SECRETS: &[&str] = &["DATABASE_URL", "DATABASE_CA"];

/// The route of this function.
pub fn router(db: Db) -> Router {
    Router::new().route("/health", get(check)).with_state(db)
}

async fn check(State(db): State<Db>) -> Result<Json<Value>, Error> {
    db.query("SELECT 1", &[]).await?;
    Ok(Json(json!({ "status": "ok" })))
}
