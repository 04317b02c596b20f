//! The real binary while its database fails; the other faults are in `tests/faults`, with their scenarios.

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
fn a_hundred_of_a_hundred(outcome: Outcome, resent: u64) {
    let outcome = outcome.assert_all_succeeded();
    assert_eq!((outcome.requests, outcome.resent), (100, resent), "{outcome:?}");
}

#[tokio::test]
async fn a_function_that_was_frozen_while_its_connection_was_closed_answers() {
    a_hundred_of_a_hundred(frozen(TASKS, ConnectionPath::Plain, CloseNotice::Received).await, 0);
}

#[tokio::test]
async fn a_function_that_was_frozen_while_its_tls_connection_was_closed_answers() {
    a_hundred_of_a_hundred(frozen(TASKS, ConnectionPath::Tls, CloseNotice::Received).await, 0);
}

#[tokio::test]
#[ignore = "needs pgbouncer"]
async fn a_function_that_was_frozen_while_its_connection_to_pgbouncer_was_closed_answers() {
    // PgBouncer's own connection was closed too, which PgBouncer may learn only when it uses it.
    let outcome =
        frozen(TASKS, ConnectionPath::PgBouncer, CloseNotice::Received).await.assert_all_succeeded();
    assert!(outcome.requests == 100 && outcome.resent <= 100, "{outcome:?}");
}

#[tokio::test]
async fn a_function_that_was_frozen_and_never_heard_of_its_connections_end_sends_again() {
    a_hundred_of_a_hundred(frozen(TASKS, ConnectionPath::Plain, CloseNotice::Lost).await, 100);
    a_hundred_of_a_hundred(frozen(TASKS, ConnectionPath::Tls, CloseNotice::Lost).await, 100);
}

#[tokio::test]
async fn a_warm_request_is_one_round_trip() {
    assert_eq!(round_trips(TASKS, ConnectionPath::Plain).await, 100);
    assert_eq!(round_trips(TASKS, ConnectionPath::Tls).await, 100);
}

#[tokio::test]
async fn a_function_connects_before_its_first_request_in_three_round_trips_and_with_tls_in_five() {
    // The startup message and two of SCRAM-SHA-256 (RFC 5802); the TCP handshake is not among them.
    assert_eq!(cold_start_round_trips(TASKS, ConnectionPath::Plain).await.0, 3);
    // One more to ask for TLS, and one for the handshake of TLS 1.3. Before version 18 PostgreSQL does not take X25519, with
    // which rustls begins, and the handshake begins anew.
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
