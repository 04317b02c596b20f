//! The events of `events/health-*.json`, and the real binary.

#[tokio::test]
async fn the_router_the_service_and_the_binary_answer_every_event_alike() {
    kit::events::assert_same_answers("health", env!("CARGO_BIN_EXE_health"), health::router).await;
}
