//! `GET /auth/me`: the caller's account.

use axum::{Router, extract::State, routing::get};
use jiff::Timestamp;
use serde::Serialize;
use shared::{
    AppState, Config, Db, Error, config,
    extract::{Caller, Json},
    user::User,
};
use tokio_postgres::types::Type;

/// The variables that may come from SSM Parameter Store. template.yaml allows the function to read them there.
pub const SECRETS: &[&str] = &["DATABASE_URL", "DATABASE_CA", "JWT_SECRET", "JWT_SECRET_PREVIOUS"];

/// The routes of this function.
pub fn router(config: &Config, db: Db) -> Result<Router, config::Error> {
    Ok(Router::new().route("/auth/me", get(me)).with_state(AppState::new(config, db)?))
}

#[derive(Serialize)]
struct Account {
    #[serde(flatten)]
    user: User,
    created_at: Timestamp,
}

async fn me(caller: Caller, State(db): State<Db>) -> Result<Json<Account>, Error> {
    let row = db
        .query_opt(
            "SELECT id, email, username, created_at FROM users WHERE id = $1",
            &[(&caller.id, Type::UUID)],
        )
        .await?
        .ok_or(Error::InvalidToken)?;
    Ok(Json(Account { user: User::try_from(&row)?, created_at: row.try_get("created_at")? }))
}
