//! Tests of `Function` with `examples/function.rs`, which `cargo test` builds too.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use kit::{Failure, Function, log};
use serde_json::json;

async fn start() -> Function {
    Function::start(example(), &[("GREETING", "hello")]).await
}

fn example() -> PathBuf {
    let deps = std::env::current_exe().unwrap();
    let example = deps.ancestors().nth(2).unwrap().join("examples/function");
    assert!(
        example.exists(),
        "{} does not exist: run cargo build -p tests --example function",
        example.display()
    );
    example
}

#[tokio::test]
async fn each_event_gets_its_own_answer() {
    let mut function = start().await;
    let first = function.invoke(&json!({ "number": 1 })).await.unwrap();
    let second = function.invoke(&json!({ "number": 2 })).await.unwrap();
    assert_eq!(first["echo"], json!({ "number": 1 }));
    assert_eq!(second["echo"], json!({ "number": 2 }));
    assert_ne!(first["id"], second["id"]);
}

#[tokio::test]
async fn an_answer_is_timed_from_when_its_event_is_sent() {
    let mut function = start().await;
    function.init().await.unwrap();
    let started = Instant::now();
    let (answer, took) = function.invoke_timed(json!({ "number": 1 }).to_string()).await.unwrap();
    assert!(Duration::ZERO < took && took < started.elapsed());
    assert!(answer.starts_with(b"{\"echo\":{\"number\":1}"));
}

#[tokio::test]
async fn a_failed_invocation_is_reported_and_the_next_succeeds() {
    let mut function = start().await;
    let failure = function.invoke(&json!({ "do": "fail" })).await.unwrap_err();
    assert!(
        matches!(&failure, Failure::Error(error) if error["errorMessage"] == "as requested"),
        "{failure}"
    );
    function.invoke(&json!({})).await.unwrap();
}

#[tokio::test]
async fn an_exit_is_reported_with_its_status_and_output() {
    let mut function = start().await;
    match function.invoke(&json!({ "do": "exit" })).await {
        Err(Failure::Ended(status, output)) => {
            assert_eq!(status.code(), Some(3));
            assert_eq!(output, "exiting\n");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(function.output(), "exiting\n");
}

#[tokio::test]
async fn a_failed_start_is_reported_with_its_output() {
    let mut function = Function::start(example(), &[]).await;
    let failure = function.init().await.unwrap_err();
    assert!(matches!(&failure, Failure::Ended(_, output) if output == "GREETING is not set\n"), "{failure}");
}

#[tokio::test]
async fn a_function_gets_the_variables_of_lambda_and_the_test_only() {
    let mut function = start().await;
    assert!(function.init().await.unwrap().as_secs() < 30);
    let env = function.invoke(&json!({ "do": "env" })).await.unwrap();
    assert_eq!(env["GREETING"], "hello");
    assert_eq!(env["AWS_LAMBDA_FUNCTION_NAME"], "function");
    assert!(std::env::var("CARGO_MANIFEST_DIR").is_ok());
    assert!(env.get("CARGO_MANIFEST_DIR").is_none());
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_dropped_function_is_killed() {
    let mut function = start().await;
    let answer = function.invoke(&json!({ "do": "env" })).await.unwrap();
    let api = answer["AWS_LAMBDA_RUNTIME_API"].as_str().unwrap().to_owned();
    let is_up = || {
        std::fs::read_dir("/proc").unwrap().flatten().any(|process| {
            let environment = std::fs::read(process.path().join("environ")).unwrap_or_default();
            String::from_utf8_lossy(&environment).contains(&format!("AWS_LAMBDA_RUNTIME_API={api}\0"))
        })
    };
    assert!(is_up());
    drop(function);
    for _ in 0..500 {
        if !is_up() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("the function still runs 5 s later");
}

#[test]
fn lines_with_secrets_or_request_data_are_found() {
    for line in [
        "no such user: ada@example.com",
        "email=ada%40example.com",
        "cannot connect to postgresql://todo:secret@127.0.0.1/todo",
        "Authorization: Bearer eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.e30.c2ln",
        "stored $2b$04$ZoJkhplr2i62luI.3ErPtuZ8zOTL1Rv9pmdmRPUEHS83QcezgUNDK",
        r#"{"fields":{"message":"body {\"title\":\"Buy milk\"}"}}"#,
        r#"{"fields":{"message":"body {\"refresh_token\":7}"}}"#,
        "the password is correct horse battery staple",
    ] {
        assert_eq!(log::lines_with_secrets(&format!("fine\n{line}\n")), [line]);
    }
    let answered =
        r#"{"request_id":"JKJaXmPLvHcESHA=","route":"/tasks/{id}","user_id":"019bc000-0000-7000"}"#;
    assert_eq!(log::lines_with_secrets(answered), [""; 0]);
}

#[tokio::test]
#[should_panic(expected = "the function logged secrets")]
async fn a_function_that_logs_an_email_fails_its_test() {
    let mut function = start().await;
    function.invoke(&json!({ "do": "log", "text": "ada@example.com" })).await.unwrap();
}
