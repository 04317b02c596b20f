//! Test utilities that several packages share. They panic on errors.
//!
//! [`database()`] creates an empty, migrated database for each test, and [`Function`] runs a function's real binary as
//! Lambda does. [`Proxy`], [`PgBouncer`], [`tls()`] and [`server()`] simulate faults of a database and its network.

#![expect(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests may panic")]

mod api;
mod binary;
pub mod events;
pub mod faults;
mod function;
pub mod fuzz;
pub mod log;
mod outcome;
mod pgbouncer;
mod proxy;
mod timing;
mod tls;

use std::env;
use std::sync::atomic::{AtomicU32, Ordering};

use dev_postgres::{Server, migrate};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::sync::OnceCell;
use tokio_postgres::{Client, NoTls, error::SqlState};

pub use api::{Answer, Api, Call, PASSWORD, SECRET, User};
pub use binary::{binary, cargo, repository, target_folder};
pub use function::{Failure, Function};
pub use outcome::Outcome;
pub use pgbouncer::PgBouncer;
pub use proxy::{Cut, Proxy};
pub use timing::assert_same_time;
pub use tls::{Tls, tls};

/// Returns `DATABASE_PREPARED_STATEMENTS`, with which the tests' functions start: the suites are run with `off` (empty is
/// `off`) and with `on`.
pub fn prepared_statements() -> String {
    env::var("DATABASE_PREPARED_STATEMENTS").unwrap_or_default()
}

/// The name of the migrated database of a [`server()`].
pub const MIGRATED: &str = "migrated";

/// Creates a migrated database without data for one test, and returns its URL.
///
/// The first call in a process starts a PostgreSQL, which is deleted when the process ends.
///
/// # Panics
/// Panics if PostgreSQL cannot be started or a migration fails.
pub async fn database() -> String {
    new_database(&format!("TEMPLATE {MIGRATED}")).await.unwrap_or_else(|error| {
        panic!("cannot create a database for this test: {error:?}");
    })
}

/// Like [`database()`], with this locale, as options of CREATE DATABASE. Returns `None` if the server does not have it.
///
/// # Panics
/// Panics if PostgreSQL cannot be started or a migration fails.
pub async fn database_with(locale: &str) -> Option<String> {
    let created = new_database(&format!("TEMPLATE template0 ENCODING 'UTF8' {locale}")).await;
    let url = match created {
        Ok(url) => url,
        // The system's locale, or ICU as a provider (PostgreSQL 15), is missing.
        Err(error)
            if [SqlState::WRONG_OBJECT_TYPE, SqlState::SYNTAX_ERROR]
                .iter()
                .any(|code| error.code() == Some(code)) =>
        {
            return None;
        }
        Err(error) => panic!("{error:?}"),
    };
    let (mut client, _) = connect(&url).await.unwrap();
    migrate(&mut client).await.unwrap_or_else(|error| panic!("{error}"));
    Some(url)
}

/// Creates a database with these options of CREATE DATABASE, on the server of all tests of the process, and returns its URL.
///
/// # Errors
/// Those of the server.
///
/// # Panics
/// Panics if PostgreSQL cannot be started or a migration fails.
pub async fn new_database(options: &str) -> Result<String, tokio_postgres::Error> {
    static SERVER: OnceCell<Result<Server, dev_postgres::Error>> = OnceCell::const_new();
    static MADE: AtomicU32 = AtomicU32::new(0);

    let server = SERVER.get_or_init(start).await;
    let server = server.as_ref().unwrap_or_else(|error| panic!("{error}"));
    let name = format!("test_{}", MADE.fetch_add(1, Ordering::Relaxed));
    execute(&server.url("postgres"), &format!("CREATE DATABASE {name} {options}")).await?;
    Ok(server.url(&name))
}

/// Starts a separate PostgreSQL, for a test that stops or reconfigures it. It is deleted when dropped.
///
/// # Panics
/// Panics if PostgreSQL cannot be started or a migration fails.
pub async fn server() -> Server {
    start().await.unwrap_or_else(|error| panic!("{error}"))
}

/// Starts a server with the migrated database [`MIGRATED`], the template of the tests' databases.
async fn start() -> Result<Server, dev_postgres::Error> {
    let server = Server::temporary().await?;
    execute(&server.url("postgres"), &format!("CREATE DATABASE {MIGRATED}")).await?;
    let (mut client, connection) = connect(&server.url(MIGRATED)).await?;
    migrate(&mut client).await?;
    drop(client);
    // A database with connections cannot be a template.
    let _ = connection.await;
    Ok(server)
}

/// Sends a signal, by its name without `SIG`, to a process.
///
/// # Panics
/// Panics if the process or the signal does not exist.
pub fn signal(pid: u32, name: &str) {
    let signal: Signal = format!("SIG{name}").parse().unwrap();
    kill(Pid::from_raw(pid.try_into().unwrap()), signal)
        .unwrap_or_else(|error| panic!("cannot send {name} to process {pid}: {error}"));
}

async fn execute(url: &str, sql: &str) -> Result<(), tokio_postgres::Error> {
    let (client, _) = connect(url).await?;
    client.batch_execute(sql).await
}

type Connection = tokio::task::JoinHandle<Result<(), tokio_postgres::Error>>;

async fn connect(url: &str) -> Result<(Client, Connection), tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    Ok((client, tokio::spawn(connection)))
}
