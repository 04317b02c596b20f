//! The migrations, on databases of a temporary server.

#![cfg(test)]

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use dev_postgres::{Server, migrate, migrate_within};
use tokio::sync::OnceCell;
use tokio::time::sleep;
use tokio_postgres::{Client, NoTls};

/// The key of the advisory lock, which must never change.
const LOCK: i64 = 0x746f_646f_6d69_6772;

const SHORT: Duration = Duration::from_millis(300);

async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

async fn server() -> Server {
    Server::temporary().await.unwrap()
}

async fn history(client: &Client) -> Vec<i32> {
    let rows = client.query("SELECT version FROM refinery_schema_history ORDER BY 1", &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn a_second_run_applies_nothing() {
    let server = server().await;
    let mut client = connect(&server.url("postgres")).await;
    let applied = migrate(&mut client).await.unwrap();
    assert!(applied[0].starts_with("V1__"), "{applied:?}");
    assert_eq!(history(&client).await.len(), applied.len());
    client.batch_execute("SELECT FROM users, tasks").await.unwrap();
    assert_eq!(migrate(&mut client).await.unwrap(), Vec::<String>::new());
    assert_eq!(history(&client).await.len(), applied.len());
}

#[tokio::test]
async fn concurrent_runs_apply_each_migration_once() {
    let server = server().await;
    let admin = connect(&server.url("postgres")).await;
    for runs in [2, 8] {
        let database = format!("at_once_{runs}");
        admin.batch_execute(&format!("CREATE DATABASE {database}")).await.unwrap();
        let mut running = Vec::new();
        for _ in 0..runs {
            let mut client = connect(&server.url(&database)).await;
            running.push(tokio::spawn(async move { migrate(&mut client).await.unwrap() }));
        }
        let mut applied = Vec::new();
        for run in running {
            applied.push(run.await.unwrap().len());
        }
        let client = connect(&server.url(&database)).await;
        let history = history(&client).await;
        assert_eq!(applied.iter().sum::<usize>(), history.len(), "{applied:?}");
    }
}

#[tokio::test]
async fn a_failed_run_names_the_migration_and_releases_the_lock() {
    let server = server().await;
    let mut client = connect(&server.url("postgres")).await;
    client.batch_execute("CREATE TABLE users ()").await.unwrap();
    let error = migrate(&mut client).await.unwrap_err().to_string();
    assert!(error.starts_with("the migrations failed: "), "{error}");
    assert!(error.contains("V1__") && error.contains("\"users\" already exists"), "{error}");
    assert_eq!(history(&client).await, Vec::<i32>::new());

    client.batch_execute("DROP TABLE users").await.unwrap();
    let mut other = connect(&server.url("postgres")).await;
    migrate(&mut other).await.unwrap();
    assert_eq!(migrate(&mut client).await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn a_migration_changed_after_it_was_applied_is_named() {
    let server = server().await;
    let mut client = connect(&server.url("postgres")).await;
    let first = migrate(&mut client).await.unwrap().remove(0);
    client
        .batch_execute("UPDATE refinery_schema_history SET checksum = '1' WHERE version = 1")
        .await
        .unwrap();
    let error = migrate(&mut client).await.unwrap_err().to_string();
    assert!(error.starts_with(&format!("migration {first} was changed after")), "{error}");
}

#[tokio::test]
async fn a_database_migrated_by_a_newer_version_is_accepted() {
    let server = server().await;
    let mut client = connect(&server.url("postgres")).await;
    migrate(&mut client).await.unwrap();
    let newer = "INSERT INTO refinery_schema_history VALUES (9999, 'newer', '2030-01-01T00:00:00Z', '1')";
    client.batch_execute(newer).await.unwrap();
    assert_eq!(migrate(&mut client).await.unwrap(), Vec::<String>::new());
}

/// Creates an empty database on a server that these tests share, and returns its URL.
async fn empty() -> String {
    static SERVER: OnceCell<Server> = OnceCell::const_new();
    static MADE: AtomicU32 = AtomicU32::new(0);
    let server = SERVER.get_or_init(server).await;
    let name = format!("empty_{}", MADE.fetch_add(1, Ordering::Relaxed));
    let admin = connect(&server.url("postgres")).await;
    admin.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
    server.url(&name)
}

/// Blocks the migration that creates this table, until the returned client's transaction ends.
async fn block(url: &str, table: &str) -> Client {
    let client = connect(&format!("{url}?application_name=report")).await;
    client.batch_execute(&format!("BEGIN; CREATE TABLE {table} ()")).await.unwrap();
    client
}

async fn pid(client: &Client) -> i32 {
    client.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0)
}

async fn lock_is_free(client: &Client) -> bool {
    let sql = format!("SELECT pg_try_advisory_lock({LOCK}), pg_advisory_unlock({LOCK})");
    client.query_one(&sql, &[]).await.unwrap().get(0)
}

async fn table_exists(client: &Client, table: &str) -> bool {
    client.query_one("SELECT to_regclass($1) IS NOT NULL", &[&table]).await.unwrap().get(0)
}

#[tokio::test]
async fn the_lock_holder_is_named_after_the_timeout() {
    // Other locks: in another database, and with other keys.
    let other_database = connect(&empty().await).await;
    other_database.batch_execute(&format!("SELECT pg_advisory_lock({LOCK})")).await.unwrap();
    let url = empty().await;
    let other = connect(&url).await;
    let (high, low) = (LOCK >> 32, LOCK & 0xffff_ffff);
    let keys = format!("SELECT pg_advisory_lock({low}), pg_advisory_lock({high}, {low})");
    other.batch_execute(&keys).await.unwrap();
    let waiting = connect(&url).await;
    let holder = connect(&format!("{url}?application_name=an%20older%20version")).await;
    holder.batch_execute(&format!("SELECT pg_advisory_lock({LOCK})")).await.unwrap();

    let sql = format!("SELECT pg_advisory_xact_lock({LOCK})");
    tokio::spawn(async move { waiting.batch_execute(&sql).await });
    let mut client = connect(&url).await;
    let error = migrate_within(&mut client, SHORT).await.unwrap_err().to_string();
    let pid = pid(&holder).await;
    let session =
        format!("process {pid} (user postgres, application an older version, from 127.0.0.1, idle since 20");
    assert!(error.contains(&session) && error.contains("last statement at 20"), "{error}");
    assert!(!error.contains("in a transaction"), "{error}");
    assert!(error.contains(&format!("`SELECT pg_terminate_backend({pid})`")), "{error}");
    assert!(!table_exists(&client, "refinery_schema_history").await);

    let ended = format!("SELECT pg_terminate_backend({pid}, 10000)");
    client.batch_execute(&ended).await.unwrap();
    assert!(!migrate_within(&mut client, SHORT).await.unwrap().is_empty());
}

#[tokio::test]
async fn the_lock_holder_is_named_after_a_shorter_statement_timeout() {
    let url = empty().await;
    let holder = connect(&url).await;
    holder.batch_execute(&format!("BEGIN; SELECT pg_advisory_xact_lock({LOCK})")).await.unwrap();
    let mut client = connect(&url).await;
    client.batch_execute("SET statement_timeout = '200ms'").await.unwrap();
    let error = migrate(&mut client).await.unwrap_err().to_string();
    assert!(error.contains(&format!("process {} (user postgres", pid(&holder).await)), "{error}");
    assert!(error.contains("idle in transaction since 20"), "{error}");
    assert!(error.contains("in a transaction since 20"), "{error}");
}

#[tokio::test]
async fn a_role_without_pg_read_all_stats_gets_a_shorter_error() {
    let url = empty().await;
    let holder = connect(&url).await;
    let role = "CREATE ROLE owner LOGIN PASSWORD 'owner'; GRANT CREATE ON SCHEMA public TO owner";
    holder.batch_execute(&format!("{role}; SELECT pg_advisory_lock({LOCK})")).await.unwrap();
    let (_, place) = url.split_once('@').unwrap();
    let mut client = connect(&format!("postgresql://owner:owner@{place}")).await;
    let error = migrate_within(&mut client, SHORT).await.unwrap_err().to_string();
    assert!(error.contains(&format!("process {} (user postgres):", pid(&holder).await)), "{error}");

    let blocks = format!("SELECT pg_advisory_unlock({LOCK}); BEGIN; CREATE TABLE users ()");
    holder.batch_execute(&blocks).await.unwrap();
    let error = migrate_within(&mut client, SHORT).await.unwrap_err().to_string();
    assert!(error.contains("another transaction blocked it for 0.3 s: wait until it ends"), "{error}");
}

#[tokio::test]
async fn a_blocked_migration_is_named_with_the_blocking_transaction() {
    // Older transactions that do not block: in another database, and without a lock on a table.
    let _other_database = block(&empty().await, "attempts").await;
    let url = empty().await;
    let idle = connect(&url).await;
    idle.batch_execute("BEGIN; SELECT 1").await.unwrap();
    let blocker = block(&url, "attempts").await;
    let mut client = connect(&url).await;
    let error = migrate_within(&mut client, SHORT).await.unwrap_err().to_string();
    assert!(error.contains("V2__attempts: another transaction blocked it for 0.3 s"), "{error}");
    let pid = pid(&blocker).await;
    assert!(error.contains(&format!("process {pid} (user postgres, application report")), "{error}");
    assert!(error.contains(&format!("`SELECT pg_terminate_backend({pid})`")), "{error}");
    assert_eq!(history(&client).await, [1]);
    assert!(lock_is_free(&connect(&url).await).await);

    blocker.batch_execute("ROLLBACK").await.unwrap();
    assert!(migrate_within(&mut client, SHORT).await.unwrap()[0].starts_with("V2__"));
    assert!(lock_is_free(&connect(&url).await).await);
}

#[tokio::test]
async fn a_migration_is_rolled_back_if_its_connection_is_lost() {
    let url = empty().await;
    let blocker = block(&url, "attempts").await;
    let mut client = connect(&url).await;
    let pid = pid(&client).await;
    let running = tokio::spawn(async move { migrate(&mut client).await });
    let waits = "SELECT FROM pg_locks WHERE pid = $1 AND NOT granted";
    while blocker.query(waits, &[&pid]).await.unwrap().is_empty() {
        sleep(Duration::from_millis(10)).await;
    }
    assert!(!lock_is_free(&connect(&url).await).await);
    blocker.query("SELECT pg_terminate_backend($1, 10000)", &[&pid]).await.unwrap();
    let error = running.await.unwrap().unwrap_err().to_string();
    assert!(error.contains("V2__attempts: terminating connection"), "{error}");
    blocker.batch_execute("ROLLBACK").await.unwrap();

    let mut client = connect(&url).await;
    assert!(lock_is_free(&client).await);
    assert_eq!(history(&client).await, [1]);
    assert!(!table_exists(&client, "attempts").await);
    assert!(migrate_within(&mut client, SHORT).await.unwrap()[0].starts_with("V2__"));
}
