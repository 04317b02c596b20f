//! The events of `events/docs-*.json`, and the real binary.

#[tokio::test]
async fn the_router_the_service_and_the_binary_answer_every_event_alike() {
    kit::events::assert_same_answers("docs", env!("CARGO_BIN_EXE_docs"), |_, _| Ok(docs::router())).await;
}
