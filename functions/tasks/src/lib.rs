//! The caller's tasks: list, create, read, update, complete, delete.
//!
//! Each handler is one statement, which also checks that the caller still exists: no row means that the user is gone (401), a
//! row of nulls that the caller has no such task (404). The foreign key of a new task checks its user.

mod cursor;
mod due;
mod fields;
mod list;
mod task;

use axum::{
    Router,
    routing::{get, patch},
};
use shared::{AppState, Config, Db, config};

/// The variables that may come from SSM Parameter Store. template.yaml allows the function to read them there.
pub const SECRETS: &[&str] = &["DATABASE_URL", "DATABASE_CA", "JWT_SECRET", "JWT_SECRET_PREVIOUS"];

/// The routes of this function.
pub fn router(config: &Config, db: Db) -> Result<Router, config::Error> {
    Ok(Router::new()
        .route("/tasks", get(list::list).post(task::create))
        .route("/tasks/{id}", get(task::read).put(task::update).delete(task::delete))
        .route("/tasks/{id}/complete", patch(task::complete))
        .with_state(AppState::new(config, db)?))
}
