//! The limits on attempts to log in. Each function that checks a password counts its attempts in the same buckets.

use crate::{Config, config};

/// Attempts per hour. 0 means no limit.
#[derive(Clone, Copy)]
pub struct LoginLimits {
    /// The limit of a client IP with one e-mail.
    pub per_account_and_address: i32,
    /// The limit of a client IP.
    pub per_address: i32,
}

impl LoginLimits {
    /// Reads `LOGIN_LIMIT_PER_ACCOUNT_AND_ADDRESS` (default 30) and `LOGIN_LIMIT_PER_ADDRESS` (default 300), 0 to 1,000,000.
    ///
    /// # Errors
    /// A variable is unusable.
    pub fn new(config: &Config) -> Result<Self, config::Error> {
        Ok(Self {
            per_account_and_address: config.number(
                "LOGIN_LIMIT_PER_ACCOUNT_AND_ADDRESS",
                30,
                0..=1_000_000,
            )?,
            per_address: config.number("LOGIN_LIMIT_PER_ADDRESS", 300, 0..=1_000_000)?,
        })
    }
}
