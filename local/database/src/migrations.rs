use refinery::error::Kind;
use tokio_postgres::Client;
use tokio_postgres::types::Type;

use crate::Error;
use crate::error::cause;

mod embedded {
    refinery::embed_migrations!("../../shared/migrations");
}

/// Names the lock that keeps two runs apart; any number that nothing else in the database uses.
const LOCK: i64 = 0x746f_646f_6d69_6772;

/// Applies the migrations that the database lacks, each in a transaction of its own, and tells their names.
/// Safe to run again, and from two places at once: the second waits for the first.
///
/// The lock belongs to the session, so a transaction-mode pooler will not do: take the direct host.
///
/// # Errors
/// A migration that fails leaves nothing of itself; those before it stay.
pub async fn migrate(client: &mut Client) -> Result<Vec<String>, Error> {
    client.query_typed("SELECT pg_advisory_lock($1)", &[(&LOCK, Type::INT8)]).await?;
    let applied = embedded::migrations::runner()
        // A database that a newer version has migrated is not an error.
        .set_abort_missing(false)
        .run_async(client)
        .await
        .map_err(Error::from);
    let unlocked = client.query_typed("SELECT pg_advisory_unlock($1)", &[(&LOCK, Type::INT8)]).await;
    let applied = applied?;
    unlocked?;
    Ok(applied.applied_migrations().iter().map(ToString::to_string).collect())
}

impl From<refinery::Error> for Error {
    fn from(error: refinery::Error) -> Self {
        match error.kind() {
            Kind::DivergentVersion(applied, _) => Error::Diverged(applied.to_string()),
            Kind::Connection(doing, source) => Error::Migration(format!("{doing}: {}", cause(&**source))),
            other => Error::Migration(other.to_string()),
        }
    }
}
