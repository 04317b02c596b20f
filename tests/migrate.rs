//! Migrations through PgBouncer.

#![cfg(test)]

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use dev_postgres::{Server, migrate, migrate_within};
use kit::PgBouncer;
use tokio::sync::OnceCell;
use tokio_postgres::{Client, NoTls};

/// The key of the advisory lock, which must never change.
const LOCK: i64 = 0x746f_646f_6d69_6772;

const SHORT: Duration = Duration::from_millis(300);

async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// Creates an empty database on a server that these tests share, and returns its URL.
async fn empty() -> String {
    static SERVER: OnceCell<Server> = OnceCell::const_new();
    static MADE: AtomicU32 = AtomicU32::new(0);
    let server = SERVER.get_or_init(kit::server).await;
    let name = format!("empty_{}", MADE.fetch_add(1, Ordering::Relaxed));
    let admin = connect(&server.url("postgres")).await;
    admin.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
    server.url(&name)
}

async fn history_length(url: &str) -> i64 {
    let sql = "SELECT count(*) FROM refinery_schema_history";
    connect(url).await.query_one(sql, &[]).await.unwrap().get(0)
}

/// Counts the sessions that hold the lock or wait for it.
async fn lock_sessions(url: &str) -> i64 {
    let sql = format!(
        "SELECT count(*) FROM pg_locks JOIN pg_database d ON d.oid = database
         WHERE datname = current_database() AND locktype = 'advisory' AND (classid::bigint << 32) | objid::bigint = {LOCK}"
    );
    connect(url).await.query_one(&sql, &[]).await.unwrap().get(0)
}

async fn idle_transactions(url: &str) -> i64 {
    let sql = "SELECT count(*) FROM pg_stat_activity
               WHERE datname = current_database() AND state LIKE 'idle in transaction%'";
    connect(url).await.query_one(sql, &[]).await.unwrap().get(0)
}

/// Starts clients that share the pooler's connections until the set is dropped.
fn start_load(url: &str, clients: usize) -> tokio::task::JoinSet<()> {
    (0..clients)
        .map(|_| {
            let url = url.to_owned();
            async move {
                let client = connect(&url).await;
                loop {
                    client.batch_execute("SELECT 1").await.unwrap();
                    client.batch_execute("BEGIN; SELECT pg_sleep(0.001)").await.unwrap();
                    client.batch_execute("COMMIT").await.unwrap();
                }
            }
        })
        .collect()
}

#[tokio::test]
#[ignore = "needs pgbouncer"]
async fn an_empty_database_is_migrated_through_a_shared_pool() {
    for (connections, others) in [(1, 0), (1, 3), (4, 12)] {
        let url = empty().await;
        let pgbouncer = PgBouncer::start(&url, connections, 20).await;
        let mut load = start_load(pgbouncer.url(), others);
        let mut client = connect(pgbouncer.url()).await;
        if connections == 1 {
            // Statements left by earlier clients, with the names that tokio-postgres uses.
            let left: String = (0..200).map(|n| format!("PREPARE s{n} AS SELECT;")).collect();
            client.batch_execute(&left).await.unwrap();
        }
        let applied = migrate(&mut client).await.unwrap();
        assert_eq!(history_length(&url).await, applied.len() as i64);
        assert_eq!(lock_sessions(&url).await, 0);
        // Divides by zero if a setting of the migrations stayed on the pooler's connection.
        let setting = "SELECT 1 / (current_setting('lock_timeout') = '0')::int";
        client.batch_execute(setting).await.unwrap();
        assert_eq!(migrate(&mut client).await.unwrap(), Vec::<String>::new());
        assert_eq!(lock_sessions(&url).await, 0);
        assert!(load.try_join_next().is_none(), "the other clients have no error");
    }
}

#[tokio::test]
#[ignore = "needs pgbouncer"]
async fn concurrent_runs_through_a_pooler_apply_each_migration_once() {
    for (connections, others) in [(1, 0), (4, 6)] {
        let url = empty().await;
        let pgbouncer = PgBouncer::start(&url, connections, 20).await;
        let mut load = start_load(pgbouncer.url(), others);
        let (mut one, mut other) = (connect(pgbouncer.url()).await, connect(pgbouncer.url()).await);
        let (one, other) = tokio::join!(migrate(&mut one), migrate(&mut other));
        let (mut applied, other) = (one.unwrap(), other.unwrap());
        applied.extend(other);
        assert_eq!(history_length(&url).await, applied.len() as i64);
        assert_eq!(lock_sessions(&url).await, 0);
        assert!(load.try_join_next().is_none(), "the other clients have no error");
    }
}

#[tokio::test]
#[ignore = "needs pgbouncer"]
async fn a_lock_left_in_the_pooler_is_reported_and_can_be_released() {
    let url = empty().await;
    let pgbouncer = PgBouncer::start(&url, 2, 20).await;
    let older = connect(pgbouncer.url()).await;
    older.batch_execute("SET application_name = 'older'").await.unwrap();
    let pid: i32 = older
        .query_typed(
            "SELECT pg_backend_pid() FROM pg_advisory_lock($1)",
            &[(&LOCK, tokio_postgres::types::Type::INT8)],
        )
        .await
        .unwrap()[0]
        .get(0);
    drop(older);

    let mut direct = connect(&url).await;
    let error = migrate_within(&mut direct, SHORT).await.unwrap_err().to_string();
    assert!(error.contains(&format!("process {pid} (user postgres, application older,")), "{error}");
    assert!(error.contains("idle since"), "{error}");

    // Another client occupies the pooler's session with the lock, so this one gets the other session.
    let occupant = connect(pgbouncer.url()).await;
    occupant.batch_execute("BEGIN").await.unwrap();
    let mut client = connect(pgbouncer.url()).await;
    let error = migrate_within(&mut client, SHORT).await.unwrap_err().to_string();
    assert!(error.contains(&format!("process {pid} (")), "{error}");

    direct.batch_execute(&format!("SELECT pg_terminate_backend({pid}, 10000)")).await.unwrap();
    assert!(!migrate_within(&mut client, SHORT).await.unwrap().is_empty());
    assert_eq!(lock_sessions(&url).await, 0);
}

#[tokio::test]
#[ignore = "needs pgbouncer"]
async fn a_pooler_in_statement_mode_is_refused_with_the_reason() {
    let url = empty().await;
    let pgbouncer = PgBouncer::start_in_mode("statement", &url, 2, 20).await;
    let error = migrate(&mut connect(pgbouncer.url()).await).await.unwrap_err().to_string();
    assert!(error.starts_with("migrations need transactions"), "{error}");
    assert!(
        error.contains("not allowed in statement pooling mode") && error.contains("direct host"),
        "{error}"
    );
    assert_eq!(lock_sessions(&url).await, 0);
}

#[tokio::test]
#[ignore = "needs pgbouncer"]
async fn a_pooler_without_a_free_connection_is_reported() {
    let url = empty().await;
    let pgbouncer = PgBouncer::start(&url, 1, 20).await;
    let occupant = connect(pgbouncer.url()).await;
    occupant.batch_execute("BEGIN").await.unwrap();
    let mut client = connect(pgbouncer.url()).await;
    let error = migrate_within(&mut client, SHORT).await.unwrap_err().to_string();
    assert!(error.contains("did not begin a transaction within 5.3 s"), "{error}");

    occupant.batch_execute("COMMIT").await.unwrap();
    client.batch_execute("SELECT 1").await.unwrap();
    assert_eq!(idle_transactions(&url).await, 0);
    assert_eq!(lock_sessions(&url).await, 0);
}
