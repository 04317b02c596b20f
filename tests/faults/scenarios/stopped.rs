//! A server that stops, or crashes, and comes back.

use std::{fs::Permissions, os::unix::fs::PermissionsExt, time::Duration};

use dev_postgres::{Server, migrate};
use tokio::time::sleep;

use super::{World, sql, until};
use kit::Outcome;

/// The server is stopped properly for 2 s while requests arrive. Meanwhile the proxy refuses connections, because the
/// server of another test may take its port, which is the one of `cargo dev`.
pub async fn restarted() -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    // PostgreSQL may run as another user.
    let data = folder.path().join("data");
    std::fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    let server = Server::start(&data, false, None).await.unwrap();
    let url = server.url("todo");
    let (mut client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    migrate(&mut client).await.unwrap();
    drop(client);
    let _ = connection.await;

    let mut world = World::on(&url).await;
    let mut outcome = Outcome::new("database stopped, and started again after 2 s");
    world.crowd(&world.api, 12, &mut outcome).await;
    assert_eq!(outcome.succeeded, 12, "{outcome:?}");
    sql(&url).await.batch_execute("DELETE FROM tasks").await.unwrap();
    let before = world.proxy.statements();
    server.stop().await.unwrap();
    world.proxy.refuse().await;
    let start = async {
        sleep(Duration::from_secs(2)).await;
        let server = Server::start(&data, false, None).await.unwrap();
        world.proxy.set_target(&server.url("todo"));
        world.proxy.restore();
        server
    };
    let api = &world.api;
    let requests = async {
        // They are sent while it is down, so the proxy counts their statements only when it is up.
        let calls = (0..12).map(async |_| {
            let mut outcome = Outcome::default();
            outcome.answer(api.get("/tasks").by(&world.ada).send()).await;
            outcome
        });
        futures_util::future::join_all(calls).await.into_iter().reduce(Outcome::and).unwrap()
    };
    let (server, down) = tokio::join!(start, requests);
    outcome = outcome.and(down);
    world.database = server.url("todo");
    let mut after = Outcome::default();
    world.crowd(&world.api, 12, &mut after).await;
    outcome = outcome.and(after);
    outcome.resent = world.proxy.statements().saturating_sub(before + 24);
    server.stop().await.unwrap();
    outcome
}

/// A session is killed, as by the kernel without memory. PostgreSQL ends all others (57P02) and accepts none until
/// it has recovered (57P03).
pub async fn crashed() -> Outcome {
    let server = kit::server().await;
    let url = server.url(kit::MIGRATED);
    // Committed rows must survive. The tests' servers turn this off for speed.
    let durable = format!("ALTER DATABASE {} SET synchronous_commit = on", kit::MIGRATED);
    sql(&url).await.batch_execute(&durable).await.unwrap();
    let world = World::on(&url).await;
    let mut outcome = Outcome::new("57P02, PostgreSQL crashes and recovers");
    let mut resent = 0;
    for _ in 0..3 {
        let victim = world.sql().await;
        let pid = "SELECT pg_backend_pid()";
        let pid: i32 = victim.query_one(pid, &[]).await.unwrap().get(0);
        let before = world.proxy.statements();
        kit::signal(pid.unsigned_abs(), "KILL");
        let requests = 12;
        let calls = (0..requests).map(async |_| {
            let mut outcome = Outcome::default();
            outcome.answer(world.api.get("/tasks").by(&world.ada).send()).await;
            outcome
        });
        for one in futures_util::future::join_all(calls).await {
            outcome = outcome.and(one);
        }
        resent += world.proxy.statements().saturating_sub(before + requests);
        // Waits until the server has recovered, before the next crash.
        until(async || victim.is_closed()).await;
        until(async || tokio_postgres::connect(&url, tokio_postgres::NoTls).await.is_ok()).await;
    }
    outcome.resent = resent;
    outcome
}
