//! One line of log for each request, which CloudWatch also makes metrics of.
//!
//! The line names the user, the route, the outcome and the cost. It repeats nothing that the client sent: no path, query,
//! body, token, e-mail or IP address.

use std::{cell::RefCell, collections::BTreeMap, io::Write, time::Duration};

use axum::extract::MatchedPath;
use jiff::Timestamp;
use serde::{Serialize, Serializer};
use uuid::Uuid;

/// The CloudWatch namespace of the metrics.
pub const NAMESPACE: &str = "serverless-todo";

/// The line of log for a request that was answered.
#[derive(Debug, Serialize)]
pub struct RequestLog<'a> {
    /// API Gateway's id of the request. The client gets it in `X-Request-Id`.
    pub request_id: &'a str,
    /// Lambda's id of the invocation, which Lambda's own lines have, such as those of a crash or a timeout.
    pub lambda_request_id: Option<&'a str>,
    /// The HTTP method.
    pub method: &'a str,
    /// The route without its prefix, such as `/tasks/{id}`. `None` if no route matched.
    pub route: Option<&'a str>,
    /// The status of the answer.
    pub status: u16,
    /// The `code` of the error, if the answer is one.
    pub code: Option<&'static str>,
    /// The time from the parsed event to the answer.
    #[serde(rename = "duration_ms", serialize_with = "as_ms")]
    pub duration: Duration,
    /// The part of that time spent waiting for a connection and for the database's answers.
    #[serde(rename = "database_ms", serialize_with = "as_ms")]
    pub database: Duration,
    /// The number of resends of a statement, after a lost answer or a rollback.
    pub resent: u32,
    /// True if the request ended a session, because it used an old refresh token again. Else it is left out.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub refresh_token_reused: bool,
    /// True for the first request that this process answered.
    pub cold_start: bool,
    /// The user who holds the token, signed up or logged in.
    pub user_id: Option<Uuid>,
}

/// Writes the line for people, in `cargo dev`.
pub fn to_terminal(answered: &RequestLog) {
    let RequestLog { method, route, status, code, duration, database, .. } = *answered;
    tracing::info!(
        "{method} {} {status} {} in {:.1} ms, database {:.1} ms",
        route.unwrap_or("(no route)"),
        code.unwrap_or("ok"),
        millis(duration),
        millis(database),
    );
}

/// Writes the line for CloudWatch, in the [embedded metric format][emf]: its counts become the metrics
/// `Requests`, `Errors` (5xx), `LoginFailures`, `Refreshes`, `RefreshTokenReuses` and `ColdStarts` of the function
/// `function`. A count of zero is left out, because each metric costs money.
///
/// [emf]: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
pub fn to_cloudwatch(function: &str, answered: &RequestLog) {
    // One write, so that no other line comes between. If it fails, the answer goes out all the same.
    let _ = std::io::stdout().write_all(cloudwatch_line(function, answered, Timestamp::now()).as_bytes());
}

fn cloudwatch_line(function: &str, answered: &RequestLog, now: Timestamp) -> String {
    #[derive(Serialize)]
    struct Line<'a> {
        timestamp: Timestamp,
        level: &'static str,
        message: &'static str,
        #[serde(flatten)]
        answered: &'a RequestLog<'a>,
        #[serde(rename = "FunctionName")]
        function: &'a str,
        #[serde(rename = "_aws")]
        metadata: Metadata,
        #[serde(flatten)]
        counts: BTreeMap<&'static str, u8>,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Metadata {
        timestamp: i64,
        cloud_watch_metrics: [Metrics; 1],
    }
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Metrics {
        namespace: &'static str,
        dimensions: [[&'static str; 1]; 1],
        metrics: Vec<Metric>,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Metric {
        name: &'static str,
        unit: &'static str,
    }

    let is_error = answered.status >= 500;
    let counts = [
        ("Requests", true),
        ("Errors", is_error),
        ("LoginFailures", answered.code == Some("invalid_credentials")),
        ("Refreshes", answered.route == Some("/auth/refresh") && answered.status == 200),
        ("RefreshTokenReuses", answered.refresh_token_reused),
        ("ColdStarts", answered.cold_start),
    ];
    let names = || counts.iter().filter(|(_, counts)| *counts).map(|(name, _)| *name);
    let metrics = names().map(|name| Metric { name, unit: "Count" }).collect();
    let line = Line {
        timestamp: now,
        level: if is_error { "ERROR" } else { "INFO" },
        message: "answered",
        answered,
        function,
        metadata: Metadata {
            timestamp: now.as_millisecond(),
            cloud_watch_metrics: [Metrics { namespace: NAMESPACE, dimensions: [["FunctionName"]], metrics }],
        },
        counts: names().map(|name| (name, 1)).collect(),
    };
    serde_json::to_string(&line).map(|line| line + "\n").unwrap_or_else(|error| format!("{error}\n"))
}

fn as_ms<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    // Less than a tenth of a millisecond is noise.
    serializer.serialize_f64((millis(*duration) * 10.0).round() / 10.0)
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

tokio::task_local! {
    static FIELDS: RefCell<Fields>;
}

/// The parts of a [`RequestLog`] that are known only where the request is handled.
#[derive(Default)]
pub(crate) struct Fields {
    pub(crate) route: Option<MatchedPath>,
    pub(crate) user_id: Option<Uuid>,
    pub(crate) database: Duration,
    pub(crate) resent: u32,
    pub(crate) refresh_token_reused: bool,
}

/// Changes the fields of the request that is being handled. Does nothing outside a request.
pub(crate) fn record(change: impl FnOnce(&mut Fields)) {
    let _ = FIELDS.try_with(|fields| change(&mut fields.borrow_mut()));
}

/// Logs that an old refresh token of the user was used again, and counts it.
pub fn refresh_token_reused(user_id: Uuid) {
    tracing::warn!(%user_id, "an old refresh token was used again, so its session has ended");
    record(|fields| fields.refresh_token_reused = true);
}

/// Waits for an answer, and returns it with the fields that were recorded meanwhile.
pub(crate) async fn recorded<T>(answering: impl Future<Output = T>) -> (T, Fields) {
    FIELDS
        .scope(RefCell::default(), async {
            let answer = answering.await;
            (answer, FIELDS.with(RefCell::take))
        })
        .await
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn line(answered: &RequestLog) -> Value {
        let line = cloudwatch_line("todo-tasks", answered, Timestamp::from_second(1_800_000_000).unwrap());
        assert_eq!(line.matches('\n').count(), 1);
        serde_json::from_str(&line).unwrap()
    }

    const ANSWERED: RequestLog = RequestLog {
        request_id: "JKJaXmPLvHcESHA=",
        lambda_request_id: Some("8476a536-e9f4-11e8-9739-000000000001"),
        method: "PUT",
        route: Some("/tasks/{id}"),
        status: 200,
        code: None,
        duration: Duration::from_micros(2345),
        database: Duration::from_micros(1890),
        resent: 0,
        refresh_token_reused: false,
        cold_start: false,
        user_id: Some(Uuid::from_u128(0x019b_c000_0000_7000_8000_0000_0000_0001)),
    };

    #[test]
    fn the_line_has_the_request_and_its_cost() {
        assert_eq!(
            line(&ANSWERED),
            json!({
                "timestamp": "2027-01-15T08:00:00Z",
                "level": "INFO",
                "message": "answered",
                "request_id": "JKJaXmPLvHcESHA=",
                "lambda_request_id": "8476a536-e9f4-11e8-9739-000000000001",
                "method": "PUT",
                "route": "/tasks/{id}",
                "status": 200,
                "code": null,
                "duration_ms": 2.3,
                "database_ms": 1.9,
                "resent": 0,
                "cold_start": false,
                "user_id": "019bc000-0000-7000-8000-000000000001",
                "FunctionName": "todo-tasks",
                "Requests": 1,
                "_aws": {
                    "Timestamp": 1_800_000_000_000_i64,
                    "CloudWatchMetrics": [{
                        "Namespace": "serverless-todo",
                        "Dimensions": [["FunctionName"]],
                        "Metrics": [{ "Name": "Requests", "Unit": "Count" }],
                    }],
                },
            })
        );
    }

    #[test]
    fn counts_of_zero_are_left_out() {
        let counted = |answered: RequestLog| {
            let line = line(&answered);
            let metrics = line["_aws"]["CloudWatchMetrics"][0]["Metrics"].as_array().unwrap().clone();
            let names: Vec<_> = metrics.iter().map(|metric| metric["Name"].as_str().unwrap()).collect();
            // A metric is a member of the line's root (the format's "target member").
            assert!(names.iter().all(|name| line[name] == 1), "{line}");
            names.join(" ")
        };
        assert_eq!(counted(RequestLog { cold_start: true, ..ANSWERED }), "Requests ColdStarts");
        assert_eq!(counted(RequestLog { status: 503, ..ANSWERED }), "Requests Errors");
        assert_eq!(counted(RequestLog { status: 422, code: Some("invalid"), ..ANSWERED }), "Requests");
        let failed = RequestLog { status: 401, code: Some("invalid_credentials"), ..ANSWERED };
        assert_eq!(counted(failed), "Requests LoginFailures");
        let refused = RequestLog { status: 401, code: Some("invalid_token"), ..ANSWERED };
        assert_eq!(counted(refused), "Requests");
        let refreshed = RequestLog { route: Some("/auth/refresh"), ..ANSWERED };
        assert_eq!(counted(refreshed), "Requests Refreshes");
        let reused = RequestLog { status: 401, refresh_token_reused: true, ..ANSWERED };
        assert_eq!(counted(reused), "Requests RefreshTokenReuses");
    }

    #[test]
    fn a_5xx_has_the_level_error() {
        assert_eq!(line(&RequestLog { status: 500, ..ANSWERED })["level"], "ERROR");
        assert_eq!(line(&RequestLog { status: 499, ..ANSWERED })["level"], "INFO");
    }
}
