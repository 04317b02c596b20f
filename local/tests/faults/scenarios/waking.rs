//! Connections that cannot be made: for a while, or for good.

use std::time::Duration;

use testing::{Cut, PgBouncer, Proxy};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    time::sleep,
};

use super::{Outcome, World, api, sql};

/// How long the database takes to wake.
const ASLEEP: Duration = Duration::from_secs(3);
const REQUESTS: usize = 12;

pub async fn refused() -> Outcome {
    let world = World::new().await;
    world.proxy.refuse().await;
    wakes("connections refused for 3 s", &world, || world.proxy.pass()).await
}

pub async fn closed() -> Outcome {
    let world = World::new().await;
    world.proxy.close_new();
    wakes("connections closed before a word, for 3 s", &world, || world.proxy.pass()).await
}

/// A server that is told to shut down once its sessions have ended takes no others.
pub async fn starting_or_stopping() -> Outcome {
    let world = World::new().await;
    let server = testing::server().await;
    let url = server.url("postgres");
    let session = sql(&url).await;
    let pid = "SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)";
    let pid: String = session.query_one(pid, &[]).await.unwrap().get(0);
    testing::signal(pid.parse().unwrap(), "TERM");
    let error = async || tokio_postgres::connect(&url, tokio_postgres::NoTls).await.err();
    super::until(async || {
        error().await.is_some_and(|error| error.code().is_some_and(|code| code.code() == "57P03"))
    })
    .await;
    world.proxy.lead_to(&url);
    wakes("57P03, the server is starting up or shutting down, for 3 s", &world, || {
        world.proxy.lead_to(&world.database);
    })
    .await
}

pub async fn suspended() -> Outcome {
    let world = World::new().await;
    let neon = neon("Couldn't connect to compute node").await;
    world.proxy.lead_to(&neon);
    wakes("Neon's XX000 \"Couldn't connect to compute node\" for 3 s", &world, || {
        world.proxy.lead_to(&world.database);
    })
    .await
}

/// PgBouncer tries again once a second here (docs/operations.md).
pub async fn refused_behind_pgbouncer() -> Outcome {
    let database = testing::database().await;
    let behind = Proxy::start(&database).await;
    let pgbouncer = PgBouncer::start(behind.url(), 4, 100).await;
    let world = World::through(Proxy::start(pgbouncer.url()).await, &database).await;
    behind.refuse().await;
    behind.cut(Cut::Fin);
    super::until(async || behind.open() == 0).await;
    let mut outcome = Outcome::of("connections refused for 3 s behind PgBouncer");
    let waking = async {
        sleep(ASLEEP).await;
        behind.pass();
    };
    tokio::join!(world.crowd(&world.api, REQUESTS, &mut outcome), waking);
    assert!(outcome.slowest > ASLEEP, "it was awake: {outcome:?}");
    outcome
}

async fn wakes(fault: &str, world: &World, wake: impl FnOnce()) -> Outcome {
    let mut outcome = Outcome::of(fault);
    let before = world.proxy.statements();
    let api = world.cold();
    let waking = async {
        sleep(ASLEEP).await;
        wake();
    };
    tokio::join!(world.crowd(&api, REQUESTS, &mut outcome), waking);
    assert!(outcome.slowest > ASLEEP, "it was awake: {outcome:?}");
    outcome.resent = world.proxy.statements() - before - REQUESTS as u64;
    outcome
}

/// One request, for which one connection was tried.
async fn told_at_once(fault: &str, url: &str) -> Outcome {
    let healthy = World::new().await;
    let proxy = Proxy::start(url).await;
    let mut outcome = Outcome::of(fault);
    outcome.answer(api(proxy.url(), 4).get("/tasks").by(&healthy.ada).send()).await;
    assert_eq!(proxy.connections(), 1, "{fault}: connections were tried");
    outcome
}

fn with_password(url: &str, password: &str) -> String {
    let (user, rest) = url.strip_prefix("postgresql://").unwrap().split_once(':').unwrap();
    format!("postgresql://{user}:{password}@{}", rest.split_once('@').unwrap().1)
}

pub async fn wrong_password() -> Outcome {
    told_at_once("wrong password", &with_password(&testing::database().await, "wrong")).await
}

pub async fn unknown_database() -> Outcome {
    told_at_once("unknown database", &(testing::database().await + "_not")).await
}

pub async fn disabled() -> Outcome {
    let url = neon("The endpoint is disabled. Enable it using the API and retry.").await;
    told_at_once("Neon's XX000 \"endpoint is disabled\"", &url).await
}

pub async fn unknown_authority() -> Outcome {
    let server = testing::tls().await;
    told_at_once("a certificate of an unknown authority", &server.url("localhost", "sslmode=require")).await
}

pub async fn wrong_password_of_pgbouncer() -> Outcome {
    let pgbouncer = PgBouncer::start(&testing::database().await, 1, 100).await;
    told_at_once("wrong password, PgBouncer", &with_password(pgbouncer.url(), "wrong")).await
}

pub async fn unknown_database_of_pgbouncer() -> Outcome {
    let pgbouncer = PgBouncer::start(&testing::database().await, 1, 100).await;
    told_at_once("unknown database, PgBouncer", &format!("{}_not", pgbouncer.url())).await
}

/// What PostgreSQL itself cannot be made to say: answers every connection as Neon's proxy does when there is none to be
/// had. Tells a URL of it.
async fn neon(message: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let fields = format!("SERROR\0VERROR\0CXX000\0M{message}\0\0");
    let mut answer = vec![b'E'];
    answer.extend(u32::try_from(fields.len() + 4).unwrap().to_be_bytes());
    answer.extend(fields.as_bytes());
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let answer = answer.clone();
            tokio::spawn(async move {
                // The startup message.
                let length = socket.read_u32().await?;
                let mut rest = vec![0; length as usize - 4];
                socket.read_exact(&mut rest).await?;
                socket.write_all(&answer).await?;
                socket.shutdown().await
            });
        }
    });
    format!("postgresql://neon:password@127.0.0.1:{port}/neondb")
}
