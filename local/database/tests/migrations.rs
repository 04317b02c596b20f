//! The real migrations, on empty databases of a temporary server.

#![cfg(test)]

use std::path::Path;

use database::{Server, migrate};
use tokio_postgres::{Client, NoTls};

async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

async fn server() -> Server {
    Server::temporary(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../.postgres"))).await.unwrap()
}

async fn history(client: &Client) -> Vec<i32> {
    let rows = client.query("SELECT version FROM refinery_schema_history ORDER BY 1", &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn a_second_run_is_harmless_and_applies_nothing() {
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
async fn runs_from_many_places_at_once_apply_each_migration_once() {
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
        applied.sort();
        assert_eq!(applied.pop(), Some(history.len()));
        assert!(applied.iter().all(|&others| others == 0), "{applied:?}");
    }
}

#[tokio::test]
async fn a_failed_run_names_the_migration_and_the_cause_and_lets_go_of_the_lock() {
    let server = server().await;
    let mut client = connect(&server.url("postgres")).await;
    client.batch_execute("CREATE TABLE users ()").await.unwrap();
    let error = migrate(&mut client).await.unwrap_err().to_string();
    assert!(error.starts_with("the migrations stopped: "), "{error}");
    assert!(error.contains("V1__") && error.contains("\"users\" already exists"), "{error}");
    assert_eq!(history(&client).await, Vec::<i32>::new());

    client.batch_execute("DROP TABLE users").await.unwrap();
    let mut other = connect(&server.url("postgres")).await;
    migrate(&mut other).await.unwrap();
    assert_eq!(migrate(&mut client).await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn an_applied_migration_that_was_changed_is_named() {
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
async fn a_database_that_a_newer_version_migrated_is_fine() {
    let server = server().await;
    let mut client = connect(&server.url("postgres")).await;
    migrate(&mut client).await.unwrap();
    let newer = "INSERT INTO refinery_schema_history VALUES (9999, 'newer', '2030-01-01T00:00:00Z', '1')";
    client.batch_execute(newer).await.unwrap();
    assert_eq!(migrate(&mut client).await.unwrap(), Vec::<String>::new());
}
