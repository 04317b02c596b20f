//! What the tests of several packages share: an empty, migrated [`database()`] for each test,
//! and [`Function`], which runs a function's real binary as Lambda would.
//!
//! As this serves tests only, what cannot go on panics.

#![expect(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests may panic")]

pub mod events;
mod function;
pub mod log;

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use ::database::{Server, migrate};
use tokio::sync::OnceCell;
use tokio_postgres::{Client, NoTls};

pub use function::{Failure, Function};

/// Makes a database with nothing but the migrations' tables in it, for one test alone, and tells its URL.
///
/// The first call in a process starts a PostgreSQL, which goes when the process does, its files too.
///
/// # Panics
/// PostgreSQL cannot be started, or a migration fails.
pub async fn database() -> String {
    static SERVER: OnceCell<Result<Server, ::database::Error>> = OnceCell::const_new();
    static MADE: AtomicU32 = AtomicU32::new(0);

    let server = SERVER.get_or_init(start).await;
    let server = server.as_ref().unwrap_or_else(|error| panic!("{error}"));
    let name = format!("test_{}", MADE.fetch_add(1, Ordering::Relaxed));
    let clone = format!("CREATE DATABASE {name} TEMPLATE migrated");
    if let Err(error) = execute(&server.url("postgres"), &clone).await {
        panic!("no database for this test: {error:?}");
    }
    server.url(&name)
}

/// A server whose database `migrated` has been migrated, for others to be cloned from.
async fn start() -> Result<Server, ::database::Error> {
    // A PostgreSQL that had to be downloaded is where `cargo dev` has it too.
    let downloads = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../.postgres"));
    let server = Server::temporary(downloads).await?;
    execute(&server.url("postgres"), "CREATE DATABASE migrated").await?;
    let (mut client, connection) = connect(&server.url("migrated")).await?;
    migrate(&mut client).await?;
    drop(client);
    // A database that someone is connected to cannot be cloned.
    let _ = connection.await;
    Ok(server)
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
