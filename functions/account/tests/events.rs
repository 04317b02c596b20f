//! The events of `events/account-*.json`, and the real binary.

use account::router;

#[tokio::test]
async fn every_event_is_answered_alike_in_process_as_an_event_and_by_the_binary() {
    kit::events::assert_same_answers("account", env!("CARGO_BIN_EXE_account"), router).await;
}
