//! The rows and the connections of the database that is measured.

use kit::{PASSWORD, events};
use tokio_postgres::{Client, NoTls};

use crate::Error;

/// The cost of a deployed function's hashes.
pub const BCRYPT_COST: u32 = 12;

/// Connects without TLS.
async fn connect(url: &str) -> Result<Client, Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// Creates the demo user of `events/` anew, with ten tasks, and returns the hash of the password.
pub async fn seed(url: &str, bcrypt_cost: u32) -> Result<String, Error> {
    events::seed(url).await;
    let hash = bcrypt::hash(PASSWORD, bcrypt_cost)?;
    let client = connect(url).await?;
    client.batch_execute(include_str!("../seed.sql")).await?;
    let update = "UPDATE users SET hashed_password = $1 WHERE email = 'demo@example.com'";
    client.execute(update, &[&hash]).await?;
    Ok(hash)
}

/// Returns the PID of PostgreSQL's process for the newest connection.
pub async fn newest_backend(url: &str) -> Result<u32, Error> {
    let sql = "SELECT pid FROM pg_stat_activity \
               WHERE datname = current_database() AND pid <> pg_backend_pid() AND client_addr IS NOT NULL \
               ORDER BY backend_start DESC LIMIT 1";
    let pid: i32 = connect(url).await?.query_one(sql, &[]).await?.try_get(0)?;
    Ok(pid.try_into()?)
}
