use std::time::Duration;

use refinery::error::Kind;
use refinery::{Migration, Target};
use refinery_core::traits::r#async::{AsyncMigrate, AsyncQuery, AsyncTransaction};
use time::OffsetDateTime;
use tokio::time::timeout;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, SimpleQueryMessage, SimpleQueryRow, Transaction};

use crate::Error;
use crate::error::{cause, sqlstate};

mod embedded {
    refinery::embed_migrations!("../../migrations");
}

/// Names the lock that keeps two runs apart; any number that nothing else in the database uses. Older versions lock
/// the same number for their session, so they and this one exclude each other.
const LOCK: i64 = 0x746f_646f_6d69_6772;

/// The limit of each wait: of a run for the lock, and of a migration for a table.
const WAIT: Duration = Duration::from_secs(30);

/// Time for the answers themselves, beyond the wait.
const GRACE: Duration = Duration::from_secs(5);

/// Applies the migrations that the database lacks, each in a transaction of its own, and returns their names.
/// Safe to run again, and from many places at once: each migration is applied by one of them, and the others wait for
/// it, for 30 s at most.
///
/// The lock belongs to the transaction, and only the simple query protocol is used, so a pooler in transaction mode
/// will do.
///
/// # Errors
/// A migration that fails leaves nothing of itself; those before it stay.
pub async fn migrate(client: &mut Client) -> Result<Vec<String>, Error> {
    migrate_within(client, WAIT).await
}

/// [`migrate`] with another limit for each wait.
///
/// # Errors
/// As [`migrate`].
pub async fn migrate_within(client: &mut Client, wait: Duration) -> Result<Vec<String>, Error> {
    let embedded = embedded::migrations::runner();
    let mut versions: Vec<_> = embedded.get_migrations().iter().map(Migration::version).collect();
    versions.sort_unstable();
    // Version 0 is before all of them: the first transaction creates the history, if need be, and reads it.
    let (mut applied, mut last) = migrate_to(0, client, wait).await?;
    for version in versions {
        if last < Some(version) {
            let (more, now_last) = migrate_to(version, client, wait).await?;
            applied.extend(more);
            last = now_last;
        }
    }
    Ok(applied)
}

/// Names of the migrations that were applied, and the last version in the history.
type Done = (Vec<String>, Option<i32>);

/// Applies what is missing up to this version, in one transaction that holds the lock.
async fn migrate_to(version: i32, client: &mut Client, wait: Duration) -> Result<Done, Error> {
    match try_to_migrate_to(version, client, wait).await {
        Ok(done) => Ok(done),
        Err(Failure::NoAnswer) => Err(Error::NoTransaction(wait + GRACE)),
        Err(Failure::NotLocked(error)) => Err(not_locked(client, error).await),
        Err(Failure::Stopped(error)) => Err(stopped(client, wait, &error).await),
        Err(Failure::NotCommitted(error)) => Err(error.into()),
    }
}

enum Failure {
    NoAnswer,
    NotLocked(tokio_postgres::Error),
    Stopped(refinery::Error),
    NotCommitted(tokio_postgres::Error),
}

async fn try_to_migrate_to(version: i32, client: &mut Client, wait: Duration) -> Result<Done, Failure> {
    // A pooler without a free connection does not answer even the BEGIN.
    let mut locked = timeout(wait + GRACE, Locked::begin(client, wait))
        .await
        .map_err(|_| Failure::NoAnswer)?
        .map_err(Failure::NotLocked)?;
    match locked.migrate_to(version).await {
        Ok(done) => {
            locked.0.commit().await.map_err(Failure::NotCommitted)?;
            Ok(done)
        }
        Err(error) => {
            // If this fails, the connection is lost and the transaction with it.
            let _ = locked.0.rollback().await;
            Err(Failure::Stopped(error))
        }
    }
}

/// A transaction that holds the lock.
struct Locked<'a>(Transaction<'a>);

impl<'a> Locked<'a> {
    async fn begin(client: &'a mut Client, wait: Duration) -> Result<Self, tokio_postgres::Error> {
        let transaction = client.transaction().await?;
        let wait = wait.as_millis();
        transaction
            .batch_execute(&format!(
                "SET LOCAL lock_timeout = '{wait}ms'; SELECT pg_advisory_xact_lock({LOCK})"
            ))
            .await?;
        Ok(Self(transaction))
    }

    async fn migrate_to(&mut self, version: i32) -> Result<Done, refinery::Error> {
        let runner = embedded::migrations::runner()
            // A database that a newer version has migrated is not an error.
            .set_abort_missing(false)
            .set_target(Target::Version(version));
        let report = runner.run_async(self).await?;
        let last = runner.get_last_applied_migration_async(self).await?;
        let applied = report.applied_migrations().iter().map(ToString::to_string).collect();
        Ok((applied, last.map(|last| last.version())))
    }
}

/// Refinery's own implementation, for `Client`, begins and commits a transaction for every call, and uses named
/// statements.
impl AsyncTransaction for Locked<'_> {
    type Error = tokio_postgres::Error;

    async fn execute<'a, T: Iterator<Item = &'a str> + Send + 'a>(
        &'a mut self,
        queries: T,
    ) -> Result<usize, Self::Error> {
        let mut count = 0;
        for query in queries {
            self.0.batch_execute(query).await?;
            count += 1;
        }
        Ok(count)
    }
}

impl AsyncQuery<Vec<Migration>> for Locked<'_> {
    async fn query<'a>(&'a mut self, query: &'a str) -> Result<Vec<Migration>, Self::Error> {
        self.0.simple_query(query).await?.iter().filter_map(row).map(applied).collect()
    }
}

impl AsyncMigrate for Locked<'_> {}

fn row(message: &SimpleQueryMessage) -> Option<&SimpleQueryRow> {
    match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    }
}

/// A row of refinery's history. One with a checksum that cannot be read differs from every migration's.
fn applied(row: &SimpleQueryRow) -> Result<Migration, tokio_postgres::Error> {
    let version = row.try_get("version")?.and_then(|version| version.parse().ok());
    let name = row.try_get("name")?.unwrap_or_default();
    let checksum = row.try_get("checksum")?.and_then(|checksum| checksum.parse().ok());
    // Refinery compares everything but the time.
    let time = OffsetDateTime::UNIX_EPOCH;
    Ok(Migration::applied(version.unwrap_or_default(), name.to_owned(), time, checksum.unwrap_or_default()))
}

/// Explains why a run did not get the lock.
async fn not_locked(client: &Client, error: tokio_postgres::Error) -> Error {
    match sqlstate(&error) {
        // The second is a statement_timeout that is shorter than the wait.
        Some(SqlState::LOCK_NOT_AVAILABLE | SqlState::QUERY_CANCELED) => match holder(client).await {
            Some(Session { pid, about }) => Error::Locked { pid, about },
            None => Error::LockedBefore,
        },
        // What PgBouncer says, with a code that it has for everything.
        _ if cause(&error).contains("transaction blocks not allowed") => Error::NoTransactions(cause(&error)),
        _ => error.into(),
    }
}

/// Explains why the migrations stopped.
async fn stopped(client: &Client, wait: Duration, error: &refinery::Error) -> Error {
    match error.kind() {
        Kind::DivergentVersion(applied, _) => Error::Diverged(applied.to_string()),
        Kind::Connection(doing, source) if sqlstate(&**source) == Some(SqlState::LOCK_NOT_AVAILABLE) => {
            let by = oldest_transaction(client, wait).await.map(|Session { pid, about }| {
                format!(", probably that of {about}, which `SELECT pg_terminate_backend({pid})` ends")
            });
            Error::Blocked { doing: doing.clone(), wait, by: by.unwrap_or_default() }
        }
        Kind::Connection(doing, source) => Error::Migration(format!("{doing}: {}", cause(&**source))),
        other => Error::Migration(other.to_string()),
    }
}

/// Another session of the database.
struct Session {
    pid: String,
    about: String,
}

/// The columns of a [`Session`], of `pg_stat_activity`. Most are null if the session is another user's and the role is
/// not in `pg_read_all_stats`.
const SESSION: &str = r#"
    pid, 'process ' || pid || coalesce(' (' || nullif(concat_ws(', ',
        'user ' || usename,
        'application ' || nullif(application_name, ''),
        'from ' || host(client_addr),
        state || ' since ' || to_char(state_change AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"'),
        'in a transaction since ' || to_char(xact_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"'),
        'last statement at ' || to_char(query_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"')
    ), '') || ')', '')"#;

/// The session that holds the lock.
async fn holder(client: &Client) -> Option<Session> {
    let sql = format!(
        "SELECT {SESSION} FROM pg_locks JOIN pg_stat_activity USING (pid)
         WHERE locktype = 'advisory' AND granted
           AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
           AND (classid::bigint << 32) | objid::bigint = {LOCK} AND objsubid = 1"
    );
    session(client, &sql).await
}

/// The session that is most likely what a migration waited for: PostgreSQL does not tell afterwards.
async fn oldest_transaction(client: &Client, wait: Duration) -> Option<Session> {
    let wait = wait.as_millis();
    let sql = format!(
        "SELECT {SESSION} FROM pg_stat_activity
         WHERE datname = current_database()
           AND xact_start < clock_timestamp() - interval '{wait} ms'
           AND EXISTS (SELECT FROM pg_locks WHERE pg_locks.pid = pg_stat_activity.pid AND relation IS NOT NULL)
         ORDER BY xact_start LIMIT 1"
    );
    session(client, &sql).await
}

/// The first row, if an answer comes.
async fn session(client: &Client, sql: &str) -> Option<Session> {
    let messages = timeout(GRACE, client.simple_query(sql)).await.ok()?.ok()?;
    let row = messages.iter().find_map(row)?;
    Some(Session { pid: row.get(0)?.to_owned(), about: row.get(1)?.to_owned() })
}
