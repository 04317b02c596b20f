//! Lambda Managed Instances, which send several events to one process at a time.

#![cfg(test)]

use std::time::Duration;

use kit::{Function, events};
use serde_json::Value;
use shared::jwt::DEMO_SECRET;
use tokio_postgres::{Client, NoTls};

const TASKS: &str = env!("CARGO_BIN_EXE_tasks");

async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// Sends eight events to one function while another transaction locks the tasks, waits until this many statements wait for
/// it, releases the lock, and returns events and answers.
async fn eight_while_waiting(variables: &[(&str, &str)], statements: i64) -> Vec<(Value, Value)> {
    let answers = tokio::time::timeout(Duration::from_secs(20), eight(variables, statements)).await;
    answers.expect("as many statements should wait, and be answered then")
}

async fn eight(variables: &[(&str, &str)], statements: i64) -> Vec<(Value, Value)> {
    let url = kit::database().await;
    events::seed(&url).await;
    let (holder, observer) = (connect(&url).await, connect(&url).await);
    holder.batch_execute("BEGIN; LOCK TABLE tasks").await.unwrap();

    let variables = [variables, &[("DATABASE_URL", url.as_str()), ("JWT_SECRET", DEMO_SECRET)]].concat();
    let mut function = Function::start(TASKS, &variables).await;
    let all = events::all();
    let events: Vec<Value> = (0..8)
        .map(|n| {
            let case = if n % 2 == 0 { "tasks-list.json" } else { "tasks-create.json" };
            let mut event: Value = serde_json::from_str(&all[case]).unwrap();
            event["requestContext"]["requestId"] = format!("request-{n}").into();
            event
        })
        .collect();
    let let_go = async {
        let waiting = "SELECT count(*) FROM pg_stat_activity \
                       WHERE datname = current_database() AND wait_event_type = 'Lock'";
        while observer.query_one(waiting, &[]).await.unwrap().get::<_, i64>(0) < statements {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // Time for another one to come.
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(observer.query_one(waiting, &[]).await.unwrap().get::<_, i64>(0), statements);
        holder.batch_execute("COMMIT").await.unwrap();
    };
    let (answers, ()) = tokio::join!(function.invoke_all(&events), let_go);
    let answers = answers.unwrap();
    while function.request_logs().len() < 8 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    events.into_iter().zip(answers).collect()
}

fn assert_each_has_its_own(answers: &[(Value, Value)]) {
    for (event, answer) in answers {
        let status = if event["rawPath"] == "/tasks" && event["body"].is_null() { 200 } else { 201 };
        assert_eq!(answer["statusCode"], status, "{answer}");
        assert_eq!(answer["headers"]["x-request-id"], event["requestContext"]["requestId"], "{answer}");
    }
}

#[tokio::test]
async fn one_process_handles_eight_requests_at_a_time_on_eight_connections() {
    assert_each_has_its_own(&eight_while_waiting(&[("AWS_LAMBDA_MAX_CONCURRENCY", "8")], 8).await);
}

#[tokio::test]
async fn requests_wait_if_there_are_fewer_connections() {
    let variables = [("AWS_LAMBDA_MAX_CONCURRENCY", "8"), ("DATABASE_MAX_CONNECTIONS", "3")];
    assert_each_has_its_own(&eight_while_waiting(&variables, 3).await);
}

#[tokio::test]
async fn a_process_answers_one_request_at_a_time_by_default() {
    assert_each_has_its_own(&eight_while_waiting(&[], 1).await);
}
