use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio_postgres::error::{DbError, SqlState};

/// What went wrong; its `Display` is a sentence for the developer that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No PostgreSQL is installed and none could be downloaded.
    #[error(
        "PostgreSQL {minimum} or newer was not found on this machine and could not be downloaded from {archive} ({cause}): \
         install it (`apt install postgresql`, `brew install postgresql`) or set DATABASE_URL"
    )]
    NotInstalled {
        /// The oldest major version that would do.
        minimum: u32,
        /// Where a download was tried from.
        archive: &'static str,
        /// Why it failed.
        cause: String,
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
        /// The major version that wrote them.
        data: String,
        /// The newest major version found.
        installed: u32,
    },
    /// Another process has locked the folder.
    #[error("another `cargo dev` (process {owner}) is using {}: stop that one first", folder.display())]
    InUse {
        /// The folder with the data.
        folder: PathBuf,
        /// The number of that process.
        owner: String,
    },
    /// A folder with someone else's files in it.
    #[error(
        "{} holds files that are not `cargo dev`'s, and was left alone: move them away or choose another folder",
        .0.display()
    )]
    NotOurs(PathBuf),
    /// Root's stand-in cannot get to the folder.
    #[error(
        "PostgreSQL may not run as root, and the user it runs as cannot get to {}: \
         open the folders above it (chmod o+x), or delete it",
        .0.display()
    )]
    Unreachable(PathBuf),
    /// Root has no stand-in.
    #[error(
        "PostgreSQL may not run as root, and this machine has neither a user `postgres` nor `nobody`: \
         add one (`useradd --system postgres`) or run as another user"
    )]
    NoAccount,
    /// Containers have no network on this machine.
    #[error(
        "there is no network interface {0} with an IPv4 address: start Docker first, or name the bridge that your \
         containers are on, as in --docker=podman0 (Docker Desktop has none: --docker=lo)"
    )]
    NoBridge(String),
    /// A server of an earlier run hangs.
    #[error(
        "a PostgreSQL of an earlier run (process {pid}) still uses {} and does not answer: \
         end it with `kill -QUIT {pid}`",
        folder.display()
    )]
    Orphan {
        /// The folder with the data.
        folder: PathBuf,
        /// The process.
        pid: i32,
    },
    /// The server did not come up, or ended by itself.
    #[error("PostgreSQL {happened}; the end of its log: {log}")]
    Ended {
        /// What it did.
        happened: &'static str,
        /// The last lines of its log.
        log: String,
    },
    /// The server does not end.
    #[error("PostgreSQL (supervised by process {0}) is still shutting down after 30 s: wait for it to end")]
    StillStopping(u32),
    /// A migration failed, or the history in the database does not fit the files.
    #[error("the migrations stopped: {0}")]
    Migration(String),
    /// An applied migration was edited afterwards.
    #[error(
        "migration {0} was changed after this database had applied it: undo the change and add a new migration instead \
         (or start with an empty database: `cargo dev --fresh`)"
    )]
    Diverged(String),
    /// Another session holds the lock of the migrations.
    #[error(
        "the lock of the migrations is held by {about}: if that is another run, wait until it ends and run this again; \
         if it is a pooler's session in which an older version left the lock, end it with \
         `SELECT pg_terminate_backend({pid})`"
    )]
    Locked {
        /// The session's process.
        pid: String,
        /// The process and what is known of it.
        about: String,
    },
    /// Another session held the lock of the migrations.
    #[error(
        "another run held the lock of the migrations, and who that was can no longer be found: run this again"
    )]
    LockedBefore,
    /// A migration waited too long for a table.
    #[error(
        "the migrations stopped: {doing}: another transaction was in the way for {} s{by}: \
         let it end and run this again",
        wait.as_secs_f32()
    )]
    Blocked {
        /// The step that was tried, with the migration's name.
        doing: String,
        /// The limit of the wait.
        wait: Duration,
        /// The likely process and how to end it, after a comma; empty if none was found.
        by: String,
    },
    /// A pooler in statement mode.
    #[error(
        "migrations need transactions, and the pooler in front of the database allows none ({0}): \
         set DATABASE_URL to the database's direct host"
    )]
    NoTransactions(String),
    /// A pooler without a free connection.
    #[error(
        "the database has begun no transaction for the migrations within {} s, as when a pooler has no free connection: \
         run this again later, or set DATABASE_URL to the database's direct host",
        .0.as_secs_f32()
    )]
    NoTransaction(Duration),
    /// The database refused or lost the connection.
    #[error("the database failed: {0}")]
    Database(String),
    /// A file or program could not be used.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
}

impl Error {
    /// For `map_err`: what was tried, and on what.
    pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Error {
        move |source| Error::Io { doing, path: path.to_owned(), source }
    }
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        Error::Database(cause(&error))
    }
}

/// The innermost message: tokio-postgres' own say no more than "db error".
pub(crate) fn cause(error: &(dyn std::error::Error + 'static)) -> String {
    let error = innermost(error);
    match error.downcast_ref::<DbError>() {
        Some(error) => error.message().to_owned(),
        None => error.to_string(),
    }
}

/// The code, if the error is one of the database.
pub(crate) fn sqlstate(error: &(dyn std::error::Error + 'static)) -> Option<SqlState> {
    innermost(error).downcast_ref::<DbError>().map(|error| error.code().clone())
}

fn innermost<'a>(error: &'a (dyn std::error::Error + 'static)) -> &'a (dyn std::error::Error + 'static) {
    match error.source() {
        Some(source) => innermost(source),
        None => error,
    }
}
