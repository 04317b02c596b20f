//! Runs a function's real binary with a Lambda Runtime API.

#![expect(clippy::disallowed_types, reason = "the Runtime API does not use our error type")]

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path as UrlPath, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::log;

/// The timeout of the initialisation and of each answer.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A running binary of a function, with its own Lambda Runtime API. Dropping it kills the process.
pub struct Function {
    process: Child,
    started: Instant,
    initialised: Option<Duration>,
    events: UnboundedSender<Event>,
    reports: UnboundedReceiver<Report>,
    output: Arc<Mutex<Vec<u8>>>,
    readers: Vec<JoinHandle<()>>,
    api: JoinHandle<()>,
    invocations: u64,
    /// The secrets in its variables, which it must not log.
    secrets: Vec<String>,
}

struct Event {
    id: String,
    body: String,
}

/// A call of the function to the Runtime API.
enum Report {
    /// The function asked for an event at this time.
    Ready(Instant),
    Response {
        id: String,
        body: Bytes,
        /// The time since the event was sent.
        took: Duration,
    },
    Error {
        id: String,
        body: Bytes,
    },
    InitError {
        body: Bytes,
    },
}

/// The reason why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The function reported that the invocation failed, with this error object.
    #[error("the function reported {0}")]
    Error(Value),
    /// The function reported that it could not initialise, with this error object.
    #[error("the function could not initialise: {0}")]
    InitError(Value),
    /// The process ended, with this status and output.
    #[error("the function ended ({0}) with the output: {1}")]
    Ended(ExitStatus, String),
    /// The function called nothing for 30 s. It wrote this output.
    #[error("the function did not answer within 30 s; its output: {0}")]
    Timeout(String),
}

impl Function {
    /// Starts the binary with only these variables and those that Lambda sets. The log level is TRACE by default.
    /// Dropping the function checks its log for secrets.
    ///
    /// # Panics
    /// Panics if the binary cannot be run.
    pub async fn start(binary: impl AsRef<Path>, env: &[(&str, &str)]) -> Self {
        let binary = binary.as_ref();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener =
            listener.unwrap_or_else(|error| panic!("cannot bind a port for the Runtime API: {error}"));
        let address =
            listener.local_addr().unwrap_or_else(|error| panic!("the listener has no address: {error}"));
        let (events, queue) = mpsc::unbounded_channel();
        let (report, reports) = mpsc::unbounded_channel();
        let router = runtime_api(queue, report);
        let api = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });

        let name = binary.file_name().unwrap_or(OsStr::new("function"));
        let folder = binary.parent().unwrap_or(Path::new("."));
        let started = Instant::now();
        let mut process = Command::new(binary)
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", name)
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
            .env("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/test")
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "2030/01/01/[$LATEST]test")
            .env("AWS_EXECUTION_ENV", "AWS_Lambda_provided.al2023")
            .env("AWS_REGION", "eu-central-1")
            .env("AWS_DEFAULT_REGION", "eu-central-1")
            .env("LAMBDA_TASK_ROOT", folder)
            .env("LAMBDA_RUNTIME_DIR", "/var/runtime")
            .env("_HANDLER", "bootstrap")
            .env("LANG", "en_US.UTF-8")
            .env("TZ", ":UTC")
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("AWS_LAMBDA_LOG_FORMAT", "JSON")
            .env("AWS_LAMBDA_LOG_LEVEL", "TRACE")
            .env("DATABASE_PREPARED_STATEMENTS", crate::prepared_statements())
            .envs(env.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot run {}: {error}", binary.display()));

        let output = Arc::default();
        let readers = process.stdout.take().map(|pipe| tokio::spawn(read(pipe, Arc::clone(&output))));
        let more = process.stderr.take().map(|pipe| tokio::spawn(read(pipe, Arc::clone(&output))));
        Self {
            process,
            started,
            initialised: None,
            events,
            reports,
            output,
            readers: readers.into_iter().chain(more).collect(),
            api,
            invocations: 0,
            secrets: env.iter().filter_map(|(name, value)| log::secret_in(name, value)).collect(),
        }
    }

    /// Waits until the function asks for its first event, and returns the time since its start.
    ///
    /// # Errors
    /// Fails if the function ends, reports an error or takes more than 30 s.
    pub async fn init(&mut self) -> Result<Duration, Failure> {
        while self.initialised.is_none() {
            match self.report().await? {
                Report::Ready(at) => self.initialised = Some(at - self.started),
                Report::InitError { body } => return Err(Failure::InitError(json(&body))),
                Report::Response { id, .. } | Report::Error { id, .. } => {
                    panic!("the function answered the event {id}, which was not sent")
                }
            }
        }
        Ok(self.initialised.unwrap_or_default())
    }

    /// Sends an event and waits for the answer.
    ///
    /// # Errors
    /// Fails if the function reports an error, ends or takes more than 30 s.
    pub async fn invoke(&mut self, event: &Value) -> Result<Value, Failure> {
        Ok(json(&self.invoke_timed(event.to_string()).await?.0))
    }

    /// Like [`Function::invoke`]. Returns the answer's bytes and the time from sending the event to their arrival, the
    /// time that Lambda bills.
    ///
    /// # Errors
    /// See [`Function::invoke`].
    pub async fn invoke_timed(&mut self, event: String) -> Result<(Bytes, Duration), Failure> {
        self.init().await?;
        self.invocations += 1;
        let expected = format!("8476a536-e9f4-11e8-9739-{:012x}", self.invocations);
        let event = Event { id: expected.clone(), body: event };
        // If sending fails, the API has ended, and there is no report either.
        let _ = self.events.send(event);
        loop {
            match self.report().await? {
                Report::Response { id, body, took } if id == expected => return Ok((body, took)),
                Report::Error { id, body } if id == expected => return Err(Failure::Error(json(&body))),
                // A report of an earlier invocation that timed out.
                _ => {}
            }
        }
    }

    /// Sends all events at once, as Lambda Managed Instances do. Returns the answers in the order of the events.
    ///
    /// # Errors
    /// See [`Function::invoke`].
    pub async fn invoke_all(&mut self, events: &[Value]) -> Result<Vec<Value>, Failure> {
        self.init().await?;
        let mut waiting = Vec::new();
        for event in events {
            self.invocations += 1;
            let id = format!("8476a536-e9f4-11e8-9739-{:012x}", self.invocations);
            waiting.push(id.clone());
            let _ = self.events.send(Event { id, body: event.to_string() });
        }
        let mut answers = BTreeMap::new();
        while answers.len() < waiting.len() {
            match self.report().await? {
                Report::Response { id, body, .. } => _ = answers.insert(id, json(&body)),
                Report::Error { body, .. } => return Err(Failure::Error(json(&body))),
                Report::Ready(_) | Report::InitError { .. } => {}
            }
        }
        Ok(waiting.iter().filter_map(|id| answers.remove(id)).collect())
    }

    /// Returns the PID.
    ///
    /// # Panics
    /// Panics if the process has ended.
    pub fn pid(&self) -> u32 {
        self.process.id().unwrap_or_else(|| panic!("the function has ended"))
    }

    /// Returns what the function has written to stdout and stderr so far.
    pub fn output(&self) -> String {
        let output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&output).into_owned()
    }

    /// Returns the log lines with metrics for CloudWatch so far, one per request.
    pub fn request_logs(&self) -> Vec<Value> {
        let output = self.output();
        let lines = output.lines().filter_map(|line| serde_json::from_str(line).ok());
        lines.filter(|line: &Value| line.get("_aws").is_some()).collect()
    }

    async fn report(&mut self) -> Result<Report, Failure> {
        let (reports, process) = (&mut self.reports, &mut self.process);
        let next = async {
            tokio::select! {
                biased;
                Some(report) = reports.recv() => Ok(report),
                status = process.wait() => Err(status),
            }
        };
        match timeout(TIMEOUT, next).await {
            Ok(Ok(report)) => Ok(report),
            Ok(Err(status)) => {
                // A last report may have arrived before the exit.
                if let Ok(report) = self.reports.try_recv() {
                    return Ok(report);
                }
                for reader in self.readers.drain(..) {
                    let _ = reader.await;
                }
                let status = status.unwrap_or_else(|error| panic!("cannot wait for the function: {error}"));
                Err(Failure::Ended(status, self.output()))
            }
            Err(_) => Err(Failure::Timeout(self.output())),
        }
    }
}

impl Drop for Function {
    /// # Panics
    /// Panics if the log contains secrets.
    fn drop(&mut self) {
        self.api.abort();
        if !std::thread::panicking() {
            let output = self.output();
            let lines = log::lines_with_secrets(&output);
            assert!(lines.is_empty(), "the function logged secrets: {lines:#?}");
            let secret = self.secrets.iter().find(|secret| output.contains(*secret));
            assert_eq!(secret, None, "the function logged a secret of its variables: {output}");
        }
    }
}

async fn read(mut pipe: impl AsyncRead + Unpin, output: Arc<Mutex<Vec<u8>>>) {
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = pipe.read(&mut buffer).await {
        let mut output = output.lock().unwrap_or_else(PoisonError::into_inner);
        output.extend_from_slice(&buffer[..length]);
    }
}

/// Parses JSON. Other text becomes a JSON string.
fn json(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_else(|_| String::from_utf8_lossy(body).into())
}

/// The Runtime API: <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>.
fn runtime_api(events: UnboundedReceiver<Event>, reports: UnboundedSender<Report>) -> Router {
    let events = Arc::new(tokio::sync::Mutex::new(events));
    Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
        .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
        .route("/2018-06-01/runtime/init/error", post(init_error))
        // A response may be up to 6 MB.
        .layer(DefaultBodyLimit::disable())
        .with_state(Api { events, reports, sent: Arc::new(Mutex::new(Instant::now())) })
}

#[derive(Clone)]
struct Api {
    events: Arc<tokio::sync::Mutex<UnboundedReceiver<Event>>>,
    reports: UnboundedSender<Report>,
    /// The time when the last event was sent.
    sent: Arc<Mutex<Instant>>,
}

impl Api {
    fn accept(&self, report: Report) -> StatusCode {
        // Sending fails when the test is over.
        let _ = self.reports.send(report);
        StatusCode::ACCEPTED
    }

    fn sent(&self) -> MutexGuard<'_, Instant> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn next(State(api): State<Api>) -> Response {
    api.accept(Report::Ready(Instant::now()));
    let Some(Event { id, body }) = api.events.lock().await.recv().await else {
        return StatusCode::GONE.into_response();
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let deadline = (now + TIMEOUT).as_millis().to_string();
    let headers = [
        ("content-type", "application/json"),
        ("lambda-runtime-aws-request-id", &id),
        ("lambda-runtime-deadline-ms", &deadline),
        ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:eu-central-1:123456789012:function:test"),
        (
            "lambda-runtime-trace-id",
            "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0",
        ),
    ];
    *api.sent() = Instant::now();
    (headers, body).into_response()
}

async fn response(State(api): State<Api>, UrlPath(id): UrlPath<String>, body: Bytes) -> StatusCode {
    let took = api.sent().elapsed();
    api.accept(Report::Response { id, body, took })
}

async fn error(State(api): State<Api>, UrlPath(id): UrlPath<String>, body: Bytes) -> StatusCode {
    api.accept(Report::Error { id, body })
}

async fn init_error(State(api): State<Api>, body: Bytes) -> StatusCode {
    api.accept(Report::InitError { body })
}
