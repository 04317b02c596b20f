//! The lifetimes of sessions.

use crate::{Config, config};

/// How long sessions last, in seconds.
#[derive(Clone, Copy)]
pub struct Lifetimes {
    /// The lifetime of a session that is not refreshed.
    pub refresh: i32,
    /// The lifetime of any session.
    pub session: i32,
}

impl Lifetimes {
    /// Reads `REFRESH_TOKEN_TTL` (default 2,592,000, 30 days) and `SESSION_TTL` (default 7,776,000, 90 days), in seconds (1 to
    /// 315,360,000).
    ///
    /// # Errors
    /// A variable is unusable.
    pub fn new(config: &Config) -> Result<Self, config::Error> {
        Ok(Self {
            refresh: config.number("REFRESH_TOKEN_TTL", 2_592_000, 1..=315_360_000)?,
            session: config.number("SESSION_TTL", 7_776_000, 1..=315_360_000)?,
        })
    }

    /// Returns the lifetime of a new session.
    pub fn of_new(&self) -> i32 {
        self.refresh.min(self.session)
    }
}
