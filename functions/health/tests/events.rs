//! The events of `events/health-*.json`, and the real binary.

#[tokio::test]
async fn every_event_is_answered_alike_in_process_as_an_event_and_by_the_binary() {
    kit::events::assert_same_answers("health", env!("CARGO_BIN_EXE_health"), health::router).await;
}
