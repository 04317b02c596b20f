//! The error of a statement.

use std::fmt;

/// The error of a statement. The messages are for the log: they contain no values of the statement and no password.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database cannot be reached or is too busy. The statement did not run.
    #[error("{0}")]
    Unavailable(String),
    /// No answer came. The statement may have run, or may still run.
    #[error("{0}")]
    Unanswered(String),
    /// PostgreSQL refused the statement, or its answer is not what the code expects.
    #[error("{}", Redacted(.0))]
    Statement(tokio_postgres::Error),
}

impl Error {
    /// Returns the name of the constraint that the statement would have violated.
    pub fn constraint(&self) -> Option<&str> {
        match self {
            Error::Statement(error) => error.as_db_error()?.constraint(),
            Error::Unavailable(_) | Error::Unanswered(_) => None,
        }
    }
}

/// The driver's error without PostgreSQL's message and detail, which may contain a user's data.
struct Redacted<'a>(&'a tokio_postgres::Error);

impl fmt::Display for Redacted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(error) = self.0.as_db_error() else { return write!(f, "{}", self.0) };
        write!(f, "SQLSTATE {}", error.code().code())?;
        error.constraint().map_or(Ok(()), |name| write!(f, ", {name}"))
    }
}
