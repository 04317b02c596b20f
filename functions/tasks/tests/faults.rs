//! The real binary while its database fails; the other faults are in `local/tests/faults`, with their scenarios.

#![cfg(test)]

#[path = "../../../local/tests/faults/scenarios/functions.rs"]
mod functions;
#[path = "../../../local/tests/faults/scenarios/outcome.rs"]
mod outcome;

use functions::{Missed, Way, frozen, round_trips, ten_through_one};
use outcome::Outcome;

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
