//! Fault tests with the function `tasks` in separate processes.

use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::time::sleep;
use tokio_postgres::{Client, NoTls};

use crate::{Cut, Function, Outcome, PgBouncer, Proxy, Tls, events, signal};

/// The connection between the function and its database.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ConnectionPath {
    Plain,
    Tls,
    PgBouncer,
}

/// Tells whether a frozen function gets the notice that its connection was closed.
#[derive(Clone, Copy, PartialEq)]
pub enum CloseNotice {
    /// The notice has arrived when the function resumes.
    Received,
    /// The notice is lost. The next data are answered with RST.
    Lost,
}

/// A seeded database, and the PgBouncer in front of it if there is one.
struct Database {
    /// The URL that the functions use.
    url: String,
    sql: Client,
    _tls: Option<Tls>,
    _pgbouncer: Option<PgBouncer>,
}

impl Database {
    async fn start(path: ConnectionPath, pool_size: usize) -> Self {
        let tls = if path == ConnectionPath::Tls { Some(crate::tls().await) } else { None };
        let direct = match &tls {
            Some(tls) => tls.plain_url().to_owned(),
            None => crate::database().await,
        };
        let pgbouncer = match path {
            ConnectionPath::PgBouncer => Some(PgBouncer::start(&direct, pool_size, 100).await),
            _ => None,
        };
        events::seed(&direct).await;
        let (sql, connection) = tokio_postgres::connect(&direct, NoTls).await.unwrap();
        tokio::spawn(connection);
        let url = match (&tls, &pgbouncer) {
            (Some(tls), _) => tls.secure_url(),
            (_, Some(pgbouncer)) => pgbouncer.url().to_owned(),
            _ => direct,
        };
        Self { url, sql, _tls: tls, _pgbouncer: pgbouncer }
    }

    async fn tasks(&self) -> i64 {
        self.sql.query_one("SELECT count(*) FROM tasks", &[]).await.unwrap().get(0)
    }

    /// Compares the new tasks with the number of answers that reported a created task.
    async fn count_lost_and_duplicated(&self, before: i64, created: usize, outcome: &mut Outcome) {
        let made = usize::try_from(self.tasks().await - before).unwrap();
        (outcome.lost, outcome.duplicated) = (created.saturating_sub(made), made.saturating_sub(created));
    }
}

async fn start(binary: &str, url: &str) -> Function {
    let variables = [("DATABASE_URL", url), ("JWT_SECRET", shared::jwt::DEMO_SECRET)];
    let mut function = Function::start(binary, &variables).await;
    function.init().await.unwrap();
    function
}

fn event(name: &str) -> Value {
    serde_json::from_str(&events::all()[name]).unwrap()
}

fn status(answer: &Value) -> u16 {
    answer["statusCode"].as_u64().and_then(|status| status.try_into().ok()).unwrap_or_default()
}

fn resent(function: &Function) -> u64 {
    function.request_logs().iter().filter_map(|line| line["resent"].as_u64()).sum()
}

/// Closes the connection of a frozen function and sends it a request, 100 times. Lambda freezes a function between
/// requests, and here SIGSTOP does it.
pub async fn frozen(binary: &str, path: ConnectionPath, notice: CloseNotice) -> Outcome {
    let database = Database::start(path, 1).await;
    let proxy = Proxy::start(&database.url).await;
    let mut function = start(binary, proxy.url()).await;
    let pid = function.pid();
    let before = database.tasks().await;
    let (list, create) = (event("tasks-list.json"), event("tasks-create.json"));
    let mut outcome = Outcome::new(match (path, notice) {
        (ConnectionPath::Plain, CloseNotice::Received) => "frozen, connection closed, thawed",
        (ConnectionPath::Plain, CloseNotice::Lost) => "frozen, connection lost without notice, thawed",
        (ConnectionPath::Tls, CloseNotice::Received) => "frozen, connection closed, thawed, TLS",
        (ConnectionPath::Tls, CloseNotice::Lost) => "frozen, connection lost without notice, thawed, TLS",
        (ConnectionPath::PgBouncer, _) => "frozen, connection closed, thawed, PgBouncer",
    });
    let mut created = 0;
    for round in 0..100 {
        signal(pid, "STOP");
        let is_create = round % 2 == 1;
        let meanwhile = async {
            sleep(Duration::from_millis(5)).await;
            if notice == CloseNotice::Lost {
                proxy.black_hole();
            }
            if path == ConnectionPath::PgBouncer {
                proxy.cut(Cut::Fin);
            }
            let close = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                         WHERE datname = current_database() AND pid <> pg_backend_pid()";
            database.sql.batch_execute(close).await.unwrap();
            match notice {
                CloseNotice::Lost => proxy.restore(),
                CloseNotice::Received => {
                    while proxy.open_connections() > 0 {
                        sleep(Duration::from_millis(1)).await;
                    }
                }
            }
            signal(pid, "CONT");
            Instant::now()
        };
        let (answer, thawed) =
            tokio::join!(function.invoke(if is_create { &create } else { &list }), meanwhile);
        let answer = status(&answer.unwrap());
        outcome.record(answer, thawed.elapsed());
        created += usize::from(is_create && answer == 201);
    }
    outcome.resent = resent(&function);
    database.count_lost_and_duplicated(before, created, &mut outcome).await;
    outcome
}

/// Returns the number of round trips to the database of 100 `GET /tasks`.
pub async fn round_trips(binary: &str, path: ConnectionPath) -> u64 {
    let database = Database::start(path, 1).await;
    let proxy = Proxy::start(&database.url).await;
    let mut function = start(binary, proxy.url()).await;
    let list = event("tasks-list.json");
    function.invoke(&list).await.unwrap();
    let before = proxy.round_trips();
    for _ in 0..100 {
        assert_eq!(status(&function.invoke(&list).await.unwrap()), 200);
    }
    proxy.round_trips() - before
}

/// Returns the number of round trips that a starting function needs to connect, and the version of PostgreSQL.
pub async fn cold_start_round_trips(binary: &str, path: ConnectionPath) -> (u64, i32) {
    let database = Database::start(path, 1).await;
    let proxy = Proxy::start(&database.url).await;
    // With a delay, data that the server sends unasked, such as TLS session tickets, do not count as a round trip.
    proxy.delay(Duration::from_millis(20));
    let mut function = start(binary, proxy.url()).await;
    function.init().await.unwrap();
    assert_eq!(proxy.connections(), 1);
    let trips = proxy.round_trips();
    assert_eq!(status(&function.invoke(&event("tasks-list.json")).await.unwrap()), 200);
    assert_eq!(
        (proxy.connections(), proxy.round_trips()),
        (1, trips + 1),
        "the first request opened a connection"
    );
    let version = database.sql.query_one("SELECT current_setting('server_version_num')::int", &[]).await;
    (trips, version.unwrap().get(0))
}

/// Sends requests to ten functions at once, through a PgBouncer with one connection.
pub async fn ten_functions_on_one_connection(binary: &str) -> Outcome {
    let database = Database::start(ConnectionPath::PgBouncer, 1).await;
    let before = database.tasks().await;
    let functions = (0..10).map(async |_| {
        let mut function = start(binary, &database.url).await;
        let mut outcome = Outcome::default();
        let mut created = 0;
        for round in 0..20 {
            let event = event(if round % 2 == 1 { "tasks-create.json" } else { "tasks-list.json" });
            let answer =
                outcome.count(function.invoke(&event), |answer| status(answer.as_ref().unwrap())).await;
            created += usize::from(status(&answer.unwrap()) == 201);
        }
        outcome.resent = resent(&function);
        (outcome, created)
    });
    let outcomes = futures_util::future::join_all(functions).await;
    let created = outcomes.iter().map(|(_, created)| created).sum();
    let mut outcome = outcomes
        .into_iter()
        .map(|(outcome, _)| outcome)
        .fold(Outcome::new("ten functions through PgBouncer with one connection"), Outcome::and);
    database.count_lost_and_duplicated(before, created, &mut outcome).await;
    outcome
}
