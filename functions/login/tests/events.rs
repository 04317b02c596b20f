//! The events of `events/login-*.json`, and the real binary.

use login::router;

#[tokio::test]
async fn the_router_the_service_and_the_binary_answer_every_event_alike() {
    kit::events::assert_same_answers("login", env!("CARGO_BIN_EXE_login"), router).await;
}

#[tokio::test]
async fn a_failed_login_is_counted_and_the_log_does_not_name_the_user() {
    let url = kit::database().await;
    kit::events::seed(&url).await;
    let variables = [("DATABASE_URL", url.as_str()), ("JWT_SECRET", shared::jwt::DEMO_SECRET)];
    let mut function = kit::Function::start(env!("CARGO_BIN_EXE_login"), &variables).await;
    for (event, user_id, failures) in [
        ("login-wrong-password.json", serde_json::Value::Null, 1.into()),
        ("login-ok.json", "019bc000-0000-7000-8000-000000000001".into(), serde_json::Value::Null),
    ] {
        let event = serde_json::from_str(&kit::events::all()[event]).unwrap();
        function.invoke(&event).await.unwrap();
        let line = function.request_logs().pop().unwrap();
        assert_eq!(line["route"], "/auth/login");
        assert_eq!(line["user_id"], user_id);
        assert_eq!(line["LoginFailures"], failures);
    }
    // The log is searched when the function is dropped; this shows that its level is TRACE, or near.
    assert!(function.output().contains("\"level\":\"DEBUG\""), "{}", function.output());
}
