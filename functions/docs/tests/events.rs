//! The events of `events/docs-*.json`, and the real binary.

#[tokio::test]
async fn every_event_is_answered_alike_in_process_as_an_event_and_by_the_binary() {
    kit::events::assert_same_answers("docs", env!("CARGO_BIN_EXE_docs"), |_, _| Ok(docs::router())).await;
}
