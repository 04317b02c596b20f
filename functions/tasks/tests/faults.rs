//! The real binary while its database fails; the other faults are in `tests/faults`, with their scenarios.

#![cfg(test)]

use kit::{
    Outcome,
    faults::{Missed, Way, frozen, round_trips, round_trips_of_a_cold_start, ten_through_one},
};

const TASKS: &str = env!("CARGO_BIN_EXE_tasks");

#[track_caller]
fn a_hundred_of_a_hundred(outcome: Outcome, resent: u64) {
    let outcome = outcome.all_succeeded();
    assert_eq!((outcome.requests, outcome.resent), (100, resent), "{outcome:?}");
}

#[tokio::test]
async fn a_function_that_was_frozen_while_its_connection_was_closed_answers() {
    a_hundred_of_a_hundred(frozen(TASKS, Way::Plain, Missed::Nothing).await, 0);
}

#[tokio::test]
async fn a_function_that_was_frozen_while_its_tls_connection_was_closed_answers() {
    a_hundred_of_a_hundred(frozen(TASKS, Way::Tls, Missed::Nothing).await, 0);
}

#[tokio::test]
#[ignore = "needs pgbouncer"]
async fn a_function_that_was_frozen_while_its_connection_to_pgbouncer_was_closed_answers() {
    // PgBouncer's own connection was closed too, which PgBouncer may learn only when it uses it.
    let outcome = frozen(TASKS, Way::PgBouncer, Missed::Nothing).await.all_succeeded();
    assert!(outcome.requests == 100 && outcome.resent <= 100, "{outcome:?}");
}

#[tokio::test]
async fn a_function_that_was_frozen_and_never_heard_of_its_connections_end_sends_again() {
    a_hundred_of_a_hundred(frozen(TASKS, Way::Plain, Missed::TheEnd).await, 100);
    a_hundred_of_a_hundred(frozen(TASKS, Way::Tls, Missed::TheEnd).await, 100);
}

#[tokio::test]
async fn a_warm_request_is_one_round_trip() {
    assert_eq!(round_trips(TASKS, Way::Plain).await, 100);
    assert_eq!(round_trips(TASKS, Way::Tls).await, 100);
}

#[tokio::test]
async fn a_function_connects_before_its_first_request_in_three_round_trips_and_with_tls_in_five() {
    // The startup message and two of SCRAM-SHA-256 (RFC 5802); the TCP handshake is not among them.
    assert_eq!(round_trips_of_a_cold_start(TASKS, Way::Plain).await.0, 3);
    // One more to ask for TLS, and one for the handshake of TLS 1.3. Before version 18 PostgreSQL does not take X25519, with
    // which rustls begins, and the handshake begins anew.
    let (turns, version) = round_trips_of_a_cold_start(TASKS, Way::Tls).await;
    assert_eq!(turns, if version >= 180_000 { 5 } else { 6 });
}

#[tokio::test]
#[ignore = "needs pgbouncer"]
async fn a_warm_request_through_pgbouncer_is_one_round_trip() {
    assert_eq!(round_trips(TASKS, Way::PgBouncer).await, 100);
}

#[tokio::test]
#[ignore = "needs pgbouncer"]
async fn ten_functions_share_pgbouncers_one_connection() {
    let outcome = ten_through_one(TASKS).await.all_succeeded();
    assert_eq!((outcome.requests, outcome.resent), (200, 0), "{outcome:?}");
}
