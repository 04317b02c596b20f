//! The binary while its database fails. The other faults are in `tests/faults`.

#![cfg(test)]

use kit::{
    Function, Outcome, PgBouncer,
    faults::{
        CloseNotice, ConnectionPath, cold_start_round_trips, frozen, round_trips,
        ten_functions_on_one_connection,
    },
};

const TASKS: &str = env!("CARGO_BIN_EXE_tasks");

#[track_caller]
fn all_100_succeed(outcome: Outcome, resent: u64) {
    let outcome = outcome.assert_all_succeeded();
    assert_eq!((outcome.requests, outcome.resent), (100, resent), "{outcome:?}");
}

#[tokio::test]
async fn a_function_whose_connection_was_closed_while_frozen_answers() {
    all_100_succeed(frozen(TASKS, ConnectionPath::Plain, CloseNotice::Received).await, 0);
}

#[tokio::test]
async fn a_function_whose_tls_connection_was_closed_while_frozen_answers() {
    all_100_succeed(frozen(TASKS, ConnectionPath::Tls, CloseNotice::Received).await, 0);
}

#[tokio::test]
#[ignore = "needs pgbouncer"]
async fn a_function_whose_connection_to_pgbouncer_was_closed_while_frozen_answers() {
    // PgBouncer's own connection was closed too, which PgBouncer may learn only when it uses it.
    let outcome =
        frozen(TASKS, ConnectionPath::PgBouncer, CloseNotice::Received).await.assert_all_succeeded();
    assert!(outcome.requests == 100 && outcome.resent <= 100, "{outcome:?}");
}

#[tokio::test]
async fn a_function_that_missed_the_end_of_its_connection_while_frozen_resends() {
    all_100_succeed(frozen(TASKS, ConnectionPath::Plain, CloseNotice::Lost).await, 100);
    all_100_succeed(frozen(TASKS, ConnectionPath::Tls, CloseNotice::Lost).await, 100);
}

#[tokio::test]
async fn a_warm_request_is_one_round_trip() {
    assert_eq!(round_trips(TASKS, ConnectionPath::Plain).await, 100);
    assert_eq!(round_trips(TASKS, ConnectionPath::Tls).await, 100);
}

#[tokio::test]
async fn connecting_takes_three_round_trips_and_with_tls_five() {
    // One for the startup message and two for SCRAM-SHA-256 (RFC 5802). The TCP handshake does not count.
    assert_eq!(cold_start_round_trips(TASKS, ConnectionPath::Plain).await.0, 3);
    // One more to ask for TLS, and one for the handshake of TLS 1.3. PostgreSQL before version 18 refuses X25519, with which
    // rustls starts, so the handshake starts again.
    let (turns, version) = cold_start_round_trips(TASKS, ConnectionPath::Tls).await;
    assert_eq!(turns, if version >= 180_000 { 5 } else { 6 });
}

#[tokio::test]
#[ignore = "needs pgbouncer"]
async fn a_warm_request_through_pgbouncer_is_one_round_trip() {
    assert_eq!(round_trips(TASKS, ConnectionPath::PgBouncer).await, 100);
}

#[tokio::test]
#[ignore = "needs pgbouncer"]
async fn ten_functions_share_pgbouncers_one_connection() {
    let outcome = ten_functions_on_one_connection(TASKS).await.assert_all_succeeded();
    assert_eq!((outcome.requests, outcome.resent), (200, 0), "{outcome:?}");
}

async fn connect(url: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// Returns whether a deleted task is still deleted after it was looked for through a PgBouncer with two connections to the
/// server, on one of which another function has restored tasks. Both statements have the same parameters.
async fn a_deleted_task_that_is_read_stays_deleted(prepared_statements: &str) -> bool {
    let database = kit::database().await;
    kit::events::seed(&database).await;
    let pgbouncer = PgBouncer::start(&database, 2, 100).await;
    let function = async || {
        let variables = [
            ("DATABASE_URL", pgbouncer.url()),
            ("DATABASE_PREPARED_STATEMENTS", prepared_statements),
            ("JWT_SECRET", shared::jwt::DEMO_SECRET),
        ];
        Function::start(TASKS, &variables).await
    };
    let event = |name: &str| serde_json::from_str::<serde_json::Value>(&kit::events::all()[name]).unwrap();
    let (mut read, restore) = (event("tasks-get-unknown.json"), event("tasks-restore-unknown.json"));
    let sql = connect(&database).await;
    let id: String = sql.query_one("SELECT id::text FROM deleted_tasks", &[]).await.unwrap().get(0);
    let path = format!("/tasks/{id}");
    read["requestContext"]["http"]["path"] = path.clone().into();
    read["rawPath"] = path.into();
    let (first, second) = (connect(pgbouncer.url()).await, connect(pgbouncer.url()).await);

    first.batch_execute("BEGIN; SELECT").await.unwrap();
    let mut reader = function().await;
    reader.invoke_all(&[read.clone(), read.clone()]).await.unwrap();
    second.batch_execute("BEGIN; SELECT").await.unwrap();
    first.batch_execute("COMMIT").await.unwrap();
    // On the other connection, as the reader's is occupied.
    function().await.invoke_all(&[restore.clone(), restore]).await.unwrap();
    let _ = reader.invoke(&read).await;

    sql.query_opt("SELECT FROM deleted_tasks", &[]).await.unwrap().is_some()
}

/// Both functions call their first prepared statement `s0`, and PgBouncer before 1.21 passes that on. So
/// `DATABASE_PREPARED_STATEMENTS` is off by default.
#[tokio::test]
#[ignore = "needs pgbouncer"]
async fn behind_a_pooler_that_does_not_keep_prepared_statements_a_get_may_restore() {
    assert!(a_deleted_task_that_is_read_stays_deleted("").await);
    assert_eq!(a_deleted_task_that_is_read_stays_deleted("on").await, PgBouncer::keeps_prepared_statements());
}

#[tokio::test]
#[ignore = "needs pgbouncer"]
async fn a_statement_that_the_server_no_longer_knows_is_sent_unnamed_and_that_is_logged_once() {
    let database = kit::database().await;
    kit::events::seed(&database).await;
    let pgbouncer = PgBouncer::start(&database, 1, 100).await;
    let variables = [
        ("DATABASE_URL", pgbouncer.url()),
        ("DATABASE_PREPARED_STATEMENTS", "on"),
        ("JWT_SECRET", shared::jwt::DEMO_SECRET),
    ];
    let mut function = Function::start(TASKS, &variables).await;
    let list: serde_json::Value = serde_json::from_str(&kit::events::all()["tasks-list.json"]).unwrap();
    let sql = connect(&database).await;
    for _ in 0..3 {
        for _ in 0..4 {
            assert_eq!(function.invoke(&list).await.unwrap()["statusCode"], 200);
        }
        let close = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
                     WHERE datname = current_database() AND pid <> pg_backend_pid()";
        sql.batch_execute(close).await.unwrap();
    }
    let log = function.output();
    let told = log.matches("the database does not keep prepared statements").count();
    assert_eq!(told, usize::from(!PgBouncer::keeps_prepared_statements()), "{log}");
}
