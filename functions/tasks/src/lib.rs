//! The caller's tasks: list, create, read, update, complete, delete, restore.
//!
//! Each handler is one statement, which begins at the caller's session: no row means that it has ended (401), a row of nulls
//! that the caller has no such task (404). A change takes the user's next revision under the lock of the user's row
//! (`sql.rs`), and an entity tag is made of it (`etag.rs`).

mod cursor;
mod deleted;
mod due;
mod etag;
mod fields;
mod idempotency_key;
mod list;
mod page;
mod sql;
mod task;

use axum::{
    Router,
    routing::{get, patch, post},
};
use shared::{AppState, Config, Db, config};

/// The variables that may come from SSM Parameter Store. template.yaml allows the function to read them there.
pub const SECRETS: &[&str] = &["DATABASE_URL", "DATABASE_CA", "JWT_SECRET", "JWT_SECRET_PREVIOUS"];

/// The routes of this function.
pub fn router(config: &Config, db: Db) -> Result<Router, config::Error> {
    Ok(Router::new()
        .route("/tasks", get(list::list).post(task::create))
        .route("/tasks/{id}", get(task::read).put(task::update).patch(task::update).delete(task::delete))
        .route("/tasks/{id}/complete", patch(task::complete))
        .route("/tasks/{id}/restore", post(deleted::restore))
        .route("/tasks/deleted", get(deleted::list).delete(deleted::clear))
        .with_state(AppState::new(config, db)?))
}
