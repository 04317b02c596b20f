//! Tests of `database()` and `Proxy`. Each test has its own runtime, and all share one server.

use std::time::{Duration, Instant};

use tokio_postgres::{Client, NoTls};

async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

#[tokio::test]
async fn each_database_is_migrated_and_separate() {
    let (one, other) = (kit::database().await, kit::database().await);
    assert_ne!(one, other);
    let (one, other) = (connect(&one).await, connect(&other).await);
    one.batch_execute("SELECT FROM users, tasks; CREATE TABLE mine ()").await.unwrap();
    other.batch_execute("CREATE TABLE mine ()").await.unwrap();
}

#[test]
fn the_server_outlives_the_runtime_that_started_it() {
    for _ in 0..2 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async { connect(&kit::database().await).await });
    }
}

#[tokio::test]
async fn databases_are_created_concurrently_and_fast() {
    kit::database().await;
    let start = Instant::now();
    let made: Vec<_> = (0..16).map(|_| tokio::spawn(kit::database())).collect();
    let mut urls = Vec::new();
    for url in made {
        urls.push(url.await.unwrap());
    }
    let each = start.elapsed() / 16;
    println!("{each:?} for each database");
    // Usually about 50 ms. The limit allows for a busy machine.
    assert!(each < Duration::from_millis(500), "{each:?}");
    urls.sort();
    urls.dedup();
    assert_eq!(urls.len(), 16);
}

#[tokio::test]
async fn a_proxy_never_delivers_before_its_delay() {
    const DELAY: Duration = Duration::from_millis(1);
    let proxy = kit::Proxy::start(&kit::database().await).await;
    let client = connect(proxy.url()).await;
    proxy.delay(DELAY);
    for _ in 0..20 {
        let start = Instant::now();
        client.query_typed("SELECT", &[]).await.unwrap();
        assert!(start.elapsed() >= 2 * DELAY, "{:?}", start.elapsed());
    }
}
