//! The events of `events/signup-*.json`, and the real binary.

use signup::router;

#[tokio::test]
async fn every_event_is_answered_alike_in_process_as_an_event_and_by_the_binary() {
    kit::events::assert_same_answers("signup", env!("CARGO_BIN_EXE_signup"), router).await;
}
