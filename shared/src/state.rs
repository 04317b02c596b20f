//! The handler state of functions whose routes need a token.

use axum::extract::FromRef;

use crate::{Config, Db, config::Error, jwt::Verifier};

/// The database, and the verifier that [`Caller`](crate::extract::Caller) uses.
#[derive(Clone, FromRef)]
pub struct AppState {
    db: Db,
    verifier: Verifier,
}

impl AppState {
    /// Reads `JWT_SECRET` and `JWT_SECRET_PREVIOUS`.
    ///
    /// # Errors
    /// When one of them is unfit, or the first is missing.
    pub fn new(config: &Config, db: Db) -> Result<Self, Error> {
        Ok(Self { db, verifier: Verifier::new(config)? })
    }
}
