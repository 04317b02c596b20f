//! Secrets from SSM Parameter Store, and its failures.
//!
//! The tests that need moto's server are ignored, because not every machine has it. `.ci/run` runs them with
//! `cargo test -p tasks --test parameters -- --ignored`.

#![cfg(test)]

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use kit::{Failure, Function};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

const TASKS: &str = env!("CARGO_BIN_EXE_tasks");

/// Runs a function whose secrets are at this endpoint, and returns its output and how long it ran.
async fn refusal(endpoint: &str) -> (String, Duration) {
    let started = Instant::now();
    let variables = [
        ("SSM_PARAMETER_PATH", "/todo/test"),
        ("AWS_ENDPOINT_URL_SSM", endpoint),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
    ];
    let mut function = Function::start(TASKS, &variables).await;
    match function.init().await {
        Err(Failure::Ended(status, output)) if !status.success() => (output, started.elapsed()),
        other => panic!("{other:?}"),
    }
}

const NAMES: &str = "the parameters /todo/test/DATABASE_URL, /todo/test/DATABASE_CA, /todo/test/JWT_SECRET, /todo/test/JWT_SECRET_PREVIOUS cannot be read: ";

/// Starts a server that answers every request alike, and counts them.
async fn server(answer: Option<String>) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let requests = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&requests);
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let (answer, count) = (answer.clone(), Arc::clone(&count));
            tokio::spawn(async move {
                let mut buffer = [0; 8192];
                while let Ok(length @ 1..) = socket.read(&mut buffer).await {
                    // A request may come in pieces. Its head is in the first.
                    if !buffer[..length].starts_with(b"POST ") {
                        continue;
                    }
                    count.fetch_add(1, Ordering::Relaxed);
                    match &answer {
                        Some(answer) => socket.write_all(answer.as_bytes()).await.unwrap(),
                        None => std::future::pending().await,
                    }
                }
            });
        }
    });
    (endpoint, requests)
}

#[tokio::test]
async fn a_refused_connection_is_reported_with_the_parameters_names() {
    let (output, _) = refusal("http://127.0.0.1:1").await;
    assert!(output.contains(&format!("{NAMES}SSM cannot be reached: Connection refused")), "{output}");
}

#[tokio::test]
async fn an_endpoint_that_does_not_answer_is_asked_twice_within_the_deadline() {
    let (endpoint, requests) = server(None).await;
    let (output, after) = refusal(&endpoint).await;
    assert!(output.contains(&format!("{NAMES}no answer from SSM within 1.5s, twice")), "{output}");
    assert_eq!(requests.load(Ordering::Relaxed), 2);
    assert!(after < Duration::from_secs(6), "{after:?}");
}

/// Makes an answer as SSM sends it.
fn answer(status: &str, body: &str) -> Option<String> {
    let length = body.len();
    Some(format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/x-amz-json-1.1\r\ncontent-length: {length}\r\n\r\n{body}"
    ))
}

#[tokio::test]
async fn an_error_of_ssm_is_reported_by_its_code_alone_after_one_retry() {
    let body = r#"{"__type":"InternalServerError","message":"was postgresql://a:b"}"#;
    let (endpoint, requests) = server(answer("500 Internal Server Error", body)).await;
    let (output, _) = refusal(&endpoint).await;
    assert!(output.contains(&format!("{NAMES}SSM answered InternalServerError\"")), "{output}");
    assert!(!output.contains("postgresql://"), "{output}");
    assert_eq!(requests.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_permanent_error_is_reported_with_its_remedy_and_not_retried() {
    let body = r#"{"__type":"AccessDeniedException","Message":"User: arn:aws:sts::1:x is not authorized"}"#;
    let (endpoint, requests) = server(answer("400 Bad Request", body)).await;
    let (output, _) = refusal(&endpoint).await;
    let sentence =
        "SSM answered AccessDeniedException: the function's role needs ssm:GetParameters for each of them";
    assert!(output.contains(&format!("{NAMES}{sentence}")), "{output}");
    assert_eq!(requests.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn an_unreadable_answer_is_not_quoted() {
    let body = r#"{"Parameters":[{"Value":"postgresql://a:b"},]}"#;
    let (endpoint, _) = server(answer("200 OK", body)).await;
    let (output, _) = refusal(&endpoint).await;
    assert!(output.contains(&format!("{NAMES}SSM answered HTTP 200 and nothing readable")), "{output}");
    assert!(!output.contains("postgresql://"), "{output}");
}

#[tokio::test]
async fn ssm_is_not_asked_if_the_environment_has_everything() {
    let url = kit::database().await;
    let (endpoint, requests) = server(None).await;
    let variables = [
        ("SSM_PARAMETER_PATH", "/todo/test"),
        ("AWS_ENDPOINT_URL_SSM", endpoint.as_str()),
        ("DATABASE_URL", url.as_str()),
        ("DATABASE_CA", include_str!("../../../shared/ssm/src/amazon-root-certificates.pem")),
        ("JWT_SECRET", shared::jwt::DEMO_SECRET),
        ("JWT_SECRET_PREVIOUS", shared::jwt::DEMO_SECRET),
    ];
    Function::start(TASKS, &variables).await.init().await.unwrap();
    assert_eq!(requests.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn authorities_in_ssm_are_trusted_if_the_url_is_in_the_environment() {
    let database = kit::tls().await;
    let url = database.url("localhost", "sslmode=verify-full");
    let pem = std::fs::read_to_string(database.authority()).unwrap();
    let parameters =
        serde_json::json!({ "Parameters": [{ "Name": "/todo/test/DATABASE_CA", "Value": pem }] });
    let (endpoint, _) = server(answer("200 OK", &parameters.to_string())).await;
    let variables = [
        ("SSM_PARAMETER_PATH", "/todo/test"),
        ("AWS_ENDPOINT_URL_SSM", endpoint.as_str()),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("DATABASE_URL", url.as_str()),
        ("JWT_SECRET", shared::jwt::DEMO_SECRET),
        ("AWS_LAMBDA_LOG_LEVEL", "INFO"),
    ];
    kit::events::seed(database.plain_url()).await;
    let mut function = Function::start(TASKS, &variables).await;
    assert_eq!(status(&mut function, "tasks-list.json").await, 200);
    assert!(!function.output().contains("WARN"), "no other authority was tried first: {}", function.output());
}

#[tokio::test]
async fn a_malformed_path_is_named() {
    for path in ["todo/test", "/todo/test/", "/"] {
        let mut function = Function::start(TASKS, &[("SSM_PARAMETER_PATH", path)]).await;
        match function.init().await {
            Err(Failure::Ended(_, output)) => {
                assert!(output.contains(&format!("SSM_PARAMETER_PATH is `{path}`")), "{output}");
            }
            other => panic!("{other:?}"),
        }
    }
}

/// moto's server (`pip install 'moto[server]'`), a stand-in for AWS.
struct Moto {
    /// Ends with this.
    _process: tokio::process::Child,
    address: SocketAddr,
}

const DATABASE_PASSWORD: &str = "never-to-be-shown";

impl Moto {
    async fn start() -> Self {
        // moto does not accept port 0. This one was free a moment ago.
        let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let mut process = tokio::process::Command::new("moto_server")
            .args(["-H", "127.0.0.1", "-p", &address.port().to_string()])
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| {
                panic!("moto_server cannot be run ({error}): pip install 'moto[server]'")
            });
        while TcpStream::connect(address).await.is_err() {
            assert!(process.try_wait().unwrap().is_none(), "moto_server ended");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Self { _process: process, address }
    }

    /// Sends a request as AWS's tools do, but without a valid signature, which moto does not check yet.
    async fn post(&self, path: &str, service: &str, headers: &str, body: &str) -> String {
        let request = format!(
            "POST {path} HTTP/1.0\r\nHost: {service}.eu-central-1.amazonaws.com\r\nContent-Length: {}\r\n{headers}\
             Authorization: AWS4-HMAC-SHA256 Credential=setup/20300101/eu-central-1/{service}/aws4_request, \
             SignedHeaders=host, Signature=none\r\n\r\n{body}",
            body.len()
        );
        let mut socket = TcpStream::connect(self.address).await.unwrap();
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.unwrap();
        assert!(answer.lines().next().unwrap().contains(" 200 "), "{answer}");
        answer
    }

    async fn put(&self, name: &str, value: &str) {
        let headers = "X-Amz-Target: AmazonSSM.PutParameter\r\nContent-Type: application/x-amz-json-1.1\r\n";
        let body = serde_json::json!({ "Name": name, "Value": value, "Type": "SecureString" });
        self.post("/", "ssm", headers, &body.to_string()).await;
    }

    async fn iam(&self, query: &str) -> String {
        let headers = "Content-Type: application/x-www-form-urlencoded\r\n";
        self.post("/", "iam", headers, &format!("Version=2010-05-08&{query}")).await
    }

    async fn function(&self, (id, secret): (&str, &str)) -> Function {
        let endpoint = format!("http://{}", self.address);
        let variables = [
            ("SSM_PARAMETER_PATH", "/todo/test"),
            ("AWS_ENDPOINT_URL_SSM", endpoint.as_str()),
            ("AWS_ACCESS_KEY_ID", id),
            ("AWS_SECRET_ACCESS_KEY", secret),
        ];
        Function::start(TASKS, &variables).await
    }
}

async fn status(function: &mut Function, event: &str) -> serde_json::Value {
    let event = serde_json::from_str(&kit::events::all()[event]).unwrap();
    function.invoke(&event).await.unwrap()["statusCode"].clone()
}

#[tokio::test]
#[ignore = "needs moto_server"]
async fn a_function_reads_its_secrets_and_the_previous_one_below_the_path() {
    let moto = Moto::start().await;
    let url = kit::database().await;
    kit::events::seed(&url).await;
    moto.put("/todo/test/DATABASE_URL", &url).await;
    moto.put("/todo/test/JWT_SECRET", "the secret that took the place of the demo's").await;
    // A parameter of another stage.
    moto.put("/todo/JWT_SECRET_PREVIOUS", shared::jwt::DEMO_SECRET).await;
    let mut before = moto.function(("test", "test")).await;
    assert_eq!(status(&mut before, "tasks-list.json").await, 401);

    moto.put("/todo/test/JWT_SECRET_PREVIOUS", shared::jwt::DEMO_SECRET).await;
    assert_eq!(status(&mut before, "tasks-list.json").await, 401, "a running copy does not see a change");
    let mut after = moto.function(("test", "test")).await;
    assert_eq!(status(&mut after, "tasks-list.json").await, 200);
    for function in [before, after] {
        assert!(!function.output().contains("the secret that took"), "{}", function.output());
    }
}

#[tokio::test]
#[ignore = "needs moto_server"]
async fn a_missing_parameter_is_named_and_no_value_is_shown() {
    let moto = Moto::start().await;
    let url = format!("postgresql://todo:{DATABASE_PASSWORD}@127.0.0.1:1/todo");
    moto.put("/todo/test/DATABASE_URL", &url).await;
    match moto.function(("test", "test")).await.init().await {
        Err(Failure::Ended(status, output)) => {
            assert!(!status.success());
            let sentence =
                "JWT_SECRET is not set, and there is no parameter /todo/test/JWT_SECRET: it should be";
            assert!(output.contains(sentence), "{output}");
            assert!(!output.contains(DATABASE_PASSWORD), "{output}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
#[ignore = "needs moto_server"]
async fn a_role_without_access_is_told_what_it_lacks() {
    let moto = Moto::start().await;
    // moto takes longer for its first request to a service than a function waits.
    moto.put("/todo/test/JWT_SECRET", shared::jwt::DEMO_SECRET).await;
    moto.iam("Action=CreateUser&UserName=function").await;
    let key = moto.iam("Action=CreateAccessKey&UserName=function").await;
    let between =
        |start: &str, end: &str| key.split(start).nth(1).unwrap().split(end).next().unwrap().to_owned();
    let id = between("<AccessKeyId>", "</AccessKeyId>");
    let secret = between("<SecretAccessKey>", "</SecretAccessKey>");
    // moto checks signatures and policies from now on, and the user has none. It answers in XML, AWS in JSON.
    moto.post("/moto-api/reset-auth", "moto-api", "Content-Type: text/plain\r\n", "0").await;
    match moto.function((&id, &secret)).await.init().await {
        Err(Failure::Ended(_, output)) => {
            let sentence =
                format!("{NAMES}SSM answered HTTP 403: the function's role needs ssm:GetParameters");
            assert!(output.contains(&sentence), "{output}");
        }
        other => panic!("{other:?}"),
    }
}
