//! The events of `events/account-*.json`, and the real binary.

use account::router;

#[tokio::test]
async fn the_router_the_service_and_the_binary_answer_every_event_alike() {
    kit::events::assert_same_answers("account", env!("CARGO_BIN_EXE_account"), router).await;
}
