//! Each of these tests has a runtime of its own, and they share one server.

use std::time::{Duration, Instant};

use tokio_postgres::{Client, NoTls};

async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

#[tokio::test]
async fn a_database_is_migrated_and_nobody_elses() {
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
async fn many_at_once_do_not_get_in_each_others_way_and_are_quick() {
    kit::database().await;
    let start = Instant::now();
    let made: Vec<_> = (0..16).map(|_| tokio::spawn(kit::database())).collect();
    let mut urls = Vec::new();
    for url in made {
        urls.push(url.await.unwrap());
    }
    let each = start.elapsed() / 16;
    println!("{each:?} each");
    // About 50 ms; the rest is for a busy machine.
    assert!(each < Duration::from_millis(500), "{each:?}");
    urls.sort();
    urls.dedup();
    assert_eq!(urls.len(), 16);
}

#[tokio::test]
async fn what_a_proxy_delays_does_not_come_too_early() {
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
