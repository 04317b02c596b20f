//! Connections that fail, temporarily or permanently.

use std::time::Duration;

use kit::{Cut, Outcome, PgBouncer, Proxy};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    time::sleep,
};

use super::{World, api, sql};

/// The time that the database takes to wake.
const ASLEEP: Duration = Duration::from_secs(3);
/// The time that a paused Aurora Serverless takes to resume.
const PAUSED: Duration = Duration::from_secs(15);
const REQUESTS: usize = 12;

pub async fn refused() -> Outcome {
    let world = World::new().await;
    world.proxy.refuse().await;
    wakes("connections refused for 3 s", &world, ASLEEP, || world.proxy.restore()).await
}

pub async fn closed() -> Outcome {
    let world = World::new().await;
    world.proxy.close_new();
    wakes("connections closed before a word, for 3 s", &world, ASLEEP, || world.proxy.restore()).await
}

/// A server that waits for its sessions to end before it shuts down accepts no others.
pub async fn starting_or_stopping() -> Outcome {
    let world = World::new().await;
    let server = kit::server().await;
    let url = server.url("postgres");
    let session = sql(&url).await;
    let pid = "SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)";
    let pid: String = session.query_one(pid, &[]).await.unwrap().get(0);
    kit::signal(pid.parse().unwrap(), "TERM");
    let error = async || tokio_postgres::connect(&url, tokio_postgres::NoTls).await.err();
    super::until(async || {
        error().await.is_some_and(|error| error.code().is_some_and(|code| code.code() == "57P03"))
    })
    .await;
    world.proxy.set_target(&url);
    wakes("57P03, the server is starting up or shutting down, for 3 s", &world, ASLEEP, || {
        world.proxy.set_target(&world.database);
    })
    .await
}

pub async fn suspended() -> Outcome {
    passing("Neon's", "XX000", "Couldn't connect to compute node").await
}

pub async fn without_control_plane() -> Outcome {
    passing("Neon's", "XX000", "Control plane request failed").await
}

pub async fn supavisor_without_database() -> Outcome {
    let message = "(EAUTHQUERY) authentication query failed: connection to database not available";
    passing("Supavisor's", "XX000", message).await
}

async fn passing(whose: &str, state: &str, message: &str) -> Outcome {
    let world = World::new().await;
    world.proxy.set_target(&says(state, message).await);
    let fault = format!("{whose} {state} \"{message}\" for 3 s");
    wakes(&fault, &world, ASLEEP, || world.proxy.set_target(&world.database)).await
}

/// A server that resumes may refuse connections, as here, or be silent, as in [`resumed_in_silence`].
pub async fn resumed() -> Outcome {
    let world = World::new().await;
    world.proxy.refuse().await;
    wakes("connections refused for 15 s", &world, PAUSED, || world.proxy.restore()).await
}

pub async fn resumed_in_silence() -> Outcome {
    let world = World::new().await;
    world.proxy.black_hole();
    wakes("a server that says nothing for 15 s", &world, PAUSED, || world.proxy.restore()).await
}

/// PgBouncer is configured to reconnect once a second (docs/operations.md).
pub async fn refused_behind_pgbouncer() -> Outcome {
    let database = kit::database().await;
    let behind = Proxy::start(&database).await;
    let pgbouncer = PgBouncer::start(behind.url(), 4, 100).await;
    let world = World::through(Proxy::start(pgbouncer.url()).await, &database).await;
    behind.refuse().await;
    behind.cut(Cut::Fin);
    super::until(async || behind.open_connections() == 0).await;
    let mut outcome = Outcome::new("connections refused for 3 s behind PgBouncer");
    let waking = async {
        sleep(ASLEEP).await;
        behind.restore();
    };
    tokio::join!(world.crowd(&world.api, REQUESTS, &mut outcome), waking);
    assert!(outcome.slowest > ASLEEP, "it was awake: {outcome:?}");
    outcome
}

async fn wakes(fault: &str, world: &World, asleep: Duration, wake: impl FnOnce()) -> Outcome {
    let mut outcome = Outcome::new(fault);
    let before = world.proxy.statements();
    let api = world.cold();
    let waking = async {
        sleep(asleep).await;
        wake();
    };
    tokio::join!(world.crowd(&api, REQUESTS, &mut outcome), waking);
    assert!(outcome.slowest > asleep, "it was awake: {outcome:?}");
    outcome.resent = world.proxy.statements().saturating_sub(before + REQUESTS as u64);
    outcome
}

/// Sends one request, for which only one connection may be tried.
async fn fails_at_once(fault: &str, url: &str) -> Outcome {
    let healthy = World::new().await;
    let proxy = Proxy::start(url).await;
    let mut outcome = Outcome::new(fault);
    outcome.answer(api(proxy.url(), 4).get("/tasks").by(&healthy.ada).send()).await;
    assert_eq!(proxy.connections(), 1, "{fault}: one connection is expected");
    outcome
}

fn with_password(url: &str, password: &str) -> String {
    let (user, rest) = url.strip_prefix("postgresql://").unwrap().split_once(':').unwrap();
    format!("postgresql://{user}:{password}@{}", rest.split_once('@').unwrap().1)
}

pub async fn wrong_password() -> Outcome {
    fails_at_once("wrong password", &with_password(&kit::database().await, "wrong")).await
}

pub async fn unknown_database() -> Outcome {
    fails_at_once("unknown database", &(kit::database().await + "_not")).await
}

pub async fn disabled() -> Outcome {
    let url = says("XX000", "The endpoint is disabled. Enable it using the API and retry.").await;
    fails_at_once("Neon's XX000 \"endpoint is disabled\"", &url).await
}

pub async fn quota() -> Outcome {
    let url = says("XX000", "Your project has exceeded the data transfer quota.").await;
    fails_at_once("Neon's XX000 \"exceeded the data transfer quota\"", &url).await
}

pub async fn unknown_tenant() -> Outcome {
    fails_at_once(
        "Supavisor's XX000 \"Tenant or user not found\"",
        &says("XX000", "Tenant or user not found").await,
    )
    .await
}

pub async fn ssl_required() -> Outcome {
    fails_at_once("PgBouncer's 08P01 \"SSL required\"", &says("08P01", "SSL required").await).await
}

pub async fn bouncer_config_error() -> Outcome {
    fails_at_once("PgBouncer's 08P01 \"bouncer config error\"", &says("08P01", "bouncer config error").await)
        .await
}

/// PgBouncer does not pass this setting on.
pub async fn unsupported_startup_parameter() -> Outcome {
    let pgbouncer = PgBouncer::start(&kit::database().await, 1, 100).await;
    let url = format!("{}?options=-c%20statement_timeout%3D8000", pgbouncer.url());
    fails_at_once("08P01 \"unsupported startup parameter\", PgBouncer", &url).await
}

/// PostgreSQL supports direct TLS since version 17. The tests' server is older, or has no TLS.
pub async fn direct_tls_to_a_server_without() -> Outcome {
    let url = format!("{}?sslmode=require&sslnegotiation=direct", kit::database().await);
    fails_at_once("sslnegotiation=direct to a server that does not know it", &url).await
}

/// Messages of poolers and proxies that have too many connections.
pub const CROWDED: [(&str, &str); 4] = [
    ("Neon's", "Too many connections attempts"),
    ("Neon's", "Failed to acquire permit to connect to the database"),
    ("Neon's", "Too many connections to this endpoint. Please try again later."),
    ("Supavisor's", "Max client connections reached"),
];

/// The connection is retried once.
pub async fn crowded(whose: &str, message: &str) -> Outcome {
    let world = World::new().await;
    let proxy = Proxy::start(&says("XX000", message).await).await;
    let api = api(proxy.url(), 4);
    let mut outcome = Outcome::new(format!("{whose} XX000 \"{message}\""));
    outcome.answer(api.get("/tasks").by(&world.ada).send()).await;
    assert_eq!((proxy.connections(), outcome.unavailable), (2, 1), "{outcome:?}");
    outcome
}

pub async fn unknown_authority() -> Outcome {
    let server = kit::tls().await;
    fails_at_once("a certificate of an unknown authority", &server.url("localhost", "sslmode=require")).await
}

pub async fn wrong_password_of_pgbouncer() -> Outcome {
    let pgbouncer = PgBouncer::start(&kit::database().await, 1, 100).await;
    fails_at_once("wrong password, PgBouncer", &with_password(pgbouncer.url(), "wrong")).await
}

pub async fn unknown_database_of_pgbouncer() -> Outcome {
    let pgbouncer = PgBouncer::start(&kit::database().await, 1, 100).await;
    fails_at_once("unknown database, PgBouncer", &format!("{}_not", pgbouncer.url())).await
}

/// Starts a server that answers every connection with this error, as a pooler or proxy does, and returns its URL.
async fn says(state: &str, message: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let fields = format!("SFATAL\0VFATAL\0C{state}\0M{message}\0\0");
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
