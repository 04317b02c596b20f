//! The events of `events/password-*.json`, and the real binary.

use password::router;

#[tokio::test]
async fn the_router_the_service_and_the_binary_answer_every_event_alike() {
    kit::events::assert_same_answers("password", env!("CARGO_BIN_EXE_password"), router).await;
}
