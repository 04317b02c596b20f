//! The events of `events/tasks-*.json`, and the real binary.

#![cfg(test)]

use serde_json::json;
use tasks::router;

#[tokio::test]
async fn the_router_the_service_and_the_binary_answer_every_event_alike() {
    kit::events::assert_same_answers("tasks", env!("CARGO_BIN_EXE_tasks"), router).await;
}

const SECRET: &str = "a secret of the tests, 32 bytes and more";

#[tokio::test]
async fn a_missing_variable_is_named_and_ends_the_function() {
    let url = "postgresql://todo:secret@127.0.0.1:1/todo";
    for (variables, sentence) in [
        (&[("JWT_SECRET", SECRET)][..], "DATABASE_URL is not set"),
        (&[("DATABASE_URL", url)], "JWT_SECRET is not set"),
        (&[("DATABASE_URL", url), ("JWT_SECRET", "short")], "JWT_SECRET is too short (5 bytes)"),
    ] {
        let mut function = kit::Function::start(env!("CARGO_BIN_EXE_tasks"), variables).await;
        match function.init().await {
            Err(kit::Failure::Ended(status, output)) => {
                assert!(!status.success());
                assert!(output.contains(sentence), "{output}");
                assert!(!output.contains("secret@"), "{output}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn outside_lambda_the_function_ends_and_says_what_to_run() {
    let ended = std::process::Command::new(env!("CARGO_BIN_EXE_tasks")).env_clear().output().unwrap();
    let said = String::from_utf8(ended.stdout).unwrap();
    assert!(!ended.status.success());
    assert!(said.contains("AWS_LAMBDA_RUNTIME_API is not set") && said.contains("cargo dev"), "{said}");
}

#[tokio::test]
async fn the_connection_is_open_before_the_first_event() {
    let url = kit::database().await;
    let variables = [("DATABASE_URL", url.as_str()), ("JWT_SECRET", SECRET)];
    let mut function = kit::Function::start(env!("CARGO_BIN_EXE_tasks"), &variables).await;
    function.init().await.unwrap();
    let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    assert_eq!(client.query_one(others, &[]).await.unwrap().get::<_, i64>(0), 1);
}

#[tokio::test]
async fn without_a_database_the_function_starts_and_answers_503() {
    // One database refuses connections, and one accepts them but never answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = silent.local_addr().unwrap().port();
    let answers = [1, silent].map(|port| async move {
        let url = format!("postgresql://todo:secret@127.0.0.1:{port}/todo");
        let variables = [("DATABASE_URL", url.as_str()), ("JWT_SECRET", shared::jwt::DEMO_SECRET)];
        let mut function = kit::Function::start(env!("CARGO_BIN_EXE_tasks"), &variables).await;
        let init = function.init().await.unwrap();
        assert!(init.as_secs_f64() < 5.0, "{init:?}");
        let event = serde_json::from_str(&kit::events::all()["tasks-list.json"]).unwrap();
        let answer = function.invoke(&event).await.unwrap();
        assert_eq!(answer["statusCode"], 503, "{answer}");
        assert_eq!(answer["headers"]["retry-after"], "1");
        // Lambda needs both in a line to know its level.
        let log = function.output();
        let lines = log.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let levels: Vec<_> = lines
            .map(|line| {
                assert!(line["timestamp"].as_str().unwrap().ends_with('Z'), "{line}");
                line["level"].as_str().unwrap().to_owned()
            })
            .collect();
        assert!(["WARN", "ERROR"].iter().all(|level| levels.iter().any(|of_line| of_line == level)), "{log}");
    });
    let [refused, unanswered] = answers;
    tokio::join!(refused, unanswered);
}

#[tokio::test]
async fn an_address_that_does_not_answer_is_logged_and_the_next_one_is_used() {
    let url = kit::database().await;
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let both =
        url.replacen("@127.0.0.1:", &format!("@127.0.0.1:{port},127.0.0.1:"), 1) + "?connect_timeout=1";
    let variables = [("DATABASE_URL", both.as_str()), ("JWT_SECRET", shared::jwt::DEMO_SECRET)];
    let mut function = kit::Function::start(env!("CARGO_BIN_EXE_tasks"), &variables).await;
    kit::events::seed(&url).await;
    let event = serde_json::from_str(&kit::events::all()["tasks-list.json"]).unwrap();
    assert_eq!(function.invoke(&event).await.unwrap()["statusCode"], 200);
    let warning = format!("127.0.0.1:{port} did not answer within 1s, the next address is tried");
    assert!(function.output().contains(&warning), "{}", function.output());
}

#[tokio::test]
async fn an_event_that_cannot_be_read_is_400_and_the_next_one_is_answered() {
    let url = kit::database().await;
    kit::events::seed(&url).await;
    let variables = [("DATABASE_URL", url.as_str()), ("JWT_SECRET", shared::jwt::DEMO_SECRET)];
    let mut function = kit::Function::start(env!("CARGO_BIN_EXE_tasks"), &variables).await;
    let good: serde_json::Value = serde_json::from_str(&kit::events::all()["tasks-list.json"]).unwrap();
    let with = |pointer: &str, value: serde_json::Value| {
        let mut event = good.clone();
        *event.pointer_mut(pointer).unwrap() = value;
        event
    };
    let mut base64 = good.clone();
    base64["isBase64Encoded"] = true.into();
    base64["body"] = "not base64!".into();
    for (event, id) in [
        (base64, &good["requestContext"]["requestId"]),
        (with("/rawQueryString", "a b".into()), &good["requestContext"]["requestId"]),
        (with("/headers/x-forwarded-proto", "a b".into()), &good["requestContext"]["requestId"]),
        (with("/headers/host", "a b".into()), &good["requestContext"]["requestId"]),
        (with("/requestContext/http/method", "NO METHOD".into()), &good["requestContext"]["requestId"]),
        (with("/headers", "none".into()), &good["requestContext"]["requestId"]),
    ] {
        let answer = function.invoke(&event).await.unwrap();
        assert_eq!(answer["statusCode"], 400, "{event}");
        let body: serde_json::Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
        assert_eq!(body["code"], "malformed_request");
        assert_eq!(body["request_id"], answer["headers"]["x-request-id"]);
        assert_eq!(body["request_id"], *id);
        assert_eq!(function.request_logs().pop().unwrap()["status"], 400);
        assert_eq!(function.invoke(&good).await.unwrap()["statusCode"], 200);
    }
}

#[tokio::test]
async fn an_event_that_is_not_a_request_is_described_in_one_line_and_not_counted() {
    let url = kit::database().await;
    kit::events::seed(&url).await;
    let variables = [
        ("DATABASE_URL", url.as_str()),
        ("JWT_SECRET", shared::jwt::DEMO_SECRET),
        ("AWS_LAMBDA_LOG_LEVEL", "INFO"),
    ];
    let mut function = kit::Function::start(env!("CARGO_BIN_EXE_tasks"), &variables).await;
    let secret = "what a client sent";
    let foreign = [
        (
            json!({
                "version": "1.0", "resource": "/tasks", "path": "/tasks", "httpMethod": "GET", "body": secret,
                "headers": { "x-secret": secret }, "multiValueHeaders": { "x-secret": [secret] },
                "requestContext": { "requestId": "an id", "httpMethod": "GET", "resourcePath": "/tasks" },
            }),
            "payload version 1.0",
        ),
        (
            json!({
                "requestContext": { "elb": { "targetGroupArn": "arn:aws:elasticloadbalancing:…" } },
                "httpMethod": "POST", "path": "/tasks", "headers": {}, "body": secret, "isBase64Encoded": false,
            }),
            "Application Load Balancer",
        ),
        (
            json!({ "source": "aws.events", "detail-type": "Scheduled Event", "detail": { "x": secret } }),
            "EventBridge",
        ),
        (json!({ "source": "serverless-plugin-warmup", "secret": secret }), "warm-up ping"),
        (json!({ "Records": [{ "eventSource": "aws:sqs", "body": secret }] }), "queue"),
        (json!({ "key1": secret }), "test event"),
        (json!({}), "unknown event"),
        (json!([1, 2]), "unknown event"),
        (json!(null), "unknown event"),
    ];
    for (number, (event, what)) in foreign.iter().enumerate() {
        let answer = function.invoke(event).await.unwrap();
        assert_eq!(answer["statusCode"], 400, "{event}");
        assert_eq!(answer["headers"]["content-type"], "application/json; charset=utf-8");
        let body: serde_json::Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
        assert_eq!(body["code"], "malformed_request");
        let log = function.output();
        let lines: Vec<serde_json::Value> =
            log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), number + 1, "{log}");
        let line = lines.last().unwrap();
        assert_eq!(line["level"], "WARN");
        assert!(line["message"].as_str().unwrap().contains(what), "{line}");
        // The id is Lambda's id of the invocation, because there is no other.
        assert_eq!(line["lambda_request_id"], body["request_id"]);
        assert!(!log.contains(secret), "{log}");
    }
    assert!(function.request_logs().is_empty(), "{:?}", function.request_logs());
    let good = serde_json::from_str(&kit::events::all()["tasks-list.json"]).unwrap();
    assert_eq!(function.invoke(&good).await.unwrap()["statusCode"], 200);
    assert_eq!(function.request_logs()[0]["cold_start"], true, "no ping uses it up");
}

#[tokio::test]
async fn location_and_link_keep_the_mapping_key_of_a_custom_domain() {
    let url = kit::database().await;
    kit::events::seed(&url).await;
    let variables = [("DATABASE_URL", url.as_str()), ("JWT_SECRET", shared::jwt::DEMO_SECRET)];
    let mut function = kit::Function::start(env!("CARGO_BIN_EXE_tasks"), &variables).await;
    let event = |name: &str, mapping_key: &str| {
        let mut event: serde_json::Value = serde_json::from_str(&kit::events::all()[name]).unwrap();
        event["rawPath"] = format!("{mapping_key}{}", event["rawPath"].as_str().unwrap()).into();
        event
    };
    let created = function.invoke(&event("tasks-create.json", "/todo/v1")).await.unwrap();
    let location = created["headers"]["location"].as_str().unwrap();
    assert!(location.starts_with("/todo/v1/tasks/"), "{created}");
    let created = function.invoke(&event("tasks-create-under-api.json", "/todo")).await.unwrap();
    let location = created["headers"]["location"].as_str().unwrap();
    assert!(location.starts_with("/todo/api/tasks/"), "{created}");
    let task = function.invoke(&event("tasks-get.json", "/todo")).await.unwrap();
    assert_eq!(task["statusCode"], 200, "{task}");
    let unknown = function.invoke(&event("tasks-get-unknown.json", "/todo")).await.unwrap();
    assert_eq!(unknown["statusCode"], 404, "{unknown}");

    let mut page = event("tasks-list.json", "/todo");
    page["rawQueryString"] = "limit=1".into();
    let page = function.invoke(&page).await.unwrap();
    let link = page["headers"]["link"].as_str().unwrap();
    assert!(link.starts_with("</todo/tasks?limit=1&cursor="), "{link}");
}

#[tokio::test]
async fn the_preflight_of_an_allowed_page_names_its_origin_alone() {
    let url = "postgresql://todo@127.0.0.1:1/todo";
    let variables = [
        ("DATABASE_URL", url),
        ("JWT_SECRET", SECRET),
        ("CORS_ALLOW_ORIGINS", "https://todo.example.com,http://localhost:3000"),
    ];
    let mut function = kit::Function::start(env!("CARGO_BIN_EXE_tasks"), &variables).await;
    for (name, allowed) in [
        ("tasks-preflight.json", Some("https://todo.example.com")),
        ("tasks-update-preflight-under-api.json", Some("https://todo.example.com")),
        ("tasks-preflight-foreign-origin.json", None),
    ] {
        let event = serde_json::from_str(&kit::events::all()[name]).unwrap();
        let answer = function.invoke(&event).await.unwrap();
        assert_eq!(answer["statusCode"], 204, "{answer}");
        assert_eq!(answer["headers"]["access-control-allow-origin"].as_str(), allowed, "{answer}");
        let headers = allowed.map(|_| "authorization, *");
        assert_eq!(answer["headers"]["access-control-allow-headers"].as_str(), headers);
    }
    let lines = function.request_logs();
    assert_eq!((&lines[0]["route"], &lines[0]["method"]), (&json!("/tasks"), &json!("OPTIONS")));
}

#[tokio::test]
async fn an_origin_that_would_never_match_is_named_and_ends_the_function() {
    let variables = [
        ("DATABASE_URL", "postgresql://todo@127.0.0.1:1/todo"),
        ("JWT_SECRET", SECRET),
        ("CORS_ALLOW_ORIGINS", "https://todo.example.com/"),
    ];
    let mut function = kit::Function::start(env!("CARGO_BIN_EXE_tasks"), &variables).await;
    match function.init().await {
        Err(kit::Failure::Ended(_, output)) => {
            assert!(output.contains("CORS_ALLOW_ORIGINS has `https://todo.example.com/`"), "{output}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_path_that_becomes_a_tasks_path_when_it_is_cleaned_is_not_found() {
    let url = kit::database().await;
    let variables = [("DATABASE_URL", url.as_str()), ("JWT_SECRET", shared::jwt::DEMO_SECRET)];
    let mut function = kit::Function::start(env!("CARGO_BIN_EXE_tasks"), &variables).await;
    kit::events::seed(&url).await;
    let mut event: serde_json::Value = serde_json::from_str(&kit::events::all()["tasks-get.json"]).unwrap();
    let path = event["rawPath"].as_str().unwrap().to_owned();
    for (end, status) in [
        ("", 200),
        ("\r\n", 404),
        ("\0", 404),
        ("\t", 404),
        (" ", 404),
        ("/", 404),
        ("/x/..", 404),
        ("?x", 404),
        ("#x", 404),
        ("\u{e9}", 404),
    ] {
        event["rawPath"] = format!("{path}{end}").into();
        let answer = function.invoke(&event).await.unwrap();
        assert_eq!(answer["statusCode"], status, "{end:?}");
    }
}

#[tokio::test]
async fn each_request_is_one_line_with_its_route_its_user_and_its_cost() {
    let url = kit::database().await;
    let variables = [("DATABASE_URL", url.as_str()), ("JWT_SECRET", shared::jwt::DEMO_SECRET)];
    let mut function = kit::Function::start(env!("CARGO_BIN_EXE_tasks"), &variables).await;
    kit::events::seed(&url).await;
    let demo = "019bc000-0000-7000-8000-000000000001";
    let requests = [
        ("tasks-get.json", "GET", Some("/tasks/{id}"), None, Some(demo)),
        ("tasks-list-under-api.json", "GET", Some("/tasks"), None, Some(demo)),
        ("tasks-get-unknown.json", "GET", Some("/tasks/{id}"), Some("task_not_found"), Some(demo)),
        ("tasks-list-no-token.json", "GET", Some("/tasks"), Some("invalid_token"), None),
        (
            "tasks-complete-wrong-method.json",
            "GET",
            Some("/tasks/{id}/complete"),
            Some("method_not_allowed"),
            None,
        ),
    ];
    for (number, (name, method, route, code, user)) in requests.into_iter().enumerate() {
        let event: serde_json::Value = serde_json::from_str(&kit::events::all()[name]).unwrap();
        let answer = function.invoke(&event).await.unwrap();
        let lines = function.request_logs();
        assert_eq!(lines.len(), number + 1, "{name}");
        let line = &lines[number];
        assert_eq!(line["request_id"], event["requestContext"]["requestId"]);
        // Lambda's own lines have this id.
        let lambda_request_id = line["lambda_request_id"].as_str().unwrap();
        assert!(lambda_request_id.starts_with("8476a536-e9f4-11e8-9739-"), "{line}");
        assert_eq!(line["status"], answer["statusCode"]);
        assert_eq!(line["method"], method);
        assert_eq!(line["route"].as_str(), route);
        assert_eq!(line["code"].as_str(), code);
        assert_eq!(line["user_id"].as_str(), user);
        assert_eq!(line["cold_start"], number == 0);
        assert_eq!(line["FunctionName"], "tasks");
        let (duration, database) =
            (line["duration_ms"].as_f64().unwrap(), line["database_ms"].as_f64().unwrap());
        // Without a valid token no statement is sent.
        assert_eq!(database > 0.0, user.is_some(), "{line}");
        assert!(duration >= database, "{line}");
    }
}
