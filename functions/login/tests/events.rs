//! The events of `events/login-*.json`, and the real binary.

use login::{App, router};

#[tokio::test]
async fn every_event_is_answered_alike_in_process_as_an_event_and_by_the_binary() {
    testing::events::are_answered_alike("login", env!("CARGO_BIN_EXE_login"), |config, db| {
        App::new(config, db).map(router)
    })
    .await;
}

#[tokio::test]
async fn at_no_log_level_is_a_secret_logged() {
    let url = testing::database().await;
    testing::events::seed(&url).await;
    let variables = [
        ("DATABASE_URL", url.as_str()),
        ("JWT_SECRET", shared::config::DEMO_JWT_SECRET),
        ("AWS_LAMBDA_LOG_LEVEL", "TRACE"),
        ("RUST_LOG", "trace"),
        ("AWS_LAMBDA_LOG_FORMAT", "JSON"),
    ];
    let mut function = testing::Function::start(env!("CARGO_BIN_EXE_login"), &variables).await;
    let event = serde_json::from_str(&testing::events::all()["login-ok.json"]).unwrap();
    let answer = function.invoke(&event).await.unwrap();
    assert_eq!(answer["statusCode"], 200);
    let body: serde_json::Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
    let log = function.output();
    assert!(log.contains("\"status\":200") && log.contains("DEBUG"), "{log}");
    let database_password = url.split([':', '@']).nth(2).unwrap();
    for secret in [
        "correct horse battery staple",
        "demo@example.com",
        "$2b$",
        body["access_token"].as_str().unwrap(),
        shared::config::DEMO_JWT_SECRET,
        database_password,
    ] {
        assert!(!log.contains(secret), "{secret}: {log}");
    }
}
