//! The events of `events/signup-*.json`, and the real binary.

use signup::router;

#[tokio::test]
async fn the_router_the_service_and_the_binary_answer_every_event_alike() {
    kit::events::assert_same_answers("signup", env!("CARGO_BIN_EXE_signup"), router).await;
}
