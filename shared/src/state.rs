//! The handler state of functions whose routes need a token.

use axum::extract::FromRef;

use crate::{Config, Db, config::Error, jwt::Verifier};

/// The database, and the verifier for [`Caller`](crate::extract::Caller).
#[derive(Clone, FromRef)]
pub struct AppState {
    db: Db,
    verifier: Verifier,
}

impl AppState {
    /// Reads `JWT_SECRET` and `JWT_SECRET_PREVIOUS`.
    ///
    /// # Errors
    /// A variable is missing or unusable.
    pub fn new(config: &Config, db: Db) -> Result<Self, Error> {
        Ok(Self { db, verifier: Verifier::new(config)? })
    }
}
