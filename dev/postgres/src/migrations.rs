//! Applies the migrations.

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

/// The key of the advisory lock that prevents concurrent runs. Older versions of this program lock the same key for the
/// session, so they and this version exclude each other.
const LOCK: i64 = 0x746f_646f_6d69_6772;

/// The timeout of each wait: for the advisory lock, and for a lock on a table.
const LOCK_TIMEOUT: Duration = Duration::from_secs(30);

/// The time for the round trips, added to the timeout of a wait.
const ROUND_TRIP_TIMEOUT: Duration = Duration::from_secs(5);

/// Applies the missing migrations, each in its own transaction, and returns their names.
/// Concurrent runs are safe: each migration is applied once, and the other runs wait for it for at most 30 s.
///
/// Works through a pooler in transaction mode, because the lock belongs to the transaction and only the simple query
/// protocol is used.
///
/// # Errors
/// Fails if a migration fails. That migration is rolled back, and the earlier ones stay applied.
pub async fn migrate(client: &mut Client) -> Result<Vec<String>, Error> {
    migrate_within(client, LOCK_TIMEOUT).await
}

/// Like [`migrate`], with another timeout for each wait.
///
/// # Errors
/// See [`migrate`].
pub async fn migrate_within(client: &mut Client, wait: Duration) -> Result<Vec<String>, Error> {
    let embedded = embedded::migrations::runner();
    let mut versions: Vec<_> = embedded.get_migrations().iter().map(Migration::version).collect();
    versions.sort_unstable();
    // Version 0 has no migration: this transaction creates the history table if it is missing, and reads it.
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

/// The names of the applied migrations, and the last version in the history.
type Applied = (Vec<String>, Option<i32>);

/// Applies the missing migrations up to this version, in one transaction that holds the lock.
async fn migrate_to(version: i32, client: &mut Client, wait: Duration) -> Result<Applied, Error> {
    match try_to_migrate_to(version, client, wait).await {
        Ok(applied) => Ok(applied),
        Err(Failure::Timeout) => Err(Error::TransactionTimeout(wait + ROUND_TRIP_TIMEOUT)),
        Err(Failure::NotLocked(error)) => Err(explain_lock_error(client, error).await),
        Err(Failure::Migration(error)) => Err(explain_migration_error(client, wait, &error).await),
        Err(Failure::NotCommitted(error)) => Err(error.into()),
    }
}

enum Failure {
    Timeout,
    NotLocked(tokio_postgres::Error),
    Migration(refinery::Error),
    NotCommitted(tokio_postgres::Error),
}

async fn try_to_migrate_to(version: i32, client: &mut Client, wait: Duration) -> Result<Applied, Failure> {
    // A pooler without a free connection does not even answer BEGIN.
    let mut transaction = timeout(wait + ROUND_TRIP_TIMEOUT, LockedTransaction::begin(client, wait))
        .await
        .map_err(|_| Failure::Timeout)?
        .map_err(Failure::NotLocked)?;
    match transaction.migrate_to(version).await {
        Ok(applied) => {
            transaction.0.commit().await.map_err(Failure::NotCommitted)?;
            Ok(applied)
        }
        Err(error) => {
            // If this fails, the connection is lost and the server rolls back.
            let _ = transaction.0.rollback().await;
            Err(Failure::Migration(error))
        }
    }
}

/// A transaction that holds the lock.
struct LockedTransaction<'a>(Transaction<'a>);

impl<'a> LockedTransaction<'a> {
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

    async fn migrate_to(&mut self, version: i32) -> Result<Applied, refinery::Error> {
        let runner = embedded::migrations::runner()
            // Accept a database that a newer version has migrated.
            .set_abort_missing(false)
            .set_target(Target::Version(version));
        let report = runner.run_async(self).await?;
        let last = runner.get_last_applied_migration_async(self).await?;
        let applied = report.applied_migrations().iter().map(ToString::to_string).collect();
        Ok((applied, last.map(|last| last.version())))
    }
}

/// Refinery's implementation for `Client` uses one transaction per call, and named statements.
impl AsyncTransaction for LockedTransaction<'_> {
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

impl AsyncQuery<Vec<Migration>> for LockedTransaction<'_> {
    async fn query<'a>(&'a mut self, query: &'a str) -> Result<Vec<Migration>, Self::Error> {
        self.0.simple_query(query).await?.iter().filter_map(row).map(applied).collect()
    }
}

impl AsyncMigrate for LockedTransaction<'_> {}

fn row(message: &SimpleQueryMessage) -> Option<&SimpleQueryRow> {
    match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    }
}

/// Parses a row of refinery's history. An invalid checksum becomes 0, which matches no migration.
fn applied(row: &SimpleQueryRow) -> Result<Migration, tokio_postgres::Error> {
    let version = row.try_get("version")?.and_then(|version| version.parse().ok());
    let name = row.try_get("name")?.unwrap_or_default();
    let checksum = row.try_get("checksum")?.and_then(|checksum| checksum.parse().ok());
    // Refinery does not compare the time.
    let time = OffsetDateTime::UNIX_EPOCH;
    Ok(Migration::applied(version.unwrap_or_default(), name.to_owned(), time, checksum.unwrap_or_default()))
}

/// Returns the error for a run that did not get the lock.
async fn explain_lock_error(client: &Client, error: tokio_postgres::Error) -> Error {
    match sqlstate(&error) {
        // QUERY_CANCELED: a statement_timeout that is shorter than the lock timeout.
        Some(SqlState::LOCK_NOT_AVAILABLE | SqlState::QUERY_CANCELED) => match lock_holder(client).await {
            Some(Session { pid, about }) => Error::Locked { pid, about },
            None => Error::LockHolderUnknown,
        },
        // PgBouncer's message. Its SQLSTATE is not specific.
        _ if cause(&error).contains("transaction blocks not allowed") => {
            Error::TransactionsNotAllowed(cause(&error))
        }
        _ => error.into(),
    }
}

/// Returns the error for a migration that failed.
async fn explain_migration_error(client: &Client, wait: Duration, error: &refinery::Error) -> Error {
    match error.kind() {
        Kind::DivergentVersion(applied, _) => Error::Diverged(applied.to_string()),
        Kind::Connection(step, source) if sqlstate(&**source) == Some(SqlState::LOCK_NOT_AVAILABLE) => {
            let blocker = oldest_transaction(client, wait).await.map(|Session { pid, about }| {
                format!(" (probably {about}; to end it, run `SELECT pg_terminate_backend({pid})`)")
            });
            Error::Blocked { step: step.clone(), wait, blocker: blocker.unwrap_or_default() }
        }
        Kind::Connection(step, source) => Error::Migration(format!("{step}: {}", cause(&**source))),
        other => Error::Migration(other.to_string()),
    }
}

/// Another session of the database.
struct Session {
    pid: String,
    /// The process and its details, for an error message.
    about: String,
}

/// Selects the columns of a [`Session`] from `pg_stat_activity`. Most details are null for a session of another user,
/// unless the role is in `pg_read_all_stats`.
const SESSION: &str = r#"
    pid, 'process ' || pid || coalesce(' (' || nullif(concat_ws(', ',
        'user ' || usename,
        'application ' || nullif(application_name, ''),
        'from ' || host(client_addr),
        state || ' since ' || to_char(state_change AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"'),
        'in a transaction since ' || to_char(xact_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"'),
        'last statement at ' || to_char(query_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"')
    ), '') || ')', '')"#;

/// Returns the session that holds the lock.
async fn lock_holder(client: &Client) -> Option<Session> {
    let sql = format!(
        "SELECT {SESSION} FROM pg_locks JOIN pg_stat_activity USING (pid)
         WHERE locktype = 'advisory' AND granted
           AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
           AND (classid::bigint << 32) | objid::bigint = {LOCK} AND objsubid = 1"
    );
    session(client, &sql).await
}

/// Returns the session that most likely blocked the migration. PostgreSQL does not report it after the timeout.
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

/// Returns the first row, or `None` if the query fails or times out.
async fn session(client: &Client, sql: &str) -> Option<Session> {
    let messages = timeout(ROUND_TRIP_TIMEOUT, client.simple_query(sql)).await.ok()?.ok()?;
    let row = messages.iter().find_map(row)?;
    Some(Session { pid: row.get(0)?.to_owned(), about: row.get(1)?.to_owned() })
}

#[cfg(test)]
mod tests {
    use tokio_postgres::NoTls;

    use super::*;
    use crate::Server;

    const OPERATIONS: &str = include_str!("../../../docs/operations.md");

    async fn rows(client: &Client, sql: &str) -> Vec<String> {
        let messages = client.simple_query(sql).await.unwrap();
        messages.iter().filter_map(row).map(|row| row.get(0).unwrap().to_owned()).collect()
    }

    #[tokio::test]
    async fn emails_that_no_login_finds_stop_the_migration_until_they_are_mended() {
        let server = Server::temporary().await.unwrap();
        let (mut client, connection) = tokio_postgres::connect(&server.url("postgres"), NoTls).await.unwrap();
        tokio::spawn(connection);
        migrate_to(3, &mut client, LOCK_TIMEOUT).await.unwrap();
        let insert = "
            INSERT INTO users (id, email, hashed_password)
            SELECT ('019bc000-0000-7000-8000-00000000000' || n)::uuid, email, ''
            FROM unnest(ARRAY['Ada@Example.com', 'ada@example.com', ' grace@example.com', 'ALAN@example.com',
                'edsger@example.com ', 'bärbel@example.com', E'barbara@example.com\\t', 'donald@example.com'])
                WITH ORDINALITY u (email, n);
            INSERT INTO tasks (id, user_id) SELECT id, id FROM users";
        client.batch_execute(insert).await.unwrap();
        let ids = |numbers: &[i32]| {
            numbers.iter().map(|n| format!("019bc000-0000-7000-8000-00000000000{n}")).collect::<Vec<_>>()
        };

        let error = migrate(&mut client).await.unwrap_err().to_string();
        let named = format!(
            "V4__canonical_emails: users whose e-mail is not canonical: 6 ({}, ...): mend them as docs/operations.md#",
            ids(&[1, 3, 4, 5, 6]).join(", ")
        );
        assert!(error.contains(&named) && !error.contains("example"), "{error}");
        let (_, list) = error.split_once("to list them: ").unwrap();
        assert_eq!(rows(&client, list).await, ids(&[1, 3, 4, 5, 6, 7]));
        assert_eq!(rows(&client, "SELECT max(version) FROM refinery_schema_history").await, ["3"]);

        assert!(error.contains("#e-mails-that-a-migration-refuses says"), "{error}");
        let (_, section) = OPERATIONS.split_once("\n### E-mails that a migration refuses\n").unwrap();
        let mut blocks = section.split("```sql\n").skip(1).map(|block| block.split("```").next().unwrap());
        assert_eq!(rows(&client, blocks.next().unwrap()).await, ["ada@example.com"]);
        client.batch_execute(blocks.next().unwrap()).await.unwrap();
        client.batch_execute(blocks.next().unwrap()).await.unwrap();
        let error = migrate(&mut client).await.unwrap_err().to_string();
        let named = format!("not canonical: 2 ({}): mend", ids(&[6, 7]).join(", "));
        assert!(error.contains(&named), "{error}");
        client.batch_execute("DELETE FROM users WHERE email LIKE '%b_r%'").await.unwrap();
        assert_eq!(migrate(&mut client).await.unwrap()[0], "V4__canonical_emails");
        let stored = "SELECT split_part(email, '@', 1) || ' ' || count(*)
                      FROM users JOIN tasks ON user_id = users.id GROUP BY email ORDER BY email";
        assert_eq!(rows(&client, stored).await, ["ada 2", "alan 1", "donald 1", "edsger 1", "grace 1"]);
    }
}
