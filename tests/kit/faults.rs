//! The function `tasks` in processes of its own.

use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::time::sleep;
use tokio_postgres::{Client, NoTls};

use crate::{Cut, Function, Outcome, PgBouncer, Proxy, Tls, events, signal};

/// How the function reaches its database.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Way {
    Plain,
    Tls,
    PgBouncer,
}

/// What a function that is frozen misses.
#[derive(Clone, Copy, PartialEq)]
pub enum Missed {
    /// Nothing: when it is thawed, the news that its connection was closed is there.
    Nothing,
    /// That news. Its next bytes are answered with a reset.
    TheEnd,
}

/// A database that was seeded, and whatever stands before it.
struct Database {
    /// The functions' way.
    url: String,
    sql: Client,
    _tls: Option<Tls>,
    _pgbouncer: Option<PgBouncer>,
}

impl Database {
    async fn by(way: Way, pool_size: usize) -> Self {
        let tls = if way == Way::Tls { Some(crate::tls().await) } else { None };
        let direct = match &tls {
            Some(tls) => tls.plain_url().to_owned(),
            None => crate::database().await,
        };
        let pgbouncer = match way {
            Way::PgBouncer => Some(PgBouncer::start(&direct, pool_size, 100).await),
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

    /// As many tasks as answers said, no more and no fewer.
    async fn compare(&self, before: i64, created: usize, outcome: &mut Outcome) {
        let made = usize::try_from(self.tasks().await - before).unwrap();
        (outcome.lost, outcome.doubled) = (created.saturating_sub(made), made.saturating_sub(created));
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
    function.answered().iter().filter_map(|line| line["resent"].as_u64()).sum()
}

/// Lambda freezes a function between requests; here a signal does. A hundred times its connection ends meanwhile, and a
/// request comes, which is what the function looks at first.
pub async fn frozen(binary: &str, way: Way, missed: Missed) -> Outcome {
    let database = Database::by(way, 1).await;
    let proxy = Proxy::start(&database.url).await;
    let mut function = start(binary, proxy.url()).await;
    let pid = function.pid();
    let before = database.tasks().await;
    let (list, create) = (event("tasks-list.json"), event("tasks-create.json"));
    let mut outcome = Outcome::of(match (way, missed) {
        (Way::Plain, Missed::Nothing) => "frozen, connection closed, thawed",
        (Way::Plain, Missed::TheEnd) => "frozen, connection lost without notice, thawed",
        (Way::Tls, Missed::Nothing) => "frozen, connection closed, thawed, TLS",
        (Way::Tls, Missed::TheEnd) => "frozen, connection lost without notice, thawed, TLS",
        (Way::PgBouncer, _) => "frozen, connection closed, thawed, PgBouncer",
    });
    let mut created = 0;
    for round in 0..100 {
        signal(pid, "STOP");
        let is_create = round % 2 == 1;
        let meanwhile = async {
            sleep(Duration::from_millis(5)).await;
            if missed == Missed::TheEnd {
                proxy.black_hole();
            }
            if way == Way::PgBouncer {
                proxy.cut(Cut::Fin);
            }
            let close = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                         WHERE datname = current_database() AND pid <> pg_backend_pid()";
            database.sql.batch_execute(close).await.unwrap();
            match missed {
                Missed::TheEnd => proxy.pass(),
                Missed::Nothing => {
                    while proxy.open() > 0 {
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
        outcome.note(answer, thawed.elapsed());
        created += usize::from(is_create && answer == 201);
    }
    outcome.resent = resent(&function);
    database.compare(before, created, &mut outcome).await;
    outcome
}

/// How many round trips to the database a hundred lists take.
pub async fn round_trips(binary: &str, way: Way) -> u64 {
    let database = Database::by(way, 1).await;
    let proxy = Proxy::start(&database.url).await;
    let mut function = start(binary, proxy.url()).await;
    let list = event("tasks-list.json");
    function.invoke(&list).await.unwrap();
    let before = proxy.turns();
    for _ in 0..100 {
        assert_eq!(status(&function.invoke(&list).await.unwrap()), 200);
    }
    proxy.turns() - before
}

/// How many round trips a starting function takes to connect, and to which version of PostgreSQL.
pub async fn round_trips_of_a_cold_start(binary: &str, way: Way) -> (u64, i32) {
    let database = Database::by(way, 1).await;
    let proxy = Proxy::start(&database.url).await;
    // So that what needs no answer is not mistaken for waiting: with TLS, the server's session tickets.
    proxy.delay(Duration::from_millis(20));
    let mut function = start(binary, proxy.url()).await;
    function.init().await.unwrap();
    assert_eq!(proxy.connections(), 1);
    let turns = proxy.turns();
    assert_eq!(status(&function.invoke(&event("tasks-list.json")).await.unwrap()), 200);
    assert_eq!((proxy.connections(), proxy.turns()), (1, turns + 1), "the first request connected");
    let version = database.sql.query_one("SELECT current_setting('server_version_num')::int", &[]).await;
    (turns, version.unwrap().get(0))
}

/// Ten functions at once through a PgBouncer that has one connection.
pub async fn ten_through_one(binary: &str) -> Outcome {
    let database = Database::by(Way::PgBouncer, 1).await;
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
        .fold(Outcome::of("ten functions through PgBouncer with one connection"), Outcome::and);
    database.compare(before, created, &mut outcome).await;
    outcome
}
