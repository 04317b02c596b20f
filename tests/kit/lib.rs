//! What the tests of several packages share: an empty, migrated [`database()`] for each test,
//! [`Function`], which runs a function's real binary as Lambda would, and what makes the faults of a database and its
//! network: a [`Proxy`], a [`PgBouncer`], a server with [`tls()`], and a [`server()`] to break.
//!
//! As this serves tests only, what cannot go on panics.

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

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use dev_postgres::{Server, migrate};
use tokio::sync::OnceCell;
use tokio_postgres::{Client, NoTls};

pub use api::{Answer, Api, Call, PASSWORD, SECRET, User};
pub use binary::{binary, cargo, repository, target_folder};
pub use function::{Failure, Function};
pub use outcome::Outcome;
pub use pgbouncer::PgBouncer;
pub use proxy::{Cut, Proxy};
pub use timing::alike_in_time;
pub use tls::{Tls, tls};

/// The database of a [`server()`] that has been migrated.
pub const MIGRATED: &str = "migrated";

/// Makes a database with nothing but the migrations' tables in it, for one test alone, and tells its URL.
///
/// The first call in a process starts a PostgreSQL, which goes when the process does, its files too.
///
/// # Panics
/// PostgreSQL cannot be started, or a migration fails.
pub async fn database() -> String {
    static SERVER: OnceCell<Result<Server, dev_postgres::Error>> = OnceCell::const_new();
    static MADE: AtomicU32 = AtomicU32::new(0);

    let server = SERVER.get_or_init(start).await;
    let server = server.as_ref().unwrap_or_else(|error| panic!("{error}"));
    let name = format!("test_{}", MADE.fetch_add(1, Ordering::Relaxed));
    let clone = format!("CREATE DATABASE {name} TEMPLATE {MIGRATED}");
    if let Err(error) = execute(&server.url("postgres"), &clone).await {
        panic!("no database for this test: {error:?}");
    }
    server.url(&name)
}

/// Starts a PostgreSQL for a test that does to it what others could not bear. It goes when dropped, its files too.
///
/// # Panics
/// PostgreSQL cannot be started, or a migration fails.
pub async fn server() -> Server {
    start().await.unwrap_or_else(|error| panic!("{error}"))
}

/// A server whose database [`MIGRATED`] has been migrated, for others to be cloned from.
async fn start() -> Result<Server, dev_postgres::Error> {
    // A PostgreSQL that had to be downloaded is where `cargo dev` has it too.
    let downloads = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.postgres"));
    let server = Server::temporary(downloads).await?;
    execute(&server.url("postgres"), &format!("CREATE DATABASE {MIGRATED}")).await?;
    let (mut client, connection) = connect(&server.url(MIGRATED)).await?;
    migrate(&mut client).await?;
    drop(client);
    // A database that someone is connected to cannot be cloned.
    let _ = connection.await;
    Ok(server)
}

/// Sends a process a signal, by its name without `SIG`.
///
/// # Panics
/// There is no such process, or no such signal.
pub fn signal(pid: u32, name: &str) {
    let sent = std::process::Command::new("kill").args(["-s", name, &pid.to_string()]).status();
    assert!(sent.is_ok_and(|status| status.success()), "process {pid} cannot be sent {name}");
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
