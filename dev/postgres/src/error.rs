//! The error type.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio_postgres::error::{DbError, SqlState};

/// An error of this crate. The message says what is wrong and what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No PostgreSQL is installed and none could be downloaded.
    #[error(
        "PostgreSQL {minimum} or newer was not found on this machine and could not be downloaded ({failures}): \
         install it (`apt install postgresql`, `brew install postgresql`), add the folder of its programs to PATH, \
         or, for `cargo dev`, set DATABASE_URL"
    )]
    NotInstalled {
        /// The oldest supported major version.
        minimum: u32,
        /// The reason why the download from each source failed.
        failures: String,
    },
    /// The data were written by a major version that is not installed.
    #[error(
        "the data in {} were written by PostgreSQL {data}, but this machine has only PostgreSQL {installed}: \
         install PostgreSQL {data}, or use --fresh, which deletes the data",
        folder.display()
    )]
    OtherVersion {
        /// The folder with the data.
        folder: PathBuf,
        /// The major version that wrote the data.
        data: String,
        /// The newest major version found.
        installed: u32,
    },
    /// Another process has locked the folder.
    #[error("another `cargo dev` (process {owner}) is using {}: stop it first", folder.display())]
    InUse {
        /// The folder with the data.
        folder: PathBuf,
        /// The PID of that process.
        owner: String,
    },
    /// The folder has files that are not of `cargo dev`.
    #[error(
        "{} contains files that `cargo dev` did not create: move them or choose another folder",
        .0.display()
    )]
    ForeignFiles(PathBuf),
    /// The process is root, and the user that PostgreSQL runs as has no access to the folder.
    #[error(
        "PostgreSQL cannot run as root, and the user that it runs as has no access to {}: \
         give access to its parent folders (chmod o+x), or delete it",
        .0.display()
    )]
    NoAccess(PathBuf),
    /// The process is root, and there is no other user to run PostgreSQL as.
    #[error(
        "PostgreSQL cannot run as root, and this machine has no user `postgres` or `nobody`: \
         add one (`useradd --system postgres`) or run as another user"
    )]
    NoUnprivilegedUser,
    /// The network interface for containers does not exist.
    #[error(
        "there is no network interface {0} with an IPv4 address: start Docker first, or name the bridge of your \
         containers, for example --docker=podman0 (for Docker Desktop, use --docker=lo)"
    )]
    NoBridge(String),
    /// A server of an earlier run does not answer.
    #[error(
        "PostgreSQL of an earlier run (process {pid}) still uses {} and does not answer: \
         stop it with `kill -QUIT {pid}`",
        folder.display()
    )]
    Orphan {
        /// The folder with the data.
        folder: PathBuf,
        /// The PID of the server.
        pid: i32,
    },
    /// The server did not start, or exited by itself.
    #[error("PostgreSQL {event}; the last lines of its log: {log}")]
    Ended {
        /// The event, as a predicate.
        event: &'static str,
        /// The last lines of its log.
        log: String,
    },
    /// The server did not stop in time.
    #[error(
        "PostgreSQL (supervised by process {0}) is still shutting down after 30 s: wait until it has stopped"
    )]
    StillStopping(u32),
    /// A migration failed, or the history in the database does not match the files.
    #[error("the migrations failed: {0}")]
    Migration(String),
    /// A migration was changed after it had been applied.
    #[error(
        "migration {0} was changed after it was applied to this database: undo the change and add a new migration \
         (or start with an empty database: `cargo dev --fresh`)"
    )]
    Diverged(String),
    /// Another session holds the migration lock.
    #[error(
        "the migration lock is held by {about}: if that is another run, wait until it ends and run this again; \
         if it is a pooler's session in which an older version left the lock, end it with \
         `SELECT pg_terminate_backend({pid})`"
    )]
    Locked {
        /// The PID of the session.
        pid: String,
        /// The process and its details.
        about: String,
    },
    /// Another session held the migration lock until the timeout, and could not be found afterwards.
    #[error("another session held the migration lock, and can no longer be found: run this again")]
    LockHolderUnknown,
    /// A migration waited too long for a lock on a table.
    #[error(
        "the migrations failed: {step}: another transaction blocked it for {} s{blocker}: \
         wait until it ends and run this again",
        wait.as_secs_f32()
    )]
    Blocked {
        /// The step that failed, with the migration's name.
        step: String,
        /// The timeout.
        wait: Duration,
        /// The likely process and how to end it, in parentheses; empty if none was found.
        blocker: String,
    },
    /// The pooler is in statement mode.
    #[error(
        "migrations need transactions, and the pooler in front of the database does not allow them ({0}): \
         set DATABASE_URL to the database's direct host"
    )]
    TransactionsNotAllowed(String),
    /// The pooler has no free connection.
    #[error(
        "the database did not begin a transaction within {} s, probably because a pooler has no free connection: \
         run this again later, or set DATABASE_URL to the database's direct host",
        .0.as_secs_f32()
    )]
    TransactionTimeout(Duration),
    /// The database refused or lost the connection.
    #[error("database error: {0}")]
    Database(String),
    /// A file or program could not be used.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// The action that failed.
        action: &'static str,
        /// The file or program.
        path: PathBuf,
        /// The reason why it failed.
        source: std::io::Error,
    },
}

impl Error {
    /// Returns a function for `map_err` that adds the action and the path.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Error {
        move |source| Error::Io { action, path: path.to_owned(), source }
    }
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        Error::Database(cause(&error))
    }
}

/// Returns the innermost message, with PostgreSQL's hint if it has one. The outer message of tokio-postgres is only
/// "db error". The detail of PostgreSQL is left out, because it may contain a row.
pub(crate) fn cause(error: &(dyn std::error::Error + 'static)) -> String {
    let error = innermost(error);
    match error.downcast_ref::<DbError>() {
        Some(error) => match error.hint() {
            Some(hint) => format!("{}: {hint}", error.message()),
            None => error.message().to_owned(),
        },
        None => error.to_string(),
    }
}

/// Returns the SQLSTATE code of a database error.
pub(crate) fn sqlstate(error: &(dyn std::error::Error + 'static)) -> Option<SqlState> {
    innermost(error).downcast_ref::<DbError>().map(|error| error.code().clone())
}

fn innermost<'a>(error: &'a (dyn std::error::Error + 'static)) -> &'a (dyn std::error::Error + 'static) {
    match error.source() {
        Some(source) => innermost(source),
        None => error,
    }
}
