//! The binary while its database fails. The other faults are in `tests/faults`.

#![cfg(test)]

use kit::{
    Outcome,
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
