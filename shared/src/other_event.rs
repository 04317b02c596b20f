//! Descriptions, for the log, of events that are not requests of an HTTP API.

use serde_json::{Value, value::RawValue};

/// Describes an event that cannot be read as a request of an HTTP API with payload version 2.0, and says what to do.
/// Returns `None` if it is such a request, but malformed.
pub(crate) fn describe(event: &RawValue) -> Option<&'static str> {
    let event: Value = serde_json::from_str(event.get()).unwrap_or_default();
    let has = |pointer: &str| event.pointer(pointer).is_some_and(|value| !value.is_null());
    if has("/requestContext/http") {
        return None;
    }
    Some(if has("/requestContext/elb") {
        "a request of an Application Load Balancer: put an HTTP API in front of the function, as template.yaml does"
    } else if has("/methodArn") || has("/routeArn") {
        "a request for authorization: the functions verify tokens themselves, remove the authorizer"
    } else if has("/requestContext/connectionId") {
        "a message of a WebSocket API: put an HTTP API in front of the function, as template.yaml does"
    } else if has("/httpMethod") || has("/requestContext/httpMethod") {
        "a request with payload version 1.0, of a REST API or an HTTP API: set the integration's PayloadFormatVersion to \
         2.0, which only HTTP APIs have"
    } else if has("/Records") || has("/records") {
        "records of a queue, a topic, a stream or a bucket: remove the event source"
    } else if has("/detail-type") {
        "an event of EventBridge, such as a schedule that keeps functions warm: remove the rule, a cold start takes \
         milliseconds"
    } else {
        "an unknown event, such as a warm-up ping or a test event of the console: send one of the repository's events/"
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_kind_of_event_is_named_and_its_content_is_not_repeated() {
        for (event, part) in [
            (
                json!({ "version": "1.0", "httpMethod": "GET", "path": "/tasks", "requestContext": {} }),
                "payload version 1.0",
            ),
            (
                json!({ "resource": "/tasks", "requestContext": { "httpMethod": "GET" } }),
                "payload version 1.0",
            ),
            (
                json!({ "httpMethod": "GET", "requestContext": { "elb": { "targetGroupArn": "a" } } }),
                "Load Balancer",
            ),
            (json!({ "requestContext": { "connectionId": "a", "eventType": "CONNECT" } }), "WebSocket"),
            (json!({ "type": "TOKEN", "methodArn": "a" }), "authorizer"),
            (
                json!({ "version": "2.0", "type": "REQUEST", "routeArn": "a", "requestContext": {} }),
                "authorizer",
            ),
            (json!({ "Records": [{ "eventSource": "aws:sqs" }] }), "queue"),
            (json!({ "source": "aws.events", "detail-type": "Scheduled Event" }), "EventBridge"),
            (json!({ "source": "serverless-plugin-warmup" }), "warm-up ping"),
            (json!({ "warmer": true, "concurrency": 3 }), "warm-up ping"),
            (json!({ "key1": "value1" }), "test event"),
            (json!({}), "unknown event"),
            (json!(null), "unknown event"),
            (json!([1, 2]), "unknown event"),
            (json!("ping"), "unknown event"),
        ] {
            let raw = serde_json::value::to_raw_value(&event).unwrap();
            let description = describe(&raw).unwrap();
            assert!(description.contains(part), "{event}: {description}");
        }
    }

    #[test]
    fn a_malformed_request_of_an_http_api_has_no_description() {
        let event =
            json!({ "version": "2.0", "headers": "none", "requestContext": { "http": { "method": "GET" } } });
        assert_eq!(describe(&serde_json::value::to_raw_value(&event).unwrap()), None);
    }
}
